"""Programs under test: started, waited for by the line that says they are ready, and ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
COOEE = (sys.executable, "-m", "cooee")


def environment(**more: str) -> dict[str, str]:
    """That of the tests, with warnings as errors in Python programs too."""
    return {**os.environ, "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1", **more}


def run(
    *command: str | Path,
    input: str | bytes = b"",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what became of it."""
    done = subprocess.run(
        [str(part) for part in command],
        input=input.encode() if isinstance(input, str) else input,
        capture_output=True,
        env=environment(**(env or {})),
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


class Program:
    """
    A program that runs beside the test; killed, if need be, at the end of the ``with`` block.

    Args:
        command: What to run.
        env: Environment variables besides those of the tests.
    """

    def __init__(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(**(env or {})),
        )

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line in which the pattern is found; the test's own timeout ends it."""
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line.decode())
            if match := re.search(pattern, lines[-1]):
                return match
        raise AssertionError(f"no {pattern!r} in {''.join(lines)!r}; errors: {self.errors()}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the program to end by itself and return the exit code."""
        return self._process.wait()

    def rest(self) -> str:
        """What it has written and nobody has waited for, once it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.read().decode()

    def stop_reading(self) -> None:
        """Close our end of its standard output."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def errors(self) -> str:
        """What it has written to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

"""A program at a terminal of its own, and somebody who types."""

import codecs
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cli.processes import environment

# Makes the terminal the controlling one, which Ctrl-C needs, and becomes the program.
CONTROLLED = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
# What terminals are told about colours, cursors and modes.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

CTRL_C = "\x03"
CTRL_D = "\x04"


class Terminal:
    """
    A terminal with a program that runs in it; killed, if need be, at the end of the block.

    Args:
        command: What to run; the first is a path.
        env: Environment variables besides those of the tests.

    Attributes:
        first_modes: The modes that the terminal was in at first.
    """

    def __init__(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        # Before the program can have changed them.
        self.first_modes = self.modes()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", CONTROLLED, *(str(part) for part in command)],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                env=environment(TERM="xterm", **(env or {})),
            )
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)
        self._screen = ""
        # What is read may end in the middle of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern is found in what was written after the previous match."""
        while not (match := re.search(pattern, self._screen)):
            written = self._read()
            if not written:
                raise AssertionError(f"no {pattern!r} in {self._screen!r}")
            self._screen = ESCAPES.sub("", self._screen + written)
        self._screen = self._screen[match.end() :]
        return match

    def _read(self) -> str:
        try:
            written = ""
            while not written and (data := os.read(self._ours, 65536)):
                written = self._decoder.decode(data)
        except OSError:  # Linux's way of saying that the other side is closed
            return ""
        else:
            return written

    def ready(self) -> None:
        """
        Wait until somebody reads keys one by one.

        Until then the terminal edits the line itself, and keeps some keys for itself.
        """
        self.press("x\b")
        # The terminal's own echo of that key would be ^H.
        self.wait_for("\b")

    def press(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def modes(self) -> list[Any]:
        """The modes that the terminal is in."""
        return termios.tcgetattr(self._ours)

    def wait(self) -> int:
        """Wait for the program to end, its output taken, and return the exit code."""
        while written := self._read():
            self._screen += written
        return self._process.wait()

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
        os.close(self._ours)

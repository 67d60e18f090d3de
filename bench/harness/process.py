"""Servers, clients and the load generator as processes on their own cores."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import selectors
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from harness.machine import Cores, pinned, process_cpu
from harness.peers import BUILD, LOAD, Command

READY_TIMEOUT = 30  # seconds
STOP_TIMEOUT = 5
LOAD_TIMEOUT = 120
QUIET_TIMEOUT = 10
QUIET_INTERVAL = 0.02
QUIET_SHARE = 0.02  # of a core: a server that uses less has finished with what was before

# What makes Python check more than it does for a user is not to be measured.
DEBUGGING = ("PYTHONDEVMODE", "PYTHONDEBUG", "PYTHONASYNCIODEBUG", "PYTHONMALLOC")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in DEBUGGING}


class BenchError(Exception):
    """A server, a client or the generator did not do what it should have."""


class Program:
    """
    A process on one core that announces itself by a line on standard output and is ended by us.

    Args:
        command: What to run.
        core: The core for all its threads.
        ready: The word its line begins with.
    """

    def __init__(self, command: Command, core: int, ready: str) -> None:
        name = "-".join(Path(word).stem for word in command[:3] if not word.startswith("-"))
        self._log = BUILD / f"{name}.stderr"
        with pinned(core), self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=ENVIRONMENT,
            )
        self.pid = self._process.pid
        try:
            self.announced = self._wait_for(ready)
        except BaseException:
            self.stop()
            raise

    def _wait_for(self, word: str) -> list[str]:
        """Wait for the line that begins with `word`; return what follows it."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_TIMEOUT
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                *lines, _partial = received.decode().split("\n")
                for line in lines:
                    if line.startswith(word):
                        return line.split()[1:]
                if not selector.select(deadline - time.monotonic()):
                    raise BenchError(f"not ready after {READY_TIMEOUT} seconds")
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    self._process.wait()
                    raise BenchError(f"ended before it was ready: {self.last_words()}")
                received += chunk

    def last_words(self) -> str:
        """The last line it wrote to standard error."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"status {self._process.returncode}"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def cpu(self) -> float:
        return process_cpu(self.pid)

    def wait_until_quiet(self) -> None:
        """Return once it no longer works on what was before, connections to close for instance."""
        deadline = time.monotonic() + QUIET_TIMEOUT
        before = self.cpu()
        while self.running and time.monotonic() < deadline:
            time.sleep(QUIET_INTERVAL)
            after = self.cpu()
            if after - before < QUIET_INTERVAL * QUIET_SHARE:
                return
            before = after

    def stop(self) -> None:
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class Server(Program):
    def __init__(self, command: Command, core: int) -> None:
        super().__init__(command, core, "LISTENING")
        self.port = int(self.announced[0])


class CountingServer(Server):
    """The C echo, with a count of the messages it has answered in shared memory."""

    def __init__(self, command: Command, core: int) -> None:
        path = BUILD / "count"
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._count = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        super().__init__((*command, str(path)), core)

    def messages(self) -> int:
        return int(struct.unpack_from("=Q", self._count)[0])

    def stop(self) -> None:
        super().stop()
        self._count.close()


def generate_load(server: Server, arguments: Sequence[str], cores: Cores) -> dict[str, Any]:
    """
    Run the load generator against a server.

    Raises:
        BenchError: If a reply was wrong or missing, or a connection failed.
    """
    command = [
        str(LOAD), "--port", str(server.port), "--server-pid", str(server.pid), *arguments,
    ]  # fmt: skip
    with pinned(cores.load):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=LOAD_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise BenchError(f"the load generator took over {LOAD_TIMEOUT} seconds") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        raise BenchError(f"the load generator ended with status {process.returncode}") from None
    if "error" in result:
        reason = result["error"]
        raise BenchError(reason if server.running else f"{reason} ({server.last_words()})")
    return result

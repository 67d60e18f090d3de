"""What a test may leave behind: no open descriptor and no running thread."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.peers import sanitized

# How long, in seconds, descriptors and threads that are on their way out may take to be gone.
GRACE = 20.0

# Linux, then macOS and the BSDs.
FOLDER = next((path for path in ("/proc/self/fd", "/dev/fd") if os.path.isdir(path)), None)


def descriptors() -> dict[int, str]:
    """The open file descriptors and what each stands for; empty where this cannot be seen."""
    if FOLDER is None:
        return {}
    found = {}
    for name in os.listdir(FOLDER):
        try:
            found[int(name)] = os.readlink(f"{FOLDER}/{name}")
        except FileNotFoundError:
            continue  # the one that listed the folder
        except OSError:
            found[int(name)] = "open"
    return found


@contextmanager
def without_collector() -> Iterator[None]:
    """What is freed meanwhile is freed by its last reference."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def resident() -> int:
    """Bytes of memory that this process has; a skip where that cannot be seen."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        pytest.skip("the system does not say how much memory a process has")


@contextmanager
def grows_less(size: int) -> Iterator[None]:
    """The process, servers and clients, grows by fewer bytes; sanitizers keep what is freed."""
    before = resident()
    yield
    assert sanitized() or resident() - before < size


class Snapshot:
    """The descriptors and threads at one moment."""

    def __init__(self) -> None:
        self._descriptors = descriptors()
        self._threads = set(threading.enumerate())

    def _new(self) -> list[str]:
        opened = descriptors().items() - self._descriptors.items()
        started = [t for t in threading.enumerate() if t not in self._threads and t.is_alive()]
        return [f"descriptor {number} ({target})" for number, target in sorted(opened)] + [
            f"thread {thread.name}" for thread in started
        ]

    def leaked(self) -> list[str]:
        """
        What is there now and was not then, each by a description.

        Collects garbage, and waits up to GRACE, only when something seems to be left.
        """
        new = self._new()
        if not new:
            return new
        deadline = time.monotonic() + GRACE
        while True:
            # Each time: a thread that ends meanwhile may leave garbage that holds descriptors.
            gc.collect()
            new = self._new()
            if not new or time.monotonic() > deadline:
                return new
            # Nothing announces that the kernel or another thread has finished.
            time.sleep(0.01)

"""The machine: which cores to use, how much may be open, what else is running, what it is."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES_WANTED = 24_000  # ten thousand connections, on either side, and room to spare


@dataclass(frozen=True)
class Cores:
    """The server has one core for itself, the load another."""

    server: int
    load: int

    @property
    def apart(self) -> bool:
        return self.server != self.load


def choose_cores(server: int | None, load: int | None) -> Cores:
    """The first two cores this process may use, unless told otherwise."""
    available = sorted(os.sched_getaffinity(0))
    return Cores(
        available[0] if server is None else server,
        available[1 % len(available)] if load is None else load,
    )


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started inside run on this core only; so do all their threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> int:
    """Raise the limit of open files as far as this process may. Returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in ((FILES_WANTED, max(FILES_WANTED, hard)), (min(FILES_WANTED, hard), hard)):
        if soft >= FILES_WANTED:
            break
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
            soft = wanted[0]
    return soft


def process_cpu(pid: int) -> float:
    """Seconds of CPU, user and system, that all threads of a process have used so far."""
    # clock_getcpuclockid(3): Linux encodes the process and the kind of clock in the clock's number.
    return time.clock_gettime(~pid << 3 | 2)


@dataclass(frozen=True)
class Activity:
    """What the machine has done since it started, in seconds over all cores."""

    at: float
    busy: float
    stolen: float

    @classmethod
    def now(cls) -> Activity:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = fields
        tick = os.sysconf("SC_CLK_TCK")
        busy = user + nice + system + irq + softirq
        return cls(time.monotonic(), busy / tick, steal / tick)


def describe() -> dict[str, str]:
    """Kernel, processor and Python, without anything that names this very machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }

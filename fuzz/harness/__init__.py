"""
Runs a target on random input for some seconds.

A target takes a `random.Random`, makes its input of it, and raises if something is wrong. Plain
Python gives it a seed each time, and a failure names the seed that repeats it. With atheris
installed the bytes that libFuzzer makes take the place of the generator, so that coverage (of the
Python code: the oracle mirrors the native one) guides the choices that the target makes.

Each script takes ``[seconds [seed]]``: by default 30 seconds, from a seed of its own. With a seed,
only that one is run. The status is 1 after a failure.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

ATHERIS: Any = (
    importlib.import_module("atheris") if importlib.util.find_spec("atheris") is not None else None
)

Target = Callable[[random.Random], None]


class Bytes(random.Random):
    """A generator that takes its choices from given bytes, and only zeros after them."""

    def __new__(cls, data: bytes) -> Bytes:
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = data
        self._at = 0

    def getrandbits(self, k: int, /) -> int:
        """Return the next bits, taken by whole bytes."""
        size = (k + 7) // 8
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken.ljust(size, b"\0"), "little") >> (8 * size - k)

    def random(self) -> float:
        """Return a number of [0, 1)."""
        return self.getrandbits(32) / 2**32


def instrumented() -> AbstractContextManager[None]:
    """Import in this context what coverage is to be measured of, when there is atheris."""
    if ATHERIS is None:
        return nullcontext()
    manager: AbstractContextManager[None] = ATHERIS.instrument_imports(
        include=["cooee", "tests.protocol"]
    )
    return manager


def guided(target: Target, seconds: float) -> None:
    """Run under atheris, which ends the process: with a status other than 0 after a failure."""
    ATHERIS.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds:.0f}",
            "-max_len=4096",
            # Input that failed is kept there; libFuzzer says under which name.
            f"-artifact_prefix={tempfile.gettempdir()}/{Path(sys.argv[0]).stem}-",
        ],
        lambda data: target(Bytes(data)),
    )
    ATHERIS.Fuzz()


def seeded(target: Target, seconds: float) -> int:
    """Run with one seed after another, and return the status of the process."""
    start = time.monotonic()
    count = 0
    while time.monotonic() - start < seconds:
        seed = secrets.randbits(48)
        if not once(target, seed):
            return 1
        count += 1
    print(f"{sys.argv[0]}: {count} inputs in {time.monotonic() - start:.0f} s, no failure")
    return 0


def once(target: Target, seed: int) -> bool:
    """Run with one seed; print what went wrong and how to repeat it."""
    try:
        target(random.Random(seed))
    except Exception:
        traceback.print_exc()
        print(f"\nrepeat with: python {sys.argv[0]} 0 {seed}", file=sys.stderr)
        return False
    return True


def main(target: Target) -> None:
    """Do what the command line says."""
    arguments = sys.argv[1:]
    seconds = float(arguments[0]) if arguments else 30.0
    if len(arguments) > 1:
        sys.exit(0 if once(target, int(arguments[1])) else 1)
    if ATHERIS is None:
        sys.exit(seeded(target, seconds))
    guided(target, seconds)

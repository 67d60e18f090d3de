"""Standard output, which somebody may have stopped reading: ``cooee echo -v | head``."""

from __future__ import annotations

import os
import sys

__all__ = ["print_line", "silence"]


def print_line(line: str) -> None:
    """Write a line to standard output at once; when nobody reads it any more, nowhere."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Let what is written to standard output go nowhere, what is still buffered included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)

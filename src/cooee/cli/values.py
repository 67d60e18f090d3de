"""What options are given as, and how failures are told."""

from __future__ import annotations

import re
import sys
from typing import NoReturn

import typer

__all__ = ["complain", "fail", "size"]

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text: str | int) -> int:
    """
    Return the bytes that a size stands for: ``65536``, ``64K``, ``64KiB``, ``32M``, ``1G``.

    A default, which is a number already, stands for itself.

    Raises:
        typer.BadParameter: The text is no size.
    """
    if isinstance(text, int):
        return text
    match = re.fullmatch(
        r"(\d{1,15})\s*(?:([kmg])(?:ib)?)?", text.strip(), re.IGNORECASE | re.ASCII
    )
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size; such as 65536, 64K or 32M")
    return int(match[1]) * UNITS[(match[2] or "").lower()]


def complain(message: str) -> None:
    """Say what went wrong on standard error."""
    print(f"cooee: {message}", file=sys.stderr)


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what went wrong on standard error and exit with a code."""
    complain(message)
    raise typer.Exit(code)

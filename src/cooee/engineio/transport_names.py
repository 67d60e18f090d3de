"""Names of the transports, as servers and clients are given them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, cast

__all__ = ["Transport", "transport_names"]

Transport: TypeAlias = Literal["polling", "websocket"]

_NAMES: Final = ("polling", "websocket")


def transport_names(names: str | Iterable[str]) -> tuple[Transport, ...]:
    """
    Return the transports of that name or of those names, in that order.

    Raises:
        ValueError: There is no such transport, or none is named.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in _NAMES:
            raise ValueError(f"transport {name!r}, must be 'polling' or 'websocket'")
    if not names:
        raise ValueError("no transports, must be 'polling', 'websocket' or both")
    return cast(tuple[Transport, ...], names)

"""The echo server: what a client developer tests against."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from cooee import Request, Server, Session
from cooee.apps.output import print_line
from cooee.apps.readable import readable

__all__ = ["EchoServer"]

DEFAULT_PORT = 6080
DEFAULT_MAX_MESSAGE_SIZE = 32 * 1024 * 1024
# More than one turn of the reactor receives of small messages: reading pauses for peers that are
# slow, not for those that send much at once.
DEFAULT_HIGH_WATER = 1024 * 1024
DEFAULT_MAX_BUFFERED = 64 * 1024 * 1024

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class EchoServer(Server):
    """
    A WebSocket server that sends every message back, as the type it came in.

    It serves any path, any origin and any subprotocol, the first that is offered. A peer that takes
    its echoes too slowly is not read from until it has taken all: at most `high_water` bytes and
    one message wait for it.

    Args:
        host: Name or address to listen on, or several; None, the default, for all interfaces.
        port: TCP port, 6080; 0 for a free one; None where ``unix`` or ``sock`` is given.
        max_message_size: Bytes in a message, 32 MiB; None for no limit.
        high_water: Bytes waiting to be sent to a peer above which it is not read from, 1 MiB.
        verbose: Show each message, as ``###### HelloWorld``.
        show: What is called with each such line; by default it goes to standard output.
        options: As for :class:`cooee.Server`.
    """

    def __init__(
        self,
        host: str | Iterable[str] | None = None,
        port: int | None = DEFAULT_PORT,
        *,
        max_message_size: int | None = DEFAULT_MAX_MESSAGE_SIZE,
        high_water: int = DEFAULT_HIGH_WATER,
        verbose: bool = False,
        show: Callable[[str], object] | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("origins", "*")
        options.setdefault("subprotocols", _first)
        # Reading pauses long before; an echo that is allowed must not count as a slow peer's.
        largest = sys.maxsize if max_message_size is None else high_water + 2 * max_message_size
        options.setdefault("max_buffered", max(DEFAULT_MAX_BUFFERED, largest))
        super().__init__(
            host=host,
            port=port,
            max_message_size=max_message_size,
            high_water=high_water,
            **options,
        )
        self._show = show or print_line
        self.on("connection", self._connected_verbosely if verbose else self._connected)

    def _connected(self, session: Session, request: Request) -> None:
        session.on("message", _echo(session, self.settings.high_water))
        session.on("drain", session.resume)

    def _connected_verbosely(self, session: Session, request: Request) -> None:
        echo = _echo(session, self.settings.high_water)

        def message(data: str | bytes) -> None:
            self._show(f"###### {readable(data)}")
            echo(data)

        session.on("message", message)
        session.on("drain", session.resume)

    @property
    def url(self) -> str:
        """A URL at which a client on this machine reaches it; it listens on TCP."""
        host, port = self.addresses[0][:2]
        return _url(WILDCARDS.get(host, host), port) + "/ws"

    def describe(self) -> str:
        """One line that says where it listens, and whether others can reach it."""
        addresses = self.addresses
        where = " and ".join(
            f"unix:{address}" if isinstance(address, str) else _url(*address[:2])
            for address in addresses
        )
        if any(address[0] in WILDCARDS for address in addresses):
            return f"WebSocket echo on {where}: all interfaces, so other machines can reach it"
        return f"WebSocket echo on {where}"


def _first(request: Request, offered: list[str]) -> str | None:
    # Browsers and Node's ws fail a connection when none of those that they offer is chosen.
    return offered[0] if offered else None


def _echo(session: Session, high_water: int) -> Callable[[str | bytes], None]:
    send = session.send

    def message(data: str | bytes) -> None:
        send(data)
        if session.buffered_amount > high_water:
            # Until `drain`: what the peer does not take, TCP makes it keep.
            session.pause()

    return message


def _url(host: str, port: int) -> str:
    return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"

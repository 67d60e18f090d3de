"""Foreign servers in threads, for commands to talk to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.websocket.browsing import websockets_server
from websockets.sync.server import ServerConnection


@contextmanager
def serving(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """
    A server that does that with each connection; its URL.

    Afterwards the handlers have come to their end.
    """
    with websockets_server(handler, **options) as url:
        yield f"{url}/ws"


def echo(peer: ServerConnection) -> None:
    """Send every message back."""
    for message in peer:
        peer.send(message)


def swallow(peer: ServerConnection) -> None:
    """Receive, and say nothing."""
    for _ in peer:
        pass

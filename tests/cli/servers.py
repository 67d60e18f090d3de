"""Foreign servers in threads, for commands to talk to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.server import ServerConnection, serve


@contextmanager
def serving(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """A server that does that with each connection; its URL."""
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws"
        finally:
            server.shutdown()
            thread.join()


def echo(peer: ServerConnection) -> None:
    """Send every message back."""
    for message in peer:
        peer.send(message)


def swallow(peer: ServerConnection) -> None:
    """Receive, and say nothing."""
    for _ in peer:
        pass

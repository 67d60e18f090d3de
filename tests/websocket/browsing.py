"""What uses a ``WebSocket``: an application in the thread of a driver."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest
from tests.drivers import PATIENCE, Driver
from tests.rawserver import RawPeer, RawServer
from tests.websocket.serving import Inbox
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as websockets_serve

from cooee import CloseEvent, ErrorEvent, Event, MessageEvent, WebSocket

T = TypeVar("T")


class Page:
    """
    A WebSocket, whose events it hands over as tuples: the type, what is in it, the ready state.

    Args:
        prepare: Called with the WebSocket when it is made.

    Attributes:
        ws: The WebSocket; only for its thread.
        events: What has happened.
    """

    def __init__(
        self,
        driver: Driver,
        url: str,
        *args: Any,
        prepare: Callable[[WebSocket], object] = lambda ws: None,
        **options: Any,
    ) -> None:
        self.driver = driver
        self.events: Inbox[Any] = Inbox()

        def make() -> WebSocket:
            ws = WebSocket(url, *args, **options)
            ws.onopen = self.opened
            ws.onmessage = self.received
            ws.onerror = self.failed
            ws.onclose = self.closed
            prepare(ws)
            return ws

        self.ws = driver.call(make)

    def opened(self, event: Event) -> None:
        self.events.put((event.type, event.target.ready_state))

    def received(self, event: MessageEvent) -> None:
        self.events.put((event.type, event.data))

    def failed(self, event: ErrorEvent) -> None:
        self.events.put((event.type, event.error, event.target.ready_state))

    def closed(self, event: CloseEvent) -> None:
        self.events.put(
            (event.type, event.code, event.reason, event.was_clean, event.target.ready_state)
        )

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the WebSocket's thread."""
        return self.driver.call(function, *args)

    def take(self) -> Any:
        """Wait for the next event."""
        return self.events.take()

    def take_failure(self) -> Exception:
        """Wait for the two events of a failure, and return what it says."""
        kind, exc, state = self.take()
        assert (kind, state) == ("error", 3)
        assert self.take() == ("close", 1006, "", False, 3)
        assert self.events.empty()
        assert isinstance(exc, Exception)
        return exc

    def leave(self) -> None:
        """Close, if that has not been done, and wait for the end; whatever comes before."""
        self.call(lambda: self.ws.close())
        self.driver.until(lambda: self.ws.ready_state == 3)


Browse = Callable[..., Page]
Opened = Callable[..., tuple[Page, RawPeer]]


@contextlib.contextmanager
def websockets_server(handler: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """Serve with the package of that name, in a thread; yields the URL."""
    before = set(threading.enumerate())
    with websockets_serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, name="websockets server")
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join(PATIENCE)
            # Those of its connections too, so that what handlers do has been done.
            for other in set(threading.enumerate()) - before:
                other.join(PATIENCE)


def websockets_echo(connection: ServerConnection) -> None:
    """Send back what comes."""
    for message in connection:
        connection.send(message)


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server that does nothing by itself."""
    with RawServer(receive_buffer=64 * 1024) as server:
        yield server


@pytest.fixture
def browse(driver: Driver) -> Iterator[Browse]:
    """Open a WebSocket in the driver's thread, with the arguments of :class:`Page`."""
    with ExitStack() as stack:

        def browse(*args: Any, **options: Any) -> Page:
            page = Page(driver, *args, **options)
            stack.callback(page.leave)
            return page

        yield browse


@pytest.fixture
def opened(browse: Browse, server: RawServer) -> Iterator[Opened]:
    """Open a WebSocket, and see it open; also its other end."""
    peers = []

    def opened(*args: Any, rest: bytes = b"", **options: Any) -> tuple[Page, RawPeer]:
        page = browse(f"{server.url}/", *args, **options)
        peer = server.take()
        peers.append(peer)
        peer.accept(rest=rest)
        assert page.take() == ("open", 1)
        return page, peer

    yield opened
    for peer in peers:
        peer.close()

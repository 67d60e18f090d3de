"""A server for one test, and clients of it."""

from __future__ import annotations

import inspect
import queue
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from tests.drivers import PATIENCE, Driver, limit_send_buffer
from tests.rawclient import RawClient

from cooee.websocket import Server, Session

T = TypeVar("T")

Handler = Callable[[Session], object]


class Inbox(queue.SimpleQueue[T], Generic[T]):
    """What the server's thread hands to the test: ``put`` may be a handler."""

    def take(self) -> T:
        """Wait for the next."""
        return self.get(timeout=PATIENCE)

    def put_all(self, *args: Any) -> None:
        """Hand over the arguments of a handler that has several, or none."""
        self.put(args)  # type: ignore[arg-type]


class Serving:
    """
    A server on a driver.

    Args:
        handler: Called with each session: a function, or a coroutine function, which makes it a
            server in coroutine style.
        prepare: Called with the server before it starts.
        options: Of the server; on a free port of 127.0.0.1 unless they say something else.

    Attributes:
        server: The :class:`Server`.
        sessions: Its sessions, in the order in which they came.
    """

    def __init__(
        self,
        driver: Driver,
        handler: Handler | Callable[[Session], Coroutine[Any, Any, None]] | None = None,
        *,
        prepare: Callable[[Server], object] = lambda server: None,
        **options: Any,
    ) -> None:
        self.driver = driver
        self.sessions: Inbox[Session] = Inbox()
        self.clients: list[RawClient] = []
        if not options.keys() & {"port", "sock", "unix"}:
            options |= {"host": "127.0.0.1", "port": 0}
        if inspect.iscoroutinefunction(handler):
            self.server = Server(handler, **options)
        else:
            self.server = Server(**options)

        @self.server.on("connection")
        def connected(session: Session, request: object) -> None:
            self.sessions.put(session)
            if handler is not None and not inspect.iscoroutinefunction(handler):
                handler(session)

        def start() -> None:
            prepare(self.server)
            self.server.start()

        driver.call(start)
        self.addresses = driver.call(lambda: self.server.addresses)

    @property
    def address(self) -> Any:
        """The first address listened on."""
        return self.addresses[0]

    def open(self, **options: Any) -> RawClient:
        """A client before its opening handshake."""
        client = RawClient(self.address, **options)
        self.clients.append(client)
        return client

    def connect(
        self, target: str = "/", headers: Any = None, *, receive_buffer: int = 0
    ) -> RawClient:
        """A client after its opening handshake."""
        client = self.open(receive_buffer=receive_buffer)
        client.upgrade(target, headers)
        return client

    def accept(self, *args: Any, **options: Any) -> tuple[RawClient, Session]:
        """A client after its opening handshake, and its session."""
        client = self.connect(*args, **options)
        return client, self.sessions.take()

    def accept_slow(self) -> tuple[RawClient, Session]:
        """The same, with systems between them that take little of what is not read."""
        client, session = self.accept(receive_buffer=4096)
        self.call(lambda: limit_send_buffer(session.stream))
        return client, session

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the server's thread."""
        return self.driver.call(function, *args)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition, evaluated in the server's thread, holds."""
        self.driver.until(condition)

    def close(self) -> None:
        """Close clients and server, and wait until nothing is left."""
        for client in self.clients:
            client.close()
        closed = self.driver.call(self.server.close)
        self.driver.until(lambda: closed.done)


def echo(session: Session) -> None:
    """Send back what comes; event style."""
    session.on("message", session.send)


async def echo_coroutine(session: Session) -> None:
    """Send back what comes; coroutine style."""
    async for message in session:
        await session.send(message)

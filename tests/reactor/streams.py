"""A listener for one test, protocols that write down what happens to them, and plain clients."""

from __future__ import annotations

import queue
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.drivers import PATIENCE, Driver, limit_send_buffer

from cooee.reactor import PyProtocol, Stream, listen


class Recorder(PyProtocol):
    """
    Puts down every call; data that comes in pieces is joined by ``received()``.

    Attributes:
        on: Functions to be called, with this object and the arguments, by the method's name.
    """

    def __init__(self, **on: Callable[..., object]) -> None:
        self.on = on
        self.calls: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def _call(self, name: str, *args: Any) -> None:
        self.calls.put((name, *args))  # type: ignore[arg-type]
        if name in self.on:
            self.on[name](self, *args)

    def connection_made(self) -> None:
        self._call("made")

    def data_received(self, data: bytes) -> None:
        self._call("data", data)

    def eof_received(self) -> None:
        self._call("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self._call("lost", exc)

    def writing_drained(self) -> None:
        self._call("drained")

    def take(self) -> tuple[Any, ...]:
        """Wait for the next call."""
        return self.calls.get(timeout=PATIENCE)

    def expect(self, *calls: str | bytes) -> None:
        """Wait for these calls: names, and bytes for data that may come in pieces."""
        for call in calls:
            if isinstance(call, str):
                assert self.take()[0] == call
                continue
            received = b""
            while len(received) < len(call):
                name, data = self.take()
                assert name == "data"
                received += data
            assert received == call


class Listening:
    """
    A listener on a free port of 127.0.0.1.

    Attributes:
        protocols: Those made, in order.
    """

    def __init__(self, driver: Driver, factory: Callable[[], Any]) -> None:
        self.driver = driver
        self.protocols: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.clients: list[socket.socket] = []

        def make() -> Any:
            protocol = factory()
            self.protocols.put(protocol)
            return protocol

        sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        sock.setblocking(False)
        self.address = sock.getsockname()
        self.listener = driver.call(listen, driver.reactor, sock, make)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self.clients:
            client.close()

        def close() -> None:
            self.listener.close()
            for handle in self.driver.reactor.handles():
                if isinstance(handle, Stream):
                    handle.abort()

        self.driver.call(close)

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        """A client's socket."""
        sock = socket.socket()
        self.clients.append(sock)
        sock.settimeout(PATIENCE)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(self.address)
        return sock

    def accept(self, receive_buffer: int = 0) -> tuple[socket.socket, Any]:
        """A client's socket, and its protocol."""
        sock = self.connect(receive_buffer)
        return sock, self.protocols.get(timeout=PATIENCE)

    def accept_slow(self) -> tuple[socket.socket, Any]:
        """The same, with systems between them that take little of what is not read."""
        sock, protocol = self.accept(receive_buffer=4096)
        self.call(lambda: limit_send_buffer(protocol.stream))
        return sock, protocol

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in the reactor's thread."""
        return self.driver.call(function, *args)


def read_to_end(sock: socket.socket) -> bytes:
    """What comes until the peer closes."""
    received = bytearray()
    while data := sock.recv(1 << 18):
        received += data
    return bytes(received)


def reset(sock: socket.socket) -> None:
    """Close so that the peer gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()

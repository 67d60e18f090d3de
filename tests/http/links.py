"""
A client of one HttpConnection, over memory or over a real socket and reactor.

Tests that say what goes in and what comes out use ``Link`` and run over both; those of time and of
back-pressure need the clock and the window of the memory's.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tests.http.memory import MemoryReactor, MemoryStream

from cooee.http import HttpConnection, Request, Response
from cooee.reactor import get_reactor, listen

# Seconds after which a real socket's test has failed.
PATIENCE = 20.0


@dataclass
class Answer:
    """A response, as a client reads it."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


def parse_answers(data: bytes, heads: frozenset[int] = frozenset()) -> tuple[list[Answer], bytes]:
    """
    Read as many complete responses as there are, and return them and the rest.

    Naive on purpose: every response has a Content-Length, or a status without content.

    Args:
        heads: The places of those that answer HEAD.
    """
    answers: list[Answer] = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        status_line, *lines = data[:end].decode("latin-1").split("\r\n")
        version, status, reason = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in fields}
        assert len(headers) == len(fields), f"repeated header in {lines}"
        code = int(status)
        if code < 200 or code in {204, 304} or len(answers) in heads:
            size = 0
        else:
            size = int(headers["content-length"])
        if len(data) < end + 4 + size:
            break
        answers.append(Answer(code, reason, headers, data[end + 4 : end + 4 + size]))
        data = data[end + 4 + size :]
        if code == 101:
            break
    return answers, data


class Recorder:
    """
    The application: keeps every request, and answers at once if told how.

    Args:
        answer: What to answer; None: nothing, the test does.
    """

    def __init__(
        self, answer: Callable[[Request], Response] | None = lambda request: Response(200, "ok")
    ) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.disconnects: list[Request] = []

    def on_request(self, connection: HttpConnection, request: Request) -> None:
        """The handler."""
        self.requests.append(request)
        if self.answer is not None:
            assert connection.respond(request, self.answer(request))

    def on_disconnect(self, connection: HttpConnection, request: Request) -> None:
        """The client went away."""
        self.disconnects.append(request)


class Link(Protocol):
    """The client's end, and the connection at the other."""

    connection: HttpConnection
    received: bytearray

    def send(self, data: bytes) -> None:
        """Send, and let the server have it."""

    def end(self) -> None:
        """Close the sending half."""

    def run(self, until: Callable[[], bool]) -> None:
        """Let the server work until something is so; fail if it never is."""

    @property
    def closed(self) -> bool:
        """Whether the server has closed its sending half, or all."""


def answers(link: Link, count: int) -> list[Answer]:
    """Wait for that many responses, and no further byte."""
    link.run(lambda: len(parse_answers(bytes(link.received))[0]) >= count)
    found, rest = parse_answers(bytes(link.received))
    assert (len(found), rest) == (count, b"")
    return found


def final_answers(link: Link) -> list[Answer]:
    """Wait for the end of the connection, and return all responses."""
    link.run(lambda: link.closed)
    found, rest = parse_answers(bytes(link.received))
    assert rest == b""
    return found


class MemoryLink:
    """Over memory."""

    def __init__(self, on_request: Any, **options: Any) -> None:
        window = options.pop("window", None)
        reactor: Any = MemoryReactor()
        self.reactor: MemoryReactor = reactor
        self.stream = MemoryStream(self.reactor, window)
        self.connection = HttpConnection(on_request, reactor=reactor, **options)
        self.stream.protocol = self.connection
        self.connection.begin(self.stream)  # type: ignore[arg-type]
        self.received = self.stream.received

    def send(self, data: bytes) -> None:
        self.stream.peer_sends(data)

    def end(self) -> None:
        self.stream.peer_ends()

    def run(self, until: Callable[[], bool]) -> None:
        self.reactor.run()
        assert until()

    @property
    def closed(self) -> bool:
        return self.stream.closed or self.stream.ended

    def close(self) -> None:
        """Leave nothing behind."""


class SocketLink:
    """Over a TCP connection to a listener of this thread's reactor."""

    def __init__(self, on_request: Any, **options: Any) -> None:
        self.received = bytearray()
        self.closed = False
        self.reactor = get_reactor()
        made: list[HttpConnection] = []

        def factory() -> HttpConnection:
            made.append(HttpConnection(on_request, **options))
            return made[0]

        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        listener = listen(self.reactor, listening, factory)
        self.socket = socket.create_connection(listening.getsockname())
        self.socket.setblocking(False)
        self.run(lambda: bool(made))
        self.connection = made[0]
        listener.close()

    def send(self, data: bytes) -> None:
        while data:
            with contextlib.suppress(BlockingIOError):
                try:
                    data = data[self.socket.send(data) :]
                except ConnectionError:
                    return
            self.turn()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def turn(self) -> None:
        """Let the server work a little, and receive what there is."""
        self.reactor.poll()
        with contextlib.suppress(BlockingIOError):
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionError:
                self.closed = True
            else:
                self.received += data
                self.closed |= not data

    def run(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline
            if hasattr(self, "socket"):
                self.turn()
            else:
                self.reactor.poll()

    def close(self) -> None:
        """Leave nothing behind."""
        self.connection.abort()
        self.socket.close()
        for _ in range(3):
            self.reactor.poll()


@contextlib.contextmanager
def open_link(kind: type[MemoryLink | SocketLink], *args: Any, **kwargs: Any) -> Iterator[Link]:
    """A link that is closed in the end."""
    link = kind(*args, **kwargs)
    try:
        yield link
    finally:
        link.close()

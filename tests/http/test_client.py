"""The HTTP client, against a server of raw bytes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from tests.drivers import Driver, driver
from tests.websocket.serving import Inbox

from cooee.http.client import Answer, HttpClient, ResponseError
from cooee.protocol.errors import NotSupportedError
from cooee.protocol.urls import parse_url
from cooee.reactor import PyProtocol, listen

__all__ = ["driver"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """
    Answers each request with the next of the answers.

    Attributes:
        requests: What came, a request without a body at a time.
        connections: How many there were.
    """

    def __init__(self, driver: Driver) -> None:
        self.answers: list[list[bytes]] = []
        self.requests: Inbox[bytes] = Inbox()
        self.connections = 0
        self.open: list[PyProtocol] = []
        server = self

        class Connection(PyProtocol):
            received = b""

            def connection_made(self) -> None:
                server.connections += 1
                server.open.append(self)

            def data_received(self, data: bytes) -> None:
                self.received += data
                if b"\r\n\r\n" not in self.received:
                    return
                server.requests.put(self.received)
                self.received = b""
                for piece in server.answers.pop(0):
                    if piece:
                        self.stream.write(piece)
                    else:
                        self.stream.close()

        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self.listener = driver.call(lambda: listen(driver.reactor, sock, Connection))

    def close(self) -> None:
        """Stop, and cut what is open."""
        self.listener.close()
        for connection in self.open:
            connection.stream.abort()


class Asker:
    """A client whose requests wait for their answers."""

    def __init__(self, driver: Driver, server: Server) -> None:
        self.driver = driver
        self.results: Inbox[tuple[Answer | None, Exception | None]] = Inbox()
        url = parse_url(f"http://user:secret@127.0.0.1:{server.port}/")
        self.client = driver.call(
            lambda: HttpClient(driver.reactor, url, headers={"X-Own": "1"}, max_body=100)
        )

    def ask(self, body: bytes | None = None) -> tuple[Answer | None, Exception | None]:
        """One request, and what comes of it."""
        method = "GET" if body is None else "POST"
        self.driver.call(
            lambda: self.client.request(
                method, "/p?q=1", lambda *args: self.results.put(args), body=body
            )
        )
        return self.results.take()

    def answer(self, body: bytes | None = None) -> Answer:
        """One request, and its answer."""
        answer, exc = self.ask(body)
        assert answer is not None, exc
        return answer


@pytest.fixture
def server(driver: Driver) -> Iterator[Server]:
    server = Server(driver)
    yield server
    driver.call(server.close)


@pytest.fixture
def asker(driver: Driver, server: Server) -> Iterator[Asker]:
    asker = Asker(driver, server)
    yield asker
    driver.call(asker.client.close)


def test_requests_and_answers(server: Server, asker: Asker) -> None:
    server.answers = [[OK], [OK]]
    answer = asker.answer()
    assert (answer.status, answer.reason, answer.body) == (200, "OK", b"ok")
    request = server.requests.take()
    assert request.startswith(b"GET /p?q=1 HTTP/1.1\r\n")
    for field in (
        f"Host: 127.0.0.1:{server.port}".encode(),
        b"X-Own: 1",
        b"Authorization: Basic dXNlcjpzZWNyZXQ=",
    ):
        assert b"\r\n" + field + b"\r\n" in request
    asker.answer(b"body")
    request = server.requests.take()
    assert b"\r\nContent-Length: 4\r\n" in request
    assert request.endswith(b"\r\n\r\nbody")


def test_connections_are_kept(server: Server, asker: Asker) -> None:
    server.answers = [[OK], [OK], [OK]]
    for _ in range(3):
        asker.answer()
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        # Its life is over before the next request could arrive.
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok",
    ],
)
def test_connections_are_not_kept(server: Server, asker: Asker, answer: bytes) -> None:
    server.answers = [[answer], [OK]]
    assert asker.answer().body == b"ok"
    assert asker.answer().body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ([OK[index : index + 1] for index in range(len(OK))], b"ok"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                b"1\r\nc\r\n0\r\n\r\n",
            ],
            b"abc",
        ),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", OK], b"ok"),
        # Until the end of the connection.
        ([b"HTTP/1.1 200 OK\r\n\r\nall", b" of it", b""], b"all of it"),
    ],
)
def test_forms_of_answers(server: Server, asker: Asker, pieces: list[bytes], body: bytes) -> None:
    server.answers = [pieces]
    assert asker.answer().body == body


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([b"SSH-2.0-OpenSSH\r\n"], ResponseError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + bytes(101)], ResponseError),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n"], ResponseError),
        # What never comes to its end is given up all the same.
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 140_000], ResponseError),
        ([b"HTTP/1.1 200 " + b"y" * 140_000], ResponseError),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * 6000], ResponseError),
        ([CHUNKED + b"1;" + b"y" * 140_000], ResponseError),
        ([CHUNKED + b"0\r\nX: " + b"y" * 140_000], ResponseError),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], ResponseError),
        ([b""], ConnectionResetError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", b""], ConnectionResetError),
    ],
)
def test_what_is_no_answer(
    server: Server, asker: Asker, pieces: list[bytes], error: type[Exception]
) -> None:
    server.answers = [pieces, [OK]]
    answer, exc = asker.ask()
    assert answer is None
    assert isinstance(exc, error)
    # The next request has a connection of its own.
    assert asker.answer().body == b"ok"
    assert server.connections == 2


def test_nobody_listens(driver: Driver, server: Server, asker: Asker) -> None:
    driver.call(server.close)
    answer, exc = asker.ask()
    assert answer is None
    assert isinstance(exc, OSError)


def test_cancelled_requests(driver: Driver, server: Server, asker: Asker) -> None:
    server.answers = [[], [OK]]
    called: list[object] = []

    def callback(*args: object) -> None:
        called.append(args)

    exchange = driver.call(lambda: asker.client.request("GET", "/", callback))
    server.requests.take()
    driver.call(exchange.cancel)
    driver.call(exchange.cancel)
    assert asker.answer().body == b"ok"
    assert called == []
    assert server.connections == 2


def test_tls_is_refused(driver: Driver) -> None:
    make: Callable[[], HttpClient] = lambda: HttpClient(  # noqa: E731
        driver.reactor, parse_url("https://localhost/"), max_body=1
    )
    with pytest.raises(NotSupportedError):
        driver.call(make)

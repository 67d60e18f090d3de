"""Requests after which the connection goes on as another protocol (RFC 9110 §7.8)."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.http.links import Link, MemoryLink, Recorder, answers, final_answers

from cooee.http import HttpConnection, Request, Response
from cooee.protocol.errors import InvalidStateError
from cooee.reactor import PyProtocol

Connect = Callable[..., Link]

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Other(PyProtocol):
    """The other protocol: it keeps what it is told."""

    def __init__(self) -> None:
        self.made = False
        self.early: list[bytes] = []
        self.data = b""
        self.lost = False

    def connection_made(self) -> None:
        assert self.early == []
        self.made = True

    def feed(self, data: bytes) -> None:
        assert self.made
        self.early.append(data)

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.stream.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class MemoryOther:
    """The same over memory, whose streams are not those of PyProtocol."""

    __init__ = Other.__init__
    connection_made = Other.connection_made
    feed = Other.feed
    data_received = Other.data_received
    connection_lost = Other.connection_lost


def other_for(link: Link) -> Any:
    return MemoryOther() if isinstance(link, MemoryLink) else Other()


@pytest.mark.parametrize("early", [b"", b"\x81\x80abcd", GET])
@pytest.mark.parametrize("pieces", [1, 2, 1000])
def test_switch(connect: Connect, early: bytes, pieces: int) -> None:
    app = Recorder(None)
    link = connect(app.on_request)
    other = other_for(link)
    data = UPGRADE + early
    size = -(-len(data) // pieces)
    for i in range(0, len(data), size):
        link.send(data[i : i + size])
    link.run(lambda: len(app.requests) == 1)
    (request,) = app.requests
    assert request.is_upgrade
    assert request.upgrade == "websocket"
    assert link.connection.switch(request, HEAD, other)
    link.run(lambda: link.received == HEAD)
    link.run(lambda: b"".join(other.early) + other.data == early)
    link.send(b"more")
    link.run(lambda: other.data.endswith(b"more"))
    assert b"".join(other.early) + other.data == early + b"more"
    assert len(other.early) <= 1


def test_switch_within_the_handler(connect: Connect) -> None:
    others: list[Other] = []

    def handler(connection: HttpConnection, request: Request) -> None:
        others.append(other_for(link))
        assert connection.switch(request, HEAD, others[0])

    link = connect(handler)
    link.send(UPGRADE + b"early")
    link.run(lambda: link.received == HEAD)
    assert others[0].early == [b"early"]
    link.send(b"more")
    link.run(lambda: others[0].data == b"more")


@pytest.mark.once
def test_nothing_of_the_connection_remains() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request, on_disconnect=app.on_disconnect)
    link.send(UPGRADE)
    assert link.connection.switch(app.requests[0], HEAD, other_for(link))
    assert link.reactor.active_timers == []
    assert link.connection.request is None
    assert link.connection.on_disconnect is None
    stream: object = link.connection.stream
    assert stream is None
    link.connection.close()
    link.connection.abort()
    assert not link.stream.closing
    link.stream.peer_resets()
    assert app.disconnects == []


@pytest.mark.once
def test_a_switched_request_is_answered() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request)
    link.send(UPGRADE)
    link.connection.switch(app.requests[0], HEAD, other_for(link))
    with pytest.raises(InvalidStateError):
        link.connection.respond(app.requests[0], Response())
    with pytest.raises(InvalidStateError):
        link.connection.switch(app.requests[0], HEAD, other_for(link))


@pytest.mark.once
def test_a_client_that_left_before_the_switch() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request)
    other = other_for(link)
    link.send(UPGRADE)
    link.stream.peer_resets()
    assert not link.connection.switch(app.requests[0], HEAD, other)
    assert other.early == []
    assert not other.made


@pytest.mark.once
def test_a_client_that_ended_before_the_switch() -> None:
    """It sends no more, which the other protocol would not be told."""
    app = Recorder(None)
    link = MemoryLink(app.on_request)
    other = other_for(link)
    link.send(UPGRADE)
    link.end()
    assert not link.connection.switch(app.requests[0], HEAD, other)
    assert not other.made
    assert final_answers(link) == []
    assert link.closed


@pytest.mark.parametrize("method", ["connection_made", "feed"])
def test_a_protocol_that_raises(
    connect: Connect, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(connection: HttpConnection, request: Request) -> None:
        other = other_for(link)
        monkeypatch.setattr(type(other), method, broken)
        connection.switch(request, HEAD, other)

    def broken(*args: object) -> None:
        raise ZeroDivisionError("mine")

    with pytest.MonkeyPatch.context() as monkeypatch:
        link = connect(handler)
        link.send(UPGRADE + b"early")
        link.run(lambda: link.closed)
    assert "mine" in caplog.text


@pytest.mark.once
def test_a_protocol_that_closes_at_once_is_fed_nothing() -> None:
    app = Recorder(None)
    link = MemoryLink(app.on_request)
    link.send(UPGRADE + b"early")

    class Closing(MemoryOther):
        def connection_made(self) -> None:
            link.stream.abort()

    other = Closing()
    assert link.connection.switch(app.requests[0], HEAD, other)
    assert other.early == []


def test_an_upgrade_refused_leaves_the_connection_open(connect: Connect) -> None:
    app = Recorder()
    link = connect(app.on_request)
    link.send(UPGRADE + GET)
    assert [answer.status for answer in answers(link, 2)] == [200, 200]
    assert [request.is_upgrade for request in app.requests] == [True, False]


def test_an_upgrade_refused_for_good(connect: Connect) -> None:
    link = connect(Recorder(lambda _: Response(403, "no", {"Connection": "close"})).on_request)
    link.send(UPGRADE + b"frames")
    (answer,) = final_answers(link)
    assert answer.status == 403


def test_frames_after_an_upgrade_refused_are_no_request(connect: Connect) -> None:
    link = connect(Recorder(lambda _: Response(403)).on_request)
    link.send(UPGRADE + b"\x81\x80abcd")
    assert [answer.status for answer in final_answers(link)] == [403, 400]


def test_a_body_with_the_wish_to_upgrade(connect: Connect) -> None:
    """HTTP clients that would rather speak HTTP/2 send POST with ``Upgrade: h2c``."""
    app = Recorder(lambda request: Response(200, request.body))
    link = connect(app.on_request)
    start = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    link.send(start + b"Content-Length: 5\r\n\r\nhello")
    link.send(start + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + GET)
    assert [answer.body for answer in answers(link, 3)] == [b"hello", b"hello", b""]


@pytest.mark.once
def test_the_connection_is_freed_without_the_collector() -> None:
    def handler(connection: HttpConnection, request: Request) -> None:
        connection.switch(request, HEAD, MemoryOther())

    gc.disable()
    try:
        link = MemoryLink(handler)
        connection = weakref.ref(link.connection)
        link.send(UPGRADE[:9])
        link.send(UPGRADE[9:])
        assert link.received == HEAD
        del link.connection
        assert connection() is None
    finally:
        gc.enable()

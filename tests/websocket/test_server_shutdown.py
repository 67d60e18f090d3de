"""Closing a server: what its sessions and requests see, and when it is over."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.rawclient import RawClient, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, echo, echo_coroutine

from cooee import Request, Response
from cooee.protocol import errors
from cooee.websocket import Server, Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_sessions_get_1001_and_are_waited_for(serve: Serve, handler: Callable[..., Any]) -> None:
    serving = serve(handler)
    clients = [serving.connect() for _ in range(3)]
    closed = serving.call(serving.server.close)
    assert not serving.call(lambda: closed.done)
    for client in clients:
        assert client.receive_close() == (1001, "")
    for client in clients:
        assert not serving.call(lambda: closed.done)
        client.send_close(1001)
        assert client.rest() == b""
    serving.until(lambda: closed.done)
    assert serving.call(lambda: len(serving.server.sessions)) == 0


def test_nobody_new_is_let_in(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.connect()
    address = serving.address
    closed = serving.call(serving.server.close)
    assert serving.call(lambda: serving.server.addresses) == []
    with pytest.raises(ConnectionRefusedError):
        RawClient(address)
    assert not serving.call(lambda: closed.done)
    client.leave(1001)


def test_code_and_reason(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.connect()
    serving.call(serving.server.close, 1012, "back soon")
    assert client.receive_close() == (1012, "back soon")


@one_driver
def test_a_code_that_may_not_be_sent_closes_nothing(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.connect()
    with pytest.raises(errors.InvalidAccessError):
        serving.call(serving.server.close, 1006)
    with pytest.raises(errors.SyntaxError):
        serving.call(serving.server.close, 1001, "x" * 124)
    client.send_message("still open")
    assert client.receive_message() == "still open"
    serving.connect().leave()


def test_later_calls_give_the_same(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.connect()
    first = serving.call(serving.server.close)
    second = serving.call(serving.server.close, 1012)
    assert serving.call(serving.server.wait_closed) is first is second
    assert client.receive_close() == (1001, "")


def test_without_sessions_it_is_over_at_once(serve: Serve) -> None:
    serving = serve(echo)
    assert serving.call(lambda: serving.server.close().done)


def test_closing_before_starting(serve: Serve) -> None:
    serving = serve(echo)
    server = Server(port=0)
    assert serving.call(lambda: server.close().done)


def test_awaiting_close(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.connect()

    async def close() -> int:
        await serving.server.close()
        return len(serving.server.sessions)

    closing = serving.driver.begin(close)
    assert client.receive_close() == (1001, "")
    assert not closing.done()
    client.send_close(1001)
    assert closing.result(PATIENCE) == 0


def test_those_that_do_not_answer_are_cut(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    serving = serve(echo, close_timeout=0.05)
    clients = [serving.connect() for _ in range(3)]
    closed = serving.call(serving.server.close)
    for client in clients:
        assert client.receive_close() == (1001, "")
        assert client.rest() == b""
    serving.until(lambda: closed.done)
    assert caplog.text.count("no close within the time limit") == 3


def test_sessions_that_are_closing_already(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    serving.call(session.close, 4000)
    closed = serving.call(serving.server.close)
    assert client.receive_close() == (4000, "")
    client.send_close(4000)
    serving.until(lambda: closed.done)


def test_paused_and_full_sessions(serve: Serve) -> None:
    """Neither keeps the answer to our Close frame from being seen."""

    async def idle(session: Session) -> None:
        await session.wait_closed()

    serving = serve(idle, max_queue=100)
    paused, session = serving.accept()
    serving.call(session.pause)
    full = serving.connect()
    for client in (paused, full):
        client.send(message_frame(bytes(90)) * 20)
    closed = serving.call(serving.server.close)
    for client in (paused, full):
        assert client.receive_close() == (1001, "")
        client.send_close(1001)
        assert client.rest() == b""
    serving.until(lambda: closed.done)


def test_from_a_handler(serve: Serve) -> None:
    """With more messages of the same read behind, and other sessions in the same batch."""

    def handler(session: Session) -> None:
        def message(data: str | bytes) -> None:
            session.send(data)
            if data == "close":
                serving.server.close()

        session.on("message", message)

    serving = serve(handler)
    clients = [serving.connect() for _ in range(3)]
    for client in clients:
        client.send_message("sync")
        assert client.receive_message() == "sync"
    clients[1].send(message_frame("close") + message_frame("too late"))
    assert clients[1].receive_message() == "close"
    for client in clients:
        assert client.receive_close() == (1001, "")
        client.send_close(1001)
        assert client.rest() == b""
    serving.until(lambda: serving.server.wait_closed().done)


def test_from_a_coroutine_handler(serve: Serve) -> None:
    after: Inbox[int] = Inbox()

    async def handler(session: Session) -> None:
        async for message in session:
            if message == "close":
                await serving.server.close()
                after.put(len(serving.server.sessions))

    serving = serve(handler)
    client, other = serving.connect(), serving.connect()
    client.send_message("close")
    for one in (client, other):
        assert one.receive_close() == (1001, "")
        one.send_close(1001)
    assert after.take() == 0


def test_from_a_connection_handler(serve: Serve) -> None:
    serving = serve(lambda session: session.owner.close())
    client = serving.connect()
    assert client.receive_close() == (1001, "")
    client.send_close(1001)
    serving.until(lambda: serving.server.wait_closed().done)


def test_from_a_close_handler(serve: Serve) -> None:
    def handler(session: Session) -> None:
        session.on("close", lambda code, reason: serving.server.close())

    serving = serve(handler)
    client, other = serving.connect(), serving.connect()
    client.leave()
    assert other.receive_close() == (1001, "")
    other.send_close(1001)
    serving.until(lambda: serving.server.wait_closed().done)


def test_handlers_that_go_on_do_not_keep_it_open(serve: Serve) -> None:
    release: list[asyncio.Future[None]] = []

    async def handler(session: Session) -> None:
        release.append(asyncio.get_running_loop().create_future())
        await release[0]

    serving = serve(handler)
    client = serving.connect()
    serving.until(lambda: release)
    closed = serving.call(serving.server.close)
    client.leave(1001)
    serving.until(lambda: closed.done)
    serving.call(release[0].set_result, None)


# Requests that are under way


def test_idle_connections_are_closed(serve: Serve) -> None:
    serving = serve(echo, http=lambda request: Response(200))
    fresh, used = serving.open(), serving.open()
    used.request("/")
    assert used.answer().status == 200
    serving.until(lambda: len(list(serving.server._requests.connections())) == 2)
    closed = serving.call(serving.server.close)
    assert fresh.rest() == b""
    assert used.rest() == b""
    serving.until(lambda: closed.done)


def test_requests_under_way_are_answered(serve: Serve) -> None:
    release: list[asyncio.Future[None]] = []

    async def http(request: Request) -> Response:
        release.append(asyncio.get_running_loop().create_future())
        await release[0]
        return Response(200, "done")

    serving = serve(echo, http=http)
    client = serving.open()
    client.request("/")
    serving.until(lambda: release)
    closed = serving.call(serving.server.close)
    assert not serving.call(lambda: closed.done)
    serving.call(release[0].set_result, None)
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert client.rest() == b""
    serving.until(lambda: closed.done)


@one_driver
def test_only_the_last_session_asks_whether_that_was_all(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of thousands would look through all connections, again and again while one is left."""
    serving = serve(echo)
    clients = [serving.connect() for _ in range(10)]
    asked: list[int] = []

    def check_closed() -> None:
        asked.append(len(serving.server.sessions))
        serving.server._closed.set_result(None)

    monkeypatch.setattr(serving.server, "_check_closed", check_closed)
    serving.call(serving.server.close)
    for client in clients:
        client.leave(1001)
    serving.until(lambda: 0 in asked)
    assert asked == [10, 0]


@pytest.mark.parametrize("options", [{}, {"subprotocols": ["x"]}], ids=["usual", "unusual"])
def test_half_a_handshake_is_cut(serve: Serve, options: Any) -> None:
    serving = serve(echo, close_timeout=0.05, **options)
    client = serving.open()
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: webso")
    serving.until(lambda: len(list(serving.server._requests.connections())) == 1)
    closed = serving.call(serving.server.close)
    assert client.rest() == b""
    serving.until(lambda: closed.done)


def test_requests_never_answered_are_cut(serve: Serve) -> None:
    async def http(request: Request) -> Response:
        started.put(None)
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    started: Inbox[None] = Inbox()
    serving = serve(echo, http=http, close_timeout=0.05)
    client = serving.open()
    client.request("/")
    started.take()
    closed = serving.call(serving.server.close)
    assert client.rest() == b""
    serving.until(lambda: closed.done)

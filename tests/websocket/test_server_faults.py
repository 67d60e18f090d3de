"""Handlers and peers that misbehave: whose connection suffers, and whose does not."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.rawclient import RawClient, frame, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo, echo_coroutine

from cooee.websocket import Session


def round_trip(client: RawClient) -> None:
    """See that the connection works."""
    client.send_message("HelloWorld")
    assert client.receive_message() == "HelloWorld"


def failing(*args: Any) -> None:
    raise RuntimeError("no such luck")


async def failing_later(*args: Any) -> None:
    await asyncio.sleep(0)
    raise RuntimeError("no such luck")


def register(event: str, function: Callable[..., Any]) -> Callable[[Session], Any]:
    """A connection handler that echoes and registers a handler."""

    def handler(session: Session) -> None:
        if event != "message":
            echo(session)
        session.on(event, function)

    return handler


@pytest.mark.parametrize("function", [failing, failing_later])
@pytest.mark.parametrize("event", ["message", "ping", "pong"])
def test_handlers_that_raise(
    serve: Serve, event: str, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    serving = serve(lambda session: None)
    client, session = serving.accept()
    neighbour, other = serving.accept()
    serving.call(register(event, function), session)
    serving.call(echo, other)
    client.send({"message": message_frame("x"), "ping": frame(9), "pong": frame(10)}[event])
    if event == "ping":
        assert client.receive().opcode == 10
    assert client.wait_closed() == (1011, "internal error")
    host, port = client.sock.getsockname()
    client.close()
    serving.until(lambda: session.ready_state == 3)
    round_trip(neighbour)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no such luck"
    assert record.getMessage() == (
        f"exception in a handler; connection with ('{host}', {port}) closes"
    )


@pytest.mark.parametrize("function", [failing, failing_later])
def test_close_handlers_that_raise(
    serve: Serve, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    closed: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.on("close", function)
        session.on("close", closed.put_all)

    serving = serve(handler)
    neighbour, other = serving.accept()
    serving.call(echo, other)
    client, session = serving.accept()
    client.leave()
    serving.until(lambda: session.ready_state == 3)
    serving.until(lambda: "no such luck" in caplog.text)
    assert serving.call(lambda: set(serving.server.sessions)) == {other}
    round_trip(neighbour)


def test_error_handlers_that_raise(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The peer still learns what it did wrong."""
    serving = serve(lambda session: session.on("error", failing))
    client = serving.connect()
    client.send(bytes.fromhex("8f80"))
    assert client.wait_closed() == (1002, "reserved opcode 15 (RFC 6455 §5.2)")
    assert "no such luck" in caplog.text
    client = serving.connect()
    client.vanish()
    serving.until(lambda: caplog.text.count("RuntimeError: no such luck") == 2)


def test_drain_handlers_that_raise(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    serving = serve(lambda session: session.on("drain", failing))
    client, session = serving.accept_slow()
    # More than the system takes at once.
    serving.call(session.send, bytes(2_000_000))
    serving.until(lambda: session.buffered_amount > 0)
    assert len(client.receive_message()) == 2_000_000
    assert client.wait_closed() == (1011, "internal error")
    assert "no such luck" in caplog.text


def test_connection_handlers_that_raise(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    for function in (failing, failing_later):
        client = serve(function).connect()
        assert client.wait_closed() == (1011, "internal error")
        assert "no such luck" in caplog.text
        caplog.clear()


def test_what_was_sent_before_raising_arrives(serve: Serve) -> None:
    def handler(session: Session) -> None:
        session.send("hello")
        session.on("message", lambda data: (session.send(data), failing()))

    client = serve(handler).connect()
    assert client.receive_message() == "hello"
    client.send(message_frame("first") + message_frame("second"))
    assert client.receive_message() == "first"
    assert client.wait_closed() == (1011, "internal error")


def test_the_others_of_several_handlers_are_not_called(serve: Serve) -> None:
    called: Inbox[str] = Inbox()

    def handler(session: Session) -> None:
        session.on("message", failing)
        session.on("message", called.put)

    client = serve(handler).connect()
    client.send_message("x")
    assert client.wait_closed()[0] == 1011
    assert called.empty()


# Handlers that act on connections of the same batch


def test_closing_oneself_while_messages_wait(serve: Serve) -> None:
    """Those behind in the same read still come: close() is a handshake."""
    messages: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        def message(data: str | bytes) -> None:
            messages.put(data)
            session.close(4000)

        session.on("message", message)

    client = serve(handler).connect()
    client.send(message_frame("1") + message_frame("2") + frame(8, b"\x0f\xa0"))
    assert client.wait_closed() == (4000, "")
    assert [messages.take(), messages.take()] == ["1", "2"]


def test_terminating_oneself_while_messages_wait(serve: Serve) -> None:
    messages: Inbox[Any] = Inbox()
    closed: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.on("message", lambda data: (messages.put(data), session.terminate()))
        session.on("close", closed.put_all)

    client = serve(handler).connect()
    client.send_until_gone(message_frame("1") + message_frame("2") + message_frame(bytes(300_000)))
    client.rest()
    assert closed.take() == (1006, "")
    assert messages.take() == "1"
    assert messages.empty()


@pytest.mark.parametrize("act", ["close", "terminate", "pause", "send"])
def test_acting_on_all_others_of_a_batch(serve: Serve, act: str) -> None:
    """Whoever is first: each of ten with something to be read, one acts on all others."""
    heard: list[tuple[Session, str | bytes]] = []
    sessions: list[Session] = []

    def handler(session: Session) -> None:
        sessions.append(session)

        def message(data: str | bytes) -> None:
            heard.append((session, data))
            if len(heard) == 1:
                for other in sessions:
                    if other is not session:
                        if act == "send":
                            other.send("from another")
                        elif act == "close":
                            other.close(4000)
                        else:
                            getattr(other, act)()

        session.on("message", message)

    serving = serve(handler)
    clients = [serving.connect() for _ in range(10)]
    serving.until(lambda: len(sessions) == 10)
    with serving.driver.busy():
        for client in clients:
            client.send_message("x")
    if act == "terminate":
        serving.until(lambda: len(serving.server.sessions) == 1)
        assert len(heard) == 1
        assert serving.call(lambda: {heard[0][0]} == serving.server.sessions)
    elif act == "pause":
        serving.until(lambda: len(heard) == 1)
        serving.call(lambda: [session.resume() for session in sessions])
        serving.until(lambda: len(heard) == 10)
    else:
        serving.until(lambda: len(heard) == 10)
        expected = frame(8, b"\x0f\xa0", mask=None) if act == "close" else b"\x81\x0cfrom another"
        got = 0
        for client, session in zip(clients, sessions, strict=True):
            if session is not heard[0][0]:
                assert client.take(len(expected)) == expected
                got += 1
        assert got == 9


def test_a_batch_of_fighters(serve: Serve) -> None:
    """Each of twenty terminates the next at every message: nothing worse than that happens."""
    sessions: list[Session] = []

    def handler(session: Session) -> None:
        sessions.append(session)

        def message(data: str | bytes) -> None:
            index = sessions.index(session)
            sessions[(index + 1) % len(sessions)].terminate()
            sessions[(index + 2) % len(sessions)].close(4000)

        session.on("message", message)

    serving = serve(handler)
    clients = [serving.connect() for _ in range(20)]
    serving.until(lambda: len(sessions) == 20)
    with serving.driver.busy():
        for client in clients:
            client.send(message_frame("x") * 3)
    for client in clients:
        client.close()
    serving.until(lambda: not serving.server.sessions)
    # The server is as good as new.
    client = serving.connect()
    serving.until(lambda: len(sessions) == 21)
    serving.call(sessions[-1].send, "fine")
    assert client.receive_message() == "fine"


def test_sending_to_one_that_is_gone(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Another connection's end is no fault of the handler, and nothing of its own is lost."""
    caplog.set_level(logging.DEBUG, "cooee.websocket")
    gone: list[Session] = []

    def handler(session: Session) -> None:
        if not gone:
            gone.append(session)
            return

        def message(data: str | bytes) -> None:
            session.send(data)
            gone[0].send(data)
            session.send("never reached")

        session.on("message", message)

    serving = serve(handler)
    first = serving.connect()
    client = serving.connect()
    first.leave()
    serving.until(lambda: gone[0].ready_state == 3)
    messages = [f"{n}" for n in range(5)]
    # Several in one read, and one that is split.
    wire = b"".join(map(message_frame, messages)) + message_frame("split")
    client.send(wire[:-3])
    assert [client.receive_message() for _ in messages] == messages
    client.send(wire[-3:])
    assert client.receive_message() == "split"
    assert "a handler met a closed connection" in caplog.text
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    client.leave()


def test_a_coroutine_that_sends_to_one_that_is_gone(serve: Serve) -> None:
    """There it ends the coroutine, and so the session, in good order."""
    sessions: list[Session] = []

    async def handler(session: Session) -> None:
        sessions.append(session)
        async for message in session:
            await sessions[0].send(message)

    serving = serve(handler)
    first, client = serving.connect(), serving.connect()
    serving.until(lambda: len(sessions) == 2)
    client.send_message("x")
    assert first.receive_message() == "x"
    first.leave()
    serving.until(lambda: sessions[0].ready_state == 3)
    client.send_message("y")
    assert client.receive_close() == (1000, "")


# Handlers that take their time


def test_a_handler_that_blocks(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """All others wait, and lose nothing."""
    caplog.set_level(logging.WARNING)
    go_on, blocked = threading.Event(), threading.Event()

    def handler(session: Session) -> None:
        def message(data: str | bytes) -> None:
            if data == "block":
                blocked.set()
                assert go_on.wait(20)
            session.send(data)

        session.on("message", message)

    serving = serve(handler)
    clients = [serving.connect() for _ in range(5)]
    clients[0].send_message("block")
    assert blocked.wait(20)
    late = serving.open()
    late.request_upgrade()
    for client in clients[1:]:
        for n in range(100):
            client.send_message(f"{n}")
    clients[1].end()
    go_on.set()
    assert clients[0].receive_message() == "block"
    for client in clients[1:]:
        assert [client.receive_message() for _ in range(100)] == [f"{n}" for n in range(100)]
    assert clients[1].rest() == b""
    assert late.answer().status == 101
    round_trip(late)
    assert caplog.records == []


# Peers


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_peers_that_come_and_go_in_every_way(
    serve: Serve, handler: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Leaving at any point of the handshake or of a frame harms nobody."""
    serving = serve(handler)
    neighbour = serving.connect()
    handshake = (
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    wire = handshake + message_frame("HelloWorld") + message_frame(bytes(5000))
    for at in [*range(0, len(handshake), 13), *range(len(handshake), len(handshake) + 30, 3), -100]:
        for leave in (RawClient.close, RawClient.end, RawClient.vanish):
            client = serving.open()
            client.send(wire[:at])
            leave(client)
    round_trip(neighbour)
    for client in serving.clients[1:]:
        client.close()
    serving.until(lambda: len(serving.server.sessions) == 1)
    serving.until(lambda: not list(serving.server._requests.connections()))
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_peer_that_resets_while_much_is_being_sent(serve: Serve) -> None:
    closed: Inbox[Any] = Inbox()
    serving: Serving = serve(lambda session: session.on("close", closed.put_all))
    client, session = serving.accept_slow()
    serving.call(session.send, bytes(2_000_000))
    client.take(1000)
    client.vanish()
    assert closed.take() == (1006, "")
    assert serving.call(lambda: session.buffered_amount) == 0

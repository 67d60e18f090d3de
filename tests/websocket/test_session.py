"""Sessions in event style: handlers, what may be sent, the application's data."""

import array
import asyncio
import enum
import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import Driver
from tests.rawclient import message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee.protocol.errors import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStateError,
)
from cooee.websocket import Session, Settings

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


def collecting(inbox: Inbox[Any]) -> Callable[[Session], None]:
    """A connection handler that hands over all that happens."""

    def handler(session: Session) -> None:
        session.on("message", lambda data: inbox.put(("message", data)))
        session.on("close", lambda code, reason: inbox.put(("close", code, reason)))
        session.on("error", lambda exc: inbox.put(("error", exc)))
        session.on("ping", lambda data: inbox.put(("ping", data)))
        session.on("pong", lambda data: inbox.put(("pong", data)))

    return handler


def test_events_in_the_order_of_the_frames(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()
    client = serve(collecting(inbox)).connect()
    client.send_message("text")
    client.frame(9, b"p")
    client.send_message(b"bytes")
    client.frame(10, b"q")
    client.send_close(4000, "bye")
    assert [inbox.take() for _ in range(5)] == [
        ("message", "text"),
        ("ping", b"p"),
        ("message", b"bytes"),
        ("pong", b"q"),
        ("close", 4000, "bye"),
    ]
    assert client.receive() == (10, b"p", True)
    assert client.receive_close() == (4000, "")


def test_messages_in_fragments_with_control_frames_between(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()
    client = serve(collecting(inbox)).connect()
    snowman = "☃".encode()
    client.frame(1, b"Hel" + snowman[:1], fin=False)
    client.frame(9, b"between")
    client.frame(0, snowman[1:2], fin=False)
    client.frame(0, b"", fin=False)
    client.frame(0, snowman[2:] + b"lo")
    client.frame(2, b"\0", fin=False)
    client.frame(0, b"\xff")
    assert inbox.take() == ("ping", b"between")
    assert inbox.take() == ("message", "Hel☃lo")
    assert inbox.take() == ("message", b"\0\xff")
    assert client.receive() == (10, b"between", True)
    client.leave()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 4096, 4097, 65535, 65536, 65537, 300_000])
@one_driver
def test_sizes(serve: Serve, size: int) -> None:
    client = serve(echo).connect()
    for message in ("x" * size, bytes(size)):
        client.send_message(message)
        assert client.receive_message() == message
    client.leave()


def test_what_may_be_sent(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()
    data = bytes(range(8))
    for value, expected in [
        ("é☃😀", "é☃😀"),
        (b"\0", b"\0"),
        (bytearray(b"\1\2"), b"\1\2"),
        (memoryview(data)[2:4], b"\2\3"),
        (memoryview(data)[::2], b"\0\2\4\6"),
        (memoryview(data).cast("B", (2, 4)), data),
        (memoryview(bytearray(10000)), bytes(10000)),
        (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
        (memoryview(b""), b""),
        (type("Text", (str,), {})("sub"), "sub"),
        (type("Data", (bytes,), {})(b"sub"), b"sub"),
    ]:
        serving.call(session.send, value)
        assert client.receive_message() == expected


def test_what_is_sent_may_change_afterwards(serve: Serve) -> None:
    """A mutable buffer is copied, at every size."""
    serving = serve()
    client, session = serving.accept()

    def send() -> None:
        for size in (10, 100_000):
            data = bytearray(b"a") * size
            session.send(data)
            data[:] = b"b" * size

    serving.call(send)
    assert client.receive_message() == b"a" * 10
    assert client.receive_message() == b"a" * 100_000


@one_driver
def test_what_may_not_be_sent(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()
    for value in (None, 1, ["x"], object()):
        with pytest.raises(TypeError, match=r"not (NoneType|int|list|object)"):
            serving.call(session.send, value)
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        serving.call(session.send, "\ud800")
    # Nothing has been sent in part.
    serving.call(session.send, "after")
    assert client.receive_message() == "after"


def test_what_is_sent_in_one_turn_arrives_in_order(serve: Serve) -> None:
    messages = [b"small", bytes(5000), "text", bytes(70000), b"", "x" * 4096, "é" * 4097]

    def handler(session: Session) -> None:
        for message in messages:
            session.send(message)
        session.on("message", lambda data: [session.send(message) for message in messages])

    client = serve(handler).connect()
    assert [client.receive_message() for _ in messages] == messages
    client.send_message("again")
    assert [client.receive_message() for _ in messages] == messages


def test_sending_from_another_session_s_handler(serve: Serve) -> None:
    """A handler may send to any session; what it sends goes out without further events."""
    sessions: list[Session] = []

    def handler(session: Session) -> None:
        sessions.append(session)
        session.on("message", lambda data: [one.send(data) for one in sessions])

    serving = serve(handler)
    clients = [serving.connect() for _ in range(3)]
    serving.until(lambda: len(sessions) == 3)
    for n, client in enumerate(clients):
        client.send_message(f"from {n}")
        assert [one.receive_message() for one in clients] == [f"from {n}"] * 3


def test_sending_from_a_timer_and_from_nowhere(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()
    serving.call(serving.driver.reactor.call_later, 0, session.send, "timer")
    assert client.receive_message() == "timer"
    serving.call(serving.driver.reactor.call_soon, session.send, "soon")
    assert client.receive_message() == "soon"
    serving.call(session.send, "call")
    assert client.receive_message() == "call"

    async def later() -> None:
        await asyncio.sleep(0)
        session.send("task")
        await asyncio.sleep(0.001)
        session.send("later")

    serving.driver.run(later)
    assert client.receive_message() == "task"
    assert client.receive_message() == "later"


def test_sending_to_a_closed_session(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()
    client.leave(4001, "enough")
    serving.until(lambda: session.ready_state == 3)
    for function in (session.send, session.ping, session.pong):
        with pytest.raises(ConnectionClosedError, match=r"received 4001 .* 'enough'") as caught:
            serving.call(function, "x")
        assert (caught.value.code, caught.value.reason) == (4001, "enough")
        assert caught.value.was_clean
        assert not caught.value.sent


def test_sending_to_a_closing_session(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()

    def close_and_send() -> None:
        session.close(1001)
        session.send("too late")

    with pytest.raises(ConnectionClosedOK, match="sent 1001") as caught:
        serving.call(close_and_send)
    assert caught.value.sent
    assert not caught.value.was_clean
    assert client.receive_close() == (1001, "")


# Handlers


def test_several_handlers_in_order(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        for name in "abc":
            session.on("message", lambda data, name=name: inbox.put(name + data))

    client = serve(handler).connect()
    client.send_message("1")
    client.send_message("2")
    assert [inbox.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "c2"]


class Name(enum.StrEnum):
    MESSAGE = "message"
    CLOSE = "close"


def test_events_may_be_members_of_an_enumeration(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        for register in (session.on, session.once):
            register(Name.MESSAGE, inbox.put)
        session.on(Name.CLOSE)(inbox.put_all)
        session.off(Name.MESSAGE, print)

    client = serve(handler).connect()
    client.send_message("1")
    client.send_message("2")
    client.leave(4000)
    assert [inbox.take() for _ in range(4)] == ["1", "1", "2", (4000, "")]


def test_once(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.once("message", lambda data: inbox.put("once " + data))

        @session.once("message")
        async def again(data: str | bytes) -> None:
            inbox.put(f"task {data!r}")

        session.on("message", lambda data: inbox.put("each " + data))

    client = serve(handler).connect()
    client.send_message("1")
    client.send_message("2")
    assert sorted(inbox.take() for _ in range(4)) == ["each 1", "each 2", "once 1", "task '1'"]
    client.leave()
    assert inbox.empty()


def test_once_leaves_the_same_function_registered_for_good(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.on("message", inbox.put)
        session.once("message", inbox.put)

    client = serve(handler).connect()
    client.send_message("1")
    client.send_message("2")
    assert [inbox.take() for _ in range(3)] == ["1", "1", "2"]
    client.leave()
    assert inbox.empty()


def test_off(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()

    def first(data: str) -> None:
        inbox.put("first " + data)

    def second(data: str) -> None:
        inbox.put("second " + data)
        # In the middle of being called, and with others still to be.
        session.off("message", first)
        session.off("message", second)
        session.off("message", never)

    async def third(data: str) -> None:
        inbox.put("third " + data)

    def never(data: str) -> None:
        inbox.put("never " + data)

    serving = serve()
    client, session = serving.accept()

    def register() -> None:
        session.on("message", first)
        session.on("message", never)
        session.once("message", never)
        session.on("message", third)
        session.off("message", never)
        session.on("message", second)

    serving.call(register)
    client.send_message("1")
    assert sorted(inbox.take() for _ in range(3)) == ["first 1", "second 1", "third 1"]
    client.send_message("2")
    assert inbox.take() == "third 2"
    serving.call(session.off, "message", third)
    client.send_message("3")
    serving.call(session.off, "close", first)
    client.leave()
    assert inbox.empty()


def test_registering_gives_the_handler_back(serve: Serve) -> None:
    serving = serve()
    _, session = serving.accept()

    def handler(data: object) -> None: ...

    async def coroutine(data: object) -> None: ...

    def register() -> None:
        for function in (handler, coroutine):
            for method in (session.on, session.once):
                assert method("message", function) is function
                assert method("message")(function) is function

    serving.call(register)


@one_driver
def test_unknown_events_are_refused(serve: Serve) -> None:
    serving = serve()
    _, session = serving.accept()
    expected = "no event 'open', only message, close, error, ping, pong, drain"
    for method in (session.on, session.once, session.off):
        with pytest.raises(ValueError, match=expected):
            serving.call(method, "open", print)


def test_coroutine_functions_as_handlers(serve: Serve) -> None:
    """Each call becomes a task; they run concurrently."""
    inbox: Inbox[Any] = Inbox()
    release: list[asyncio.Future[None]] = []

    def handler(session: Session) -> None:
        @session.on("message")
        async def message(data: str | bytes) -> None:
            if data == "wait":
                release.append(asyncio.get_running_loop().create_future())
                await release[0]
            await session.send(data)

        @session.on("close")
        async def close(code: int, reason: str) -> None:
            await asyncio.sleep(0)
            inbox.put((code, reason))

    serving = serve(handler)
    client = serving.connect()
    client.send_message("wait")
    client.send_message("pass")
    assert client.receive_message() == "pass"
    serving.call(release[0].set_result, None)
    assert client.receive_message() == "wait"
    client.leave(4000, "x")
    assert inbox.take() == (4000, "x")


class Echo:
    """A handler that is an object, and whose call is a coroutine."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def __call__(self, data: str | bytes) -> None:
        await asyncio.sleep(0)
        await self.session.send(data)


@pytest.mark.parametrize("make", [Echo, lambda session: lambda data: Echo(session)(data)])
@pytest.mark.parametrize("register", [Session.on, Session.once])
def test_whatever_returns_a_coroutine_is_a_coroutine_function(
    serve: Serve, make: Callable[[Session], Any], register: Callable[..., object]
) -> None:
    def handler(session: Session) -> None:
        register(session, "message", make(session))

    client = serve(handler).connect()
    client.send_message("HelloWorld")
    assert client.receive_message() == "HelloWorld"


def test_a_handler_registered_late_gets_what_waits(serve: Serve) -> None:
    """Messages wait for whoever comes: first those that came before the handler."""

    async def wait(session: Session) -> None:
        await session.wait_closed()

    inbox: Inbox[Any] = Inbox()
    serving = serve(wait)
    client, session = serving.accept()
    for n in range(10):
        client.send_message(f"{n}")
    client.frame(9)
    assert client.receive().opcode == 10  # So the messages have come too.
    serving.call(session.on, "message", inbox.put)
    client.send_message("10")
    assert [inbox.take() for _ in range(11)] == [f"{n}" for n in range(11)]
    client.leave()


def test_a_late_handler_that_raises_gets_no_more(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait(session: Session) -> None:
        await session.wait_closed()

    def broken(data: str) -> None:
        called.append(data)
        raise RuntimeError("no such luck")

    called: list[str] = []
    serving = serve(wait)
    client, session = serving.accept()
    client.send(b"".join(message_frame(f"{n}") for n in range(10)))
    client.frame(9)
    assert client.receive().opcode == 10
    serving.call(session.on, "message", broken)
    assert client.receive_close() == (1011, "internal error")
    assert client.rest() == b""
    assert called == ["0"]


def test_data_is_the_application_s(serve: Serve) -> None:
    serving = serve()
    _, first = serving.accept()
    _, second = serving.accept()

    def check() -> None:
        first.data["name"] = "first"
        assert first.data == {"name": "first"}
        assert second.data == {}

    serving.call(check)


def test_attributes_of_an_open_session(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept("/path")

    def check() -> None:
        assert session.ready_state == 1
        assert session.buffered_amount == 0
        assert session.close_code is None
        assert session.close_reason is None
        assert session.latency is None
        assert not session.paused
        assert session.path == "/path"

    serving.call(check)
    client.leave()
    serving.until(lambda: session.ready_state == 3)
    assert serving.call(lambda: session.local_address) is None
    assert serving.call(lambda: session.buffered_amount) == 0


def test_a_peer_that_is_lost(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    inbox: Inbox[Any] = Inbox()
    caplog.set_level(logging.INFO)
    serving = Serving(driver, collecting(inbox))
    client = serving.connect()
    host, port = client.sock.getsockname()
    client.vanish()
    name, error = inbox.take()
    assert name == "error"
    assert isinstance(error, ConnectionResetError)
    assert inbox.take() == ("close", 1006, "")
    assert f"connection with ('{host}', {port}) lost" in caplog.text
    serving.close()


def test_a_peer_that_ends_without_a_close_frame(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()
    serving = serve(collecting(inbox))
    client, session = serving.accept()
    client.send_message("last")
    client.end()
    assert inbox.take() == ("message", "last")
    assert inbox.take() == ("close", 1006, "")
    assert client.rest() == b""
    assert serving.call(lambda: (session.close_code, session.close_reason)) == (1006, "")
    with pytest.raises(ConnectionClosed) as caught:
        serving.call(session.send, "x")
    assert caught.value.code == 1006
    assert not caught.value.was_clean


def test_half_close_sends_what_was_written(serve: Serve) -> None:
    """A peer that closes its sending half still gets what was on its way to it."""
    client = serve(echo, max_message_size=None).connect(receive_buffer=4096)
    message = bytes(5_000_000)
    client.send(message_frame(message) + message_frame("last"))
    client.end()
    assert client.receive_message() == message
    assert client.receive_message() == "last"
    assert client.rest() == b""


def test_without_a_connection_nothing_goes_wrong() -> None:
    """One that was made by hand and never got a stream."""

    async def never() -> None:
        raise AssertionError

    session = Session(Settings(), server=True)
    assert session.ready_state == 0
    assert (session.buffered_amount, session.latency) == (0, None)
    assert (session.remote_address, session.local_address) == (None, None)
    session.pause()
    session.resume()
    session.terminate()
    session.close()
    for send in (lambda: session.send("x"), session.ping, session.pong):
        with pytest.raises(InvalidStateError):
            send()
    with pytest.raises(InvalidStateError):
        session.spawn(never())

"""The closing handshake, in both directions (RFC 6455 §7)."""

import asyncio
import enum
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.rawclient import frame, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee.protocol import errors
from cooee.protocol.errors import ConnectionClosedError, InvalidAccessError
from cooee.websocket import Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

# RFC 6455 §7.4 and the IANA registry
SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
SENDABLE += [3000, 3999, 4000, 4999]
UNSENDABLE = [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 65536]


class Closing:
    """What a session says about its end."""

    def __init__(self) -> None:
        self.events: Inbox[Any] = Inbox()
        self.states: Inbox[Any] = Inbox()

    def __call__(self, session: Session) -> None:
        def close(code: int, reason: str) -> None:
            self.states.put((session.ready_state, session.close_code, session.close_reason))
            self.events.put((code, reason))

        session.on("close", close)


@one_driver
@pytest.mark.parametrize("code", SENDABLE)
def test_codes_from_the_peer(serve: Serve, code: int) -> None:
    closing = Closing()
    client = serve(closing).connect()
    client.send_close(code, "ἀντίο")
    # §5.5.1: answered with the same code.
    assert client.receive_close() == (code, "")
    assert client.rest() == b""
    assert closing.events.take() == (code, "ἀντίο")
    assert closing.states.take() == (3, code, "ἀντίο")


@one_driver
@pytest.mark.parametrize("code", SENDABLE)
def test_codes_to_the_peer(serve: Serve, code: int) -> None:
    closing = Closing()
    serving = serve(closing)
    client, session = serving.accept()
    serving.call(session.close, code, "ἀντίο")
    assert client.receive_close() == (code, "ἀντίο")
    client.send_close(code)
    assert client.rest() == b""
    assert closing.events.take() == (code, "")


@one_driver
@pytest.mark.parametrize("code", UNSENDABLE)
def test_codes_that_may_not_be_sent(serve: Serve, code: int) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    with pytest.raises(InvalidAccessError, match=f"close code {code} "):
        serving.call(session.close, code)
    assert serving.call(lambda: session.ready_state) == 1
    client.send_message("still open")
    assert client.receive_message() == "still open"


@one_driver
def test_reasons_to_the_peer(serve: Serve) -> None:
    serving = serve(echo)
    for reason in ("x" * 123, "é" * 61):
        client, session = serving.accept()
        serving.call(session.close, 1000, reason)
        assert client.receive_close() == (1000, reason)
    client, session = serving.accept()
    for reason in ("x" * 124, "é" * 62, "\ud800"):
        with pytest.raises(errors.SyntaxError, match="close reason"):
            serving.call(session.close, 1000, reason)
    with pytest.raises(errors.SyntaxError, match="without a close code"):
        serving.call(session.close, None, "x")
    assert serving.call(lambda: session.ready_state) == 1


class Reason(enum.StrEnum):
    BYE = "bye"


class Code(enum.IntEnum):
    BYE = 4000


def test_members_of_enumerations(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    with pytest.raises(TypeError, match="reason is 5, must be a str"):
        serving.call(session.close, 4000, 5)
    serving.call(session.close, Code.BYE, Reason.BYE)
    assert client.receive_close() == (4000, "bye")


def test_no_code_from_the_peer(serve: Serve) -> None:
    closing = Closing()
    client = serve(closing).connect()
    client.send_close(None)
    assert client.receive() == (8, b"", True)
    assert client.rest() == b""
    assert closing.events.take() == (1005, "")


def test_no_code_to_the_peer(serve: Serve) -> None:
    closing = Closing()
    serving = serve(closing)
    client, session = serving.accept()
    serving.call(session.close, None)
    assert client.receive() == (8, b"", True)
    client.send_close(None)
    assert client.rest() == b""
    assert closing.events.take() == (1005, "")


def test_the_server_closes_the_connection_first(serve: Serve) -> None:
    """§7.1.1: so that TIME_WAIT is the server's; the client need only wait."""
    serving = serve(echo)
    client, session = serving.accept()
    serving.call(session.close)
    assert client.receive_close() == (1000, "")
    client.send_close(1000)
    assert client.rest() == b""
    assert not client.reset
    client, session = serving.accept()
    client.send_close(1000)
    assert client.receive_close() == (1000, "")
    assert client.rest() == b""
    assert not client.reset


def test_both_close_at_once(serve: Serve) -> None:
    closing = Closing()
    serving = serve(closing)
    client, session = serving.accept()

    def close_and_wait() -> None:
        # The peer's Close frame is in our buffer already, unread.
        session.close(4001, "ours")

    session_paused = serving.call(session.pause)
    assert session_paused is None
    client.send_close(4002, "theirs")
    serving.call(close_and_wait)
    assert client.receive_close() == (4001, "ours")
    assert client.rest() == b""
    assert closing.events.take() == (4002, "theirs")


def test_what_was_sent_before_close_arrives(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept(receive_buffer=4096)

    def send_and_close() -> None:
        for n in range(20):
            session.send(bytes([n]) * 100_000)
        session.close(4000)

    serving.call(send_and_close)
    for n in range(20):
        assert client.receive_message() == bytes([n]) * 100_000
    assert client.receive_close() == (4000, "")
    client.send_close(4000)
    assert client.rest() == b""


def test_what_was_sent_before_the_peer_s_close_arrives(serve: Serve) -> None:
    """The echo of what came before Close goes out before the answer to it."""
    client = serve(echo).connect(receive_buffer=4096)
    messages = [bytes([n]) * 100_000 for n in range(20)]
    client.send(b"".join(map(message_frame, messages)) + frame(8, b"\x03\xe8"))
    assert [client.receive_message() for _ in messages] == messages
    assert client.receive_close() == (1000, "")
    assert client.rest() == b""


def test_messages_after_our_close_are_still_delivered(serve: Serve) -> None:
    messages: Inbox[Any] = Inbox()
    serving = serve(lambda session: session.on("message", messages.put))
    client, session = serving.accept()
    serving.call(session.close)
    assert client.receive_close() == (1000, "")
    client.send_message("on its way")
    client.frame(9, b"not answered")
    client.send_close(1000)
    assert messages.take() == "on its way"
    assert client.rest() == b""


def test_nothing_after_the_peer_s_close_counts(serve: Serve) -> None:
    """§5.5.1: not even what would be a violation."""
    messages: Inbox[Any] = Inbox()
    closing = Closing()

    def handler(session: Session) -> None:
        session.on("message", messages.put)
        closing(session)

    client = serve(handler).connect()
    client.send(frame(8, b"\x03\xe8") + message_frame("late") + bytes.fromhex("ffff"))
    assert client.receive_close() == (1000, "")
    client.rest()
    assert closing.events.take() == (1000, "")
    assert messages.empty()


def test_later_closes_do_nothing(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()

    def close_often() -> None:
        session.close(4001, "first")
        session.close(4002, "second")
        session.close(99, "not even looked at")

    serving.call(close_often)
    assert client.receive_close() == (4001, "first")
    client.send_close(4001)
    assert client.rest() == b""
    serving.until(lambda: session.ready_state == 3)
    serving.call(close_often)


def test_awaiting_close(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()

    async def close() -> tuple[int, int | None]:
        await session.close(4000, "bye")
        return session.ready_state, session.close_code

    closing = serving.driver.begin(close)
    assert client.receive_close() == (4000, "bye")
    assert not closing.done()
    client.send_close(4000)
    assert closing.result(PATIENCE) == (3, 4000)
    # Again: over at once.
    assert serving.driver.run(close) == (3, 4000)


def test_cancelling_a_close_that_waits(serve: Serve) -> None:
    """Only the waiting is cancelled."""
    serving = serve(echo)
    client, session = serving.accept()

    async def close() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.close(4000), 0.001)

    serving.driver.run(close)
    assert client.receive_close() == (4000, "")
    client.send_close(4000)
    assert client.rest() == b""


def test_a_peer_that_does_not_answer_is_cut(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    closing = Closing()
    serving = serve(closing, close_timeout=0.05)
    client, session = serving.accept()
    serving.call(session.close, 4000)
    assert client.receive_close() == (4000, "")
    assert client.rest() == b""
    assert closing.events.take() == (1006, "")
    assert "no close within the time limit" in caplog.text
    with pytest.raises(ConnectionClosedError) as caught:
        serving.call(session.send, "x")
    assert (caught.value.code, caught.value.sent, caught.value.was_clean) == (4000, True, False)


def test_a_peer_that_does_not_take_our_answer_is_cut(serve: Serve) -> None:
    """It sent Close, and does not read what comes before the answer."""
    closing = Closing()
    serving = serve(closing, close_timeout=0.05)
    client, session = serving.accept_slow()
    serving.call(session.send, bytes(1_000_000))
    client.send_close(4000)
    assert closing.events.take() == (4000, "")


def test_a_peer_that_ends_and_takes_nothing_is_cut(serve: Serve) -> None:
    """It only closed its sending half, and does not read what is still on its way."""
    closing = Closing()
    serving = serve(closing, close_timeout=0.05, ping_interval=0)
    client, session = serving.accept_slow()
    serving.call(session.send, bytes(1_000_000))
    client.sock.shutdown(socket.SHUT_WR)
    assert closing.events.take() == (1006, "")


def test_no_close_timeout_is_no_time(serve: Serve) -> None:
    closing = Closing()
    serving = serve(closing, close_timeout=0)
    client, session = serving.accept()
    serving.call(session.close)
    client.rest()
    assert closing.events.take() == (1006, "")


def test_terminate(serve: Serve) -> None:
    closing = Closing()
    serving = serve(closing)
    client, session = serving.accept()

    def terminate() -> None:
        session.terminate()
        session.terminate()
        session.close()

    serving.call(terminate)
    assert client.rest() == b""
    assert closing.events.take() == (1006, "")
    assert closing.states.take() == (3, 1006, "")


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda client: client.send_close(4000, "x"), (4000, True, False)),
        (lambda client: client.end(), (1006, False, False)),
        (lambda client: client.vanish(), (1006, False, False)),
        (lambda client: client.send(bytes.fromhex("8f80")), (1002, False, True)),
    ],
    ids=["close", "end", "reset", "violation"],
)
def test_what_the_exception_says(
    serve: Serve, act: Callable[[Any], None], expected: tuple[int, bool, bool]
) -> None:
    """code, was_clean, sent: 1006 when it came unannounced."""
    serving = serve(echo)
    client, session = serving.accept()
    act(client)
    serving.until(lambda: session.ready_state >= 2)

    def raised() -> ConnectionClosedError:
        with pytest.raises(ConnectionClosedError) as caught:
            session.send("x")
        return caught.value

    exc = serving.call(raised)
    assert (exc.code, exc.was_clean, exc.sent) == expected


def test_the_session_outlives_its_connection(serve: Serve) -> None:
    """Whatever is called afterwards is harmless."""
    serving = serve(echo)
    client, session = serving.accept("/path?x=1")
    session_data = serving.call(lambda: session.data)
    client.leave(4000, "bye")
    serving.until(lambda: session.ready_state == 3)

    def use() -> None:
        session.close()
        session.terminate()
        session.pause()
        session.resume()
        session.on("message", lambda data: None)
        session.off("message", print)
        assert session.wait_closed().done
        assert (session.close_code, session.close_reason) == (4000, "bye")
        assert session.request is not None
        assert session.request.query["x"] == "1"
        assert session.data is session_data
        assert session.latency is None

    serving.call(use)


def test_closing_a_server_s_session_twice_from_both_styles(serve: Serve) -> None:
    """A handler that closes in event style while its coroutine ends."""

    async def handler(session: Session) -> None:
        await session.recv()
        session.close(4000, "event")

    serving: Serving = serve(handler)
    client = serving.connect()
    client.send_message("x")
    assert client.receive_close() == (4000, "event")
    client.send_close(4000)
    assert client.rest() == b""

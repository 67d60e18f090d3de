"""One message to many sessions."""

import array
import gc
import tracemalloc
from typing import Any

import pytest
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee import broadcast
from cooee.protocol.errors import ConnectionClosed
from cooee.websocket import Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


def connect_many(serving: Serving, count: int) -> tuple[list[Any], list[Session]]:
    """Clients and their sessions."""
    pairs = [serving.accept() for _ in range(count)]
    return [client for client, _ in pairs], [session for _, session in pairs]


@pytest.mark.parametrize("message", ["é", b"\0\xff", "", bytes(100_000)], ids=len)
def test_everyone_gets_it(serve: Serve, message: str | bytes) -> None:
    serving = serve()
    clients, _ = connect_many(serving, 10)
    assert serving.call(serving.server.broadcast, message) == 10
    assert [client.receive_message() for client in clients] == [message] * 10


def test_to_some(serve: Serve) -> None:
    serving = serve()
    clients, sessions = connect_many(serving, 4)
    assert serving.call(broadcast, iter(sessions[:2]), "some") == 2
    assert serving.call(broadcast, [], "none") == 0
    assert serving.call(broadcast, sessions, "all") == 4
    assert [client.receive_message() for client in clients[:2]] == ["some"] * 2
    assert [client.receive_message() for client in clients] == ["all"] * 4


@one_driver
def test_what_may_be_sent(serve: Serve) -> None:
    serving = serve()
    client, _ = serving.accept()
    data = bytes(range(8))
    for value, expected in [
        (bytearray(data), data),
        (memoryview(data)[::2], b"\0\2\4\6"),
        (memoryview(data).cast("B", (2, 4)), data),
        (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
    ]:
        serving.call(serving.server.broadcast, value)
        assert client.receive_message() == expected
    for value in (None, 1, ["x"]):
        with pytest.raises(TypeError):
            serving.call(serving.server.broadcast, value)
    with pytest.raises(UnicodeEncodeError):
        serving.call(serving.server.broadcast, "\ud800")


def test_from_a_handler_in_order_with_other_messages(serve: Serve) -> None:
    def handler(session: Session) -> None:
        def message(data: str | bytes) -> None:
            session.send("before")
            serving.server.broadcast(data)
            session.send("after")

        session.on("message", message)

    serving = serve(handler)
    clients, _ = connect_many(serving, 3)
    clients[0].send_message("HelloWorld")
    assert [clients[0].receive_message() for _ in range(3)] == ["before", "HelloWorld", "after"]
    assert [client.receive_message() for client in clients[1:]] == ["HelloWorld"] * 2


def test_those_not_open_are_passed_over(serve: Serve) -> None:
    serving = serve()
    clients, sessions = connect_many(serving, 4)
    clients[3].leave()
    serving.until(lambda: sessions[3].ready_state == 3)

    def send() -> int:
        sessions[1].close(4000)
        sessions[2].terminate()
        return broadcast(sessions, "open")

    assert serving.call(send) == 1
    assert clients[0].receive_message() == "open"
    assert clients[1].receive_close() == (4000, "")
    assert clients[2].rest() == b""


def test_closing_while_sending(serve: Serve) -> None:
    """What is given may change meanwhile: a generator that closes those it has not come to."""
    serving = serve()
    clients, sessions = connect_many(serving, 4)

    def walk() -> Any:
        for session in sessions:
            yield session
            sessions[-1].close(4000)

    # All have been asked for before the first is sent to.
    assert serving.call(lambda: broadcast(walk(), "x")) == 3
    for client in clients[:3]:
        assert client.receive_message() == "x"
    assert clients[3].receive_close() == (4000, "")


def test_a_close_handler_that_broadcasts(serve: Serve) -> None:
    """Several that end at once: each handler finds the set without itself, and whole."""
    sizes: Inbox[tuple[int, int]] = Inbox()

    def handler(session: Session) -> None:
        def close(code: int, reason: str) -> None:
            open_ones = len(serving.server.sessions)
            assert session not in serving.server.sessions
            sizes.put((open_ones, serving.server.broadcast("one less")))

        session.on("close", close)

    serving = serve(handler)
    clients, sessions = connect_many(serving, 4)

    def terminate() -> None:
        for session in sessions[:3]:
            session.terminate()

    serving.call(terminate)
    assert [sizes.take() for _ in range(3)] == [(3, 1), (2, 1), (1, 1)]
    assert [clients[3].receive_message() for _ in range(3)] == ["one less"] * 3


def test_slow_consumers_are_cut_and_others_served(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    closed: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.on("close", lambda code, reason: closed.put(session))

    serving = serve(handler, max_buffered=1_000_000)
    _, slow_session = serving.accept_slow()
    client, _ = serving.accept()
    message = bytes(200_000)
    sent = 0
    while closed.empty():
        serving.call(serving.server.broadcast, message)
        sent += 1
        assert client.receive_message() == message
        assert sent < 1000
    assert closed.take() is slow_session
    assert "bytes wait to be sent, at most 1000000" in caplog.text
    with pytest.raises(ConnectionClosed) as caught:
        serving.call(slow_session.send, "x")
    assert caught.value.code == 1008
    assert serving.call(serving.server.broadcast, "after") == 1
    assert client.receive_message() == "after"


def test_the_frame_is_built_once(serve: Serve) -> None:
    """A large message costs one frame, not one for each session."""
    serving = serve()
    _, sessions = connect_many(serving, 50)
    message = bytes(1_000_000)

    def measure() -> int:
        gc.collect()
        tracemalloc.start()
        broadcast(sessions, message)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert serving.call(measure) < 2_500_000


@one_driver
def test_a_client_s_connection_is_refused(serve: Serve) -> None:
    """Its frames must be masked, each with a key of its own (§5.3)."""
    from cooee.websocket import Settings

    async def main() -> None:
        session = Session(Settings(), server=False)
        # Still CONNECTING, it is passed over.
        assert broadcast([session], "x") == 0

    serve(echo).driver.run(main)


def numbered(n: int) -> bytes:
    """One of many messages that all differ, of up to 3,000 bytes."""
    return n.to_bytes(4, "big") + bytes([n % 251]) * (n * 37 % 3000)


def test_between_messages_of_one_s_own(serve: Serve) -> None:
    """In one turn, more than what is kept in one place for all."""
    serving = serve()
    clients, sessions = connect_many(serving, 3)

    def send() -> None:
        for n in range(100):
            broadcast(sessions, numbered(n))
            if n % 3 == 0:
                sessions[n % len(sessions)].send(f"own {n}")
            broadcast(sessions[:2], numbered(n + 1000))

    serving.call(send)
    for at, client in enumerate(clients):
        for n in range(100):
            assert client.receive_message() == numbered(n)
            if n % 3 == 0 and n % len(sessions) == at:
                assert client.receive_message() == f"own {n}"
            if at < 2:
                assert client.receive_message() == numbered(n + 1000)


def test_slow_ones_get_everything_in_order(serve: Serve) -> None:
    """What has to wait is kept, while what is kept for all is used again."""
    serving = serve(max_buffered=1 << 30)
    slow, session = serving.accept_slow()
    quick, _ = serving.accept()
    sent = 0

    def send() -> int:
        for n in range(sent, sent + 20):
            serving.server.broadcast(numbered(n))
        return session.buffered_amount

    waited = 0
    while waited < 50:
        waited += serving.call(send) > 100_000
        for n in range(sent, sent + 20):
            assert quick.receive_message() == numbered(n)
        sent += 20
    for n in range(sent):
        assert slow.receive_message() == numbered(n)


@one_driver
def test_slow_ones_keep_only_what_is_theirs(serve: Serve) -> None:
    """Not what was sent to others beside it."""
    serving = serve(max_buffered=1 << 30)
    slow, session = serving.accept_slow()
    quick, other = serving.accept()
    large, count = bytes(5_000_000), 300

    def send() -> None:
        session.send(large)
        for n in range(count):
            broadcast([other], numbered(n))
            broadcast([session, other], f"both {n}")

    tracemalloc.start()
    try:
        serving.call(send)
        for n in range(count):
            assert quick.receive_message() == numbered(n)
            assert quick.receive_message() == f"both {n}"
        assert serving.call(lambda: session.buffered_amount) > 1_000_000
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()
    assert slow.receive_message() == large
    for n in range(count):
        assert slow.receive_message() == f"both {n}"


@one_driver
@pytest.mark.parametrize("size", [10, 1000])
def test_parts_of_what_is_sent_to_all(serve: Serve, size: int) -> None:
    """Small pieces for one, between what others get, cost no more memory than large ones."""
    serving = serve(max_buffered=1 << 30)
    clients, sessions = connect_many(serving, 3)
    count = 40_000 // size

    def send() -> int:
        for n in range(count):
            broadcast(sessions[:2], bytes([n % 251]) * size)
            broadcast(sessions[1:], bytes([n % 241]) * size)
            sessions[2].send(f"{n}")
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        # Nothing has left yet.
        assert serving.call(send) < 1_000_000
    finally:
        tracemalloc.stop()
    for n in range(count):
        first, second = bytes([n % 251]) * size, bytes([n % 241]) * size
        assert clients[0].receive_message() == first
        assert [clients[1].receive_message() for _ in range(2)] == [first, second]
        assert [clients[2].receive_message() for _ in range(2)] == [second, f"{n}"]

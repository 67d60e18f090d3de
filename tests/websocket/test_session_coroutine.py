"""Sessions in coroutine style: receiving, iterating, the queue and its limit, back-pressure."""

import asyncio
import logging
import select
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE, limit_send_buffer
from tests.rawclient import RawClient, frame, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee.protocol.errors import ConcurrencyError, ConnectionClosedError, ConnectionClosedOK
from cooee.websocket import Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


async def idle(session: Session) -> None:
    """Leave the session to the test."""
    await session.wait_closed()


def pinged(client: RawClient) -> None:
    """See that the server has taken all that was sent before."""
    client.frame(9, b"sync")
    assert client.receive() == (10, b"sync", True)


def test_recv(serve: Serve) -> None:
    serving = serve(idle)
    client, session = serving.accept()
    waiting = serving.driver.begin(session.recv)
    client.send_message("HelloWorld")
    assert waiting.result(PATIENCE) == "HelloWorld"
    client.send_message(b"\0")
    client.send_message("")
    pinged(client)
    assert serving.driver.run(session.recv) == b"\0"
    assert serving.driver.run(session.recv) == ""


def test_messages_can_be_received_after_the_peer_s_close(serve: Serve) -> None:
    serving = serve(idle)
    client, session = serving.accept()
    client.send_message("one")
    client.send_message("two")
    client.leave(4000, "bye")
    serving.until(lambda: session.ready_state == 3)
    assert serving.driver.run(session.recv) == "one"
    assert serving.driver.run(session.recv) == "two"
    for _ in range(2):
        with pytest.raises(ConnectionClosedError) as caught:
            serving.driver.run(session.recv)
        assert (caught.value.code, caught.value.reason) == (4000, "bye")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1000, ConnectionClosedOK), (1001, ConnectionClosedOK), (None, ConnectionClosedOK),
     (1002, ConnectionClosedError), (4000, ConnectionClosedError)],
)  # fmt: skip
@one_driver
def test_recv_while_the_peer_closes(serve: Serve, code: int | None, kind: type[Exception]) -> None:
    serving = serve(idle)
    client, session = serving.accept()
    waiting = serving.driver.begin(session.recv)
    client.leave(code, "")
    assert type(waiting.exception(PATIENCE)) is kind


def test_recv_while_the_peer_vanishes(serve: Serve) -> None:
    serving = serve(idle)
    client, session = serving.accept()
    waiting = serving.driver.begin(session.recv)
    client.vanish()
    exc = waiting.exception(PATIENCE)
    assert isinstance(exc, ConnectionClosedError)
    assert exc.code == 1006


def test_recv_while_another_task_closes(serve: Serve) -> None:
    """After close() messages may still come, until the peer's Close frame does."""
    serving = serve(idle)
    client, session = serving.accept()
    waiting = serving.driver.begin(session.recv)
    serving.call(session.close, 4000, "enough")
    assert client.receive_close() == (4000, "enough")
    client.send_message("on its way")
    assert waiting.result(PATIENCE) == "on its way"
    waiting = serving.driver.begin(session.recv)
    client.send_close(4000)
    exc = waiting.exception(PATIENCE)
    assert isinstance(exc, ConnectionClosedError)
    assert (exc.code, exc.sent, exc.was_clean) == (4000, True, True)


def collecting(inbox: Inbox[Any]) -> Callable[[Session], Any]:
    """A handler that iterates, and hands over all messages and how it ended."""

    async def handler(session: Session) -> None:
        try:
            async for message in session:
                inbox.put(message)
        except ConnectionClosedError as exc:
            inbox.put(exc)
            raise
        else:
            inbox.put(None)

    return handler


@pytest.mark.parametrize("code", [1000, 1001, None])
def test_iterating_ends_with_the_connection(serve: Serve, code: int | None) -> None:
    inbox: Inbox[Any] = Inbox()
    client = serve(collecting(inbox)).connect()
    client.send_message("one")
    client.send_message("two")
    client.leave(code)
    assert [inbox.take() for _ in range(3)] == ["one", "two", None]


def test_iterating_raises_when_it_ends_badly(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    inbox: Inbox[Any] = Inbox()
    serving = serve(collecting(inbox))
    client, session = serving.accept()
    client.send_message("one")
    client.send(bytes.fromhex("8300"))
    assert client.receive_close()[0] == 1002
    assert inbox.take() == "one"
    exc = inbox.take()
    assert isinstance(exc, ConnectionClosedError)
    assert (exc.code, exc.sent) == (1002, True)
    client.close()
    serving.until(lambda: session.ready_state == 3)
    # A handler that lets it escape has done nothing wrong.
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_two_tasks_that_receive(serve: Serve) -> None:
    serving = serve(idle)
    client, session = serving.accept()
    first = serving.driver.begin(session.recv)
    with pytest.raises(ConcurrencyError, match="another task"):
        serving.driver.run(session.recv)
    client.send_message("for the first")
    assert first.result(PATIENCE) == "for the first"


def test_receiving_beside_a_message_handler(serve: Serve) -> None:
    serving = serve(idle)
    _, session = serving.accept()
    serving.call(session.on, "message", lambda data: None)
    with pytest.raises(ConcurrencyError, match="message handler"):
        serving.driver.run(session.recv)


def test_receiving_after_a_message_handler_was_taken_off(serve: Serve) -> None:
    inbox: Inbox[Any] = Inbox()
    serving = serve(lambda session: session.once("message", inbox.put))
    client, session = serving.accept()
    client.send_message("event")
    assert inbox.take() == "event"

    async def receive() -> str | bytes:
        inbox.put("begun")
        return await session.recv()

    waiting = serving.driver.begin(receive)
    # Between the handler and the coroutine messages are nobody's.
    assert inbox.take() == "begun"
    client.send_message("coroutine")
    assert waiting.result(PATIENCE) == "coroutine"


def test_cancelling_recv_loses_nothing(serve: Serve) -> None:
    async def cancel() -> None:
        task = asyncio.ensure_future(session.recv())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.recv(), 0.001)
        # The Ping comes right behind the message: this task has been woken, and not run yet.
        task = asyncio.ensure_future(session.recv())
        session.on("ping", lambda data: task.cancel())
        ready.put(None)
        with pytest.raises(asyncio.CancelledError):
            await task

    ready: Inbox[None] = Inbox()
    serving = serve(idle)
    client, session = serving.accept()
    cancelling = serving.driver.begin(cancel)
    ready.take()
    client.send(message_frame("kept") + frame(9))
    cancelling.result(PATIENCE)
    assert serving.driver.run(session.recv) == "kept"


def test_async_with_closes(serve: Serve) -> None:
    async def handler(session: Session) -> None:
        async with session as same:
            assert same is session
            assert await session.recv() == "close"
        inbox.put(session.ready_state)

    inbox: Inbox[int] = Inbox()
    client = serve(handler).connect()
    client.send_message("close")
    assert client.receive_close() == (1000, "")
    client.send_close(1000)
    assert inbox.take() == 3


def test_wait_closed_from_several_tasks(serve: Serve) -> None:
    serving = serve(idle)
    client, session = serving.accept()

    async def wait() -> int | None:
        await session.wait_closed()
        return session.close_code

    waiting = [serving.driver.begin(wait) for _ in range(3)]
    client.leave(4000)
    assert [future.result(PATIENCE) for future in waiting] == [4000] * 3
    assert serving.driver.run(wait) == 4000


def test_a_session_s_own_tasks(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """spawn() ties a task to the session: its exception fails the connection."""

    async def broken() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("no such luck")

    serving = serve(idle)
    client, session = serving.accept()
    serving.call(session.spawn, broken())
    assert client.receive_close() == (1011, "internal error")
    assert "no such luck" in caplog.text


# The queue


def no_more(client: RawClient, neighbour: RawClient) -> None:
    """See that nothing comes while the server has every opportunity to send."""
    for _ in range(20):
        pinged(neighbour)
    assert select.select([client.sock], [], [], 0)[0] == []


@pytest.mark.parametrize("size", [0, 100, 10_000, 300_000], ids=lambda size: f"{size} bytes")
def test_a_full_queue_stops_reading_and_loses_nothing(serve: Serve, size: int) -> None:
    """Reading pauses at ``max_queue``, each message counted with its overhead."""
    serving = serve(idle, max_queue=20_000)
    neighbour = serving.connect()
    serving.sessions.take()
    client, session = serving.accept()
    count = 50_000 // (size + 64) + 2
    wire = [message_frame(n.to_bytes(4, "big") + bytes(size)) for n in range(count)]
    # Had it been read, it would have been answered.
    with client.sending(b"".join(wire) + frame(9, b"behind")):
        no_more(client, neighbour)

        async def receive() -> list[int]:
            return [int.from_bytes((await session.recv())[:4], "big") for _ in range(count)]  # type: ignore[arg-type]

        assert serving.driver.run(receive) == list(range(count))
    assert client.receive() == (10, b"behind", True)
    client.leave()


def test_memory_is_bounded_by_the_queue(serve: Serve) -> None:
    """A peer that sends for ever is stopped by TCP, with little more than the kernels hold."""
    serving = serve(idle, max_queue=50_000)
    client, _ = serving.accept()
    client.sock.setblocking(False)
    data = memoryview(message_frame(bytes(1000)) * 1000)
    sent = stuck = 0
    while stuck < 50:
        try:
            sent += client.sock.send(data[sent % len(data) :])
            stuck = 0
        except BlockingIOError:
            stuck += 1
            serving.call(lambda: None)


def test_closing_with_a_full_queue(serve: Serve) -> None:
    """close() waits for the peer's answer, which comes after all that nobody takes."""
    serving = serve(idle, max_queue=1000)
    client, session = serving.accept()
    with client.sending(message_frame(bytes(900)) * 50):
        serving.call(session.close, 4000)
        assert client.receive_close() == (4000, "")
    client.send_close(4000)
    assert client.rest() == b""
    serving.until(lambda: session.ready_state == 3)
    assert serving.call(lambda: session.close_code) == 4000


# Back-pressure


def stalled(serving: Serving, size: int = 2_000_000) -> tuple[RawClient, Session]:
    """A client that does not read, and its session, of which most of a message waits to be sent."""
    client, session = serving.accept_slow()
    serving.call(session.send, bytes(size))
    assert serving.call(lambda: session.buffered_amount) > size // 2
    return client, session


def test_send_waits_for_a_peer_that_does_not_read(serve: Serve) -> None:
    drained: Inbox[Any] = Inbox()
    sent: list[int] = []
    total = 20

    async def handler(session: Session) -> None:
        limit_send_buffer(session.stream)
        session.on("drain", drained.put_all)
        for n in range(total):
            await session.send(n.to_bytes(4, "big") + bytes(1_000_000))
            sent.append(n)

    serving = serve(handler, high_water=100_000)
    client, session = serving.accept(receive_buffer=4096)
    # It waits with the first, of which the system takes less than half, and goes on only when we
    # read.
    serving.until(lambda: session.buffered_amount > 0)
    for _ in range(50):
        assert serving.call(lambda: session.buffered_amount) > 500_000
    assert sent == []
    for n in range(total):
        message = client.receive_message()
        assert message[:4] == n.to_bytes(4, "big")
        assert len(message) == 1_000_004
    assert client.receive_close() == (1000, "")
    assert drained.take() == ()


def test_send_below_the_high_water_mark_does_not_wait(serve: Serve) -> None:
    async def send() -> int:
        task = asyncio.current_task()
        assert task is not None
        steps = 0

        async def count() -> None:
            nonlocal steps
            while True:
                steps += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        for _ in range(100):
            await session.send(bytes(100))
        other.cancel()
        return steps

    serving = serve(idle)
    client, session = serving.accept()
    assert serving.driver.run(send) == 0
    assert [client.receive_message() for _ in range(100)] == [bytes(100)] * 100


def test_send_that_waits_while_the_peer_vanishes(serve: Serve) -> None:
    outcome: Inbox[Any] = Inbox()

    async def handler(session: Session) -> None:
        limit_send_buffer(session.stream)
        try:
            await session.send(bytes(1_000_000))
        except BaseException as exc:
            outcome.put(exc)
            raise

    serving = serve(handler)
    client, session = serving.accept(receive_buffer=4096)
    serving.until(lambda: session.buffered_amount > 0)
    client.vanish()
    exc = outcome.take()
    assert isinstance(exc, ConnectionClosedError)
    assert exc.code == 1006


def test_several_tasks_that_wait_to_send(serve: Serve) -> None:
    serving = serve(idle)
    client, session = stalled(serving)

    async def send(n: int) -> None:
        await session.send(b"%d" % n + bytes(100_000))

    waiting = [serving.driver.begin(send, n) for n in range(3)]
    serving.call(lambda: None)
    assert not any(future.done() for future in waiting)
    tags = []
    while len(tags) < 3:
        message = client.receive_message()
        if message[:1] != b"\0":
            tags.append(message[:1])
    assert tags == [b"0", b"1", b"2"]
    for future in waiting:
        future.result(PATIENCE)


def test_cancelling_a_send_that_waits(serve: Serve) -> None:
    """Only the waiting is cancelled: the message is on its way."""
    serving = serve(idle)
    client, session = stalled(serving)

    async def send() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.send(b"x" + bytes(100_000)), 0.01)

    serving.driver.run(send)
    while (message := client.receive_message())[:1] == b"\0":
        pass
    assert message == b"x" + bytes(100_000)


def test_a_peer_beyond_max_buffered_is_cut_off(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    serving = serve(idle, max_buffered=2_000_000)
    _, session = stalled(serving, 1_500_000)
    neighbour, other = serving.accept()

    def send() -> None:
        while True:
            session.send(bytes(1_000_000))

    with pytest.raises(ConnectionClosedError) as caught:
        serving.call(send)
    assert (caught.value.code, caught.value.sent) == (1008, True)
    assert "wait to be sent, at most 2000000" in caplog.text
    serving.until(lambda: session.ready_state == 3)
    assert session not in serving.call(lambda: set(serving.server.sessions))
    serving.call(other.send, "unharmed")
    assert neighbour.receive_message() == "unharmed"


def test_an_echo_to_a_peer_that_does_not_read_is_cut_off(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Event style has no waiting: what it sends without looking is bounded too."""
    closed: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        echo(session)
        session.on("close", closed.put_all)

    serving = serve(handler, max_buffered=1_000_000)
    client, _ = serving.accept_slow()
    client.send_until_gone(message_frame(bytes(100_000)) * 50)
    assert closed.take() == (1006, "")
    assert "bytes wait to be sent" in caplog.text


def test_a_peer_that_pings_and_does_not_read_is_cut_off(serve: Serve) -> None:
    """What a peer makes us answer is bounded, too."""
    closed: Inbox[Any] = Inbox()
    serving = serve(lambda session: session.on("close", closed.put_all), max_buffered=200_000)
    client, _ = serving.accept_slow()
    pings = frame(9, bytes(125)) * 1000
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            client.send(pings)
    assert closed.take() == (1006, "")

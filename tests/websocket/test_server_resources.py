"""Nothing is left of a connection that is gone: descriptors, memory, objects, tasks, timers."""

import asyncio
import gc
import logging
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests import leaks
from tests.rawclient import RawClient, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Serving, echo, echo_coroutine

from cooee import Request, Response
from cooee.reactor import Protocol, Stream
from cooee.websocket import Session


def everything() -> list[Any]:
    """The objects that connections are made of, as far as the collector knows them."""
    kinds = (Protocol, Stream, Request, asyncio.Task)
    return [
        one
        for one in gc.get_objects()
        # The driver's own task.
        if isinstance(one, kinds) and "Driver" not in repr(one)
    ]


@pytest.fixture
def others() -> int:
    """How many objects other tests have left to the collector, or to their tracebacks."""
    gc.collect()
    return len(everything())


@contextmanager
def traced_memory() -> Iterator[Callable[[], int]]:
    """Trace what Python allocates."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def leave(client: RawClient) -> None:
    client.send_close(1000)
    assert client.receive_close()[0] == 1000
    client.close()


def drop(client: RawClient) -> None:
    client.close()


def reset(client: RawClient) -> None:
    client.vanish()


def drop_in_a_frame(client: RawClient) -> None:
    client.send(message_frame(bytes(100_000))[:50_000])
    client.close()


def break_the_protocol(client: RawClient) -> None:
    client.send(b"\xff")
    assert client.receive_close()[0] == 1002
    client.close()


def talk_and_leave(client: RawClient) -> None:
    for message in ("HelloWorld", bytes(20_000)):
        client.send_message(message)
        assert client.receive_message() == message
    leave(client)


WAYS = [leave, drop, reset, drop_in_a_frame, break_the_protocol, talk_and_leave]


def settled(serving: Serving) -> None:
    """Wait until the server has no connection."""
    serving.until(
        lambda: not any(isinstance(one, Stream) for one in serving.driver.reactor.handles())
    )


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_connections_leave_nothing_behind(
    serve: Serve, handler: Callable[..., Any], others: int, caplog: pytest.LogCaptureFixture
) -> None:
    """However they end; a thousand of them, in batches, and without the collector's help."""
    # The records of what went wrong would be kept.
    caplog.set_level(logging.CRITICAL)
    serving = serve(handler)

    def come_and_go(count: int) -> None:
        for at in range(0, count, 50):
            clients = [RawClient(serving.address) for _ in range(50)]
            for client in clients:
                client.request_upgrade()
            for client in clients:
                assert client.answer().status == 101
            for n, client in enumerate(clients):
                WAYS[(at + n) % len(WAYS)](client)
            for _ in clients:
                serving.sessions.take()
            settled(serving)

    with leaks.without_collector(), traced_memory() as memory:
        come_and_go(200)  # After which caches are full.
        serving.call(lambda: None)
        descriptors = len(leaks.descriptors())
        before = memory()
        come_and_go(1000)
        serving.until(lambda: len(everything()) <= others)
        assert len(leaks.descriptors()) <= descriptors
        # A reference, a dict entry or a deque's block for each would be more.
        assert memory() - before < 50_000


def test_a_session_is_freed_without_the_collector(serve: Serve) -> None:
    """With handlers of all kinds, and what they refer to."""
    freed: list[str] = []

    class Token:
        def __init__(self, name: str) -> None:
            weakref.finalize(self, freed.append, name)

    def handler(session: Session) -> None:
        token = Token(session.path or "")
        session.data["token"] = token
        session.data["session"] = session if session.path == "/cycle" else None

        session.on("message", lambda data: (token, session.send(data)))
        session.once("ping", lambda data: (token, session))

        @session.on("pong")
        async def pong(data: bytes) -> None:
            await session.send(str(token))

        @session.on("close")
        def close(code: int, reason: str) -> None:
            assert token
            session.data.clear()

    serving = serve(handler)
    with leaks.without_collector():
        for n, way in enumerate(WAYS):
            client = serving.connect(f"/{way.__name__}")
            serving.sessions.take()
            client.send_message("x")
            client.receive_message()
            way(client)
            settled(serving)
            serving.until(lambda n=n: len(freed) == n + 1)
    assert freed == [f"/{way.__name__}" for way in WAYS]


def test_requests_leave_nothing_behind(serve: Serve, others: int) -> None:
    async def later(request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(200, request.path)

    serving = serve(echo, http=later)

    def come_and_go(count: int) -> None:
        for at in range(0, count, 50):
            clients = [RawClient(serving.address) for _ in range(50)]
            for n, client in enumerate(clients):
                if (at + n) % 5:
                    client.request(f"/{n}")
                else:
                    client.send(b"GET / HTT")
            for n, client in enumerate(clients):
                if (at + n) % 5 > 1:
                    assert client.answer().body == b"/%d" % n
                client.close()
            settled(serving)

    with leaks.without_collector():
        come_and_go(100)
        descriptors = len(leaks.descriptors())
        come_and_go(500)
        serving.until(lambda: len(everything()) <= others)
        assert len(leaks.descriptors()) <= descriptors


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_messages_leave_nothing_behind(serve: Serve, handler: Callable[..., Any]) -> None:
    """Thousands, back and forth, of all sizes."""
    serving = serve(handler)
    client = serving.connect()
    messages = [bytes([n]) * (n * n) for n in range(100)] + ["é" * n for n in range(100)]
    # Of 20 messages each: while they are sent, their echoes are not read.
    batches = [messages[at::10] for at in range(10)]
    wires = [b"".join(map(message_frame, batch)) for batch in batches]

    def exchange(times: int) -> None:
        for _ in range(times):
            for wire, batch in zip(wires, batches, strict=True):
                client.send(wire)
                for message in batch:
                    assert client.receive_message() == message

    with leaks.without_collector(), traced_memory() as memory:
        exchange(3)
        serving.call(lambda: None)
        before = memory()
        exchange(10)
        serving.call(lambda: None)
        assert memory() - before < 30_000


def test_an_idle_session_keeps_no_buffers(serve: Serve) -> None:
    """What a large message needed is given back."""
    serving = serve(echo)
    clients = [serving.connect() for _ in range(5)]
    for client in clients:
        client.send_message("warm")
        assert client.receive_message() == "warm"
    with leaks.without_collector(), traced_memory() as memory:
        before = memory()
        for client in clients:
            client.send_message(bytes(1_000_000))
            assert len(client.receive_message()) == 1_000_000
            client.frame(9)
            assert client.receive().opcode == 10
        serving.call(lambda: None)
        assert memory() - before < 30_000


def test_servers_leave_nothing_behind(serve: Serve, others: int) -> None:
    """Started and closed again and again on one reactor."""
    serving = serve(echo)
    driver = serving.driver

    def start_and_close() -> None:
        other = Serving(driver, echo)
        client = other.connect()
        client.leave()
        other.close()

    start_and_close()
    handles = len(driver.call(driver.reactor.handles))
    for _ in range(10):
        start_and_close()
    settled(serving)
    assert len(driver.call(driver.reactor.handles)) == handles
    gc.collect()
    serving.until(lambda: len(everything()) <= others)

"""``async for session in connect(...)``."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.rawserver import RawPeer, RawServer
from tests.websocket.test_connect import nothing_left, one_driver

from cooee import ConnectionClosed, HandshakeError, Session, connect

# Delays so short that a test does not notice.
QUICK = {"reconnect_delay": 0.001, "max_reconnect_delay": 0.002}


class Client:
    """Iterates over connect(), calling `body` for each session."""

    def __init__(
        self, driver: Driver, url: str, body: Callable[[Session], Any], **options: Any
    ) -> None:
        self.sessions: list[Session] = []

        async def iterate() -> str:
            self.task = asyncio.current_task()
            async for session in connect(url, **{**QUICK, **options}):
                self.sessions.append(session)
                try:
                    if await body(session) == "stop":
                        break
                except ConnectionClosed:
                    continue
            return "over"

        self.driver = driver
        self.task: asyncio.Task[Any] | None = None
        self.future = driver.begin(iterate)

    def cancel(self) -> None:
        """Cancel the task, and see it end."""
        assert self.task is not None
        self.driver.call(self.task.cancel)
        with pytest.raises(asyncio.CancelledError):
            self.future.result(PATIENCE)


async def read(session: Session) -> str | None:
    """Read until "stop"."""
    async for message in session:
        if message == "stop":
            return "stop"
    return None


def test_connects_again(driver: Driver, server: RawServer) -> None:
    client = Client(driver, server.url, read)
    # Closed with a handshake, and without.
    peer = server.take()
    peer.accept()
    peer.send_close(1001)
    assert peer.receive_close()[0] == 1001
    peer.close()
    peer = server.take()
    peer.accept()
    peer.close()
    # Failures of the connection, and of the server.
    server.take().close()
    for status in ("500 Oops", "502 Bad Gateway", "503 Wait", "504 Wait", "429 Slow Down"):
        peer = server.take()
        peer.read_request()
        peer.respond(status, {"Content-Length": "0"})
    peer = server.take()
    peer.accept()
    peer.send_message("stop")
    # The loop that is left closes its session.
    assert peer.receive_close() == (1000, "")
    peer.send_close(1000)
    peer.close()
    assert client.future.result(PATIENCE) == "over"
    assert len(client.sessions) == 3
    nothing_left(driver)


def test_nobody_there_yet(driver: Driver) -> None:
    with socket.socket() as sock:
        # In use, so that no other test listens there, but it refuses connections.
        sock.bind(("127.0.0.1", 0))
        client = Client(driver, f"ws://127.0.0.1:{sock.getsockname()[1]}/", read)
        for _ in range(10):
            assert driver.call(lambda: client.sessions) == []
        sock.listen()
        sock.settimeout(PATIENCE)
        with RawPeer(sock.accept()[0]) as peer:
            peer.accept()
            driver.until(lambda: client.sessions)
            client.cancel()
            # The generator is closed when it is collected, and closes its session.
            assert peer.receive_close() == (1000, "")
            peer.send_close(1000)
    nothing_left(driver)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 501])
@one_driver
def test_answers_that_stay_the_same(driver: Driver, server: RawServer, status: int) -> None:
    client = Client(driver, server.url, read)
    peer = server.take()
    peer.read_request()
    peer.respond(f"{status} No", {"Content-Length": "0"})
    with pytest.raises(HandshakeError) as caught:
        client.future.result(PATIENCE)
    assert caught.value.status == status


@one_driver
def test_garbage_stays_the_same(driver: Driver, server: RawServer) -> None:
    client = Client(driver, server.url, read)
    peer = server.take()
    peer.read_request()
    peer.send(b"220 smtp.example.com ESMTP\r\n")
    with pytest.raises(HandshakeError):
        client.future.result(PATIENCE)


@one_driver
def test_at_once_when_the_block_ends_with_the_session_open(
    driver: Driver, server: RawServer
) -> None:
    async def one_message(session: Session) -> None:
        await session.recv()

    # A delay would outlast the test.
    client = Client(driver, server.url, one_message, reconnect_delay=1e6, max_reconnect_delay=1e6)
    for _ in range(3):
        peer = server.take()
        peer.accept()
        peer.send_message("x")
        assert peer.receive_close() == (1000, "")
        peer.send_close(1000)
        peer.close()
    server.take()
    client.cancel()
    assert len(client.sessions) == 3


@one_driver
def test_exception_in_the_block(driver: Driver, server: RawServer) -> None:
    async def fails(session: Session) -> None:
        raise ZeroDivisionError

    client = Client(driver, server.url, fails)
    peer = server.take()
    peer.accept()
    with pytest.raises(ZeroDivisionError):
        client.future.result(PATIENCE)
    # The generator is closed when it is collected.
    assert peer.receive_close() == (1000, "")
    peer.send_close(1000)
    peer.close()


class Clock:
    """In the place of what the delays depend on: how long sessions last, and chance."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chance: float) -> None:
        self.delays: list[float] = []
        self.now = 0.0
        self.lasting: list[float | Exception] = []

        async def sleep(delay: float) -> None:
            self.delays.append(delay)

        monkeypatch.setattr("cooee.websocket.client.asyncio.sleep", sleep)
        monkeypatch.setattr("cooee.websocket.client.get_reactor", lambda: self)
        monkeypatch.setattr(random, "uniform", lambda low, high: low + (high - low) * chance)

    def time(self) -> float:
        return self.now


class FakeSession:
    """Ends after a while."""

    ready_state = 3

    async def close(self) -> None:
        """Closed already."""


@pytest.mark.parametrize(
    ("chance", "lasting", "delays"),
    [
        # Doubling, up to the bound.
        (1, [OSError()] * 6, [1, 2, 4, 8, 10, 10]),
        (0, [OSError()] * 6, [0.5, 1, 2, 4, 5, 5]),
        (0.5, [HandshakeError("", 503)] * 3, [0.75, 1.5, 3]),
        # A session that lasts starts anew.
        (1, [OSError(), OSError(), 100.0, OSError()], [1, 2, 1, 2]),
        # One that does not is a failure like others.
        (1, [0.5, 0.5, 0.5, OSError()], [1, 2, 4, 8]),
        (1, [0.5, 2.0, 2.0], [1, 1, 1]),
    ],
)
@pytest.mark.once
def test_delays(
    monkeypatch: pytest.MonkeyPatch, chance: float, lasting: list[Any], delays: list[float]
) -> None:
    clock = Clock(monkeypatch, chance)
    outcomes = iter([*lasting, ZeroDivisionError()])
    connecting = connect("ws://localhost/", max_reconnect_delay=10)

    async def fake_connect() -> FakeSession:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        clock.lasting.append(outcome)
        return FakeSession()

    monkeypatch.setattr(connecting, "_connect", fake_connect)

    async def iterate() -> None:
        iterator: AsyncIterator[Any] = connecting.__aiter__()
        async for _ in iterator:
            last = clock.lasting[-1]
            assert isinstance(last, float)
            clock.now += last

    with pytest.raises(ZeroDivisionError):
        asyncio.run(iterate())
    assert clock.delays == delays

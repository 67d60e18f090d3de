"""Closing a reactor, and what would keep others from their turn."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cooee.reactor import DefaultReactor, PyProtocol, Reactor, adopt, get_reactor, watch_readable
from cooee.websocket import Server, Session, Settings, connect


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = DefaultReactor()
    yield reactor
    reactor.close()


class Told(PyProtocol):
    def __init__(self) -> None:
        self.lost: list[Exception | None] = []

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


def told_of(reactor: Reactor) -> Told:
    told = Told()
    ours, theirs = socket.socketpair()
    theirs.close()
    adopt(reactor, ours).protocol = told
    return told


def test_protocols_are_told() -> None:
    reactor = DefaultReactor()
    told = told_of(reactor)
    reactor.close()
    assert told.lost == [None]
    assert reactor.handles() == []


def test_protocols_are_told_when_a_callback_closes() -> None:
    """Not from within the call, as ever."""
    reactor = DefaultReactor()
    told = told_of(reactor)
    during: list[Any] = []

    def close() -> None:
        reactor.close()
        during.extend(told.lost)

    reactor.call_soon(close)
    reactor.run()
    assert during == []
    assert told.lost == [None]
    with pytest.raises(RuntimeError):
        reactor.poll()


def test_what_is_asked_for_while_closing_comes_to_nothing() -> None:
    reactor = DefaultReactor()
    called: list[str] = []

    class Asking(Told):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            reactor.call_later(0, called.append, "later")

    told = Asking()
    ours, theirs = socket.socketpair()
    adopt(reactor, ours).protocol = told
    reactor.close()
    theirs.close()
    assert told.lost == [None]
    assert called == []


def test_a_watched_descriptor_stays_open() -> None:
    reactor = DefaultReactor()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch_readable(reactor, ours, lambda: None)
        reactor.close()
        assert ours.fileno() >= 0


def test_closing_from_a_coroutine_that_it_hosts(reactor: Reactor) -> None:
    """Its loop cannot end from within: refused, before anything is half closed."""

    async def close() -> None:
        with pytest.raises(RuntimeError):
            reactor.close()

    task = reactor.spawn(close())
    reactor.run()
    assert task.exception() is None
    assert not reactor.closed


def test_an_asynchronous_generator_that_closes_its_session_at_the_end() -> None:
    """asyncio.run() closes it together with the reactor: its wait ends."""
    kept: list[AsyncIterator[Session]] = []
    closed: list[int] = []

    async def main() -> None:
        server = Server(host="127.0.0.1", port=0)
        server.on("connection", lambda session, request: None)
        await server
        sessions = aiter(connect(f"ws://127.0.0.1:{server.port}"))
        kept.append(sessions)
        session = await anext(sessions)
        session.on("close", lambda code, reason: closed.append(code))

    asyncio.run(asyncio.wait_for(main(), 20))
    assert len(closed) == 1


def test_a_loop_that_was_closed_with_open_sessions() -> None:
    """The next reactor frees what it left, in silence."""
    loop = asyncio.new_event_loop()
    told = Told()

    async def begin() -> Reactor:
        ours, theirs = socket.socketpair()
        theirs.close()
        reactor = get_reactor()
        adopt(reactor, ours).protocol = told
        return reactor

    left = loop.run_until_complete(begin())
    loop.close()

    async def other() -> None:
        get_reactor()

    asyncio.run(other())
    assert left.closed
    assert left.handles() == []


def test_writing_whenever_all_is_sent_leaves_turns_to_others(reactor: Reactor) -> None:
    """However fast the peer takes it."""
    ours, theirs = socket.socketpair()
    count = 0

    class Pump(Session):
        pass

    session = Pump(Settings(high_water=0), server=True)
    adopt(reactor, ours).protocol = session
    session.connection_made()

    @session.on("drain")
    def pump() -> None:
        nonlocal count
        count += 1
        if count < 5000:
            session.send(b"x")

    def read() -> None:
        with theirs, contextlib.suppress(OSError):
            while theirs.recv(1 << 16):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    reactor.call_soon(pump)
    reactor.poll()
    after_one_turn = count
    while count < 5000:
        reactor.poll()
    session.terminate()
    reactor.poll()
    reader.join()
    assert after_one_turn < 100


def test_ctrl_c_before_a_timer_is_called(reactor: Reactor) -> None:
    """The timer behind it is called all the same, with nothing else to wake up for."""
    called: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    reactor.call_later(0.001, interrupt)
    reactor.call_later(0.001, called.append, "behind")
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    reactor.run()
    assert called == ["behind"]

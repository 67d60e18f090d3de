"""Callbacks: soon, from other threads, and what they may do."""

import asyncio
import logging
import socket
import threading
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver

from cooee.reactor import DefaultReactor, Reactor, watch_readable


def test_soon_in_order(driver: Driver) -> None:
    called: list[int] = []

    def schedule() -> None:
        for n in range(100):
            driver.reactor.call_soon(called.append, n)
        assert called == []

    driver.call(schedule)
    driver.until(lambda: len(called) == 100)
    assert called == list(range(100))


def test_soon_from_soon(driver: Driver) -> None:
    """However long the chain, nothing else need happen for it to go on."""
    called: list[int] = []

    def again(n: int) -> None:
        called.append(n)
        if n < 100:
            driver.reactor.call_soon(again, n + 1)

    driver.call(driver.reactor.call_soon, again, 0)
    driver.until(lambda: len(called) == 101)
    assert called == list(range(101))


def test_soon_from_an_event(driver: Driver) -> None:
    """The same, from within a turn that the system began."""
    called: list[int] = []
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def again(n: int) -> None:
        called.append(n)
        if n < 100:
            driver.reactor.call_soon(again, n + 1)
        else:
            done.set()

    def readable() -> None:
        ours.recv(1)
        driver.reactor.call_soon(again, 0)

    watch = driver.call(watch_readable, driver.reactor, ours, readable)
    theirs.send(b"x")
    assert done.wait(PATIENCE)
    assert called == list(range(101))
    driver.call(watch.close)
    ours.close()
    theirs.close()


def test_soon_lets_events_through(driver: Driver) -> None:
    """A callback that always sets another does not hold up the sockets."""
    ours, theirs = socket.socketpair()
    seen = threading.Event()

    def again() -> None:
        if not seen.is_set():
            driver.reactor.call_soon(again)

    def readable() -> None:
        ours.recv(1)
        seen.set()

    watch = driver.call(watch_readable, driver.reactor, ours, readable)
    driver.call(driver.reactor.call_soon, again)
    theirs.send(b"x")
    assert seen.wait(PATIENCE)
    driver.call(watch.close)
    ours.close()
    theirs.close()


def test_from_other_threads(driver: Driver) -> None:
    """All are called, those of one thread in its order, in the reactor's thread."""
    called: list[tuple[int, int]] = []
    where: set[threading.Thread] = set()

    def call(thread: int, n: int) -> None:
        called.append((thread, n))
        where.add(threading.current_thread())

    def send(thread: int) -> None:
        for n in range(1000):
            driver.reactor.call_soon_threadsafe(call, thread, n)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    driver.until(lambda: len(called) == 4000)
    for number in range(4):
        assert [n for thread, n in called if thread == number] == list(range(1000))
    assert len(where) == 1
    assert threading.current_thread() not in where


def test_from_another_thread_wakes_a_reactor_that_waits() -> None:
    """Nothing else would."""
    called = threading.Event()
    reactors: list[Reactor] = []
    ready = threading.Event()

    def main() -> None:
        reactor = DefaultReactor()
        reactors.append(reactor)
        reactor.hold()
        reactor.call_soon(ready.set)
        reactor.run()
        reactor.close()

    thread = threading.Thread(target=main)
    thread.start()
    assert ready.wait(PATIENCE)
    reactors[0].call_soon_threadsafe(called.set)
    assert called.wait(PATIENCE)
    reactors[0].call_soon_threadsafe(reactors[0].release)
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_from_a_thread_when_closed(reactor: Reactor) -> None:
    """Someone who comes too late is told so."""
    reactor.close()
    with pytest.raises(RuntimeError, match="the reactor is closed"):
        reactor.call_soon_threadsafe(print)


def test_one_that_raises(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such luck")

    called = threading.Event()

    def schedule() -> None:
        driver.reactor.call_soon(broken)
        driver.reactor.call_soon(called.set)

    driver.call(schedule)
    assert called.wait(PATIENCE)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("cooee.reactor", logging.ERROR)
    assert "no such luck" in caplog.text


def test_polling_from_a_callback(driver: Driver) -> None:
    raised: list[Any] = []

    def poll() -> None:
        for function in (driver.reactor.poll, driver.reactor.run):
            try:
                function()
            except RuntimeError as exc:
                raised.append(str(exc))

    driver.call(driver.reactor.call_soon, poll)
    driver.until(lambda: len(raised) == 2)
    if driver.name in ("asyncio", "uvloop"):
        assert raised == [
            "poll() on a reactor that an asyncio loop drives",
            "run() on a reactor that an asyncio loop drives",
        ]
    else:
        assert raised == [
            "the reactor is polled from one of its own callbacks",
            "the reactor is running already",
        ]


# run()


def test_run_returns_when_nothing_is_left(reactor: Reactor) -> None:
    reactor.run()
    called: list[str] = []
    reactor.call_soon(called.append, "soon")
    reactor.run()
    assert called == ["soon"]


def test_run_until(reactor: Reactor) -> None:
    called: list[int] = []

    def again(n: int) -> None:
        called.append(n)
        reactor.call_soon(again, n + 1)

    reactor.call_soon(again, 0)
    reactor.run(until=lambda: len(called) >= 10)
    assert len(called) == 10
    reactor.run(until=lambda: True)
    assert len(called) == 10


def test_run_while_held(reactor: Reactor) -> None:
    """Work in a thread, of which the reactor knows nothing else."""
    called: list[str] = []

    def done() -> None:
        called.append("done")
        reactor.release()

    reactor.hold()
    thread = threading.Thread(target=reactor.call_soon_threadsafe, args=(done,))
    thread.start()
    reactor.run()
    assert called == ["done"]
    thread.join()


def test_poll_counts_events_and_never_blocks(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    called: list[bytes] = []
    watch = watch_readable(reactor, ours, lambda: called.append(ours.recv(10)))
    assert reactor.poll() == 0
    theirs.send(b"x")
    assert reactor.poll() == 1
    assert called == [b"x"]
    assert reactor.poll() == 0
    watch.close()
    ours.close()
    theirs.close()


def test_a_closed_reactor(reactor: Reactor) -> None:
    reactor.close()
    reactor.close()
    assert reactor.closed
    assert reactor.handles() == []
    with pytest.raises(RuntimeError, match="closed"):
        reactor.poll()


# Watching


def test_watching_what_belongs_to_others(driver: Driver) -> None:
    ours, theirs = socket.socketpair()
    received: list[bytes] = []
    watch = driver.call(
        watch_readable, driver.reactor, ours, lambda: received.append(ours.recv(10))
    )
    assert watch in driver.call(driver.reactor.handles)
    theirs.send(b"one")
    driver.until(lambda: received == [b"one"])
    theirs.send(b"two")
    driver.until(lambda: received == [b"one", b"two"])
    driver.call(watch.close)
    driver.call(watch.close)
    assert watch.closed
    theirs.send(b"three")
    driver.call(lambda: None)
    # It is still open, and ours to read.
    assert ours.recv(10) == b"three"
    assert received == [b"one", b"two"]
    ours.close()
    theirs.close()


def test_a_watcher_that_raises(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket.socketpair()

    def readable() -> None:
        ours.recv(1)
        raise RuntimeError("no such luck")

    watch = driver.call(watch_readable, driver.reactor, ours, readable)
    theirs.send(b"xy")
    driver.until(lambda: caplog.text.count("RuntimeError: no such luck") == 2)
    driver.call(watch.close)
    ours.close()
    theirs.close()


def test_watchers_that_end_each_other(driver: Driver) -> None:
    """Both are ready at once; whoever is first, the other is not called."""
    called: list[int] = []
    pairs = [socket.socketpair() for _ in range(2)]
    watches: list[Any] = []

    def end_all(n: int) -> None:
        called.append(n)
        for watch in watches:
            watch.close()

    for _, theirs in pairs:
        theirs.send(b"x")

    def watch_both() -> None:
        for n, (ours, _) in enumerate(pairs):
            watches.append(watch_readable(driver.reactor, ours, lambda n=n: end_all(n)))

    driver.call(watch_both)
    driver.until(lambda: called)
    driver.call(lambda: None)
    assert len(called) == 1
    for pair in pairs:
        for sock in pair:
            sock.close()


# Busy polling


def test_busy_polling_lets_other_threads_in(driver: Driver) -> None:
    """It spins for longer than anyone would wait, and yet everything happens."""
    driver.call(setattr, driver.reactor, "busy_poll", 1000.0)
    called = threading.Event()
    driver.reactor.call_soon_threadsafe(called.set)
    assert called.wait(PATIENCE)
    assert driver.call(lambda: "answer") == "answer"
    tick = threading.Event()
    driver.call(driver.reactor.call_later, 0.001, tick.set)
    assert tick.wait(PATIENCE)

    async def sleep() -> str:
        await asyncio.sleep(0.001)
        return "slept"

    assert driver.run(sleep) == "slept"
    driver.call(setattr, driver.reactor, "busy_poll", 0.0)

"""Whose reactor is whose, what drives it, and coroutines on a reactor that drives itself."""

import asyncio
import gc
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.reactor.streams import Recorder

from cooee.reactor import (
    DefaultReactor,
    PyProtocol,
    Reactor,
    adopt,
    get_reactor,
    poll,
    run,
    watch_readable,
)


@pytest.fixture(params=["run", "poll"])
def drive(request: pytest.FixtureRequest, reactor: Reactor) -> Callable[..., None]:
    """Drive the reactor by its own loop, or by polling, until a condition holds."""

    def drive(until: Callable[[], object]) -> None:
        if request.param == "run":
            reactor.run(until=lambda: bool(until()))
        else:
            deadline = reactor.time() + PATIENCE
            while not until():
                reactor.poll()
                assert reactor.time() < deadline, "waited in vain"

    return drive


# Whose


def test_a_thread_has_one() -> None:
    reactor = get_reactor()
    assert get_reactor() is reactor
    assert reactor.loop is None
    others: list[Reactor] = []

    def other() -> None:
        others.append(get_reactor())
        assert get_reactor() is others[0]

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(PATIENCE)
    assert others[0] is not reactor
    # It ended with its thread, which every test is asked.
    assert others[0].closed


def test_a_thread_gets_a_new_one_when_it_has_closed_its_own() -> None:
    seen: list[bool] = []

    def main() -> None:
        first = get_reactor()
        first.close()
        second = get_reactor()
        seen.append(second is not first and not second.closed)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join(PATIENCE)
    assert seen == [True]


@pytest.mark.parametrize("driver", ["asyncio", "uvloop"], indirect=True)
def test_a_loop_has_one(driver: Driver) -> None:
    async def look() -> Reactor:
        assert get_reactor() is driver.reactor
        assert get_reactor().loop is asyncio.get_running_loop()
        return get_reactor()

    assert driver.run(look) is driver.reactor
    assert driver.call(get_reactor) is driver.reactor


def test_asyncio_run_closes_its_reactor() -> None:
    outer = get_reactor()

    async def main() -> Reactor:
        reactor = get_reactor()
        reactor.call_later(1000, print)
        return reactor

    first = asyncio.run(main())
    second = asyncio.run(main())
    assert first.closed
    assert second.closed
    assert first is not second
    assert get_reactor() is outer
    assert not outer.closed


def test_a_loop_that_was_closed_without_shutting_down() -> None:
    """Its reactor is closed when the next loop asks for one."""

    async def main() -> Reactor:
        return get_reactor()

    loop = asyncio.new_event_loop()
    first = loop.run_until_complete(main())
    loop.close()
    assert asyncio.run(main()).closed
    assert first.closed


def test_a_reactor_under_asyncio_is_not_driven_otherwise() -> None:
    async def main() -> None:
        reactor = get_reactor()
        for function in (reactor.poll, reactor.run):
            with pytest.raises(RuntimeError, match="an asyncio loop drives"):
                function()
        for function in (poll, run):
            with pytest.raises(RuntimeError, match="inside a running asyncio loop"):
                function()

    asyncio.run(main())


def test_the_thread_s_own_is_driven_from_outside_asyncio() -> None:
    called: list[str] = []
    get_reactor().call_soon(called.append, "run")
    run()
    get_reactor().call_soon(called.append, "poll")
    poll()
    assert called == ["run", "poll"]


def test_the_descriptor_is_readable_when_there_is_something_to_do(reactor: Reactor) -> None:
    """For those who have a loop of their own."""
    import select

    if reactor.fileno() < 0:
        pytest.skip("no such descriptor here")
    ours, theirs = socket.socketpair()
    watch = watch_readable(reactor, ours, lambda: ours.recv(10))
    assert select.select([reactor.fileno()], [], [], 0)[0] == []
    theirs.send(b"x")
    assert select.select([reactor.fileno()], [], [], PATIENCE)[0] != []
    reactor.poll()
    assert select.select([reactor.fileno()], [], [], 0)[0] == []
    watch.close()
    ours.close()
    theirs.close()


# Coroutines on a reactor without asyncio


def test_a_coroutine_and_its_result(reactor: Reactor, drive: Callable[..., None]) -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    tasks = [reactor.spawn(double(n)) for n in range(10)]
    drive(lambda: all(task.done() for task in tasks))
    assert [task.result() for task in tasks] == [2 * n for n in range(10)]


def test_the_loop_comes_and_goes_with_the_coroutines(
    reactor: Reactor, drive: Callable[..., None]
) -> None:
    async def nothing() -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        assert get_reactor() is reactor
        await asyncio.sleep(0)
        return loop

    loops = []
    for _ in range(3):
        assert reactor.loop is None
        task = reactor.spawn(nothing())
        assert reactor.loop is not None
        drive(lambda: reactor.loop is None)
        loops.append(task.result())
        assert loops[-1].is_closed()
    assert len(set(map(id, loops))) == 3


def test_sockets_timers_and_coroutines_together(
    reactor: Reactor, drive: Callable[..., None]
) -> None:
    """A coroutine comes in while sockets are watched already, and others go on after it."""
    ours, theirs = socket.socketpair()
    protocol = Recorder(data=lambda self, data: self.stream.write(data.upper()))
    stream = adopt(reactor, ours)
    stream.protocol = protocol
    called: list[str] = []
    reactor.call_later(0.001, called.append, "before")

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        theirs.setblocking(False)
        for _ in range(3):
            await loop.sock_sendall(theirs, b"hello")
            assert await loop.sock_recv(theirs, 100) == b"HELLO"
        await asyncio.sleep(0.001)
        called.append("talked")

    drive(lambda: called)
    task = reactor.spawn(talk())
    drive(task.done)
    task.result()
    reactor.call_later(0.001, called.append, "after")
    drive(lambda: len(called) == 3)
    assert called == ["before", "talked", "after"]
    theirs.setblocking(True)
    theirs.sendall(b"more")
    drive(lambda: protocol.calls.qsize() >= 4)
    assert theirs.recv(100) == b"MORE"
    stream.close()
    theirs.close()


def test_what_a_coroutine_writes_goes_out(reactor: Reactor, drive: Callable[..., None]) -> None:
    ours, theirs = socket.socketpair()
    stream = adopt(reactor, ours)
    stream.protocol = Recorder()

    async def write() -> None:
        stream.write(b"one")
        await asyncio.sleep(0)
        stream.write(b"two")

    task = reactor.spawn(write())
    drive(lambda: task.done() and stream.buffered_amount == 0)
    assert theirs.recv(100) == b"onetwo"
    stream.close()
    theirs.close()


def test_one_poll_is_enough_for_an_answer(reactor: Reactor) -> None:
    """An event wakes a task, that another one; what they write is sent. A frame is a long time."""
    ours, theirs = socket.socketpair()
    received: list[asyncio.Future[bytes]] = []

    class Waking(PyProtocol):
        def data_received(self, data: bytes) -> None:
            received.pop().set_result(data)

    async def receive() -> bytes:
        received.append(asyncio.get_running_loop().create_future())
        return await received[0]

    async def echo() -> None:
        while True:
            stream.write(await asyncio.ensure_future(receive()))

    stream = adopt(reactor, ours)
    stream.protocol = Waking()
    task = reactor.spawn(echo())
    reactor.poll()
    theirs.setblocking(False)
    for n in range(5):
        theirs.send(b"%d" % n)
        assert reactor.poll() == 1
        assert theirs.recv(10) == b"%d" % n
    assert reactor.poll() == 0
    task.cancel()
    reactor.poll()
    stream.close()
    theirs.close()


def test_a_coroutine_from_a_callback(reactor: Reactor, drive: Callable[..., None]) -> None:
    """The loop is brought in in the middle of a turn."""
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.001)
        done.append("work")

    reactor.call_soon(lambda: reactor.spawn(work()))
    reactor.call_later(0.002, lambda: reactor.spawn(work()))
    drive(lambda: len(done) == 2)


def test_a_coroutine_that_raises(reactor: Reactor, drive: Callable[..., None]) -> None:
    async def broken() -> None:
        raise RuntimeError("no such luck")

    task = reactor.spawn(broken())
    drive(task.done)
    with pytest.raises(RuntimeError, match="no such luck"):
        task.result()


def test_a_coroutine_that_is_cancelled(reactor: Reactor, drive: Callable[..., None]) -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    task = reactor.spawn(wait())
    drive(lambda: True)
    reactor.call_soon(task.cancel)
    drive(task.done)
    assert task.cancelled()


def test_coroutines_that_wait_for_each_other(reactor: Reactor, drive: Callable[..., None]) -> None:
    numbers: list[int] = []

    async def produce(queue: "asyncio.Queue[int]") -> None:
        for n in range(100):
            await queue.put(n)
            if n % 10 == 0:
                await asyncio.sleep(0)

    async def consume(queue: "asyncio.Queue[int]") -> None:
        while len(numbers) < 100:
            numbers.append(await queue.get())

    async def both() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(5)
        await asyncio.gather(produce(queue), consume(queue))

    task = reactor.spawn(both())
    drive(task.done)
    task.result()
    assert numbers == list(range(100))


def test_work_in_threads(reactor: Reactor, drive: Callable[..., None]) -> None:
    """The loop's executor ends with it: no thread is left."""

    async def work() -> int:
        return await asyncio.to_thread(sum, range(100))

    task = reactor.spawn(work())
    drive(lambda: reactor.loop is None)
    assert task.result() == 4950


def test_asynchronous_generators_are_shut_down(
    reactor: Reactor, drive: Callable[..., None]
) -> None:
    ended: list[str] = []

    async def numbers() -> Any:
        try:
            for n in range(100):
                yield n
        finally:
            ended.append("generator")

    generators = []

    async def start() -> None:
        generator = numbers()
        generators.append(generator)
        await anext(generator)

    reactor.spawn(start())
    drive(lambda: reactor.loop is None)
    assert ended == ["generator"]


def test_run_goes_on_while_a_coroutine_does(reactor: Reactor) -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.005)
        done.append("work")

    reactor.spawn(work())
    reactor.run()
    assert done == ["work"]
    assert reactor.loop is None


def test_closing_cancels_coroutines(reactor: Reactor) -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cancelled")

    task = reactor.spawn(wait())
    reactor.poll()
    reactor.close()
    assert task.cancelled()
    assert ended == ["cancelled"]


def test_signals_of_run_leave_asyncio_alone(reactor: Reactor) -> None:
    """One after the other, in one thread."""
    called: list[str] = []
    reactor.call_soon(called.append, "reactor")
    reactor.run()

    async def main() -> None:
        await asyncio.sleep(0)
        called.append("asyncio")

    asyncio.run(main())
    reactor.call_soon(called.append, "again")
    reactor.run()
    assert called == ["reactor", "asyncio", "again"]


# Freed


def test_a_closed_reactor_is_freed_without_the_collector() -> None:
    reactor = DefaultReactor()
    seen = weakref.ref(reactor)
    ours, theirs = socket.socketpair()
    stream = adopt(reactor, ours)
    stream.protocol = Recorder()
    reactor.call_later(1000, print)
    gc.disable()
    try:
        reactor.close()
        del reactor, stream
        assert seen() is None
    finally:
        gc.enable()
        theirs.close()

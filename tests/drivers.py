"""
The four ways to drive a reactor, each in a thread of its own, so that one test body serves all.

A test asks for the fixture ``driver`` and runs once for each: stock asyncio, uvloop, the reactor's
own loop, and a program that polls once per frame. The body stays in the main thread, where it may
block; ``driver.call()`` runs a function beside the reactor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar

import pytest

from cooee.reactor import Reactor, Stream, get_reactor
from tests import peers

T = TypeVar("T")

# The first loop of a process opens a pipe for signals that libuv never closes: not a test's leak.
with contextlib.suppress(ImportError):
    import uvloop

    uvloop.new_event_loop().close()

# Seconds after which something that should come at once is not going to come.
PATIENCE = 20.0
# Seconds between two polls.
FRAME = 0.001


class Driver:
    """
    A thread that drives a reactor until it is left.

    Attributes:
        reactor: The reactor.
    """

    name: ClassVar[str]
    reactor: Reactor

    def __init__(self) -> None:
        self.stopping = False
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name=f"driver {self.name}")

    def __repr__(self) -> str:
        return f"<driver {self.name}>"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(PATIENCE)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.submit(self.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self} goes on"

    def _main(self) -> None:
        try:
            self.drive()
        except BaseException as exc:
            if self._ready.done():
                raise
            self._ready.set_exception(exc)

    def drive(self) -> None:
        """Drive until stopped; in the thread."""
        raise NotImplementedError

    def submit(self, function: Callable[[], object]) -> None:
        """Have a function called in the thread."""
        raise NotImplementedError

    def started(self) -> None:
        """The reactor is there and about to be driven."""
        self._ready.set_result(None)

    def stop(self) -> None:
        """Let ``drive`` return; in the thread."""
        self.stopping = True

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the thread, outside the reactor's turns if possible."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as exc:
                future.set_exception(exc)

        self.submit(call)
        return future.result(PATIENCE)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task in the thread, and wait until it waits or is done."""
        begun: Future[None] = Future()

        def spawn() -> asyncio.Task[T]:
            task = self.reactor.spawn(coroutine)
            # After its first step, which its loop has scheduled before this.
            task.get_loop().call_soon(begun.set_result, None)
            return task

        task = self.call(spawn)
        begun.result(PATIENCE)
        return task

    def begin(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> Future[T]:
        """Start a coroutine function in the thread, and wait until it waits or is done."""
        future: Future[T] = Future()

        async def body() -> None:
            try:
                future.set_result(await function(*args))
            except BaseException as exc:
                future.set_exception(exc)

        self.spawn(body())
        return future

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Run a coroutine function in the thread to its end."""
        return self.begin(function, *args).result(PATIENCE)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """
        Keep the thread busy meanwhile.

        What others send in this time finds the reactor in one turn, and no timer runs before it.
        """
        begun, go_on = threading.Event(), threading.Event()

        def block() -> None:
            begun.set()
            assert go_on.wait(PATIENCE)

        self.submit(block)
        assert begun.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()

    def limit_send_buffers(self) -> None:
        """Have the system hold but little of what the reactor's streams send from now on."""

        def limit() -> None:
            for handle in self.reactor.handles():
                if isinstance(handle, Stream):
                    limit_send_buffer(handle)

        self.call(limit)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition, evaluated in the thread, holds."""
        deadline = time.monotonic() + PATIENCE
        while not self.call(condition):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(FRAME)


class AsyncioDriver(Driver):
    """Stock asyncio."""

    name = "asyncio"
    loop: asyncio.AbstractEventLoop
    stopped: asyncio.Event

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """A new event loop."""
        return asyncio.new_event_loop()

    def drive(self) -> None:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            runner.run(self.body())

    async def body(self) -> None:
        """The main task."""
        self.loop = asyncio.get_running_loop()
        self.stopped = asyncio.Event()
        self.reactor = get_reactor()
        self.started()
        await self.stopped.wait()

    def submit(self, function: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        self.stopped.set()


class UvloopDriver(AsyncioDriver):
    """asyncio on uvloop."""

    name = "uvloop"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()


class OwnDriver(Driver):
    """The reactor's own loop."""

    name = "own"

    def drive(self) -> None:
        self.reactor = get_reactor()
        self.reactor.hold()
        self.started()
        try:
            self.reactor.run(until=lambda: self.stopping)
        finally:
            self.reactor.close()

    def submit(self, function: Callable[[], object]) -> None:
        self.reactor.call_soon_threadsafe(function)


class PollingDriver(Driver):
    """A program with a loop of its own that polls, as a game does."""

    name = "polling"

    def __init__(self) -> None:
        super().__init__()
        self.functions: deque[Callable[[], object]] = deque()

    def drive(self) -> None:
        self.reactor = get_reactor()
        self.started()
        try:
            while not self.stopping:
                self.reactor.poll()
                while self.functions:
                    self.functions.popleft()()
                time.sleep(FRAME)
        finally:
            self.reactor.close()

    def submit(self, function: Callable[[], object]) -> None:
        self.functions.append(function)


DRIVERS: dict[str, type[Driver]] = {
    driver.name: driver for driver in (AsyncioDriver, UvloopDriver, OwnDriver, PollingDriver)
}


def limit_send_buffer(stream: Stream, size: int = 64 * 1024) -> None:
    """
    Have the system take no more than about that much of what the peer does not read.

    Otherwise it may be anything up to tens of megabytes, and more as time goes by. To be called
    before anything is sent, for a peer with a receive buffer of its own choice.
    """
    with socket.socket(fileno=os.dup(stream.fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


class Closable(Protocol):
    """What a test has started."""

    def close(self) -> None:
        """End it."""


S = TypeVar("S", bound=Closable)


def starting(make: Callable[..., S]) -> Iterator[Callable[..., S]]:
    """For fixtures: start with options whatever `make` makes; all are closed after the test."""
    started: list[S] = []

    def start(**options: Any) -> S:
        started.append(make(**options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """
    Each of the drivers in turn.

    ``@pytest.mark.parametrize("driver", ["asyncio"], indirect=True)`` chooses among them.
    """
    if request.param == "uvloop" and "uvloop" not in globals():
        peers.missing("uvloop", "pip install uvloop")
    with DRIVERS[request.param]() as driver:
        yield driver

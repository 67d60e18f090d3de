"""Which reactor is whose: one for each asyncio loop, one for each thread without."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator

from cooee.reactor.core import Reactor, reactors

if sys.platform == "linux" and os.environ.get("COOEE_REACTOR") not in ("portable", "poll"):
    from cooee.reactor.epoll import EpollReactor

    DefaultReactor: type[Reactor] = EpollReactor
else:
    from cooee.reactor.portable import PortableReactor

    DefaultReactor = PortableReactor

__all__ = ["DefaultReactor", "get_reactor", "poll", "run"]

_threads = threading.local()
_inherited: list[object] = []


class _OfThread:
    """Closes a thread's reactor when the thread ends."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor

    def __del__(self) -> None:
        # With the process, the system closes what is open.
        if not sys.is_finalizing():
            self.reactor.close()


def _forget() -> None:
    """In a forked child: the parent's sockets are not ours to touch, nor to close."""
    global _threads
    _inherited.append(_threads)
    _threads = threading.local()
    reactors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def get_reactor() -> Reactor:
    """
    The reactor of the running asyncio loop, made when first asked for; else the thread's own.

    A loop's reactor is closed when ``asyncio.run`` ends, a thread's with the thread. After a fork
    the child gets new ones.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if loop is not None:
        reactor: Reactor | None = reactors.get(loop)
        if reactor is None:
            # Of all threads: the references at one stroke, for others may come meanwhile.
            for reference in reactors.keyrefs():
                other = reference()
                if other is not None and other.is_closed() and other in reactors:
                    reactors[other].close()
            reactor = DefaultReactor(loop)
            _close_with(reactor)
        return reactor
    of_thread: _OfThread | None = getattr(_threads, "reactor", None)
    if of_thread is None or of_thread.reactor.closed:
        of_thread = _threads.reactor = _OfThread(DefaultReactor())
    return of_thread.reactor


def _close_with(reactor: Reactor) -> None:
    """
    Close `reactor` when the running loop shuts down its asynchronous generators.

    asyncio offers no other hook that runs before the loop is closed.
    """

    async def until_shutdown() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            reactor.close()

    generator = until_shutdown()
    try:
        generator.__anext__().send(None)
    except StopIteration:
        reactor.on_close = generator


def run() -> None:
    """
    Handle events until no socket is open and nothing else is left to do, as a browser does.

    For scripts without asyncio. Callbacks run inside; Ctrl-C raises KeyboardInterrupt.

    Raises:
        RuntimeError: An asyncio loop is running in this thread, and drives the reactor.
    """
    _without_asyncio("run").run()


def poll() -> int:
    """
    Handle what is ready now and return the number of events; never blocks.

    For game loops: once per frame. Callbacks run inside.

    Raises:
        RuntimeError: An asyncio loop is running in this thread, and drives the reactor; or called
            from a callback.
    """
    return _without_asyncio("poll").poll()


def _without_asyncio(name: str) -> Reactor:
    reactor = get_reactor()
    if reactor.loop is not None and reactor.loop.is_running():
        raise RuntimeError(
            f"{name}() inside a running asyncio loop, which drives the sockets already: await"
        )
    return reactor

"""
The unit tests' transport: a stream whose peer is the test, and a reactor whose clock the test sets.

Both behave as the real ones as far as a protocol can tell: what is written goes out at the end of
the turn, a callback of call_soon comes before that, and connection_lost comes last.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

Callback = Callable[..., object]


def nothing() -> None:
    """What a cancelled timer would do."""


class MemoryTimer:
    """A timer; ``active`` until it was called or cancelled."""

    def __init__(self, when: float, callback: Callback, args: tuple[object, ...]) -> None:
        self.when = when
        self.callback = callback
        self.args = args
        self.active = True

    def cancel(self) -> None:
        """Do not call the callback, and let go of it."""
        self.active = False
        self.callback, self.args = nothing, ()


class MemoryReactor:
    """Turns, callbacks and timers, with a clock that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[MemoryTimer] = []
        self.soon: deque[tuple[Callback, tuple[object, ...]]] = deque()
        self.streams: list[MemoryStream] = []

    def time(self) -> float:
        """The clock."""
        return self.now

    def call_soon(self, callback: Callback, *args: object) -> None:
        """Call in this turn, or the next one."""
        self.soon.append((callback, args))

    def call_later(
        self, delay: float, callback: Callback, *args: object, ref: bool = True
    ) -> MemoryTimer:
        """Call once the clock has gone on by `delay`."""
        timer = MemoryTimer(self.now + delay, callback, args)
        self.timers.append(timer)
        return timer

    @property
    def active_timers(self) -> list[MemoryTimer]:
        """The timers that are neither called nor cancelled."""
        self.timers = [timer for timer in self.timers if timer.active]
        return self.timers

    def advance(self, seconds: float) -> None:
        """Let the clock go on, calling what becomes due in its order."""
        end = self.now + seconds
        while due := [timer for timer in self.active_timers if timer.when <= end]:
            timer = min(due, key=lambda one: one.when)
            self.now = max(self.now, timer.when)
            timer.active = False
            timer.callback(*timer.args)
            self.run()
        self.now = end

    def turn(self) -> bool:
        """One round: callbacks, then sends, then farewells. Whether anything was done."""
        busy = bool(self.soon)
        for _ in range(len(self.soon)):
            callback, args = self.soon.popleft()
            callback(*args)
        for stream in self.streams:
            busy |= stream.flush()
        for stream in self.streams:
            busy |= stream.farewell()
        self.streams = [stream for stream in self.streams if not stream.told_lost]
        return busy

    def run(self) -> None:
        """Turns until nothing is left to do without the peer or the clock."""
        for _ in itertools.takewhile(lambda n: self.turn(), range(100_000)):
            pass


class MemoryStream:
    """
    A connected stream. The test is the peer: it sends with ``peer_sends`` and reads ``received``.

    Args:
        reactor: The reactor.
        window: Bytes that the peer takes before it has to call ``peer_takes``; None: any number.
    """

    def __init__(self, reactor: MemoryReactor, window: int | None = None) -> None:
        self.reactor = reactor
        self.window = window
        self.protocol: Any = None
        self.peername = ("192.0.2.1", 50000)
        self.received = bytearray()
        self.unsent = bytearray()
        self.inbox: deque[bytes] = deque()
        self.writes: list[int] = []
        self.closing = False
        self.closed = False
        self.told_lost = False
        self.paused = False
        self.blocked = False
        self.ending = False
        self.ended = False
        self.eof = False
        self.unread_at_close = 0
        reactor.streams.append(self)

    # What protocols use

    @property
    def buffered_amount(self) -> int:
        """Bytes written and not sent."""
        return len(self.unsent)

    def write(self, data: bytes) -> None:
        """Send at the end of the turn."""
        assert isinstance(data, bytes)
        if not (self.closing or self.ending):
            self.unsent += data
            self.writes.append(len(data))

    def close(self) -> None:
        """Send what is buffered, then close."""
        self.closing = True

    def abort(self) -> None:
        """Close now."""
        self.lose()

    def shutdown_write(self) -> None:
        """Send what is buffered, then FIN."""
        self.ending = True

    def pause_reading(self) -> None:
        """Receive nothing until resume_reading()."""
        self.paused = True

    def resume_reading(self) -> None:
        """Receive again."""
        self.paused = False

    # What the reactor does

    def flush(self) -> bool:
        """Send as much as the peer takes; whether anything happened."""
        if self.closed:
            return False
        size = len(self.unsent) if self.window is None else min(self.window, len(self.unsent))
        self.received += self.unsent[:size]
        del self.unsent[:size]
        if self.window is not None:
            self.window -= size
        if self.unsent:
            self.blocked = True
            return size > 0
        if self.closing:
            self.lose()
            return True
        if self.ending and not self.ended:
            self.ended = True
            return True
        if self.blocked:
            self.blocked = False
            self.protocol.writing_drained()
            return True
        return size > 0 or self.deliver()

    def deliver(self) -> bool:
        """Pass on what was held back while reading was paused."""
        if not self.inbox or self.paused or self.closing:
            return False
        self.protocol.data_received(self.inbox.popleft())
        return True

    def lose(self) -> None:
        """The descriptor is closed."""
        if not self.closed:
            self.closing = self.closed = True
            self.unread_at_close = sum(map(len, self.inbox))
            self.unsent.clear()

    def farewell(self) -> bool:
        """Tell the protocol that it is over."""
        if self.closed and not self.told_lost:
            self.told_lost = True
            protocol, self.protocol = self.protocol, None
            protocol.connection_lost(None)
            return True
        return False

    # What the peer does

    def peer_sends(self, data: bytes) -> None:
        """Bytes arrive; then the reactor runs until it is quiet."""
        if data and not self.closed:
            self.inbox.append(data)
            self.deliver()
        self.reactor.run()

    def peer_takes(self, size: int) -> None:
        """The peer has room for more."""
        self.window = (self.window or 0) + size
        self.reactor.run()

    def peer_ends(self) -> None:
        """The peer sends FIN."""
        if not (self.eof or self.closing):
            self.eof = True
            self.protocol.eof_received()
        self.reactor.run()

    def peer_resets(self) -> None:
        """The connection breaks."""
        self.lose()
        self.reactor.run()

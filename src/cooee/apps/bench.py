"""
A load generator: connections that each keep some messages under way, and what became of them.

Every message must come back as it was sent, in order; it is followed by the next one. So the rate
is the server's, as long as this side is the faster one.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from hdrh.histogram import HdrHistogram

from cooee import Session, connect
from cooee.apps.talker import Latencies, SessionTalker, Talker
from cooee.protocol.close import describe_close
from cooee.protocol.errors import CooeeError
from cooee.reactor import get_reactor

__all__ = ["Load", "Plan", "Report", "SessionLoad", "make_payloads", "summarize"]

Peer = TypeVar("Peer")

# Of the histogram: up to an hour, in nanoseconds, to three figures.
HIGHEST = 3600 * 10**9
FIGURES = 3
PERCENTILES = (50, 90, 99, 99.9)

# Seconds for the server to answer a Close frame, after whatever it still has to send.
CLOSE_TIMEOUT = 5
# Bytes that all different payloads may take together.
PAYLOAD_BYTES = 64 * 1024 * 1024
# Seconds between two calls of `progress`.
INTERVAL = 0.25
# Each byte stands for one of 64 letters.
LETTERS = bytes(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[byte % 64]
    for byte in range(256)
)


@dataclass(frozen=True)
class Plan:
    """
    What to do to a server.

    Args:
        url: Of an echo server.
        connections: How many there are at once.
        in_flight: Messages that each connection has under way.
        size: Bytes of payload in a message.
        text: Whether messages are text rather than binary.
        duration: Seconds to measure, from when all connections are open.
    """

    url: str
    connections: int = 64
    in_flight: int = 1
    size: int = 64
    text: bool = False
    duration: float = 5.0


@dataclass(frozen=True)
class Report:
    """
    What came of it.

    Attributes:
        messages: Messages that came back intact.
        seconds: The time they took.
        rate: Messages per second.
        latency: Microseconds from sending a message to receiving it, by name: min, mean, p50,
            p90, p99, p99.9, max; empty when nothing came back.
        errors: What went wrong, and how often.
    """

    messages: int
    seconds: float
    rate: float
    latency: dict[str, float]
    errors: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)


class Load(ABC, Generic[Peer]):
    """
    One run of a plan; subclasses say what a connection is.

    Attributes:
        opened: How many connections have been opened.
        latencies: Those measured so far; their number is that of the messages that came back.
        errors: What went wrong so far, and how often.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.opened = 0
        self.latencies = Latencies()
        self.errors: Counter[str] = Counter()
        self._open: set[Peer] = set()
        self._talkers: list[Talker] = []
        self._stopped = False
        self._closing = False

    async def run(self, progress: Callable[[float], object] | None = None) -> Report:
        """
        Open the connections, measure, close them, and report.

        When :meth:`stop` is called meanwhile, the report is about the time until then.

        Args:
            progress: Called now and then with the seconds since measuring began; before, with 0.

        Raises:
            OSError, CooeeError: Not even one connection could be opened.
        """
        progress = progress or (lambda seconds: None)
        clock = get_reactor().time
        progress(0)
        # One first: a server that is not there needs not be asked for each.
        await self._wait(asyncio.ensure_future(self._connect()), progress)
        others = [self._connect_another() for _ in range(self.plan.connections - 1)]
        await self._wait(asyncio.gather(*others), progress)
        payloads = itertools.cycle(make_payloads(self.plan))
        self._talkers += [self._make_talker(peer, next(payloads)) for peer in self._open]
        began = clock()
        for talker in self._talkers:
            talker.start()
        while (elapsed := clock() - began) < self.plan.duration and self._open:
            if self._stopped:
                break
            progress(elapsed)
            await asyncio.sleep(min(INTERVAL, self.plan.duration - elapsed))
        for talker in self._talkers:
            talker.stop()
        seconds = clock() - began
        progress(seconds)
        self._closing = True
        await self._close()
        if corrupt := sum(talker.corrupt for talker in self._talkers):
            self.errors["a message came back changed, twice or out of order"] = corrupt
        messages, latency = summarize(self.latencies)
        if not (messages or self.errors or self._stopped):
            self.errors["no message came back"] = len(self._talkers)
        return Report(
            messages=messages,
            seconds=round(seconds, 3),
            rate=round(messages / seconds, 1) if seconds else 0.0,
            latency=latency,
            errors=dict(self.errors),
        )

    def stop(self) -> None:
        """End early. Idempotent."""
        self._stopped = True

    @abstractmethod
    async def _connect(self) -> None:
        """
        Open a connection, and count it by :meth:`_opened`.

        Raises:
            OSError, CooeeError: It cannot be opened.
        """

    @abstractmethod
    def _make_talker(self, peer: Peer, payloads: list[bytes] | list[str]) -> Talker:
        """Give a connection somebody who talks."""

    @abstractmethod
    async def _close(self) -> None:
        """Close all connections that are open."""

    def _opened(self, peer: Peer) -> None:
        self.opened += 1
        self._open.add(peer)

    def _lost(self, peer: Peer, why: str) -> None:
        """A connection is over; it matters if that is too early."""
        if peer in self._open and not self._closing:
            self.errors[why] += 1
        self._open.discard(peer)

    async def _wait(
        self, opening: asyncio.Future[Any], progress: Callable[[float], object]
    ) -> None:
        """Wait until connections are open, or nobody wants them any more."""
        try:
            while not opening.done():
                await asyncio.wait([opening], timeout=INTERVAL)
                progress(0)
                if self._stopped:
                    opening.cancel()
        finally:
            opening.cancel()
        if not opening.cancelled():
            opening.result()

    async def _connect_another(self) -> None:
        if self._stopped:
            return
        try:
            await self._connect()
        except (CooeeError, OSError) as exc:
            self.errors[f"cannot connect: {exc}"] += 1


class SessionLoad(Load[Session]):
    """One run of a plan, by raw WebSocket."""

    async def _connect(self) -> None:
        plan = self.plan
        session = await connect(
            plan.url,
            max_message_size=plan.size,
            # All that is under way may be waiting in here.
            max_buffered=2 * (plan.size + 64) * (plan.in_flight + 1),
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT,
        )
        self._opened(session)
        session.on("error", functools.partial(self._broken, session))
        session.on("close", functools.partial(self._closed, session))

    def _make_talker(self, peer: Session, payloads: list[bytes] | list[str]) -> Talker:
        talker = SessionTalker(peer, payloads, self.latencies)
        peer.on("message", talker.message)
        return talker

    def _broken(self, session: Session, error: Exception) -> None:
        self._open.discard(session)
        self.errors[f"connection failed: {error}"] += 1

    def _closed(self, session: Session, code: int, reason: str) -> None:
        self._lost(session, f"closed by the server: {describe_close(code, reason)}")

    async def _close(self) -> None:
        for closing in [session.close() for session in self._open]:
            await closing


def make_payloads(plan: Plan) -> list[list[bytes] | list[str]]:
    """
    Return lists of payloads for connections to take in turn.

    Each has one more than are to be under way, random and so different ones.
    """
    count = plan.in_flight + 1
    lists = max(1, min(plan.connections, PAYLOAD_BYTES // max(1, count * plan.size)))
    # The same in every run: a failure can be seen again.
    source = random.Random(0)
    made: list[list[bytes] | list[str]] = []
    for _ in range(lists):
        blocks = [source.randbytes(plan.size) for _ in range(count)]
        if plan.text:
            made.append([block.translate(LETTERS).decode() for block in blocks])
        else:
            made.append(blocks)
    return made


def summarize(latencies: Latencies) -> tuple[int, dict[str, float]]:
    """Return how many latencies there are, and a summary of them in microseconds."""
    histogram = HdrHistogram(1, HIGHEST, FIGURES)
    # Recording takes some microseconds of Python: once for each latency, with its count.
    for nanoseconds, count in latencies.items():
        histogram.record_value(min(nanoseconds, HIGHEST), count)
    if not histogram.total_count:
        return 0, {}
    summary = {"min": histogram.get_min_value(), "mean": histogram.get_mean_value()}
    for percentile in PERCENTILES:
        summary[f"p{percentile}"] = histogram.get_value_at_percentile(percentile)
    summary["max"] = histogram.get_max_value()
    return histogram.total_count, {name: round(ns / 1000, 1) for name, ns in summary.items()}

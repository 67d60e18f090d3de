"""What a client of the soak run keeps count of, and what it sends; `clients.cjs` does the same."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter, deque
from typing import Any

# Seconds in which an answer comes, or the connection is lost.
PATIENCE = 30.0
ROOMS = 4


def payload(number: int) -> Any:
    """What goes with an event."""
    kinds = (
        f"text {number}",
        {"a": [number, "é\U0001f600"], "b": None},
        bytes([number % 256]) * (number % 300),
        "x" * 20_000,
        {"deep": [str(number).encode(), {"y": bytes(10)}]},
        [1.5, True, "\u001e\u2028"],
        bytes(70_000),
    )
    return kinds[number % len(kinds)]


class Report:
    """What all clients of one process tell: a line of JSON in the end."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.failures: list[str] = []

    def count(self, kind: str, what: str, many: int = 1) -> None:
        """It happened."""
        self.counts.setdefault(kind, Counter())[what] += many

    def fail(self, kind: str, what: str) -> None:
        """It must not happen."""
        if len(self.failures) < 20:
            self.failures.append(f"{kind}: {what}")

    def show(self) -> None:
        """Print it."""
        print(json.dumps({"counts": self.counts, "failures": self.failures}), flush=True)
        sys.exit(1 if self.failures else 0)


class Checker:
    """One socket: events that it has sent and whose answers are to come."""

    def __init__(self, report: Report, kind: str) -> None:
        self.report = report
        self.kind = kind
        self.changed = asyncio.Event()
        self.dropped = False
        self.begin(False)

    def begin(self, recovered: bool) -> None:
        """A connection is there. What was sent over the one before it may never have arrived."""
        if not recovered:
            self.next = 0
            self.answers = 0
            self.seqs: deque[int] = deque()
            self.asks: deque[int] = deque()
            self.ticks: dict[str, int] = {}
        self.mark = self.next
        self.dropped = False

    def drop(self) -> None:
        """The connection is lost."""
        self.dropped = True
        self.changed.set()

    def send(self, queue: deque[int]) -> int:
        """The number of the next event."""
        number = self.next
        self.next += 1
        queue.append(number)
        self.report.count(self.kind, "events")
        return number

    def answered(self, answer: int, number: int, data: Any) -> None:
        """The answer to an event."""
        if answer != self.answers:
            self.report.fail(self.kind, f"answer {answer} came instead of {self.answers}")
        self.answers = answer + 1
        self._check(self.seqs, number, data)

    def acknowledged(self, number: int, data: Any) -> None:
        """An acknowledgement."""
        self.report.count(self.kind, "acks")
        self._check(self.asks, number, data)

    def _check(self, queue: deque[int], number: int, data: Any) -> None:
        while queue and queue[0] < min(number, self.mark):
            queue.popleft()
        if not queue or queue[0] != number:
            self.report.fail(self.kind, f"{number} came, {list(queue)[:3]} was to come")
        else:
            queue.popleft()
        if data != payload(number):
            self.report.fail(self.kind, f"{number} came back as {str(data)[:80]}")
        self.changed.set()

    def ticked(self, room: str, number: int) -> None:
        """A broadcast."""
        expected = self.ticks.get(room, number)
        if number != expected:
            self.report.fail(self.kind, f"tick {number} of {room} instead of {expected}")
        self.ticks[room] = number + 1
        self.report.count(self.kind, "ticks")

    def _open(self) -> bool:
        return any(queue and queue[-1] >= self.mark for queue in (self.seqs, self.asks))

    async def settled(self) -> None:
        """All answers are there, or the connection is lost."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self._open() and not self.dropped:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            missing = [*self.seqs, *self.asks]
            self.report.fail(self.kind, f"no answer to {missing[:5]} of {len(missing)}")
            self.dropped = True


def rounds() -> range:
    """How often a client sends before it leaves."""
    return range(random.randint(1, 12))


def burst() -> range:
    """How many events it sends at once."""
    return range(random.randint(1, 15))


async def pause() -> None:
    """Think."""
    await asyncio.sleep(random.random() * 0.2)

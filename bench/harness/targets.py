"""The targets: which ratio of which figures must reach what, and whether a run did."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.measuring import Metrics
from harness.workload import EVENT_STYLE, mix_key
from harness.workloads import GROWTH, MIXES, PEER_SERVERS

COROUTINE = ("cooee-coroutine",)
BUSY_POLL = ("cooee-busy-poll",)
IDLE_MEMORY_LIMIT = 1200  # bytes
FLAT = 1.25


@dataclass(frozen=True)
class Spread:
    """One figure per round: the median and how far the rounds lie apart."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)


class Measurements:
    """Every metric of every round, by workload and peer."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str], dict[int, Metrics]] = {}

    def add(self, workload: str, peer: str, number: int, metrics: Metrics) -> None:
        self._rounds.setdefault((workload, peer), {})[number] = metrics

    def rounds(self, workload: str, peer: str) -> dict[int, Metrics]:
        return self._rounds.get((workload, peer), {})

    def spread(self, workload: str, peer: str, metric: str) -> Spread | None:
        values = [metrics[metric] for metrics in self.rounds(workload, peer).values()]
        return Spread(tuple(values)) if values else None

    def paired(self, above: tuple[str, str], below: tuple[str, str], metric: str) -> Spread | None:
        """The ratio of two figures, each pair from the same round."""
        numerators, denominators = self.rounds(*above), self.rounds(*below)
        values = [
            numerators[number][metric] / denominators[number][metric]
            for number in sorted(numerators.keys() & denominators.keys())
        ]
        return Spread(tuple(values)) if values else None


@dataclass(frozen=True)
class Target:
    """
    One line of the table of targets.

    Args:
        workload: Its key; several workloads' figures may go into one.
        against: The peer it is held against, or what else.
        bound: What the figure must reach, or must not exceed if `at_most`.
        figure: Computes it for one subject, per round; None where a measurement is missing.
        subjects: Whose figure: each is judged by itself.
        unit: Of the figure, after it: ``×`` for ratios.
    """

    workload: str
    against: str
    bound: float
    figure: Callable[[Measurements, str], Spread | None]
    subjects: tuple[str, ...] = EVENT_STYLE
    at_most: bool = False
    unit: str = "×"

    def reached(self, spread: Spread) -> bool:
        return spread.median <= self.bound if self.at_most else spread.median >= self.bound


@dataclass
class Verdict:
    target: Target
    figures: dict[str, Spread] = field(default_factory=dict)

    @property
    def text(self) -> str:
        if not self.figures:
            return "not measured"
        reached = [key for key, spread in self.figures.items() if self.target.reached(spread)]
        if len(reached) == len(self.figures):
            return "met"
        if not reached:
            return "**not met**"
        return f"**met in {len(reached)} of {len(self.figures)}**"


def times_cheaper(workload: str, peer: str) -> Callable[[Measurements, str], Spread | None]:
    """The peer's CPU per message over the subject's: how many times as cheap the subject is."""
    return lambda all_, subject: all_.paired((workload, peer), (workload, subject), "cpu_us")


def relative(workload: str, peer: str, metric: str) -> Callable[[Measurements, str], Spread | None]:
    """The subject's figure over the peer's."""
    return lambda all_, subject: all_.paired((workload, subject), (workload, peer), metric)


def growth(all_: Measurements, subject: str, over: str | None = None) -> Spread | None:
    """
    The dearest number of connections over the cheapest, in each round.

    With `over`, of the ratios to that peer's cost at the same number of connections: what the
    kernel pays for more sockets drops out.
    """
    values = []
    by_size = [all_.rounds(f"growth-{size}", subject) for size in GROWTH]
    others = [all_.rounds(f"growth-{size}", over) for size in GROWTH] if over else []
    for number in set.intersection(*(set(rounds) for rounds in (*by_size, *others))):
        costs = [rounds[number]["cpu_us"] for rounds in by_size]
        if over:
            costs = [
                cost / rounds[number]["cpu_us"] for cost, rounds in zip(costs, others, strict=True)
            ]
        values.append(max(costs) / min(costs))
    return Spread(tuple(values)) if values else None


def targets(measured: Iterable[str]) -> list[Target]:
    """Those of the workloads with these keys, in the order of the table."""
    found: list[Target] = []

    def cheaper(
        workload: str, factors: dict[str, float], subjects: tuple[str, ...] = EVENT_STYLE
    ) -> None:
        found.extend(
            Target(workload, peer, factor, times_cheaper(workload, peer), subjects)
            for peer, factor in factors.items()
        )

    pipelined, single, many, large = (mix_key(*mix) for mix in MIXES)
    echo = {
        pipelined: {"picows": 10, "bun": 1.25, "c-echo": 0.8},
        single: {"picows": 1.2, "bun": 1.03, "c-echo": 0.92},
        many: {"picows": 1.6, "bun": 1.2, "c-echo": 0.92},
        large: {"picows": 2.2, "bun": 2, "c-echo": 0.75},
    }
    kinds = ("binary", "text")
    for mix, factors in echo.items():
        for kind in kinds:
            cheaper(f"echo-{mix}-{kind}", factors)
    for kind in kinds:
        cheaper(f"echo-{single}-{kind}", {"websockets": 2.3, "aiohttp": 1.6}, COROUTINE)
        cheaper(f"echo-{pipelined}-{kind}", {"websockets": 15, "aiohttp": 11}, COROUTINE)
    found.extend(
        Target(
            "latency",
            peer,
            0.45,
            relative("latency", peer, "p50_us"),
            BUSY_POLL,
            at_most=True,
        )
        for peer in PEER_SERVERS
    )
    for mix, factors in echo.items():
        for kind in kinds:
            cheaper(f"client-{mix}-{kind}", {"picows": factors["picows"]}, ("cooee",))
    cheaper("broadcast-1", {"bun": 1.0, "picows": 1.2, "websockets": 1.9})
    cheaper("broadcast-16", {"bun": 1.0, "picows": 14, "websockets": 25})
    found.append(
        Target(
            "idle",
            "memory per connection",
            IDLE_MEMORY_LIMIT,
            lambda all_, subject: all_.spread("idle", subject, "memory_bytes"),
            at_most=True,
            unit=" B",
        )
    )
    cheaper("idle", {"bun": 1.0})
    for against, over in (("cheapest size", None), ("cheapest size, as ratio to C echo", "c-echo")):
        found.append(
            Target(
                "growth",
                f"dearest over {against}",
                FLAT,
                functools.partial(growth, over=over),
                at_most=True,
            )
        )
    cheaper("socketio-64x1-64", {"python-socketio": 10, "node-socketio": 2, "bun-engine": 1.3})
    cheaper("socketio-64x16-64", {"python-socketio": 30, "node-socketio": 4.5, "bun-engine": 1.7})
    keys = set(measured)
    if all(f"growth-{size}" in keys for size in GROWTH):
        keys.add("growth")
    return [target for target in found if target.workload in keys]


def judge(measurements: Measurements, wanted: Iterable[Target]) -> list[Verdict]:
    verdicts = []
    for target in wanted:
        verdict = Verdict(target)
        for subject in target.subjects:
            figure = target.figure(measurements, subject)
            if figure is not None:
                verdict.figures[subject] = figure
        verdicts.append(verdict)
    return verdicts

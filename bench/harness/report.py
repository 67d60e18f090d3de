"""``RESULTS.md`` and ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.peers import PEERS
from harness.targets import BUSY_POLL, COROUTINE, Measurements, Spread, Verdict, growth
from harness.workload import EVENT_STYLE, Workload
from harness.workloads import GROWTH, GROWTH_OUTSTANDING

DISTURBED = 0.05  # of the machine's time in use by others: said in the report

# Subjects that are not the event style's three: said beside the workload.
STYLES: dict[tuple[str, ...], str] = {
    COROUTINE: ", `async for` on uvloop",
    BUSY_POLL: ", `busy_poll`, p50",
}

GROUPS = {
    "echo": "Echo",
    "latency": "Latency of one connection",
    "broadcast": "Broadcast",
    "growth": "Cost per message as connections grow",
    "idle": "Opening connections, and keeping them",
    "client": "Clients",
    "socketio": "Socket.IO",
    "socketio-broadcast": "Socket.IO: broadcast",
    "socketio-idle": "Socket.IO: opening connections, and keeping them",
}
NOTES = {
    "echo": "CPU is the server's, user and system, per message; × is that over cooee's (own loop), "
    "round by round: above 1, cooee is cheaper.",
    "latency": "Round trips of one message at a time. × is p50 over that of cooee with "
    "`busy_poll`.",
    "broadcast": "A message is one delivery to one subscriber; latency is from the trigger to the "
    "last delivery.",
    "growth": f"{GROWTH_OUTSTANDING} messages are in flight at any time, at most one on a "
    "connection, and the connections take turns: the load is the same at every size. Server CPU "
    "per message in µs. More sockets cost the kernel more, for their memory no longer fits the "
    "caches: the bare C echo shows how much.",
    "idle": "CPU includes half a second after the last connection was opened; memory is resident "
    "memory of the server process.",
    "client": "CPU is the client's, per message; the server is the bare C echo.",
    "socketio": "CPU is the server's, per event, which comes back as another or is acknowledged; "
    "clients connect by WebSocket at once, but where it says polling. There, an event is part of a "
    "POST and its echo of a GET's response; events that wait for the POST before go together.",
    "socketio-broadcast": "A message is one delivery to one socket; latency is from the event that "
    "asks for it to the last delivery.",
    "socketio-idle": "CPU is that of the WebSocket handshake, the session and joining the main "
    "namespace, and of half a second after the last; memory is resident memory of the server "
    "process.",
}


@dataclass(frozen=True)
class Failure:
    """An attempt to measure that failed; the first one is followed by a second."""

    workload: str
    peer: str
    round: int
    attempt: int
    reason: str


@dataclass
class Run:
    """Everything a report is made of."""

    date: str
    environment: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, Any]
    missing: dict[str, str]
    workloads: list[Workload]
    measurements: Measurements = field(default_factory=Measurements)
    failures: list[Failure] = field(default_factory=list)


def number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(figure: Spread | None, unit: str = "") -> str:
    if figure is None:
        return "–"
    text = number(figure.median) + unit
    if len(figure.values) > 1:
        text += f" ({number(figure.lowest)}..{number(figure.highest)})"
    return text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; columns but the first are aligned to the right."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def label(peer: str) -> str:
    return PEERS[peer].label if peer in PEERS else peer


def _targets(run: Run, verdicts: list[Verdict]) -> list[str]:
    titles = {workload.key: workload.title for workload in run.workloads}
    titles["growth"] = GROUPS["growth"].lower()
    measured = [verdict for verdict in verdicts if verdict.figures]
    met = sum(verdict.text == "met" for verdict in measured)
    lines = [
        "## Targets",
        "",
        f"{met} of {len(measured)} met. A ratio (×) is the median over the rounds "
        "(lowest..highest) of the ratios within each round; unless a row says otherwise it is the "
        "peer's CPU time per message over cooee's. A target is met if the median of every style "
        "of cooee that was measured reaches it.",
        "",
    ]
    rows = []
    for verdict in verdicts:
        target = verdict.target
        sign = "≤" if target.at_most else "≥"
        cells = [spread(verdict.figures.get(subject)) for subject in target.subjects]
        rows.append(
            [
                titles.get(target.workload, target.workload) + STYLES.get(target.subjects, ""),
                label(target.against),
                f"{sign} {number(target.bound)}{target.unit}",
                *cells,
                *[""] * (len(EVENT_STYLE) - len(cells)),
                verdict.text,
            ]
        )
    header = [
        "workload", "against", "target", *(label(subject) for subject in EVENT_STYLE), "verdict",
    ]  # fmt: skip
    return lines + table(header, rows)


def _columns(measure: str) -> list[tuple[str, str, float]]:
    """Heading, metric and divisor of the columns of a workload's table."""
    columns = [("CPU µs", "cpu_us", 1.0), ("thousand/s", "rate", 1e3)]
    if measure == "idle":
        columns.append(("bytes", "memory_bytes", 1.0))
    elif measure == "exchange":
        columns += [("p50 µs", "p50_us", 1.0), ("p99 µs", "p99_us", 1.0)]
        columns.append(("load CPU µs", "load_cpu_us", 1.0))
    return columns


def _details(run: Run, workload: Workload) -> list[str]:
    """One workload: a row per peer."""
    reference = workload.peers[0] if workload.peers[0].startswith("cooee") else None
    metric = "p50_us" if workload.group == "latency" else "cpu_us"
    columns = _columns(workload.measure)
    rows = []
    for peer in workload.peers:
        if not run.measurements.rounds(workload.key, peer):
            if any(
                (failure.workload, failure.peer) == (workload.key, peer) for failure in run.failures
            ):
                rows.append([label(peer), "failed", *[""] * (len(columns) - (reference is None))])
            continue
        cells = []
        for _heading, name, divisor in columns:
            figure = run.measurements.spread(workload.key, peer, name)
            assert figure is not None
            scaled = Spread(tuple(value / divisor for value in figure.values))
            shown = spread(scaled) if name in (metric, "memory_bytes") else number(scaled.median)
            cells.append(shown)
        if reference is not None:
            pair = (workload.key, peer), (workload.key, reference)
            cells.append(spread(run.measurements.paired(*pair, metric)))
        rows.append([label(peer), *cells])
    if not rows:
        return []
    header = ["", *(heading for heading, _name, _divisor in columns)]
    if reference is not None:
        header.append("×")
    return [f"### {workload.title[0].upper()}{workload.title[1:]}", "", *table(header, rows)]


def _growth(run: Run, workloads: list[Workload]) -> list[str]:
    """A row per peer, a column per number of connections."""
    rows = []
    for peer in workloads[0].peers:
        figures = [run.measurements.spread(workload.key, peer, "cpu_us") for workload in workloads]
        if any(figures):
            flat = spread(growth(run.measurements, peer))
            rows.append([label(peer), *(spread(figure) for figure in figures), flat])
    header = ["connections", *(f"{size:,}" for size in GROWTH), "dearest over cheapest"]
    return table(header, rows) if rows else []


def _disturbance(run: Run) -> list[str]:
    shares = [
        metrics["others"] + metrics["stolen"]
        for workload in run.workloads
        for peer in workload.peers
        for metrics in run.measurements.rounds(workload.key, peer).values()
    ]
    if not shares:
        return []
    disturbed = sum(share > DISTURBED for share in shares)
    lines = [
        f"Other processes and the hypervisor took {sum(shares) / len(shares):.1%} of the two cores "
        f"on average, {max(shares):.0%} at worst; over {DISTURBED:.0%} in {disturbed} of "
        f"{len(shares)} measurements."
    ]
    if disturbed > len(shares) / 10:
        lines.append("**The machine was not quiet: take the figures with care.**")
    return [*lines, ""]


def markdown(run: Run, verdicts: list[Verdict]) -> str:
    lines = [
        "# Benchmark results",
        "",
        f"Made by `python bench/run.py` on {run.date}; how it works is in [README.md](README.md).",
        "",
    ]
    lines += _disturbance(run)
    lines += _targets(run, verdicts)
    if run.missing:
        lines += ["## Not measured", ""]
        lines += [f"- {label(peer)}: {reason}" for peer, reason in run.missing.items()]
        lines.append("")
    if run.failures:
        lines += ["## Failures", "", "A second attempt is made with a fresh server.", ""]
        lines += [
            f"- {label(failure.peer)}, {failure.workload}, round {failure.round}, attempt "
            f"{failure.attempt}: {failure.reason}"
            for failure in run.failures
        ]
        lines.append("")
    lines += ["## Environment", ""]
    facts = {**run.environment, **run.versions, **run.settings}
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "- everywhere: no compression, no keepalive pings, `TCP_NODELAY`, defaults otherwise",
        "",
    ]
    for group, heading in GROUPS.items():
        of_group = [workload for workload in run.workloads if workload.group == group]
        body: list[str] = []
        if group == "growth" and of_group:
            body = _growth(run, of_group)
        else:
            for workload in of_group:
                body += _details(run, workload)
        if body:
            lines += [f"## {heading}", "", NOTES[group], "", *body]
    return "\n".join(lines).rstrip() + "\n"


def as_json(run: Run, verdicts: list[Verdict]) -> str:
    results = [
        {"workload": workload.key, "peer": peer, "round": number, **metrics}
        for workload in run.workloads
        for peer in workload.peers
        for number, metrics in sorted(run.measurements.rounds(workload.key, peer).items())
    ]
    document = {
        "date": run.date,
        "environment": run.environment,
        "versions": run.versions,
        "settings": run.settings,
        "missing": run.missing,
        "failures": [asdict(failure) for failure in run.failures],
        "targets": [
            {
                "workload": verdict.target.workload,
                "against": verdict.target.against,
                "bound": verdict.target.bound,
                "at_most": verdict.target.at_most,
                "figures": {
                    subject: {
                        "median": figure.median,
                        "lowest": figure.lowest,
                        "highest": figure.highest,
                    }
                    for subject, figure in verdict.figures.items()
                },
                "verdict": verdict.text.strip("*"),
            }
            for verdict in verdicts
        ],
        "results": results,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def write(run: Run, verdicts: list[Verdict], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RESULTS.md").write_text(markdown(run, verdicts), encoding="utf-8")
    (folder / "results.json").write_text(as_json(run, verdicts), encoding="utf-8")

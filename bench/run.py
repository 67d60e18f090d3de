"""
Measure cooee side by side with its peers, in one run: ``python bench/run.py``.

Writes ``RESULTS.md`` and ``results.json``: beside this file after a full run, into ``build/`` after
a partial one (``--quick``, ``--only``, ``--servers``) unless ``--output`` says otherwise.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness import machine, report
from harness.documents import write_documents
from harness.install import compile_programs, prepare, toolchain
from harness.measuring import Servers, Window, run
from harness.peers import BENCH, BUILD, PEERS
from harness.process import BenchError
from harness.report import Failure, Run
from harness.targets import judge, targets
from harness.workload import Workload
from harness.workloads import LONG_GROUPS, workloads

ROUNDS, SECONDS, WARMUP = 5, 0.6, 0.15
QUICK_ROUNDS, QUICK_SECONDS, QUICK_WARMUP = 2, 0.4, 0.1


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="2 rounds, short windows, fewer workloads"
    )
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=float, help=f"of each window, default {SECONDS}")
    parser.add_argument("--warmup", type=float, help=f"before each window, default {WARMUP}")
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORKLOAD",
        help="workloads whose key begins like this; may be repeated (see --list)",
    )
    parser.add_argument("--servers", metavar="A,B", help="only these peers (see --list)")
    parser.add_argument("--output", type=Path, help="folder for the results")
    parser.add_argument("--server-core", type=int, help="default: the first one available")
    parser.add_argument("--load-core", type=int, help="default: the second one available")
    parser.add_argument("--list", action="store_true", help="name workloads and peers")
    options = parser.parse_args(arguments)
    partial = options.quick or options.only or options.servers
    if options.output is None:
        options.output = BUILD if partial else BENCH
    for name, full, quick in (
        ("rounds", ROUNDS, QUICK_ROUNDS),
        ("seconds", SECONDS, QUICK_SECONDS),
        ("warmup", WARMUP, QUICK_WARMUP),
    ):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    if unknown := set(filter(None, (options.servers or "").split(","))) - PEERS.keys():
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; see --list")
    return options


def choose(options: argparse.Namespace) -> list[Workload]:
    """The workloads asked for, with just the peers asked for."""
    servers = set(options.servers.split(",")) if options.servers else PEERS.keys()
    chosen = []
    for workload in workloads():
        if options.only and not any(workload.key.startswith(prefix) for prefix in options.only):
            continue
        if options.quick and workload.thorough:
            continue
        peers = tuple(peer for peer in workload.peers if peer in servers)
        if peers:
            chosen.append(dataclasses.replace(workload, peers=peers))
    return chosen


def list_names() -> None:
    print("workloads:")
    for workload in workloads():
        print(f"  {workload.key:28} {workload.title}")
    print("peers:")
    for peer in PEERS.values():
        print(f"  {peer.key:28} {peer.label}")


def measure_one(
    results: Run, number: int, workload: Workload, peer: str, servers: Servers, window: Window
) -> None:
    """
    Run one workload against one peer; should that fail, once more with a fresh server.

    Some servers do not survive what the workload before did to them. Every failure is reported.
    """
    for attempt in (1, 2):
        try:
            metrics = run(workload, peer, servers, window)
        except BenchError as error:
            results.failures.append(Failure(workload.key, peer, number, attempt, str(error)))
            servers.discard(PEERS[peer].command(workload.role))
        else:
            results.measurements.add(workload.key, peer, number, metrics)
            return


def measure(results: Run, options: argparse.Namespace, cores: machine.Cores) -> None:
    """All rounds: each runs every workload against every peer, one after another."""
    window = Window(options.warmup, options.seconds)
    for number in range(1, options.rounds + 1):
        servers = Servers(cores)
        try:
            for workload in results.workloads:
                if options.quick and workload.group in LONG_GROUPS and number > 1:
                    continue
                present = [peer for peer in workload.peers if peer not in results.missing]
                # No peer always has the place after another's heat, or the last one.
                turn = number % len(present) if present else 0
                for peer in present[turn:] + present[:turn]:
                    progress(f"round {number} of {options.rounds}: {workload.key}, {peer}")
                    measure_one(results, number, workload, peer, servers, window)
        finally:
            servers.close()
    progress("")


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = read_options(arguments)
    if options.list:
        list_names()
        return 0
    started = time.monotonic()
    machine.raise_file_limit()
    cores = machine.choose_cores(options.server_core, options.load_core)
    if not cores.apart:
        print("warning: server and load share one core", file=sys.stderr)
    compile_programs()
    write_documents()
    chosen = choose(options)
    keys = dict.fromkeys(peer for workload in chosen for peer in workload.peers)
    versions, missing = prepare(PEERS[key] for key in keys)
    results = Run(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        environment=machine.describe(),
        versions=versions | toolchain(),
        settings={
            "rounds": options.rounds,
            "measured seconds": options.seconds,
            "warm-up seconds": options.warmup,
            "server core": cores.server,
            "load core": cores.load,
        },
        missing=missing,
        workloads=chosen,
    )
    measure(results, options, cores)
    verdicts = judge(results.measurements, targets(workload.key for workload in chosen))
    results.settings["minutes taken"] = round((time.monotonic() - started) / 60, 1)
    report.write(results, verdicts, options.output)
    unmet = [verdict for verdict in verdicts if verdict.text not in ("met", "not measured")]
    print(
        f"{len(unmet)} of {sum(bool(verdict.figures) for verdict in verdicts)} targets not met; "
        f"{len(missing)} peers missing, {len(results.failures)} measurements failed; "
        f"{results.settings['minutes taken']} minutes; see {options.output / 'RESULTS.md'}"
    )
    serious = [
        failure
        for failure in results.failures
        if failure.attempt > 1 or failure.peer.startswith("cooee")
    ]
    return 1 if serious else 0


if __name__ == "__main__":
    sys.exit(main())

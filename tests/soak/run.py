"""
The soak run: one server, and clients of all kinds that come, talk, are cut off and come again.

    python tests/soak/run.py [--seconds 600]

It watches the server's memory after a while of warming up, and in the end, when all clients have
gone, what is left of them. It prints a summary; the exit status is 1 if anything was lost, came
out of order, leaked, or was logged as an error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.soak.proxy import Proxy  # noqa: E402

# Of the time, how much is warming up; and how much the server's memory may grow after it, at most
# by a factor and in bytes: the allocator's fragments grow for a while.
WARM_UP = 0.3
GROWTH = 1.10
SLACK = 8 * 1024 * 1024
# Seconds that a run must have for that to mean something.
LONG = 60.0
# Seconds between two looks; and those that the last of it may take to go: heartbeats, recoveries.
LOOK = 1.0
SETTLING = 45.0
MEGABYTE = 1024 * 1024


class Server:
    """The server's process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls) -> AsyncIterator[tuple[Server, list[int]]]:
        """Start it; its ports."""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            with log.open("wb") as file:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, str(HERE / "app.py")),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=file,
                )
            server = cls(process, log)
            try:
                yield server, json.loads(await server.answer())
            finally:
                assert process.stdin is not None
                process.stdin.close()
                try:
                    await asyncio.wait_for(process.wait(), 20)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def answer(self) -> bytes:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        if not line:
            raise RuntimeError(f"the server has ended:\n{self.log.read_text()}")
        return line

    async def look(self) -> dict[str, Any]:
        """How it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        condition: dict[str, Any] = json.loads(await self.answer())
        return condition


async def run_clients(command: list[str], seconds: float) -> dict[str, Any]:
    """A process of clients, and its report."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    name = Path(command[1]).name
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds + 120)
        report: dict[str, Any] = json.loads(out.splitlines()[-1])
    except TimeoutError:
        process.kill()
        await process.wait()
        return {"counts": {}, "failures": [f"{name} did not end"]}
    except (ValueError, IndexError):
        return {"counts": {}, "failures": [f"{name} ended: {err.decode()[-2000:]}"]}
    return report


def commands(ports: list[int], seconds: float) -> list[list[str]]:
    """The processes of clients."""
    arguments = [*(str(port) for port in ports), str(seconds)]
    found = [
        [sys.executable, str(HERE / f"clients_{name}.py"), *arguments] for name in ("cooee", "raw")
    ]
    if all(importlib.util.find_spec(name) for name in ("aiohttp", "socketio")):
        found.append([sys.executable, str(HERE / "clients_python.py"), *arguments])
    else:
        print("SKIPPED: python-socketio's clients, since it or aiohttp is not installed")
    modules = HERE.parent / "node_modules" / "socket.io-client-2"
    if (node := shutil.which("node")) is not None and modules.is_dir():
        found.append([node, str(HERE / "clients.cjs"), *arguments])
    else:
        print("SKIPPED: the JavaScript clients, since node or `npm ci` in tests/ is missing")
    return found


async def watch(server: Server, looks: list[tuple[float, dict[str, Any]]]) -> None:
    """Look at the server again and again."""
    begin = time.monotonic()
    while True:
        looks.append((time.monotonic() - begin, await server.look()))
        await asyncio.sleep(LOOK)


async def settle(server: Server, before: dict[str, Any]) -> list[str]:
    """Wait until nothing is left of the clients; what is left in the end."""
    names = ("sessions", "sockets", "rooms", "objects", "tasks", "descriptors")
    deadline = time.monotonic() + SETTLING
    while True:
        now = await server.look()
        left = [
            f"{name}: {before[name]} before, {now[name]} after"
            for name in names
            if now[name] > before[name]
        ]
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(LOOK)


def growth(looks: list[tuple[float, dict[str, Any]]], seconds: float) -> tuple[float, float]:
    """The server's memory after warming up, and in the end, in bytes."""
    sizes = [one["resident"] for when, one in looks if WARM_UP * seconds <= when <= seconds]
    part = max(1, len(sizes) // 5)
    return statistics.median(sizes[:part]), statistics.median(sizes[-part:])


async def soak(seconds: float) -> list[str]:
    """Run it all, and show what came of it; what was wrong."""
    looks: list[tuple[float, dict[str, Any]]] = []
    async with Server.started() as (server, ports):
        proxies = [Proxy(port) for port in ports]
        for proxy in proxies:
            await proxy.start()
        before = await server.look()
        watching = asyncio.create_task(watch(server, looks))
        reports = await asyncio.gather(
            *[
                run_clients(command, seconds)
                for command in commands([proxy.port for proxy in proxies], seconds)
            ]
        )
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        for proxy in proxies:
            await proxy.close()
        failures = [failure for report in reports for failure in report["failures"]]
        failures += [f"left behind: {left}" for left in await settle(server, before)]
        last = await server.look()
        failures += [f"server: {violation}" for violation in last["violations"]]
        log = server.log
        errors = log.read_text(errors="replace")
        if "Traceback" in errors or "ERROR" in errors:
            failures.append(f"the server's log:\n{errors[:4000]}")
    if server.process.returncode != 0:
        failures.append(f"the server's exit status was {server.process.returncode}")
    begun, ended = growth(looks, seconds)
    if seconds >= LONG and ended > begun * GROWTH + SLACK:
        failures.append(f"memory grew from {begun:.0f} to {ended:.0f} bytes")
    show(reports, proxies, looks, (begun, ended), last)
    return failures


def show(
    reports: list[dict[str, Any]],
    proxies: list[Proxy],
    looks: list[tuple[float, dict[str, Any]]],
    memory: tuple[float, float],
    last: dict[str, Any],
) -> None:
    """Print the figures."""
    columns = ("connections", "drops", "recoveries", "events", "acks", "ticks")
    print(f"{'':34}" + "".join(f"{name:>12}" for name in columns))
    total: Counter[str] = Counter()
    for report in reports:
        for kind, counts in sorted(report["counts"].items()):
            total.update(counts)
            print(f"{kind:34}" + "".join(f"{counts.get(name, 0):>12}" for name in columns))
    print(f"{'all':34}" + "".join(f"{total[name]:>12}" for name in columns))
    fates = sum([proxy.fates for proxy in proxies], Counter())
    print("broken on the way:", ", ".join(f"{many} by {fate}" for fate, many in fates.items()))
    tenths = [looks[len(looks) * part // 10][1]["resident"] / MEGABYTE for part in range(10)]
    print("server: memory in MiB, at every tenth:", " ".join(f"{one:.1f}" for one in tenths))
    most = {name: max(one[name] for _, one in looks) for name in ("sessions", "descriptors")}
    print(f"  at most {most['sessions']} sessions, {most['descriptors']} descriptors")
    print(
        f"  {memory[0] / MEGABYTE:.1f} MiB after warming up, "
        f"{memory[1] / MEGABYTE:.1f} MiB in the end, "
        f"{last['resident'] / MEGABYTE:.1f} MiB when all had gone"
    )


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long clients come")
    arguments = parser.parse_args()
    failures = asyncio.run(soak(arguments.seconds))
    for failure in failures:
        print("FAILED:", failure)
    print("failed" if failures else "nothing lost, nothing out of order, nothing left behind")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

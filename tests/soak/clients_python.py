"""python-socketio's client in the soak run: ``clients_python.py PORT RECOVERING_PORT SECONDS``."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import engineio.payload

import socketio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.soak.checker import ROOMS, Checker, Report, burst, pause, payload, rounds

# It takes 16 packets with a poll and gives up at more, which no server knows.
engineio.payload.Payload.max_decode_packets = 10_000

MODES = {"polling": ["polling"], "websocket": ["websocket"]}


async def live(report: Report, port: str, mode: str) -> None:
    """Connect, do this and that, leave."""
    kind = f"python-socketio {mode}"
    checker = Checker(report, kind)
    http = aiohttp.ClientSession()
    # It would ask once more when a connection breaks, although what the first answer said is gone.
    http._retry_connection = False
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=http)
    try:
        await talk(report, client, checker, port, mode)
    finally:
        await client.shutdown()
        await http.close()


async def talk(
    report: Report, client: socketio.AsyncClient, checker: Checker, port: str, mode: str
) -> None:
    """Send and get, in rounds."""
    kind = checker.kind

    async def disconnected(*reason: Any) -> None:
        checker.drop()

    # Of what came with the end of a connection it may lose an attachment, and hand out the rest.
    client.on("seq", lambda *args: checker.dropped or checker.answered(*args))
    client.on("tick", lambda *args: checker.dropped or checker.ticked(*args))
    client.on("disconnect", disconnected)
    try:
        async with asyncio.timeout(30):
            await client.connect(
                f"http://127.0.0.1:{port}", transports=MODES[mode], wait_timeout=25
            )
    except (socketio.exceptions.SocketIOError, OSError):
        report.count(kind, "drops")
        return
    # Where the body of an answer is cut off its reading task ends, and it tells nobody.
    client.eio.read_loop_task.add_done_callback(lambda task: stopped(task, checker))
    report.count(kind, "connections")
    try:
        await client.emit("join", f"room {random.randrange(ROOMS)}", callback=lambda: None)
        for _ in rounds():
            for _ in burst():
                if checker.dropped:
                    break
                if random.random() < 0.3:
                    number = checker.send(checker.asks)
                    await client.emit(
                        "ask", (number, payload(number)), callback=checker.acknowledged
                    )
                else:
                    number = checker.send(checker.seqs)
                    await client.emit("seq", (number, payload(number)))
            await pause()
        await checker.settled()
    except (socketio.exceptions.SocketIOError, OSError):
        checker.drop()
    if checker.dropped:
        report.count(kind, "drops")


def stopped(task: asyncio.Task[None], checker: Checker) -> None:
    """Nothing is read any more."""
    if not task.cancelled():
        task.exception()
    checker.drop()


async def run(report: Report, port: str, mode: str, until: float) -> None:
    """One life after another."""
    while time.monotonic() < until:
        await live(report, port, mode)
        await pause()


async def main(port: str, recovering: str, seconds: str) -> None:
    """Run clients of every kind, and report."""
    report = Report()
    until = time.monotonic() + float(seconds)
    async with asyncio.TaskGroup() as group:
        for mode in MODES:
            for _ in range(2):
                group.create_task(run(report, port, mode, until))
    report.show()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))

"""Our own clients in the soak run: ``clients_cooee.py PORT RECOVERING_PORT SECONDS``."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.soak.checker import ROOMS, Checker, Report, burst, pause, payload, rounds

from cooee.socketio import AckTimeout, ClientSocket, ConnectError, Disconnected, connect

MODES = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}


class Client:
    """One client after another, each with a socket of its own."""

    def __init__(self, report: Report, url: str, mode: str, *, recovers: bool) -> None:
        self.report = report
        self.url = url
        self.mode = mode
        self.recovers = recovers
        self.kind = f"cooee {mode}" + (" recovery" if recovers else "")

    def prepare(self, socket: ClientSocket, checker: Checker) -> None:
        """Register the handlers."""
        socket.on("seq", checker.answered)
        socket.on("tick", checker.ticked)

        @socket.on("connect")
        def connected() -> None:
            self.report.count(self.kind, "connections")
            if socket.recovered:
                self.report.count(self.kind, "recoveries")
            checker.begin(socket.recovered)
            checker.changed.set()

        @socket.on("disconnect")
        def disconnected(reason: str) -> None:
            if reason != "io client disconnect":
                self.report.count(self.kind, "drops")
            checker.drop()

    async def live(self) -> None:
        """Connect, do this and that, leave."""
        checker = Checker(self.report, self.kind)
        socket = connect(
            self.url,
            transports=MODES[self.mode],
            force_new=True,
            reconnection=self.recovers,
            reconnection_delay=0.05,
            randomization_factor=0.5,
        )
        self.prepare(socket, checker)
        try:
            await asyncio.wait_for(socket.wait_connected(), 30)
            for _ in range(3 if self.recovers else 1):
                await self.talk(socket, checker)
                if checker.dropped and self.recovers:
                    await asyncio.wait_for(socket.wait_connected(), 30)
        except (ConnectError, Disconnected):
            pass
        except AckTimeout:
            self.report.fail(self.kind, f"no answer to join; {socket!r}, {socket.manager!r}")
        except TimeoutError:
            self.report.fail(self.kind, "no connection within 30 s")
        except Exception as exc:
            # What a transport fails with.
            self.report.count(self.kind, type(exc).__name__)
        finally:
            socket.disconnect()
            await self.gone(socket)

    async def gone(self, socket: ClientSocket) -> None:
        """Nothing of it is left after a while."""
        try:
            async with asyncio.timeout(30):
                await socket.manager.wait_closed()
        except TimeoutError:
            self.report.fail(self.kind, f"{socket!r} is not gone; {socket.manager.engine!r}")

    async def talk(self, socket: ClientSocket, checker: Checker) -> None:
        """Send and get, in rounds."""
        if checker.dropped:
            # Since this task was woken: what is emitted now may wait for ever.
            return
        await socket.emit_with_ack("join", f"room {random.randrange(ROOMS)}", timeout=30)
        for _ in rounds():
            for _ in burst():
                if checker.dropped:
                    return
                if random.random() < 0.3:
                    number = checker.send(checker.asks)
                    socket.emit("ask", number, payload(number), ack=checker.acknowledged)
                else:
                    number = checker.send(checker.seqs)
                    socket.emit("seq", number, payload(number))
            if random.random() < 0.5:
                await checker.settled()
            await pause()
        await checker.settled()
        if random.random() < 0.1 and not checker.dropped:
            socket.emit("kick")
            await asyncio.sleep(0.5)

    async def run(self, until: float) -> None:
        """One life after another."""
        while time.monotonic() < until:
            await self.live()
            await pause()


async def main(port: str, recovering: str, seconds: str) -> None:
    """Run clients of every kind, and report."""
    report = Report()
    until = time.monotonic() + float(seconds)
    async with asyncio.TaskGroup() as group:
        for mode in MODES:
            for number, recovers in ((port, False), (port, False), (recovering, True)):
                client = Client(report, f"http://127.0.0.1:{number}", mode, recovers=recovers)
                group.create_task(client.run(until))
    report.show()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(*sys.argv[1:]))

"""
The server of the soak run, in a process of its own.

It listens on two ports: one plain, one with connection state recovery. Each has Socket.IO for
versions 2 to 4, an Engine.IO echo below ``/engine.io/``, and a raw WebSocket echo on other paths.
The ports are printed as a line of JSON; for each line on standard input another one says how the
process is; at its end the server closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import logging
import os
import sys
from typing import Any

import cooee
from cooee.engineio import PyReceiver
from cooee.engineio import Server as EngineServer
from cooee.engineio import Socket as Engine
from cooee.socketio import Recovery, Server, Socket
from cooee.websocket import Session

# Seconds. Short, so that clients which fall silent are found out during the run.
PING = {"ping_interval": 1.0, "ping_timeout": 1.5, "upgrade_timeout": 2.0}
AWAY = 5.0
TICK = 0.05
ROOMS = [f"room {number}" for number in range(4)]

# What clients did that should not have reached the server so.
violations: list[str] = []


class Echo(PyReceiver):
    """Sends back what comes."""

    def __init__(self, socket: Engine) -> None:
        self.socket = socket

    def message_received(self, data: str | bytes) -> None:
        self.socket.send(data)


def connected(socket: Socket) -> None:
    """
    A client: its events are numbered from 0, whatever their kind, and so are the answers.

    What it sent shortly before its connection was lost may be missing, so that after a recovery the
    next number may be a higher one.
    """
    data = socket.data
    data.setdefault("next", 0)
    data.setdefault("answers", 0)
    gap = socket.recovered

    def count(number: int) -> None:
        nonlocal gap
        if number != data["next"] and not (gap and number > data["next"]):
            violations.append(f"{number} came instead of {data['next']}")
        gap = False
        data["next"] = number + 1

    @socket.on("seq")
    def seq(number: int, payload: Any) -> None:
        count(number)
        # What had to wait behind a coroutine may be handled after the end.
        if not socket.connected:
            return
        answer = data["answers"]
        data["answers"] = answer + 1
        socket.emit("seq", answer, number, payload)

    @socket.on("ask")
    async def ask(number: int, payload: Any, ack: Any) -> None:
        count(number)
        await asyncio.sleep(0)
        ack(number, payload)

    @socket.on("join")
    def join(room: str, ack: Any) -> None:
        socket.join(room)
        ack()

    @socket.on("kick")
    def kick() -> None:
        socket.disconnect()


def echo(session: Session) -> None:
    """A raw WebSocket."""
    session.on("message", session.send)


class Port:
    """One port with all of it."""

    def __init__(self, recovery: Recovery | None) -> None:
        self.io = Server(allow_eio3=True, connection_state_recovery=recovery, **PING)
        self.io.on("connection", connected)
        self.engine = EngineServer(**PING)
        self.engine.on("connection", self.session)
        self.web = cooee.Server(host="127.0.0.1", port=0, ping_interval=1, ping_timeout=1)
        self.web.on("connection", lambda session, request: echo(session))
        self.io.attach(self.web)
        self.engine.attach(self.web)
        self.ticks = {room: itertools.count() for room in ROOMS}

    def session(self, socket: Engine) -> None:
        """An Engine.IO session."""
        socket.receiver = Echo(socket)

    def tick(self) -> None:
        """Tell each room its next number."""
        for room, numbers in self.ticks.items():
            self.io.to(room).emit("tick", room, next(numbers))

    def census(self) -> dict[str, int]:
        """What there is."""
        namespace = self.io.sockets
        return {
            "sessions": len(self.io.engine.clients) + len(self.engine.clients),
            "sockets": len(namespace.sockets),
            "rooms": len(namespace.adapter.rooms),
        }


def condition(ports: list[Port]) -> dict[str, Any]:
    """How the process is."""
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    kinds = (Socket, Engine, Session)
    census = [port.census() for port in ports]
    return {
        "resident": resident,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "objects": sum(isinstance(found, kinds) for found in gc.get_objects()),
        **{name: sum(one[name] for one in census) for name in census[0]},
        "violations": violations[:20],
    }


async def main() -> None:
    """Serve until standard input ends."""
    ports = [Port(None), Port(Recovery(max_disconnection_duration=AWAY))]
    for port in ports:
        await port.web.start()
    print(json.dumps([port.web.port for port in ports]), flush=True)
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def beat() -> None:
        while True:
            await asyncio.sleep(TICK)
            for port in ports:
                port.tick()

    beating = asyncio.create_task(beat())
    while await lines.readline():
        print(json.dumps(condition(ports)), flush=True)
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating
    for port in ports:
        await port.web.close()
    pipe.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())

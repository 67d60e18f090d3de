"""
A TCP proxy that breaks connections: what it carries it carries in order, for as long as it does.

A connection that lasts may be reset, ended on both sides, or left open while nothing passes any
more, as when a cable is pulled.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter

# Of the connections, how many are broken; and after how many seconds, on average.
BROKEN = 0.5
LIFE = 3.0
# Seconds for which nothing passes, longer than anybody waits for a heartbeat.
SILENCE = 6.0


class Proxy:
    """
    A proxy in front of one port.

    Attributes:
        port: Its own.
        fates: How connections have ended, by its own doing.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.fates: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End everything."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of ours: asyncio logs it when one of its own is cancelled.
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pumps = [
            asyncio.create_task(self._pump(reader, back)),
            asyncio.create_task(self._pump(there, writer)),
        ]
        life = random.expovariate(1 / LIFE) if random.random() < BROKEN else None
        try:
            await asyncio.wait(pumps, timeout=life, return_when=asyncio.FIRST_COMPLETED)
            if not any(pump.done() for pump in pumps):
                await self._break(pumps, writer, back)
            elif not all(pump.done() for pump in pumps):
                # One side has ended; the other may have something left to say.
                await asyncio.wait(pumps, timeout=SILENCE)
        finally:
            for pump in pumps:
                pump.cancel()
            writer.transport.abort()
            back.transport.abort()

    async def _break(self, pumps: list[asyncio.Task[None]], *writers: asyncio.StreamWriter) -> None:
        fate = random.choice(("reset", "end", "silence"))
        self.fates[fate] += 1
        for pump in pumps:
            pump.cancel()
        if fate == "reset":
            for writer in writers:
                if writer.transport.is_closing():
                    continue
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        elif fate == "silence":
            await asyncio.sleep(SILENCE)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.write_eof()

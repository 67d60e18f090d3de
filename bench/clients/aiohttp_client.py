"""aiohttp's client (compression and heartbeat are off by default): a task per connection."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector
from calling import announce, read_options, run

options = read_options()


async def exchange(ws: ClientWebSocketResponse) -> None:
    if options.text:
        for _ in range(options.in_flight):
            await ws.send_str(options.data.decode())
        async for message in ws:
            await ws.send_str(message.data)
    else:
        for _ in range(options.in_flight):
            await ws.send_bytes(options.data)
        async for message in ws:
            await ws.send_bytes(message.data)


async def main() -> None:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        sockets = [await session.ws_connect(options.url) for _ in range(options.connections)]
        async with asyncio.TaskGroup() as tasks:
            for ws in sockets:
                tasks.create_task(exchange(ws))
            announce()


run(main)

"""websockets' asyncio client, without compression and keepalive: a task per connection."""

from __future__ import annotations

import asyncio

from calling import announce, read_options, run
from websockets.asyncio.client import ClientConnection, connect

options = read_options()


async def exchange(connection: ClientConnection) -> None:
    for _ in range(options.in_flight):
        await connection.send(options.payload)
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    connections = [
        await connect(options.url, compression=None, ping_interval=None)
        for _ in range(options.connections)
    ]
    async with asyncio.TaskGroup() as tasks:
        for connection in connections:
            tasks.create_task(exchange(connection))
        announce()


run(main)

"""cooee's asyncio client: a task per connection, on uvloop."""

from __future__ import annotations

import asyncio

from calling import announce, read_options, run

import cooee

options = read_options()


async def exchange(session: cooee.Session) -> None:
    for _ in range(options.in_flight):
        await session.send(options.payload)
    async for message in session:
        await session.send(message)


async def main() -> None:
    sessions = [
        await cooee.connect(options.url, ping_interval=None) for _ in range(options.connections)
    ]
    async with asyncio.TaskGroup() as tasks:
        for session in sessions:
            tasks.create_task(exchange(session))
        announce()


run(main)

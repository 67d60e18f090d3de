"""cooee, coroutine style: `async for` on uvloop or asyncio."""

from __future__ import annotations

from serving import forever, listening_socket, loop_argument, run

import cooee


async def echo(session: cooee.Session) -> None:
    async for message in session:
        await session.send(message)


async def main() -> None:
    async with cooee.serve(echo, sock=listening_socket(), ping_interval=None):
        await forever()


run(main, loop_argument())

"""
An echo server in coroutine style: each session has a task of its own.

    python server_coroutine.py [port]
"""

import asyncio
import sys

import cooee


async def echo(session: cooee.Session) -> None:
    async for message in session:
        await session.send(message)


async def main(port: int) -> None:
    async with cooee.serve(echo, port=port) as server:
        print(f"listening on port {server.port}", flush=True)
        await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 6080))

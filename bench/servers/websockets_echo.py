"""websockets' asyncio server, without compression and keepalive, as its peers here."""

from __future__ import annotations

from serving import forever, listening_socket, run
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


async def echo(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


async def main() -> None:
    await serve(echo, sock=listening_socket(), compression=None, ping_interval=None)
    await forever()


run(main)

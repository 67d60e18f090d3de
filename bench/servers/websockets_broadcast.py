"""websockets' own `broadcast`."""

from __future__ import annotations

from serving import forever, listening_socket, run
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

subscribers: set[ServerConnection] = set()


async def handler(connection: ServerConnection) -> None:
    assert connection.request is not None
    if connection.request.path == "/subscribe":
        subscribers.add(connection)
        try:
            await connection.wait_closed()
        finally:
            subscribers.discard(connection)
    else:
        try:
            async for message in connection:
                broadcast(subscribers, message)
        except ConnectionClosed:
            pass


async def main() -> None:
    await serve(handler, sock=listening_socket(), compression=None, ping_interval=None)
    await forever()


run(main)

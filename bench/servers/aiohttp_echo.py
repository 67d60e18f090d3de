"""aiohttp's server, without compression; heartbeat is off by default."""

from __future__ import annotations

import contextlib

from aiohttp import WSMsgType, web
from serving import forever, listening_socket, run


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    with contextlib.suppress(ConnectionError):  # the load generator closes with RST
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                await ws.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await ws.send_str(message.data)
    return ws


async def main() -> None:
    app = web.Application()
    app.router.add_get("/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening_socket()).start()
    await forever()


run(main)

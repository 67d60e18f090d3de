"""python-socketio on aiohttp and uvloop."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from serving import forever, listening_socket, run

import socketio

sio = socketio.AsyncServer(async_mode="aiohttp")


@sio.on("your_echo")
async def your_echo(sid: str, data: Any) -> None:
    await sio.emit("your_echo", data, to=sid)


async def main() -> None:
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening_socket(), backlog=4096).start()
    await forever()


run(main)

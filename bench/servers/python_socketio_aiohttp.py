"""python-socketio on aiohttp and uvloop."""

from __future__ import annotations

from aiohttp import web
from python_socketio_events import server
from serving import forever, listening_socket, run


async def main() -> None:
    app = web.Application()
    server("aiohttp").attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening_socket(), backlog=4096).start()
    await forever()


run(main)

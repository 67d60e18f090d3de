"""python-socketio on uvicorn and uvloop."""

from __future__ import annotations

from typing import Any

import uvicorn
from serving import listening_socket

import socketio

sio = socketio.AsyncServer(async_mode="asgi")


@sio.on("your_echo")
async def your_echo(sid: str, data: Any) -> None:
    await sio.emit("your_echo", data, to=sid)


config = uvicorn.Config(socketio.ASGIApp(sio), loop="uvloop", log_level="error", access_log=False)
uvicorn.Server(config).run(sockets=[listening_socket()])

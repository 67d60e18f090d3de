"""The events that both servers of python-socketio know. Its handlers are coroutine functions."""

from __future__ import annotations

from typing import Any

import socketio


def server(async_mode: str) -> socketio.AsyncServer:
    """A server for one of python-socketio's frameworks."""
    sio = socketio.AsyncServer(async_mode=async_mode)

    @sio.on("your_echo")
    async def your_echo(sid: str, data: Any) -> None:
        await sio.emit("your_echo", data, to=sid)

    @sio.on("your_coroutine")
    async def your_coroutine(sid: str, data: Any) -> None:
        await sio.emit("your_coroutine", data, to=sid)

    @sio.on("your_ack")
    async def your_ack(sid: str, data: Any) -> Any:
        return data

    @sio.on("join")
    async def join(sid: str, room: str) -> None:
        await sio.enter_room(sid, room)

    @sio.on("broadcast")
    async def broadcast(sid: str, data: Any) -> None:
        await sio.emit("broadcast", data, room="everyone")

    return sio

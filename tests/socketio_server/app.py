"""The application that foreign clients talk to."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from cooee.reactor import get_reactor
from cooee.socketio import AckTimeout, ConnectError, Server


def prepare(io: Server) -> Server:
    """Register all that the clients' scenarios need."""

    @io.on("connection")
    def connected(socket: Any) -> None:
        @socket.on("your_echo")
        def your_echo(*args: Any) -> None:
            socket.emit("your_echo", *args)

        @socket.on("ask")
        def ask(*args: Any) -> None:
            args[-1]({"args": args[:-1]})

        @socket.on("ask later")
        async def ask_later(value: Any, ack: Any) -> None:
            await asyncio.sleep(0)
            ack(value)

        @socket.on("ask me")
        async def ask_me(number: int, ack: Any) -> None:
            ack(await socket.emit_with_ack("question", number, b"abc", timeout=10))

        @socket.on("ask me briefly")
        async def ask_me_briefly(ack: Any) -> None:
            try:
                await socket.emit_with_ack("question", timeout=0.01)
            except AckTimeout as exc:
                ack(type(exc).__name__)

        @socket.on("join")
        def join(room: str, ack: Any) -> None:
            socket.join(room)
            ack()

        @socket.on("tell")
        def tell(room: str, value: Any) -> None:
            socket.to(room).emit("news", value)

        @socket.on("collect")
        async def collect(room: str, ack: Any) -> None:
            ack(await io.to(f"{room} empty").timeout(1).emit_with_ack("question"))

        @socket.on("collect all")
        async def collect_all(room: str, ack: Any) -> None:
            ack(await io.to(room).timeout(20).emit_with_ack("question"))

        @socket.on("leave")
        def leave() -> None:
            socket.disconnect()

        @socket.on("leave all")
        def leave_all() -> None:
            socket.disconnect(True)

        @socket.on("drop")
        def drop() -> None:
            socket.client.close()

        @socket.on("disconnect")
        def disconnected(reason: str) -> None:
            io.emit("gone", reason)

        @socket.on("recover me")
        def recover_me() -> None:
            socket.data["kept"] = 1
            socket.emit("first")
            sid = socket.id

            @socket.on("disconnect")
            def missed() -> None:
                reactor = get_reactor()
                reactor.call_soon(lambda: io.to(sid).emit("missed", {"while": b"away"}))

        @socket.on("data")
        def data(ack: Any) -> None:
            ack(socket.data)

    admin = io.of("/admin")

    @admin.use
    async def authorize(socket: Any) -> None:
        await asyncio.sleep(0)
        if socket.handshake.auth.get("token") != "secret":
            raise ConnectError("not authorized", {"code": 7})

    @admin.on("connection")
    def admitted(socket: Any) -> None:
        socket.on("auth", lambda ack: ack(socket.handshake.auth))

    @io.of(re.compile(r"^/room-\d+$")).on("connection")
    def in_room(socket: Any) -> None:
        socket.on("name", lambda ack: ack(socket.namespace.name))

    return io

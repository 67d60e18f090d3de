"""
python-socketio's server on aiohttp's, with the application of `server.cjs`.

    python server.py PORT

Prints its port when it listens, and obeys the commands ``stop`` and ``start`` as `server.cjs` does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

import aiohttp
from aiohttp import web

import engineio
import socketio

# By default it drops a POST of more than 16 packets, and says that it did well.
engineio.payload.Payload.max_decode_packets = 1000


async def read(stream: aiohttp.StreamReader, size: int = -1) -> bytes:
    """The whole of a POST's body; of which it would take what has come when it looks."""
    return await read_some(stream)


read_some = aiohttp.StreamReader.read
aiohttp.StreamReader.read = read  # type: ignore[method-assign]

ROOM = re.compile(r"^/room-\d+$")
Refused = socketio.exceptions.ConnectionRefusedError


def prepare(sio: Any) -> Any:
    """Register the application; its handlers get the namespace first."""
    auths: dict[str, Any] = {}

    async def connect(namespace: str, sid: str, environ: object, auth: Any = None) -> None:
        auths[sid] = auth
        if namespace == "/closed" and (auth or {}).get("token") != "open sesame":
            raise Refused("not for you", {"because": "token"})
        if namespace not in ("/", "/other", "/closed") and not ROOM.match(namespace):
            raise Refused("Invalid namespace")

    async def disconnect(namespace: str, sid: str, reason: str) -> None:
        auths.pop(sid)

    async def echo(namespace: str, sid: str, *args: Any) -> None:
        await sio.emit("echo", args, to=sid, namespace=namespace)

    async def answer(namespace: str, sid: str, *args: Any) -> Any:
        return args

    async def ask(namespace: str, sid: str, *args: Any) -> None:
        async def answered(*got: Any) -> None:
            await sio.emit("asked", got, to=sid, namespace=namespace)

        await sio.emit("question", args, to=sid, namespace=namespace, callback=answered)

    async def auth(namespace: str, sid: str) -> None:
        await sio.emit("auth", auths[sid], to=sid, namespace=namespace)

    async def join(namespace: str, sid: str, room: str) -> tuple[()]:
        await sio.enter_room(sid, room, namespace=namespace)
        return ()

    async def tell(namespace: str, sid: str, room: str, *args: Any) -> None:
        await sio.emit("news", args, room=room, skip_sid=sid, namespace=namespace)

    async def kick(namespace: str, sid: str) -> None:
        await sio.disconnect(sid, namespace=namespace)

    async def drop(namespace: str, sid: str) -> None:
        await sio.eio.disconnect(sio.manager.eio_sid_from_sid(sid, namespace))

    for handler in (connect, disconnect, echo, answer, ask, auth, join, tell, kick, drop):
        sio.on(handler.__name__, handler, namespace="*")
    return sio


async def main() -> None:
    """Serve, and obey."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    runner: Any = None
    port = int(sys.argv[1])

    async def start() -> None:
        nonlocal runner
        app = web.Application()
        prepare(socketio.AsyncServer(async_mode="aiohttp", namespaces="*")).attach(app)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()

    await start()
    print(port, flush=True)
    while line := (await lines.readline()).decode().strip():
        await (start() if line == "start" else runner.cleanup())
        print(json.dumps(line), flush=True)
    await runner.cleanup()


asyncio.run(main())

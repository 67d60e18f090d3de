"""Other servers, and the other parser."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests import peers
from tests.socketio_client.serving import TRANSPORTS, Clients, Service, application
from tests.websocket.serving import Inbox

from cooee.socketio import ConnectError, Manager, Server, connect, msgpack_parser


@asynccontextmanager
async def python_socketio() -> AsyncIterator[str]:
    """python-socketio's server on aiohttp's, and its URL."""
    try:
        socketio: Any = importlib.import_module("socketio")
        web: Any = importlib.import_module("aiohttp.web")
    except ImportError:
        peers.missing("python-socketio", "pip install python-socketio aiohttp")
    sio = socketio.AsyncServer(async_mode="aiohttp", namespaces="*")

    async def connected(sid: str, environ: object, auth: dict[str, Any] | None) -> None:
        if auth is None or "token" not in auth:
            raise socketio.exceptions.ConnectionRefusedError("not for you", "token")

    async def echo(sid: str, *args: Any) -> None:
        await sio.emit("echo", args, to=sid)

    async def answer(sid: str, *args: Any) -> Any:
        return args

    async def ask(sid: str, *args: Any) -> None:
        async def answered(*got: Any) -> None:
            await sio.emit("asked", got, to=sid)

        await sio.emit("question", args, to=sid, callback=answered)

    async def kick(sid: str) -> None:
        await sio.disconnect(sid)

    sio.on("connect", connected)
    for handler in (echo, answer, ask, kick):
        sio.on(handler.__name__, handler)
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await sio.shutdown()
        await runner.cleanup()


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_python_socketio(transports: list[str]) -> None:
    async def main() -> None:
        async with python_socketio() as url:
            with pytest.raises(ConnectError, match="not for you"):
                await connect(url, transports=transports)
            async with connect(url, transports=transports, auth={"token": 1}) as client:
                events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
                client.on_any(lambda *args: events.put_nowait(args))
                client.on("disconnect", lambda reason: events.put_nowait((reason,)))
                client.on("question", lambda *args: args[-1](*args[:-1]))
                values = [1, "naïve \U0001f600", b"\x00\xff", {"deep": [b"1", None]}]
                client.emit("echo", *values)
                assert await events.get() == ("echo", *values)
                assert await client.emit_with_ack("answer", *values) == values
                client.emit("ask", 1, b"2")
                assert (await events.get())[:3] == ("question", 1, b"2")
                assert await events.get() == ("asked", 1, b"2")
                if len(transports) == 1:
                    client.emit("kick")
                    assert await events.get() == ("io server disconnect",)

    asyncio.run(main())


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_the_other_parser(transports: list[str]) -> None:
    async def main() -> None:
        io = Server(host="127.0.0.1", port=0, parser=msgpack_parser)
        application(io, Inbox())
        await io.start()
        manager = Manager(
            f"http://127.0.0.1:{io.port}", parser=msgpack_parser, transports=transports
        )
        async with manager.socket("/other") as client:
            values = [1, "text", b"bytes", {"deep": [b"1", None]}]
            assert await client.emit_with_ack("answer", *values) == values
        await io.close()

    asyncio.run(main())


def test_malformed_packets_end_the_connection(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, reconnection=False)
    client.expect("connect")
    io = service.io
    assert io is not None

    def corrupt() -> None:
        for socket in io.sockets.sockets.values():
            socket.client.engine.send("no packet")

    service.driver.call(corrupt)
    reason, description = client.expect("disconnect")
    assert reason == "parse error"
    assert description is not None

"""python-socketio's client, and one port for Socket.IO, WebSocket and HTTP."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import Any

import pytest
from tests import peers
from tests.drivers import Driver
from tests.socketio_server.app import prepare
from tests.socketio_server.fake import run

import cooee
from cooee.socketio import Server


def peer() -> Any:
    """The package of the client, or a skip."""
    try:
        return importlib.import_module("socketio")
    except ImportError:
        peers.missing("python-socketio", "pip install python-socketio aiohttp")


@pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)
@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_events_and_acknowledgements(driver: Driver, transports: list[str]) -> None:
    socketio = peer()
    io = driver.call(lambda: prepare(Server(port=0, host="127.0.0.1")).start())

    async def main() -> None:
        async with asyncio.timeout(30):
            client = socketio.AsyncClient(reconnection=False)
            got: asyncio.Queue[Any] = asyncio.Queue()
            client.on("your_echo", got.put)
            client.on("question", lambda number, data: number + len(data))
            await client.connect(
                f"http://127.0.0.1:{io.port}",
                transports=transports,
                namespaces=["/", "/admin"],
                auth={"token": "secret"},
            )
            for value in ("text", {"a": [1, None, "é"]}, b"\x00\xff", {"deep": [b"one", b"two"]}):
                await client.emit("your_echo", value)
                assert await got.get() == value
            assert await client.call("ask", ("a", b"b")) == {"args": ["a", b"b"]}
            assert await client.call("ask me", 5) == 8
            assert await client.call("auth", namespace="/admin") == {"token": "secret"}
            await client.disconnect()

    try:
        asyncio.run(main())
    finally:
        driver.call(io.close)
        driver.until(lambda: io.close().done)


def test_one_port_for_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        server = cooee.Server(
            port=0, host="127.0.0.1", http=lambda request: cooee.Response(200, "page")
        )

        @server.on("connection")
        def connected(session: Any, request: Any) -> None:
            session.on("message", session.send)

        io = cooee.socketio.Server()
        io.attach(server)
        with pytest.raises(RuntimeError):
            io.attach(server)
        reasons: list[str] = []

        @io.on("connection")
        def joined(socket: Any) -> None:
            socket.on("your_echo", lambda data: socket.emit("your_echo", data))
            socket.on("disconnect", reasons.append)

        async with server:
            assert io.port == server.port
            base = f"127.0.0.1:{server.port}"
            async with cooee.connect(f"ws://{base}/ws") as ws:
                await ws.send("HelloWorld")
                assert await ws.recv() == "HelloWorld"
            async with cooee.connect(f"ws://{base}/socket.io/?EIO=4&transport=websocket") as ws:
                assert (await ws.recv()).startswith("0{")
                await ws.send("40")
                assert (await ws.recv()).startswith("40{")
                await ws.send('42["your_echo",{"a":1}]')
                assert await ws.recv() == '42["your_echo",{"a":1}]'
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).endswith(b"page")
                writer.close()
                await writer.wait_closed()
                closing = server.close()
                assert reasons == ["server shutting down"]
            await closing

    run(main)
    assert caplog.records == []

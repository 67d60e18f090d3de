"""python-socketio's client, and one port for Socket.IO, WebSocket and HTTP."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import Any

import pytest
from tests import peers
from tests.drivers import PATIENCE, Driver
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


VALUES = [
    "text", "", "é \U0001f600 \x1e\n", 0, -2.5, 2**53 - 1, True, None, [], {},
    {"a": [1, None, "é"]}, b"\x00\xff", b"", [b"x", "y", b"z"],
    {"deep": [b"one", {"y": b"two"}]}, "x" * 200_000, bytes(100_000),
]  # fmt: skip


async def connect(port: int | None, transports: list[str], **options: Any) -> tuple[Any, Any]:
    """A client and a queue of the events that it gets, each with its name."""
    client = peer().AsyncClient(reconnection_delay=0.01, randomization_factor=0)
    events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    async def put(event: str, *args: Any) -> None:
        await events.put((event, *args))

    client.on("*", put)
    client.on("question", lambda number, data: number + len(data))
    await client.connect(
        f"http://127.0.0.1:{port}", transports=transports, wait_timeout=PATIENCE, **options
    )
    return client, events


@pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)
@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_scenarios(driver: Driver, transports: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    socketio = peer()
    # By default it refuses a payload of more than 16 packets, and with it all that is in it.
    payload = importlib.import_module("engineio.payload").Payload
    monkeypatch.setattr(payload, "max_decode_packets", 1000)
    io = driver.call(lambda: prepare(Server(port=0, host="127.0.0.1")).start())

    async def events_and_acknowledgements() -> None:
        client, events = await connect(
            io.port, transports, namespaces=["/", "/admin", "/room-7"], auth={"token": "secret"}
        )
        for value in VALUES:
            # None by itself is no argument there.
            await client.emit("your_echo", (value,))
            assert await events.get() == ("your_echo", value)
        for values in ((), tuple(VALUES)):
            await client.emit("your_echo", (*values, "end"))
            assert await events.get() == ("your_echo", *values, "end")
        for number in range(100):
            await client.emit("your_echo", (number, b"x"))
        assert [(await events.get())[1] for _ in range(100)] == list(range(100))
        assert await client.call("ask", tuple(VALUES)) == {"args": VALUES}
        assert await client.call("ask later", "x") == "x"
        assert await client.call("ask me", 5) == 8
        with pytest.raises(socketio.exceptions.TimeoutError):
            await client.call("no answer", timeout=0.05)
        assert await client.call("auth", namespace="/admin") == {"token": "secret"}
        assert await client.call("name", namespace="/room-7") == "/room-7"
        await client.disconnect()

    async def refusals() -> None:
        client = socketio.AsyncClient(reconnection=False)
        told: asyncio.Queue[Any] = asyncio.Queue()
        for namespace, refusal in (
            ("/admin", {"message": "not authorized", "data": {"code": 7}}),
            ("/unknown", {"message": "Invalid namespace"}),
        ):
            client.on("connect_error", told.put, namespace=namespace)
            await client.connect(
                f"http://127.0.0.1:{io.port}",
                transports=transports,
                namespaces=[namespace],
                wait=False,
            )
            assert await told.get() == refusal
            await client.disconnect()

    async def rooms() -> None:
        found = [await connect(io.port, transports) for _ in range(3)]
        clients = [client for client, _ in found]
        for client in clients[:2]:
            await client.call("join", "a")
        await clients[0].emit("tell", ("a", {"bytes": b"broadcast"}))
        assert await found[1][1].get() == ("news", {"bytes": b"broadcast"})
        # It went to nobody else, or would have come before the acknowledgement.
        for client in clients:
            await client.call("ask")
        assert [events.qsize() for _, events in found] == [0, 0, 0]
        for client in clients:
            await client.disconnect()

    async def reconnection() -> None:
        client, _ = await connect(io.port, transports)
        first, again = client.get_sid(), asyncio.Event()
        client.on("connect", again.set)
        await client.emit("drop")
        await again.wait()
        assert client.get_sid() != first
        assert await client.call("ask later", "again") == "again"
        await client.disconnect()

    async def main() -> None:
        async with asyncio.timeout(30):
            await events_and_acknowledgements()
            await refusals()
            await rooms()
            if transports != ["polling"]:
                # A CLOSE packet, by which polling sessions end, it takes for an end of its own.
                await reconnection()

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

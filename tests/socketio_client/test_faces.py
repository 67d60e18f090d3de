"""The client in coroutines and in plain scripts, and connections that are shared."""

from __future__ import annotations

import asyncio
import socket
from types import MappingProxyType
from typing import Any, cast

import pytest
from tests.drivers import PATIENCE
from tests.socketio_client.serving import application
from tests.websocket.serving import Inbox

import cooee
from cooee.socketio import ClientSocket, ConnectError, Manager, Server, connect


async def start(**options: Any) -> tuple[Server, str]:
    """A server, and its URL."""
    io = Server(host="127.0.0.1", port=0, **options)
    application(io, Inbox())
    await io.start()
    return io, f"http://127.0.0.1:{io.port}"


def test_async_with() -> None:
    async def main() -> None:
        io, url = await start()
        async with connect(url) as client:
            assert client.connected
            assert await client.emit_with_ack("answer", 1) == 1
            await client.emit("echo", "x")
        assert not client.active
        await io.close()

    asyncio.run(main())


def test_awaiting_what_is_refused() -> None:
    async def main() -> None:
        io, url = await start()
        with pytest.raises(ConnectError, match="not for you"):
            await connect(f"{url}/closed")
        client = await connect(f"{url}/closed", auth={"token": "open sesame"})
        client.disconnect()
        await client.manager.wait_closed()
        await io.close()

    asyncio.run(main())


def test_cancelling_leaves_nothing() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = connect(f"http://127.0.0.1:{silent.getsockname()[1]}")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.establish(), 0.01)
            assert not client.active
            assert client.manager.ready_state == "closed"
            await client.manager.wait_closed()

    asyncio.run(main())


def test_connections_are_shared() -> None:
    async def main() -> None:
        io, url = await start()
        first = await connect(url)
        other = await connect(f"{url}/other")
        assert first.manager is other.manager
        # A namespace cannot be joined twice by one connection.
        again = await connect(url)
        own = await connect(f"{url}/other", force_new=True)
        managers = {one.manager for one in (first, again, own)}
        assert len(managers) == 3
        for client in (first, other, again, own):
            client.disconnect()
        for manager in managers:
            await manager.wait_closed()
        fresh = await connect(url)
        assert fresh.manager not in managers
        fresh.disconnect()
        await fresh.manager.wait_closed()
        await io.close()

    asyncio.run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_a_script_ends_when_it_has_disconnected(transports: list[str]) -> None:
    io = Server(host="127.0.0.1", port=0)
    application(io, Inbox())
    io.start()
    client = connect(f"http://127.0.0.1:{io.port}", transports=transports)
    got: list[Any] = []

    @client.on("connect")
    def connected() -> None:
        client.emit("echo", "Hello")

    @client.on("echo")
    def echo(data: str) -> None:
        got.append(data)
        client.disconnect()
        io.close()

    cooee.run()
    assert got == ["Hello"]


def test_handlers() -> None:
    async def main() -> None:
        io, url = await start()
        client: ClientSocket = await connect(url)
        got: list[Any] = []
        client.once("echo", lambda *args: got.append(("once", *args)))

        def on(one: Any) -> None:
            # Arguments beyond those that it takes are left out.
            got.append(("on", one))

        client.on("echo", on)
        client.on("echo", lambda: 1 / 0)
        client.on_any(lambda name, *args: got.append(("any", name)))
        client.on_any_outgoing(lambda name, *args: got.append(("outgoing", name)))
        client.emit("echo", 1, 2)
        await client.emit_with_ack("answer")
        client.off("echo", on)
        client.emit("echo", 3)
        await client.emit_with_ack("answer")
        assert got == [
            ("outgoing", "echo"),
            ("outgoing", "answer"),
            ("any", "echo"),
            ("once", 1, 2),
            ("on", 1),
            ("outgoing", "echo"),
            ("outgoing", "answer"),
            ("any", "echo"),
        ]
        with pytest.raises(ValueError, match="reserved"):
            client.emit("connect")
        with pytest.raises(TypeError):
            client.emit("echo", object())
        assert client.connected
        client.disconnect()
        await client.manager.wait_closed()
        await io.close()

    asyncio.run(main())


def test_unknown_options() -> None:
    with pytest.raises(TypeError, match="reconection"):
        connect("http://127.0.0.1:1", reconection=False)
    with pytest.raises(ValueError):
        connect("http://127.0.0.1:1", reconnection_delay=-1)
    with pytest.raises(ValueError):
        connect("127.0.0.1:1")
    with pytest.raises(TypeError, match=r"connect has no option 'transport' \(is transports meant"):
        connect("http://127.0.0.1:1", **{"transport": "polling"})
    with pytest.raises(TypeError, match="Manager has no option 'reconection'"):
        Manager("http://127.0.0.1:1", **{"reconection": False})
    with pytest.raises(ValueError, match="'pigeon', must be 'polling' or 'websocket'"):
        connect("http://127.0.0.1:1", transports="pigeon")


@pytest.mark.parametrize("auth", ["token", b"token", 1, ["token"]])
def test_auth_that_is_no_object(auth: Any) -> None:
    with pytest.raises(TypeError, match="auth is "):
        connect("http://127.0.0.1:1", auth=auth)
    # Nothing connects in the background, nor is there a manager for the next.
    cooee.run()
    with pytest.raises(TypeError, match="auth is "):
        Manager("http://127.0.0.1:1", auth=auth)
    manager = Manager("http://127.0.0.1:1", auto_connect=False)
    with pytest.raises(TypeError, match="auth is "):
        manager.socket("/", auth=auth)
    assert manager.namespaces == []


@pytest.mark.parametrize("result", ["token", ZeroDivisionError()])
@pytest.mark.parametrize("later", [False, True])
def test_an_auth_function_that_fails(result: Any, later: bool) -> None:
    def auth() -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    async def auth_later() -> Any:
        return auth()

    async def main() -> None:
        io, url = await start()
        with pytest.raises((TypeError, ZeroDivisionError)):
            async with connect(url, auth=auth_later if later else auth):
                pass
        async with connect(url, auth=MappingProxyType({"token": "open sesame"})) as client:
            assert client.connected
        await io.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_one_transport_by_its_name(transport: str) -> None:
    async def main() -> None:
        io, url = await start(transports=transport)
        async with connect(url, transports=transport) as client:
            assert client.manager.engine is not None
            assert client.manager.engine.transport == transport
        await io.close()

    asyncio.run(main())
    with pytest.raises(ValueError, match="'pigeon', must be 'polling' or 'websocket'"):
        Server(transports=cast(Any, "pigeon"))

"""Thousands of connections of every kind, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import Driver
from tests.leaks import descriptors, resident, without_collector
from tests.socketio_client.serving import TRANSPORTS, Service
from tests.socketio_hostile.serving import PATH, Hostility
from tests.socketio_server.fake import FakeClient, join, run, turns

from cooee.reactor import Stream
from cooee.socketio import ConnectError, Manager, Server, Socket
from cooee.socketio.packet import PacketType

MEGABYTE = 1024 * 1024

pytestmark = pytest.mark.once


def objects(*names: str) -> list[object]:
    """All instances of classes of ours by these names."""
    return [
        found
        for found in gc.get_objects()
        if type(found).__name__ in names and type(found).__module__.startswith("cooee.")
    ]


KINDS = (
    *("Socket", "Client", "ClientSocket", "Manager", "Polling", "WebSocketTransport", "Request"),
    *("HttpConnection", "HttpClient", "PollingTransport", "Session", "Timer", "Handshake", "_Link"),
)


# References


@pytest.mark.parametrize("end", ["client", "server", "transport", "violation", "refused"])
def test_a_socket_goes_with_its_connection(end: str) -> None:
    """Without the collector, where no handler refers to it."""

    async def main() -> None:
        io = Server()
        # Of the socket only what is weak is kept.
        seen: list[weakref.ref[Socket]] = []
        if end == "refused":

            @io.use
            def refuse(socket: Socket) -> None:
                seen.append(weakref.ref(socket))
                raise ConnectError("no")

        @io.on("connection")
        def connected(socket: Socket) -> None:
            seen.append(weakref.ref(socket))
            socket.on("echo", lambda *args: None)
            socket.join("room")
            socket.emit("hello", ack=print)
            socket.data["some"] = "thing"

        with without_collector():
            client = FakeClient(io)
            client.send(PacketType.CONNECT)
            if end == "client":
                client.send(PacketType.DISCONNECT)
            elif end == "server":
                io.disconnect_sockets(True)
            elif end == "violation":
                client.engine.receive("nonsense")
            client.engine.lose("transport close")
            del client
            await turns()
            assert [ref() for ref in seen] == [None]
        io.close()

    run(main)


def test_handlers_that_refer_to_their_socket() -> None:
    """The event ``disconnect`` is the last, so that they are let go of after it."""

    async def main() -> None:
        io = Server()
        seen: list[weakref.ref[Socket]] = []

        @io.on("connection")
        def connected(socket: Socket) -> None:
            seen.append(weakref.ref(socket))
            socket.on("echo", lambda *args: socket.emit("echo", *args))
            socket.on("disconnect", lambda reason: socket.id)
            socket.on_any(lambda *args: socket.id)
            socket.use(lambda event: socket.id and None)

        with without_collector():
            client = join(io)
            client.emit("echo", 1)
            client.engine.lose("transport close")
            del client
            await turns()
            assert [ref() for ref in seen] == [None]
        io.close()

    run(main)


def test_a_coroutine_that_never_ends_keeps_its_socket_alone() -> None:
    async def main() -> None:
        io = Server()
        seen: list[weakref.ref[Socket]] = []
        tasks: list[asyncio.Task[None]] = []

        @io.on("connection")
        def connected(socket: Socket) -> None:
            seen.append(weakref.ref(socket))

            @socket.on("hang")
            async def hang() -> None:
                task = asyncio.current_task()
                assert task is not None
                tasks.append(task)
                await asyncio.Event().wait()

        for _ in range(3):
            client = join(io)
            client.emit("hang")
            await turns()
            client.engine.lose("transport close")
            del client
        assert not io.engine.clients
        assert not io.sockets.sockets
        while tasks:
            tasks.pop().cancel()
        await turns()
        gc.collect()
        assert [ref() for ref in seen] == [None] * 3
        io.close()

    run(main)


def test_a_server_that_is_closed_is_freed() -> None:
    async def main() -> None:
        io = Server()
        io.of("/other")
        join(io).emit("x")
        ref = weakref.ref(io)
        io.close()
        await turns()
        del io
        gc.collect()
        assert ref() is None

    run(main)


# Connections


def connections(driver: Driver) -> int:
    """How many the reactor has. They are closed a turn after their sessions, or later."""
    return sum(isinstance(handle, Stream) for handle in driver.reactor.handles())


def ended_by_close(server: Hostility, transport: str) -> None:
    session = server.join(transport)
    session.check_echo()
    session.send("1")


def ended_by_reset(server: Hostility, transport: str) -> None:
    session = server.join(transport)
    raw = session.raw if transport == "websocket" else session.polls  # type: ignore[attr-defined]
    if transport == "polling":
        raw.request(PATH + session.query)  # type: ignore[attr-defined]
        clients = server.io.engine.clients
        server.until(lambda: clients[session.sid].writable)
    raw.vanish()


def ended_by_violation(server: Hostility, transport: str) -> None:
    server.join(transport).send("nonsense")


def ended_by_upgrade(server: Hostility, transport: str) -> None:
    session = server.join("polling")
    client = server.connect()
    client.upgrade(f"{PATH}?EIO=4&transport=websocket&sid={session.sid}")
    client.send_message("2probe")
    if transport == "websocket":
        assert client.receive_message() == "3probe"
        client.send_message("5")
        client.send_message('42["echo",1]')
        while client.receive_message() != '42["echo",1]':
            pass
    client.close()


def ended_by_server(server: Hostility, transport: str) -> None:
    session = server.join(transport)
    server.driver.call(server.io.disconnect_sockets, True)
    session.wait_ended()


@pytest.mark.parametrize("driver", ["asyncio"], indirect=True)
@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "end",
    [ended_by_close, ended_by_reset, ended_by_violation, ended_by_upgrade, ended_by_server],
)
def test_connections_leave_nothing(
    driver: Driver, end: Callable[[Hostility, str], None], transport: str
) -> None:
    server = Hostility(driver, ping_interval=30, ping_timeout=30, upgrade_timeout=30)
    try:

        def live(count: int) -> None:
            for _ in range(count):
                end(server, transport)
                for connection in server.connections:
                    connection.close()
                server.connections.clear()
                # The test's own lists hold sockets otherwise.
                for inbox in (server.sockets, server.events, server.ends):
                    while not inbox.empty():
                        inbox.take()
            # Those that nobody polls any more wait for their heartbeat.
            driver.call(
                lambda: [one.close(True) for one in list(server.io.engine.clients.values())]
            )
            driver.until(lambda: not server.io.engine.clients and not server.io.engine._websockets)
            driver.until(lambda: not connections(driver))
            while not server.ends.empty():
                server.ends.take()
            while not server.sockets.empty():
                server.sockets.take()

        def census() -> tuple[dict[str, int], int, int]:
            gc.collect()
            kinds = {kind: len(objects(kind)) for kind in KINDS}
            return kinds, len(descriptors()), len(asyncio.all_tasks())

        live(30)
        before, size = driver.call(census), resident()
        live(150)
        driver.until(lambda: census() == before)
        assert resident() - size < 8 * MEGABYTE
    finally:
        server.close()


@pytest.mark.parametrize("driver", ["asyncio"], indirect=True)
@pytest.mark.parametrize("transports", list(TRANSPORTS))
def test_clients_leave_nothing(driver: Driver, transports: str) -> None:
    service = Service(driver)
    try:

        async def one(number: int) -> None:
            manager = Manager(service.url, transports=TRANSPORTS[transports], reconnection=False)
            socket = manager.socket("/")
            socket.on("echo", lambda *args: socket.emit("x"))
            other = manager.socket("/other")
            await socket.wait_connected()
            await other.wait_connected()
            if number % 4 == 0:
                assert await socket.emit_with_ack("answer", 1) == 1
                socket.disconnect()
                other.disconnect()
            elif number % 4 == 1:
                manager.close()
            else:
                # The server ends it: the namespaces, or the connection.
                socket.emit("kick" if number % 4 == 2 else "drop")
                while socket.connected:
                    await asyncio.sleep(0.001)
                other.disconnect()
                manager.close()
            await manager.wait_closed()

        async def live(count: int) -> None:
            for number in range(count):
                await one(number)

        def census() -> tuple[dict[str, int], int]:
            gc.collect()
            return {kind: len(objects(kind)) for kind in KINDS}, len(descriptors())

        def idle() -> bool:
            io: Any = service.io
            while not service.ends.empty():
                service.ends.take()
            return not (io.engine.clients or io.engine._websockets or connections(driver))

        driver.run(live, 20)
        driver.until(idle)
        before, size = driver.call(census), resident()
        driver.run(live, 100)
        driver.until(idle)
        driver.until(lambda: census() == before)
        assert resident() - size < 8 * MEGABYTE
    finally:
        service.close()


@pytest.mark.parametrize("end", ["manager", "socket"])
def test_a_client_is_freed(end: str) -> None:
    """By the collector: a manager knows its sockets, and they know it."""

    async def main() -> None:
        io = Server(port=0, host="127.0.0.1")
        await io.start()

        async def live() -> list[weakref.ref[Any]]:
            manager = Manager(f"http://127.0.0.1:{io.port}", transports=["websocket"])
            socket = manager.socket("/")
            socket.on("x", lambda: socket.id)
            await socket.wait_connected()
            manager.close() if end == "manager" else socket.disconnect()
            await manager.wait_closed()
            return [weakref.ref(socket), weakref.ref(manager), weakref.ref(manager.engine)]

        refs = await live()
        await turns(20)
        gc.collect()
        assert [ref() for ref in refs] == [None] * 3
        await io.close()

    asyncio.run(main())

"""Namespaces: who joins, who does not, and how it ends."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from tests.socketio_server.fake import FakeClient, accept, join, run, turns

from cooee.socketio import ConnectError, Limits, PacketType, Server


def test_unknown_namespace(io: Server) -> None:
    client = FakeClient(io)
    packet = client.connect("/nowhere")
    assert packet.type == PacketType.CONNECT_ERROR
    assert packet.data == {"message": "Invalid namespace"}
    assert client.connect().type == PacketType.CONNECT


def test_several_namespaces_of_one_client(io: Server) -> None:
    roots, admins = accept(io), accept(io, "/admin")
    client = join(io)
    assert client.connect("/admin").type == PacketType.CONNECT
    assert io.of("admin") is io.of("/admin")
    assert roots[0].id != admins[0].id
    calls: list[str] = []
    roots[0].on("a", lambda: calls.append("root"))
    admins[0].on("a", lambda: calls.append("admin"))
    client.emit("a", namespace="/admin")
    assert calls == ["admin"]
    io.of("/admin").emit("b")
    assert [(packet.namespace, packet.data) for packet in client.packets()] == [("/admin", ["b"])]
    admins[0].disconnect()
    assert client.packets()[0].type == PacketType.DISCONNECT
    # What was under way meanwhile is no offence.
    client.emit("a", namespace="/admin")
    client.emit("a")
    assert calls == ["admin", "root"]
    assert client.connect("/admin").type == PacketType.CONNECT


def test_handshake_and_auth(io: Server) -> None:
    sockets = accept(io)
    join(io, auth={"token": "abc"})
    join(io)
    assert sockets[0].handshake.auth == {"token": "abc"}
    assert sockets[1].handshake.auth == {}
    assert sockets[0].handshake.time


def test_middlewares(io: Server) -> None:
    order: list[str] = []
    sockets = accept(io)

    @io.use
    def first(socket: Any) -> None:
        order.append("first")
        socket.data["user"] = socket.handshake.auth.get("user")

    @io.use
    def second(socket: Any) -> None:
        order.append("second")
        socket.join("members")
        if socket.data["user"] is None:
            raise ConnectError("not authorized", {"why": "no user"})

    packet = FakeClient(io).connect()
    assert packet.type == PacketType.CONNECT_ERROR
    assert packet.data == {"message": "not authorized", "data": {"why": "no user"}}
    assert io.sockets.adapter.rooms == {}
    join(io, auth={"user": "me"})
    assert sockets[0].data == {"user": "me"}
    assert "members" in sockets[0].rooms
    assert order == ["first", "second"] * 2


def test_exception_in_middleware_tells_the_client_nothing(
    io: Server, caplog: pytest.LogCaptureFixture
) -> None:
    @io.use
    def broken(socket: Any) -> None:
        raise RuntimeError("secret")

    assert FakeClient(io).connect().data == {"message": "Internal server error"}
    assert "secret" in caplog.text


def test_coroutine_middleware() -> None:
    async def main() -> None:
        io = Server()
        sockets = accept(io)
        gate = asyncio.Event()

        @io.use
        async def slow(socket: Any) -> None:
            await gate.wait()
            if socket.handshake.auth:
                raise ConnectError("no")

        clients = [FakeClient(io) for _ in range(4)]
        clients[0].send(PacketType.CONNECT)
        clients[1].send(PacketType.CONNECT, data={"x": 1})
        clients[2].send(PacketType.CONNECT)
        clients[3].send(PacketType.CONNECT)
        await turns()
        clients[2].engine.lose()
        # CONNECT again is no offence before it is let in, an event is.
        clients[0].send(PacketType.CONNECT)
        clients[3].emit("a")
        assert clients[3].engine.closed
        gate.set()
        await turns()
        assert len(sockets) == 1
        assert [packet.type for packet in clients[0].packets()] == [PacketType.CONNECT]
        assert clients[1].packets()[0].data == {"message": "no"}
        assert clients[2].packets() == []
        io.close()

    run(main)


def test_dynamic_by_pattern(io: Server) -> None:
    created, sockets = [], []
    io.on("new_namespace", lambda namespace: created.append(namespace.name))
    parent = io.of(re.compile(r"^/dynamic-\d+$"), sockets.append)
    client, other = FakeClient(io), FakeClient(io)
    assert client.connect("/dynamic-1").type == PacketType.CONNECT
    assert other.connect("/dynamic-2").type == PacketType.CONNECT
    assert client.connect("/dynamic-x").type == PacketType.CONNECT_ERROR
    assert created == ["/dynamic-1", "/dynamic-2"]
    assert [socket.namespace.name for socket in sockets] == created
    parent.emit("all")
    assert client.events() == other.events() == [["all"]]
    sockets[0].broadcast.emit("others")
    assert other.events() == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_dynamic_by_function(asynchronous: bool) -> None:
    async def main() -> None:
        io = Server()
        asked: list[Any] = []

        def allowed(name: str, auth: dict[str, Any]) -> bool:
            asked.append((name, auth))
            if auth.get("fail"):
                raise RuntimeError
            return name.startswith("/ok") and "token" in auth

        async def allowed_later(name: str, auth: dict[str, Any]) -> bool:
            await asyncio.sleep(0)
            return allowed(name, auth)

        io.of(allowed_later if asynchronous else allowed)
        client = FakeClient(io)
        client.send(PacketType.CONNECT, "/ok", {"token": 1})
        client.send(PacketType.CONNECT, "/ok2")
        client.send(PacketType.CONNECT, "/ok3", {"fail": 1})
        await turns(10)
        answers = {packet.namespace: packet.type for packet in client.packets()}
        assert answers == {
            "/ok": PacketType.CONNECT,
            "/ok2": PacketType.CONNECT_ERROR,
            "/ok3": PacketType.CONNECT_ERROR,
        }
        assert asked[0] == ("/ok", {"token": 1})
        io.close()

    run(main)


@pytest.mark.parametrize("cleanup", [True, False])
def test_empty_children_go(cleanup: bool) -> None:
    io = Server(cleanup_empty_child_namespaces=cleanup)
    parent = io.of(re.compile("^/room/"))
    kept = io.of("/room/kept")
    client = FakeClient(io)
    for name in ("/room/1", "/room/2", "/room/kept"):
        client.connect(name)
    assert io.namespaces.keys() == {"/", "/room/1", "/room/2", "/room/kept"}
    client.engine.lose()
    if cleanup:
        assert io.namespaces.keys() == {"/", "/room/kept"}
        assert parent.children == {kept}
    else:
        assert len(io.namespaces) == 4
    io.close()


def test_refused_clients_leave_no_child_behind(io: Server) -> None:
    parent = io.of(re.compile("^/x"))

    @parent.use
    def refuse(socket: Any) -> None:
        raise ConnectError("no")

    client = FakeClient(io)
    for number in range(20):
        assert client.connect(f"/x{number}").type == PacketType.CONNECT_ERROR
    assert io.namespaces.keys() == {"/"}


def test_limit_of_namespaces() -> None:
    io = Server(limits=Limits(max_namespaces=3))
    io.of(re.compile("^/x"))
    client = FakeClient(io)
    types = [client.connect(f"/x{number}").type for number in range(5)]
    assert types == [PacketType.CONNECT] * 3 + [PacketType.CONNECT_ERROR] * 2
    assert not client.engine.closed
    io.close()


@pytest.mark.parametrize(
    "text",
    ['2["a"]', "1", "31[]", "4{}", '2/admin,["a"]', "nonsense", '2["disconnect"]', "9", ""],
)
def test_out_of_turn_before_connect(io: Server, text: str) -> None:
    sockets = accept(io)
    client = FakeClient(io)
    client.engine.receive(text)
    assert client.engine.closed
    assert sockets == []


@pytest.mark.parametrize("text", ["0", "4{}", "2", '2["disconnect","x"]', '2{"a":1}', "x"])
def test_violations_after_connect(io: Server, text: str) -> None:
    sockets, reasons, errors = accept(io), [], []
    client = join(io)
    sockets[0].on("disconnect", reasons.append)
    sockets[0].on("error", errors.append)
    client.engine.receive(text)
    assert client.engine.closed
    assert reasons == ["forced server close" if text == "4{}" else "parse error"]
    client.engine.receive('2["a"]')


def test_binary_out_of_turn(io: Server) -> None:
    accept(io)
    client = join(io)
    client.engine.receive(b"binary")
    assert client.engine.closed


def test_control_characters_in_names(io: Server) -> None:
    io.of(re.compile("."))
    client = FakeClient(io)
    client.engine.receive("0/a\x1eb,")
    assert client.engine.closed


@pytest.mark.parametrize("reason", ["transport close", "transport error", "ping timeout"])
def test_reasons_of_the_transport(io: Server, reason: str) -> None:
    sockets, reasons = accept(io), []
    admins = accept(io, "/admin")
    client = join(io)
    client.connect("/admin")
    for socket in sockets + admins:
        socket.on("disconnect", lambda *args: reasons.append(args))
    client.engine.lose(reason, "details")
    assert reasons == [(reason, "details")] * 2
    assert sockets[0].disconnected


def test_closing_from_either_side(io: Server) -> None:
    sockets, reasons = accept(io), []
    for _ in range(3):
        join(io)
        sockets[-1].on("disconnect", reasons.append)
    sockets[0].client.engine.receive("1")
    sockets[1].disconnect()
    sockets[1].disconnect()
    sockets[2].disconnect(True)
    assert reasons == [
        "client namespace disconnect",
        "server namespace disconnect",
        "server namespace disconnect",
    ]
    assert [socket.client.closed for socket in sockets] == [False, False, True]


def test_shutting_down() -> None:
    io = Server()
    sockets, reasons = accept(io), []
    client = join(io)
    sockets[0].on("disconnect", reasons.append)
    io.close()
    io.close()
    assert reasons == ["server shutting down"]
    assert client.engine.closed


def test_connect_timeout() -> None:
    async def main() -> None:
        io = Server(connect_timeout=0.02)
        # The time of the one that came first is over first.
        joined, idle = join(io), FakeClient(io)
        while not idle.engine.closed:
            await asyncio.sleep(0.005)
        assert not joined.engine.closed
        io.close()

    run(main)


def test_version_2_clients(io: Server) -> None:
    sockets, admins = accept(io), accept(io, "/admin")
    client = FakeClient(io, protocol=3)
    assert [packet.type for packet in client.packets()] == [PacketType.CONNECT]
    assert sockets[0].id == client.client.id
    client.engine.receive("0/admin?token=abc")
    assert admins[0].handshake.auth == {"token": "abc"}
    assert admins[0].id == f"/admin#{client.client.id}"
    client.packets()
    calls: list[Any] = []
    admins[0].on("a", calls.append)
    client.engine.receive('2/admin?token=abc,["a",1]', '2/admin,["a",2]')
    assert calls == [1, 2]
    client.engine.receive("0/nowhere")
    assert client.engine.take() == ['4/nowhere,"Invalid namespace"']


def test_events_of_a_namespace_survive_exceptions(
    io: Server, caplog: pytest.LogCaptureFixture
) -> None:
    @io.on("connection")
    def broken(socket: Any) -> None:
        raise RuntimeError("oops")

    sockets = accept(io)
    client = join(io)
    assert len(sockets) == 1
    assert "oops" in caplog.text
    assert not client.engine.closed


def test_server_side_emit_reaches_nobody_else() -> None:
    async def main() -> None:
        io = Server()
        assert io.server_side_emit("hello", 1)
        assert await io.server_side_emit_with_ack("hello") == []
        with pytest.raises(ValueError):
            io.server_side_emit("connection")
        calls: list[Any] = []
        io.on("hello", lambda *args: calls.append(args))
        io.sockets.server_side_event(["hello", 1])
        io.sockets.server_side_event(["connection", 1])
        assert calls == [(1,)]
        io.close()

    run(main)


def test_wrong_use() -> None:
    io = Server()
    with pytest.raises(RuntimeError):
        io.start()
    with pytest.raises(TypeError):
        Server(host="localhost")
    with pytest.raises(TypeError):
        io.of(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        io.of("/a,b")
    with pytest.raises(TypeError):
        io.use(None)  # type: ignore[arg-type]
    io.close()

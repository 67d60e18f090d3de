"""Rooms, broadcasts and what is done by room."""

from __future__ import annotations

from typing import Any

import pytest
from tests.socketio_server.fake import accept, join, run

from cooee.socketio import LimitExceeded, Limits, PacketType, Server


def test_whom_a_broadcast_is_for(io: Server) -> None:
    sockets = accept(io)
    clients = [join(io) for _ in range(4)]
    a, b, c, d = sockets
    a.join("red", "big")
    b.join(["red", "blue"])
    c.join("blue")

    def got() -> str:
        letters = zip("abcd", clients, strict=True)
        return "".join(letter * len(client.events()) for letter, client in letters)

    def check(emitter: Any, expected: str) -> None:
        emitter.emit("event", b"binary", {"x": 1})
        assert got() == expected

    check(io, "abcd")
    check(io.sockets, "abcd")
    check(io.local, "abcd")
    check(io.to("red"), "ab")
    check(io.in_("red"), "ab")
    check(io.to("red").to("blue"), "abc")
    check(io.to("red", "blue"), "abc")
    check(io.to(["red", "blue"]), "abc")
    check(io.except_("red"), "cd")
    check(io.to("red", "blue").except_("big"), "bc")
    check(io.to("red").except_("blue").compress(False), "a")
    check(io.to("nowhere"), "")
    check(io.to(d.id), "d")
    check(a.broadcast, "bcd")
    check(a.local, "bcd")
    check(a.to("red"), "b")
    check(a.in_("blue"), "bc")
    check(a.except_("blue"), "d")
    check(a.volatile.broadcast, "bcd")
    check(a.volatile.to("blue"), "bc")
    check(a.volatile, "a")
    check(a.compress(False), "a")
    a.leave("red")
    check(io.to("red"), "b")
    clients[1].send(PacketType.DISCONNECT)
    check(io.to("red"), "")


def test_a_broadcast_is_written_once(io: Server) -> None:
    clients = [join(io) for _ in range(5)]
    io.emit("a", b"x")
    prepared = {id(one) for client in clients for one in client.engine.prepared}
    assert len(prepared) == 1


def test_operators_do_not_change(io: Server) -> None:
    join(io)
    one = io.to("a")
    one.to("b").except_("c").emit("x")
    one.volatile.emit("x")
    assert one._options.rooms == {"a"}
    assert not one._options.volatile


def test_rooms_by_room(io: Server) -> None:
    sockets = accept(io)
    clients = [join(io) for _ in range(3)]
    sockets[0].join("a")
    sockets[1].join("a")
    io.in_("a").sockets_join("b", "c")
    assert sockets[0].rooms == {sockets[0].id, "a", "b", "c"}
    assert sockets[2].rooms == {sockets[2].id}
    io.in_("b").sockets_leave("a")
    assert sockets[1].rooms == {sockets[1].id, "b", "c"}
    reasons: list[str] = []
    for socket in sockets:
        socket.on("disconnect", reasons.append)
    io.in_("b").disconnect_sockets()
    assert reasons == ["server namespace disconnect"] * 2
    assert clients[0].packets()[-1].type == PacketType.DISCONNECT
    assert not clients[0].engine.closed
    io.disconnect_sockets(True)
    assert clients[2].engine.closed


def test_fetch_sockets() -> None:
    async def main() -> None:
        io = Server()
        sockets = accept(io)
        for _ in range(3):
            join(io)
        sockets[0].join("a")
        assert await io.fetch_sockets() == sockets
        assert await io.in_("a").fetch_sockets() == sockets[:1]
        assert await io.except_("a").fetch_sockets() == sockets[1:]
        io.close()

    run(main)


def test_room_events(io: Server) -> None:
    sockets, calls = accept(io), []
    for name in ("create_room", "join_room", "leave_room", "delete_room"):
        io.sockets.adapter.on(name, lambda *args, name=name: calls.append((name, *args)))
    client = join(io)
    sid = sockets[0].id
    assert calls == [("create_room", sid), ("join_room", sid, sid)]
    sockets[0].join("a")
    sockets[0].leave("a")
    assert calls[2:] == [
        ("create_room", "a"),
        ("join_room", "a", sid),
        ("leave_room", "a", sid),
        ("delete_room", "a"),
    ]
    client.engine.lose()
    assert calls[6:] == [("leave_room", sid, sid), ("delete_room", sid)]


def test_nothing_is_left_of_those_who_left(io: Server) -> None:
    sockets = accept(io)
    for _ in range(10):
        client = join(io)
        sockets[-1].join("a", "b")
        client.engine.lose()
    adapter = io.sockets.adapter
    assert (adapter.rooms, adapter.sids, io.sockets.sockets) == ({}, {}, {})
    sockets[0].join("c")
    assert adapter.rooms == {}


def test_rooms_are_there_while_disconnecting(io: Server) -> None:
    sockets, seen = accept(io), []
    client = join(io)
    sockets[0].join("a")
    sockets[0].on("disconnecting", lambda reason: seen.append((reason, sockets[0].rooms)))
    sockets[0].on("disconnecting", lambda: sockets[0].disconnect())
    sockets[0].on("disconnect", lambda reason: seen.append((reason, sockets[0].rooms)))
    client.engine.lose("transport error")
    assert seen == [("transport error", {"a", sockets[0].id}), ("transport error", set())]


def test_limit_of_rooms() -> None:
    io = Server(limits=Limits(max_rooms=3))
    sockets = accept(io)
    join(io)
    sockets[0].join("a", "b")
    sockets[0].join("a", "b", sockets[0].id)
    with pytest.raises(LimitExceeded, match="max_rooms"):
        sockets[0].join("c")
    with pytest.raises(TypeError):
        sockets[0].join(5)
    io.close()


def test_joining_and_leaving_while_a_broadcast_is_under_way(io: Server) -> None:
    sockets = accept(io)
    clients = [join(io) for _ in range(3)]
    for socket in sockets:
        socket.join("a")
        socket.on_any_outgoing(lambda: [one.leave("a") for one in sockets])
    io.to("a").emit("x")
    assert [len(client.events()) for client in clients] == [1, 1, 1]

"""Connection state recovery."""

from __future__ import annotations

from typing import Any

import pytest
from tests.socketio_server.fake import FakeClient, accept, join

from cooee.socketio import PacketType, Recovery, Server
from cooee.socketio.adapters import BroadcastOptions, RecoveringAdapter, StoredSession

REASONS = ["transport close", "transport error", "ping timeout", "forced close"]


def connect(io: Server) -> tuple[FakeClient, str]:
    """A client, and its private id."""
    client = FakeClient(io)
    packet = client.connect()
    assert len(packet.data["pid"]) == 20
    return client, packet.data["pid"]


def back(io: Server, pid: Any, offset: Any) -> tuple[FakeClient, list[Any]]:
    """Come back; returns what came."""
    client = FakeClient(io)
    client.send(PacketType.CONNECT, data={"pid": pid, "offset": offset})
    return client, client.packets()


@pytest.mark.parametrize("reason", REASONS)
def test_recovers(reason: str) -> None:
    io = Server(connection_state_recovery=True)
    sockets = accept(io)
    client, pid = connect(io)
    sockets[0].join("a")
    sockets[0].data["x"] = 1
    sockets[0].emit("first", b"1")
    ((_, _, offset),) = client.events()
    client.engine.lose(reason)
    io.emit("to all", {"b": b"2"})
    io.to("a").emit("to a")
    io.to("b").emit("to b")
    io.except_("a").emit("not to a")
    io.to(sockets[0].id).emit("to me")
    io.volatile.emit("volatile")
    client, packets = back(io, pid, offset)
    assert packets[0].data == {"sid": sockets[0].id, "pid": pid}
    assert [packet.data[:-1] for packet in packets[1:]] == [
        ["to all", {"b": b"2"}],
        ["to a"],
        ["to me"],
    ]
    again = sockets[1]
    assert again.recovered
    assert again.id == sockets[0].id
    assert again.data == {"x": 1}
    assert again.rooms == {again.id, "a"}
    # And once more, from the last.
    client.engine.lose()
    io.emit("more")
    _, packets = back(io, pid, packets[-1].data[-1])
    assert [packet.data[0] for packet in packets[1:]] == ["more"]
    io.close()


@pytest.mark.parametrize("how", ["client", "server"])
def test_who_left_on_purpose_does_not_come_back(how: str) -> None:
    io = Server(connection_state_recovery=True)
    sockets = accept(io)
    client, pid = connect(io)
    sockets[0].emit("first")
    ((_, offset),) = client.events()
    if how == "client":
        client.send(PacketType.DISCONNECT)
    else:
        sockets[0].disconnect()
    _, packets = back(io, pid, offset)
    assert packets[0].data["sid"] != sockets[0].id
    assert not sockets[1].recovered
    io.close()


@pytest.mark.parametrize("wrong", ["", "zz", "x" * 100_000, "\ud83d", None, 5, [], {"a": 1}])
def test_wrong_pid_or_offset(wrong: Any) -> None:
    io = Server(connection_state_recovery=True)
    sockets = accept(io)
    client, pid = connect(io)
    sockets[0].emit("first")
    ((_, offset),) = client.events()
    client.engine.lose()
    for which in ((wrong, offset), (pid, wrong), (pid, f"{offset}0"), (pid, f"{offset[:8]}+0")):
        _, packets = back(io, *which)
        assert [packet.type for packet in packets] == [PacketType.CONNECT]
        assert not sockets[-1].recovered
    _, packets = back(io, pid, offset)
    assert sockets[-1].recovered
    io.close()


@pytest.mark.parametrize("skip", [True, False])
def test_middlewares(skip: bool) -> None:
    io = Server(connection_state_recovery=Recovery(skip_middlewares=skip))
    sockets, calls = accept(io), []
    io.use(calls.append)
    client, pid = connect(io)
    sockets[0].emit("first")
    ((_, offset),) = client.events()
    client.engine.lose()
    back(io, pid, offset)
    assert len(calls) == (1 if skip else 2)
    io.close()


def test_events_with_acknowledgement_have_no_offset() -> None:
    io = Server(connection_state_recovery=True)
    sockets = accept(io)
    client, _ = connect(io)
    sockets[0].emit("a", ack=print)
    sockets[0].volatile.emit("b")
    assert client.events() == [["a"], ["b"]]
    with pytest.raises(ValueError):
        sockets[0].emit("disconnect")
    io.close()


def test_without_it_there_is_no_private_id(io: Server) -> None:
    accept(io)
    assert FakeClient(io).connect(auth={"pid": "a", "offset": "b"}).data.keys() == {"sid"}


class Nobody:
    """A namespace without sockets."""

    name = "/"

    def deliver(self, *args: object) -> int:
        return 0


def test_time_and_size_of_the_log() -> None:
    now = 0.0
    adapter = RecoveringAdapter(
        Nobody(),  # type: ignore[arg-type]
        duration=10,
        max_log=3,
        clock=lambda: now,
    )
    payloads = [[str(number)] for number in range(5)]

    def away(number: int) -> None:
        adapter.persist_session(StoredSession("sid", f"pid{number}", ["a"], {}))

    for payload in payloads:
        adapter.broadcast(payload, BroadcastOptions())
    away(1)
    assert adapter.restore_session("pid1", payloads[1][1]) is None
    session = adapter.restore_session("pid1", payloads[2][1])
    assert session is not None
    assert [payload[0] for payload in session.missed] == ["3", "4"]
    assert adapter.restore_session("pid1", payloads[2][1]) is None
    now = 5
    away(2)
    away(3)
    now = 12
    away(4)
    assert adapter.restore_session("pid2", payloads[4][1]) is None
    late = ["late"]
    adapter.broadcast(late, BroadcastOptions())
    assert adapter.restore_session("pid2", late[1]) is not None
    now = 16
    assert adapter.restore_session("pid3", late[1]) is None
    assert adapter.restore_session("pid4", late[1]) is not None


def test_what_is_kept_is_limited_in_bytes_and_sessions() -> None:
    adapter = RecoveringAdapter(
        Nobody(),  # type: ignore[arg-type]
        max_log_size=10_000,
        max_sessions=2,
    )
    endless: list[Any] = []
    endless.append(endless)
    for number in range(3):
        adapter.persist_session(StoredSession("sid", f"pid{number}", [], {}))
    payloads: list[list[Any]] = [["x", "y" * 3000] for _ in range(4)]
    for payload in payloads:
        adapter.broadcast(payload, BroadcastOptions())
    assert adapter.restore_session("pid1", payloads[0][-1]) is None
    assert adapter.restore_session("pid0", payloads[1][-1]) is None
    session = adapter.restore_session("pid1", payloads[1][-1])
    assert session is not None
    assert len(session.missed) == 2
    # Whatever holds the bytes; what is too large is not kept at all.
    for large in (
        [b"y" * 11_000],
        [memoryview(bytes(11_000))],
        [[], {"a": {"y" * 11_000: 1}}],
        [1] * 200,
        [endless],
    ):
        payload = ["x", *large]
        adapter.broadcast(payload, BroadcastOptions())
        assert adapter.restore_session("pid2", payload[-1]) is None
    adapter.broadcast(last := ["last"], BroadcastOptions())
    assert adapter.restore_session("pid2", last[-1]) is not None


def test_sockets_that_go_on_are_not_stored() -> None:
    io = Server(connection_state_recovery=True)
    accept(io)
    client = join(io)
    io.emit("a")
    ((_, offset),) = client.events()
    _, packets = back(io, "unknown", offset)
    assert packets[0].type == PacketType.CONNECT
    io.close()

"""Acknowledgements, both ways."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.socketio_server.fake import FakeClient, accept, join, run, turns

from cooee.socketio import AckTimeout, Disconnected, Limits, PacketType, Server


def answer(client: FakeClient, *args: Any) -> None:
    """Acknowledge all that has come."""
    for packet in client.packets():
        if packet.id is not None:
            client.send(PacketType.ACK, packet.namespace, list(args), packet.id)


def test_handler_acknowledges_once(io: Server) -> None:
    sockets = accept(io)
    client = join(io)

    @sockets[0].on("ask")
    def ask(*args: Any) -> None:
        args[-1]("answer", {"n": b"\x01"})
        args[-1]("again")

    client.emit("ask", 1, id=7)
    (packet,) = client.packets()
    assert (packet.type, packet.id, packet.data) == (PacketType.ACK, 7, ["answer", {"n": b"\x01"}])


def test_what_a_handler_returns_is_no_acknowledgement(io: Server) -> None:
    sockets = accept(io)
    client = join(io)
    sockets[0].on("ask", lambda: "answer")
    client.emit("ask", id=0)
    assert client.packets() == []


def test_acknowledging_after_the_end_does_nothing(io: Server) -> None:
    sockets, acks = accept(io), []
    client = join(io)
    sockets[0].on("ask", acks.append)
    client.emit("ask", id=0)
    client.engine.lose()
    acks[0]("late")
    assert client.packets() == []


def test_callback_and_await() -> None:
    async def main() -> None:
        io = Server()
        sockets, calls = accept(io), []
        client = join(io)
        socket = sockets[0]
        socket.emit("a", ack=lambda *args: calls.append(args))
        answer(client, 1, 2)
        assert calls == [(1, 2)]
        for args, value in (((), None), ((1,), 1), ((1, b"x"), [1, b"x"])):
            outcome = socket.emit_with_ack("b", "c")
            assert not outcome.done
            answer(client, *args)
            assert await outcome == value
        io.close()

    run(main)


def test_timeout() -> None:
    async def main() -> None:
        io = Server()
        sockets, errors = accept(io), []
        client = join(io)
        socket = sockets[0]
        socket.timeout(0.01).emit("a", ack=lambda error, *args: errors.append((error, args)))
        with pytest.raises(AckTimeout, match="timed out"):
            await socket.timeout(0.02).emit_with_ack("b")
        with pytest.raises(TimeoutError):
            await socket.emit_with_ack("b", timeout=0.01)
        assert isinstance(errors[0][0], AckTimeout)
        answer(client, "late")
        socket.timeout(10).emit("a", ack=lambda error, *args: errors.append((error, args)))
        answer(client, "in time")
        assert errors[1:] == [(None, ("in time",))]
        io.close()

    run(main)


def test_disconnecting_ends_the_wait() -> None:
    async def main() -> None:
        io = Server()
        sockets, errors, calls = accept(io), [], []
        client = join(io)
        outcome = sockets[0].emit_with_ack("a")
        sockets[0].timeout(10).emit("a", ack=errors.append)
        sockets[0].emit("a", ack=lambda *args: calls.append(args))
        client.engine.lose("ping timeout")
        with pytest.raises(Disconnected, match="ping timeout"):
            await outcome
        assert isinstance(errors[0], Disconnected)
        assert calls == []
        io.close()

    run(main)


def test_acknowledgements_pass_a_busy_handler() -> None:
    async def main() -> None:
        io = Server()
        sockets, calls = accept(io), []
        client = join(io)

        @sockets[0].on("a")
        async def a() -> None:
            calls.append(await sockets[0].emit_with_ack("question"))

        client.emit("a")
        await turns()
        answer(client, 42)
        await turns()
        assert calls == [42]
        io.close()

    run(main)


def test_unknown_acknowledgements_are_ignored(io: Server) -> None:
    sockets = accept(io)
    client = join(io)
    client.send(PacketType.ACK, data=[], id=5)
    sockets[0].emit("a", ack=print)
    client.send(PacketType.ACK, data=[], id=2**53 - 1)
    assert sockets[0].connected


def test_the_oldest_is_given_up_beyond_the_limit() -> None:
    async def main() -> None:
        io = Server(limits=Limits(max_acks=2))
        sockets = accept(io)
        join(io)
        outcomes = [sockets[0].emit_with_ack("a") for _ in range(3)]
        assert [outcome.done for outcome in outcomes] == [True, False, False]
        with pytest.raises(AckTimeout, match="max_acks"):
            await outcomes[0]
        io.close()

    run(main)


def test_broadcast_collects_all() -> None:
    async def main() -> None:
        io = Server()
        accept(io)
        clients = [join(io) for _ in range(3)]
        outcome = io.timeout(5).emit_with_ack("a", 1)
        for number, client in enumerate(clients):
            assert not outcome.done
            answer(client, number)
        assert await outcome == [0, 1, 2]
        assert await io.to("nobody").emit_with_ack("a") == []
        io.close()

    run(main)


def test_broadcast_with_some_missing() -> None:
    async def main() -> None:
        io = Server()
        clients = [join(io) for _ in range(3)]
        outcome = io.timeout(0.02).emit_with_ack("a")
        answer(clients[1], "one")
        with pytest.raises(AckTimeout) as caught:
            await outcome
        assert caught.value.responses == ["one"]
        calls: asyncio.Queue[Any] = asyncio.Queue()
        io.timeout(0.01).emit("a", ack=lambda *args: calls.put_nowait(args))
        error, answers = await calls.get()
        assert isinstance(error, AckTimeout)
        assert answers == []
        io.close()

    run(main)

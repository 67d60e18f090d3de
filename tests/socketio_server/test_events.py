"""Events from and to one socket."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.socketio_server.fake import FakeClient, accept, join, run, turns

from cooee.socketio import Disconnected, PacketType, Server


def test_connect_answers_with_an_id(io: Server) -> None:
    sockets = accept(io)
    client = FakeClient(io)
    packet = client.connect()
    assert packet.type == PacketType.CONNECT
    assert packet.data == {"sid": sockets[0].id}
    assert sockets[0].connected
    assert not sockets[0].recovered
    assert sockets[0].rooms == {sockets[0].id}
    assert sockets[0].id != client.client.id


def test_echo(io: Server) -> None:
    @io.on("connection")
    def connected(socket: Any) -> None:
        @socket.on("your_echo")
        def your_echo(data: Any) -> None:
            socket.emit("your_echo", data)

    client = join(io)
    for data in ("hello", {"a": [1, 2.5, None, True]}, b"bytes", {"deep": [b"one", b"two"]}):
        client.emit("your_echo", data)
        assert client.events() == [["your_echo", data]]


def test_arguments_that_a_handler_does_not_take_are_left_out(io: Server) -> None:
    (sockets, calls) = accept(io), []
    client = join(io)
    sockets[0].on("a", lambda: calls.append(()))
    sockets[0].on("a", lambda one: calls.append((one,)))
    sockets[0].on("a", lambda one, two=0: calls.append((one, two)))
    sockets[0].on("a", lambda *args: calls.append(args))
    client.emit("a", 1, 2, 3)
    assert calls == [(), (1,), (1, 2), (1, 2, 3)]


def test_bound_methods_and_callables(io: Server) -> None:
    class Game:
        def __init__(self) -> None:
            self.moves: list[Any] = []

        def move(self, x: int) -> None:
            self.moves.append(x)

        def __call__(self, x: int, y: int) -> None:
            self.moves.append((x, y))

    game, moves, sockets = Game(), [], accept(io)
    client = join(io)
    sockets[0].on("move", game.move)
    sockets[0].on("move", game)
    sockets[0].on("move", moves.append)
    client.emit("move", 1, 2)
    assert game.moves == [1, (1, 2)]
    assert moves == [1]
    client.emit("move", 1, 2)
    sockets[0].off("move", game.move)
    client.emit("move", 5, 6)
    assert game.moves == [1, (1, 2), 1, (1, 2), (5, 6)]


def test_missing_argument_is_logged_and_harms_nothing(
    io: Server, caplog: pytest.LogCaptureFixture
) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    sockets[0].on("a", lambda one, two: None)
    sockets[0].on("a", calls.append)
    client.emit("a", 1)
    assert calls == [1]
    assert "exception in a handler of 'a'" in caplog.text
    assert sockets[0].connected


def test_exception_in_coroutine_is_logged(io: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = Server()
        sockets = accept(server)
        client = join(server)

        @sockets[0].on("a")
        async def a() -> None:
            raise RuntimeError("oops")

        client.emit("a")
        client.emit("a")
        await turns()
        assert sockets[0].connected
        server.close()

    run(main)
    assert caplog.text.count("RuntimeError: oops") == 2


def test_once_and_off(io: Server) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    socket = sockets[0]
    socket.once("a", lambda: calls.append("once"))
    socket.on("a", lambda: calls.append("on"))
    client.emit("a")
    client.emit("a")
    assert calls == ["once", "on", "on"]
    assert len(socket.listeners("a")) == 1
    socket.off("a")
    client.emit("a")
    assert calls == ["once", "on", "on"]
    socket.on("b", calls.append)
    socket.off()
    client.emit("b", 1)
    assert calls == ["once", "on", "on"]


def test_any(io: Server) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    socket = sockets[0]

    def second(event: str, *args: Any) -> None:
        calls.append(("second", event, args))

    socket.on_any(second)
    socket.prepend_any(lambda event: calls.append(("first", event)))
    socket.on("a", lambda: calls.append("a"))
    client.emit("a", 1)
    assert calls == [("first", "a"), ("second", "a", (1,)), "a"]
    socket.off_any(second)
    socket.off_any()
    client.emit("a", 1)
    assert calls[3:] == ["a"]


def test_any_outgoing(io: Server) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    socket = sockets[0]
    socket.on_any_outgoing(lambda *args: calls.append(args))
    socket.emit("a", 1)
    io.emit("b")
    io.to(socket.id).emit("c", {"x": 1})
    assert calls == [("a", 1), ("b",), ("c", {"x": 1})]
    socket.off_any_outgoing()
    socket.emit("d")
    assert len(calls) == 3
    assert [event[0] for event in client.events()] == ["a", "b", "c", "d"]


def test_socket_middleware(io: Server) -> None:
    sockets, calls, errors = accept(io), [], []
    client = join(io)
    socket = sockets[0]

    @socket.use
    def shout(event: list[Any]) -> None:
        if event[0] == "forbidden":
            raise PermissionError("no")
        event[1] = event[1].upper()

    socket.on("a", calls.append)
    socket.on("forbidden", calls.append)
    socket.on("error", lambda exc: errors.append(str(exc)))
    client.emit("a", "x")
    client.emit("forbidden", "x")
    assert calls == ["X"]
    assert errors == ["no"]
    assert socket.connected


def test_coroutine_middleware_keeps_the_order() -> None:
    async def main() -> None:
        io = Server()
        sockets, calls = accept(io), []
        client = join(io)
        gate = asyncio.Event()

        @sockets[0].use
        async def slow(event: list[Any]) -> None:
            if event[1] == 1:
                await gate.wait()
            if event[1] == 2:
                raise PermissionError

        sockets[0].on("a", calls.append)
        sockets[0].on("error", lambda exc: calls.append("error"))
        for number in range(4):
            client.emit("a", number)
        await turns()
        assert calls == [0]
        gate.set()
        await turns(10)
        assert calls == [0, 1, "error", 3]
        io.close()

    run(main)


@pytest.mark.parametrize("ordered", [True, False])
def test_order_of_coroutine_handlers(ordered: bool) -> None:
    async def main() -> None:
        io = Server(ordered=ordered)
        sockets, calls = accept(io), []
        client, other = join(io), join(io)
        gate = asyncio.Event()

        async def a(number: int) -> None:
            calls.append(("begin", number))
            if number == 1:
                await gate.wait()
            calls.append(("end", number))

        for socket in sockets:
            socket.on("a", a)
            socket.on("plain", calls.append)
        client.emit("a", 1)
        client.emit("plain", "p")
        client.emit("a", 2)
        other.emit("a", 3)
        await turns()
        if ordered:
            assert calls == [("begin", 1), ("begin", 3), ("end", 3)]
        else:
            assert calls[0] == "p"
            assert ("end", 2) in calls
        gate.set()
        await turns(10)
        if ordered:
            assert calls[3:] == [("end", 1), "p", ("begin", 2), ("end", 2)]
        assert ("end", 1) in calls
        io.close()

    run(main)


def test_disconnect_waits_for_the_events_before_it() -> None:
    async def main() -> None:
        io = Server()
        sockets, calls = accept(io), []
        client = join(io)
        gate = asyncio.Event()

        @sockets[0].on("save")
        async def save(number: int) -> None:
            await gate.wait()
            calls.append(number)

        sockets[0].on("disconnecting", lambda reason: calls.append(f"disconnecting {reason}"))
        sockets[0].on("disconnect", calls.append)
        client.emit("save", 1)
        client.emit("save", 2)
        client.send(PacketType.DISCONNECT)
        await turns()
        assert calls == ["disconnecting client namespace disconnect"]
        gate.set()
        await turns(10)
        assert calls[1:] == [1, 2, "client namespace disconnect"]
        io.close()

    run(main)


def test_too_many_waiting_events_disconnect(caplog: pytest.LogCaptureFixture) -> None:
    from cooee.socketio import Limits

    async def main() -> None:
        io = Server(limits=Limits(max_queue=10_000))
        sockets, reasons = accept(io), []
        client = join(io)
        gate = asyncio.Event()

        @sockets[0].on("a")
        async def a() -> None:
            await gate.wait()

        sockets[0].on("disconnecting", reasons.append)
        for _ in range(100):
            client.emit("a")
        assert reasons == ["forced server close"]
        assert client.engine.closed
        gate.set()
        await turns(50)
        io.close()

    run(main)
    assert "max_queue" in caplog.text


@pytest.mark.parametrize(
    "event",
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"],
)
def test_reserved_events_are_not_emitted(io: Server, event: str) -> None:
    sockets = accept(io)
    client = join(io)
    with pytest.raises(ValueError):
        sockets[0].emit(event)
    with pytest.raises(ValueError):
        sockets[0].emit_with_ack(event)
    with pytest.raises(ValueError):
        io.emit(event)
    with pytest.raises(ValueError):
        sockets[0].broadcast.emit(event)
    assert client.events() == []
    assert sockets[0].connected


def test_names_that_mean_something_to_us_are_mere_names(io: Server) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    socket = sockets[0]
    socket.on("drain", lambda *args: calls.append("drain"))
    for name in ("__proto__", "constructor", "__class__", "__init__", "drain", "on", ""):
        client.emit(name, "x")
    assert calls == []
    socket.on("__proto__", calls.append)
    client.emit("__proto__", "x")
    assert calls == ["x"]


def test_numbers_name_events_as_strings_do(io: Server) -> None:
    sockets, calls = accept(io), []
    client = join(io)
    sockets[0].on("1", calls.append)
    client.engine.receive('2[1,"a"]', '2[1.0,"b"]', '2["1","c"]')
    assert calls == ["a", "b", "c"]


def test_emitting_to_the_disconnected_is_silent_unless_awaited() -> None:
    async def main() -> None:
        io = Server()
        sockets = accept(io)
        client = join(io)
        client.engine.lose()
        sockets[0].emit("a")
        sockets[0].volatile.emit("a")
        with pytest.raises(Disconnected, match="transport close"):
            await sockets[0].emit("a")
        with pytest.raises(Disconnected):
            await sockets[0].emit_with_ack("a")
        io.close()

    run(main)


def test_middlewares_come_before_connection_and_cannot_send(io: Server) -> None:
    sockets = accept(io)
    io.use(lambda socket: socket.emit("early"))
    client = join(io)
    assert client.events() == []
    assert sockets[0].connected


def test_unencodable_data(io: Server) -> None:
    sockets = accept(io)
    client = join(io)
    with pytest.raises(TypeError):
        sockets[0].emit("a", object())
    with pytest.raises(TypeError):
        sockets[0].emit("a", object(), ack=print)
    sockets[0].emit("b")
    assert client.events() == [["b"]]


def test_data_is_a_dict(io: Server) -> None:
    sockets = accept(io)
    join(io)
    sockets[0].data["user"] = 1
    assert sockets[0].data == {"user": 1}
    sockets[0].data = {"other": 2}
    assert sockets[0].data == {"other": 2}


def test_awaiting_emit_waits_above_the_high_water_mark() -> None:
    async def main() -> None:
        io = Server(high_water=1000)
        sockets, drains = accept(io), []
        client = join(io)
        socket = sockets[0]
        socket.on("drain", lambda: drains.append(socket.buffered_amount))
        await socket.emit("a")
        client.engine.buffered = 1001
        assert socket.buffered_amount == 1001
        waiting = asyncio.ensure_future(wait_for(socket))
        await turns()
        assert not waiting.done()
        client.engine.drain()
        await waiting
        assert drains == [0]
        io.close()

    async def wait_for(socket: Any) -> None:
        await socket.emit("b")

    run(main)


def test_volatile_is_dropped_and_counted(io: Server) -> None:
    sockets = accept(io)
    client, other = join(io), join(io)
    client.engine.writable = False
    sockets[0].volatile.emit("a")
    io.volatile.emit("b")
    assert sockets[0].dropped == 2
    assert client.events() == []
    assert other.events() == [["b"]]
    client.engine.writable = True
    sockets[0].volatile.emit("c")
    assert client.events() == [["c"]]
    assert sockets[0].dropped == 2


def test_log_level_of_a_refused_event(io: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sockets = accept(io)
    client = join(io)

    @sockets[0].use
    def refuse(event: list[Any]) -> None:
        raise ValueError("not today")

    client.emit("a")
    assert "not today" in caplog.text

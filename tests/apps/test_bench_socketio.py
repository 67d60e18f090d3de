"""The load generator for Socket.IO: it notices events that do not come back intact."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.apps.test_bench import often, until_something_came

import cooee
from cooee.apps.bench import Report
from cooee.apps.bench_socketio import SocketIOLoad, SocketIOPlan
from cooee.apps.event_talker import AckTalker, EventTalker
from cooee.apps.talker import Latencies
from cooee.engineio.errors import TransportError
from cooee.socketio import Ack, ConnectError, Server, Socket, connect

__all__ = ["often"]

# What a server does with an event, which may have an acknowledgement for its last argument.
Answer = Callable[..., object]


def load(
    answer: Answer,
    *,
    refuse: Callable[[Socket], None] | None = None,
    duration: float,
    corrupt: bool = False,
    **plan: Any,
) -> Report:
    """
    Run a plan against a server on this very loop, whose sockets give that answer.

    It runs for longer if nothing has come back yet.
    """

    async def main() -> Report:
        io = Server(host="127.0.0.1", port=0)

        @io.on("connection")
        def connected(socket: Socket) -> None:
            socket.on("your_echo", lambda *args: answer(socket, *args))

        if refuse is not None:
            io.use(refuse)
        await io.start()
        try:
            url = f"http://127.0.0.1:{io.port}"
            running = SocketIOLoad(SocketIOPlan(url, duration=1000, **plan))
            return await running.run(until_something_came(running, duration, corrupt))
        finally:
            await io.close()

    return asyncio.run(main())


def echo(socket: Socket, *args: Any) -> None:
    socket.emit("your_echo", *args)


def acknowledge(socket: Socket, *args: Any) -> None:
    *values, ack = args
    assert isinstance(ack, Ack)
    ack(*values)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("ack", [False, True])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("size", [0, 20_000])
def test_counts_events(transport: str, ack: bool, text: bool, size: int) -> None:
    seen = 0

    def answer(socket: Socket, *args: Any) -> None:
        nonlocal seen
        seen += 1
        assert type(args[0]) is (str if text else bytes)
        assert len(args[0]) == size
        (acknowledge if ack else echo)(socket, *args)

    report = load(
        answer, connections=3, in_flight=4, size=size, text=text, duration=0.1, ack=ack,
        transports=(transport,),
    )  # fmt: skip
    assert report.errors == {}
    assert 0 < report.messages <= seen <= report.messages + 3 * 4
    assert report.latency["min"] > 0


CORRUPT = {"a message came back changed, twice or out of order": 2}


def change(socket: Socket, data: str) -> None:
    socket.emit("your_echo", data[:-1] + "!")


def say_more(socket: Socket, data: str) -> None:
    socket.emit("your_echo", data, 1)


def say_nothing(socket: Socket, data: str) -> None:
    socket.emit("your_echo")


def say_twice(socket: Socket, data: str) -> None:
    socket.emit("your_echo", data)
    socket.emit("your_echo", data)


def change_the_type(socket: Socket, data: str) -> None:
    socket.emit("your_echo", data.encode())


def swap(socket: Socket, data: str) -> None:
    if "kept" in socket.data:
        socket.emit("your_echo", data)
        socket.emit("your_echo", socket.data.pop("kept"))
    else:
        socket.data["kept"] = data


@pytest.mark.parametrize(
    "answer", [change, say_more, say_nothing, say_twice, change_the_type, swap]
)
def test_notices_what_is_not_an_echo(answer: Answer) -> None:
    report = load(answer, connections=2, in_flight=2, text=True, duration=0.1, corrupt=True)
    assert report.errors == CORRUPT


@pytest.mark.parametrize("values", [("other",), ("other", 1), (None,)])
def test_notices_what_acknowledges_something_else(values: tuple[Any, ...]) -> None:
    def answer(socket: Socket, data: str, ack: Ack) -> None:
        ack(*values)

    report = load(
        answer, connections=2, in_flight=2, text=True, duration=0.1, ack=True, corrupt=True
    )
    assert report.errors == CORRUPT


def test_acknowledgements_may_be_empty_and_in_any_order() -> None:
    def answer(socket: Socket, data: str, ack: Ack) -> None:
        if earlier := socket.data.pop("earlier", None):
            ack()
            earlier()
        else:
            socket.data["earlier"] = ack

    report = load(answer, connections=2, in_flight=2, text=True, duration=0.1, ack=True)
    assert report.errors == {}
    assert report.messages > 0


def test_reports_sockets_that_the_server_disconnects() -> None:
    report = load(lambda socket, data: socket.disconnect(), connections=3, duration=1000)
    assert report.messages == 0
    assert report.errors == {"closed by the server: io server disconnect": 3}


def test_reports_sockets_that_were_refused() -> None:
    seen = 0

    def refuse(socket: Socket) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            raise ConnectError("full")

    report = load(echo, refuse=refuse, connections=4, text=True, duration=0.1)
    assert report.messages > 0
    assert report.errors == {"cannot connect: full": 3}


def test_raises_when_nobody_listens() -> None:
    plan = SocketIOPlan("http://127.0.0.1:1", connections=1000)
    with pytest.raises(TransportError, match="refused"):
        asyncio.run(SocketIOLoad(plan).run())


def test_raises_when_only_raw_websocket_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cooee.apps.bench_socketio.CONNECT_TIMEOUT", 1)

    async def main() -> None:
        server = await cooee.Server(host="127.0.0.1", port=0).start()
        try:
            await SocketIOLoad(SocketIOPlan(f"http://127.0.0.1:{server.port}")).run()
        finally:
            await server.close()

    with pytest.raises(TimeoutError, match="no OPEN packet"):
        asyncio.run(main())


@pytest.mark.parametrize("kind", [EventTalker, AckTalker])
def test_a_talker_needs_two_payloads(kind: type[EventTalker]) -> None:
    async def main() -> None:
        io = await Server(host="127.0.0.1", port=0).start()
        try:
            async with connect(f"http://127.0.0.1:{io.port}") as socket:
                with pytest.raises(ValueError, match="two payloads"):
                    kind(socket, "your_echo", ["one"], Latencies())
        finally:
            await io.close()

    asyncio.run(main())

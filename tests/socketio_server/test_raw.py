"""Raw WebSocket sessions in the rooms of Socket.IO, on real sockets and all drivers."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest
from tests.drivers import Driver
from tests.rawclient import RawClient
from tests.socketio_server.fake import FakeClient, join
from tests.websocket.serving import Serving

import cooee
from cooee.protocol.errors import ConnectionClosed
from cooee.socketio import AckTimeout, LimitExceeded, Limits, RawMember, Server, Socket

T = TypeVar("T")

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


class Hall:
    """
    A server of both protocols: raw clients over sockets, Socket.IO clients in memory.

    Attributes:
        io: The Socket.IO server.
        serving: The server of its port.
        sockets: Those of Socket.IO, in the order in which they came.
        clients: Their clients.
        raw: The raw clients.
        members: What their sessions are in the namespace ``/``.
    """

    def __init__(
        self, driver: Driver, message: Any = None, *, web: dict[str, Any], **options: Any
    ) -> None:
        self.call = driver.call
        self.driver = driver
        self.sockets: list[Socket] = []
        self.clients: list[FakeClient] = []
        self.raw: list[RawClient] = []
        self.members: list[RawMember] = []
        self._message = message

        def start() -> Server:
            io = Server(**options)
            io.on("connection", self.sockets.append)
            return io

        self.io = self.call(start)
        self.serving = Serving(driver, prepare=self.io.attach, **web)

    def enter(self, message: Any = None, **options: Any) -> RawMember:
        """Connect a raw client."""
        client, session = self.serving.accept(**options)
        member = self.call(lambda: self.io.admit(session, message=message or self._message))
        self.raw.append(client)
        self.members.append(member)
        return member

    def join(self) -> Socket:
        """Connect a Socket.IO client."""
        self.clients.append(self.call(join, self.io))
        return self.sockets[-1]

    def emit(self, choose: Callable[[], Any], *args: Any) -> None:
        """Emit something to those chosen."""
        self.call(lambda: choose().emit(*args))

    def nothing_more(self) -> None:
        """See that no raw client has been sent anything else: what is said now comes next."""
        for client, member in zip(self.raw, self.members, strict=True):
            if member.session.ready_state == 1:
                self.call(member.session.send, "that is all")
                assert client.receive_message() == "that is all"


Halls = Callable[..., Hall]


@pytest.fixture
def halls(driver: Driver) -> Iterator[Halls]:
    """Makes servers, which are closed after the test."""
    with ExitStack() as stack:

        def make(message: Any = None, *, web: Any = None, **options: Any) -> Hall:
            hall = Hall(driver, message, web=web or {}, **options)
            stack.callback(hall.serving.close)
            return hall

        yield make


@pytest.fixture
def hall(halls: Halls) -> Hall:
    """Three raw clients, A B C, and three sockets, d e f; A, B and d in red, C and e in blue."""
    hall = halls()
    for _ in range(3):
        hall.enter()
        hall.join()
    for members in (hall.members, hall.sockets):
        hall.call(members[0].join, "red")
    hall.call(hall.members[1].join, ["red"], "big")
    hall.call(hall.members[2].join, "blue")
    hall.call(hall.sockets[1].join, "blue")
    return hall


def answer_close(client: RawClient) -> tuple[int, str]:
    """Wait for the server's Close frame and answer it."""
    close = client.receive_close()
    client.send_close()
    assert client.rest() == b""
    return close


def receivers(hall: Hall) -> str:
    """Who got the one event ``event`` with the argument ``text``."""
    for member in hall.members:
        hall.call(member.session.send, "mark")
    found = ""
    for letter, client in zip("ABC", hall.raw, strict=True):
        while (message := client.receive_message()) != "mark":
            assert message == "text"
            found += letter
    for letter, fake in zip("def", hall.clients, strict=True):
        found += letter * hall.call(fake.events).count(["event", "text"])
    return found


def test_whom_a_broadcast_is_for(hall: Hall) -> None:
    io, (a, _, c), (d, _, f) = hall.io, hall.members, hall.sockets
    for choose, expected in (
        (lambda: io, "ABCdef"),
        (lambda: io.of("/"), "ABCdef"),
        (lambda: io.local, "ABCdef"),
        (lambda: io.volatile, "ABCdef"),
        (lambda: io.to("red"), "ABd"),
        (lambda: io.in_("red", "blue"), "ABCde"),
        (lambda: io.except_("red"), "Cef"),
        (lambda: io.to("red").except_("big"), "Ad"),
        (lambda: io.to(c.id), "C"),
        (lambda: io.except_(c.id), "ABdef"),
        (lambda: d.broadcast, "ABCef"),
        (lambda: d.to("red"), "AB"),
        (lambda: f.to("blue"), "Ce"),
        (lambda: d.except_("blue"), "ABf"),
        (lambda: a, "A"),
        (lambda: a.broadcast, "BCdef"),
        (lambda: a.local, "BCdef"),
        (lambda: a.volatile, "BCdef"),
        (lambda: a.to("red"), "Bd"),
        (lambda: a.in_("red", "blue"), "BCde"),
        (lambda: a.to("red").volatile.to("blue").except_("big"), "Cde"),
        (lambda: a.except_("red"), "Cef"),
        (lambda: io.of("/elsewhere"), ""),
    ):
        hall.emit(choose, "event", "text")
        assert receivers(hall) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("HelloWorld é\U0001f600",), "HelloWorld é\U0001f600"),
        (("",), ""),
        ((b"\x00\xff",), b"\x00\xff"),
        ((bytearray(b"abc"),), b"abc"),
        ((), '["e"]'),
        ((None,), '["e",null]'),
        ((1.5,), '["e",1.5]'),
        (("a", "b"), '["e","a","b"]'),
        (({"a": [1, b"\x00\xff"]},), '["e",{"a":[1,"AP8="]}]'),
        (("\ud800", 1), '["e","\\ud800",1]'),
    ],
    ids=repr,
)
@one_driver
def test_the_message_of_an_event(halls: Halls, args: tuple[Any, ...], expected: Any) -> None:
    hall = halls()
    hall.enter()
    hall.emit(lambda: hall.io, "e", *args)
    assert hall.raw[0].receive_message() == expected


def test_each_function_is_called_once(halls: Halls) -> None:
    hall = halls()
    calls: list[Any] = []

    def shout(event: str, *args: Any) -> str | None:
        calls.append((shout, event, *args))
        return None if event == "secret" else f"{event}!"

    class Bytes:
        def make(self, event: str, *args: Any) -> bytes:
            calls.append((Bytes, event))
            return event.encode()

    make = Bytes()
    for message in (shout, make.make, shout, make.make, None, shout):
        hall.enter(message)
    hall.join()
    hall.emit(lambda: hall.io, "a", 1, "x")
    assert [client.receive_message() for client in hall.raw] == [
        "a!", b"a", "a!", b"a", '["a",1,"x"]', "a!",
    ]  # fmt: skip
    assert hall.call(hall.clients[0].events) == [["a", 1, "x"]]
    hall.emit(lambda: hall.io, "secret")
    assert calls == [(shout, "a", 1, "x"), (Bytes, "a"), (shout, "secret"), (Bytes, "secret")]
    assert [hall.raw[at].receive_message() for at in (1, 3)] == [b"secret"] * 2
    assert hall.raw[4].receive_message() == '["secret"]'
    assert hall.call(hall.members[0].emit, "secret") is False
    assert hall.call(hall.members[0].emit, "b") is True
    assert hall.raw[0].receive_message() == "b!"
    hall.nothing_more()


def test_a_function_that_fails_fails_nobody_else(
    halls: Halls, caplog: pytest.LogCaptureFixture
) -> None:
    hall = halls()

    def broken(event: str, *args: Any) -> str:
        raise LookupError("broken")

    def numbers(event: str, *args: Any) -> Any:
        return 5

    for message in (broken, numbers, None, broken):
        hall.enter(message)
    hall.join()
    hall.emit(lambda: hall.io, "e", "text")
    assert hall.raw[2].receive_message() == "text"
    assert hall.call(hall.clients[0].events) == [["e", "text"]]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        LookupError,
        TypeError,
    ]
    hall.nothing_more()


def test_what_a_function_does_meanwhile(halls: Halls) -> None:
    hall = halls()

    def leave(event: str, *args: Any) -> str:
        for member in hall.members[:2]:
            member.disconnect(True)
        hall.io.emit("nested", "nested")
        return "never"

    hall.enter(leave)
    hall.enter(leave)
    hall.enter()
    hall.emit(lambda: hall.io, "e", "text")
    assert [hall.raw[2].receive_message() for _ in range(2)] == ["nested", "text"]
    assert [answer_close(client) for client in hall.raw[:2]] == [(1000, "")] * 2


def test_it_leaves_when_the_session_closes(hall: Hall) -> None:
    (a, b, c), io = hall.members, hall.io

    def raises(code: int, reason: str) -> None:
        assert not a.connected
        raise LookupError("a handler")

    hall.call(lambda: a.session.on("close", raises))
    hall.raw[0].leave()
    hall.raw[1].vanish()
    hall.driver.until(lambda: not (a.connected or b.connected))
    assert a.rooms == b.rooms == set()
    assert set(io.of("/").raw) == {c.id}
    assert hall.call(lambda: io.to("red").emit("e"))
    assert hall.call(a.emit, "e") is False
    hall.call(a.join, "red")
    hall.call(a.leave, "red")
    hall.call(a.disconnect)
    assert hall.call(lambda: dict(io.of("/").adapter.rooms["red"])) == {hall.sockets[0].id: None}
    with pytest.raises(ConnectionClosed):
        hall.call(io.admit, a.session)
    # Who has left may still have something to say.
    hall.call(lambda: a.to("blue").emit("left", "bye"))
    assert hall.raw[2].receive_message() == "bye"


def test_it_leaves_one_namespace_and_not_the_other(hall: Hall) -> None:
    member, session, client = hall.members[0], hall.members[0].session, hall.raw[0]
    other = hall.call(lambda: hall.io.of("/other").admit(session))
    assert other.id != member.id
    hall.call(member.disconnect)
    hall.emit(lambda: hall.io, "e", "not for it")
    hall.emit(lambda: hall.io.of("/other"), "e", "other")
    assert client.receive_message() == "other"
    again = hall.call(lambda: hall.io.admit(session))
    assert again is not member
    assert again.rooms == {again.id}
    hall.call(other.disconnect, True)
    hall.emit(lambda: hall.io, "e", "it is closing")
    assert answer_close(client) == (1000, "")
    hall.driver.until(lambda: not again.connected)


def test_admitted_again_it_is_the_same(hall: Hall) -> None:
    member = hall.members[0]
    assert hall.call(hall.io.admit, member.session) is member
    assert member.rooms == {member.id, "red"}
    assert hall.call(lambda: hall.io.admit(member.session, message=lambda *args: "new")) is member
    assert hall.call(hall.io.admit, member.session) is member
    hall.emit(lambda: hall.io, "e", 1)
    assert hall.raw[0].receive_message() == "new"


def test_what_is_done_by_room(hall: Hall) -> None:
    io, (a, b, c), (d, _, _) = hall.io, hall.members, hall.sockets
    hall.call(lambda: io.in_("red").sockets_join("x", "y"))
    hall.call(lambda: io.in_("big").sockets_leave("x"))
    assert a.rooms == {a.id, "red", "x", "y"}
    assert b.rooms == {b.id, "red", "big", "y"}
    assert d.rooms == {d.id, "red", "x", "y"}
    found = hall.driver.run(lambda: wait(io.fetch_sockets()))
    assert found == hall.sockets
    hall.call(lambda: io.in_("x").disconnect_sockets())
    assert not a.connected
    assert not d.connected
    hall.call(lambda: io.to("red", "blue").emit("e", "text"))
    assert [client.receive_message() for client in hall.raw[1:]] == ["text"] * 2
    hall.call(lambda: io.disconnect_sockets(True))
    assert [answer_close(client) for client in hall.raw[1:]] == [(1000, "")] * 2
    hall.nothing_more()
    assert hall.call(lambda: io.of("/").empty)
    assert not c.connected


async def wait(awaitable: Any) -> Any:
    return await awaitable


def test_acknowledgements_are_not_waited_for(halls: Halls) -> None:
    hall = halls()
    hall.enter()
    assert hall.driver.run(lambda: wait(hall.io.emit_with_ack("question", "text"))) == []
    assert hall.raw[0].receive_message() == "text"
    hall.join()
    with pytest.raises(AckTimeout) as caught:
        hall.driver.run(lambda: wait(hall.io.timeout(0.01).emit_with_ack("question", "again")))
    assert caught.value.responses == []
    assert hall.raw[0].receive_message() == "again"


def test_offsets_are_not_for_them(halls: Halls) -> None:
    hall = halls(connection_state_recovery=True)
    hall.enter()
    hall.join()
    hall.emit(lambda: hall.io, "e", "text")
    hall.emit(lambda: hall.io.volatile, "e", "volatile")
    hall.emit(lambda: hall.members[0], "e", "alone")
    got = [hall.raw[0].receive_message() for _ in range(3)]
    assert got == ["text", "volatile", "alone"]
    (first, second) = hall.call(hall.clients[0].events)
    assert (first[:2], len(first)) == (["e", "text"], 3)
    assert second == ["e", "volatile"]


def test_limit_of_rooms(halls: Halls) -> None:
    hall = halls(limits=Limits(max_rooms=3))
    member = hall.enter()
    hall.call(member.join, "a", "b")
    hall.call(member.join, "a", ["b"])
    with pytest.raises(LimitExceeded, match="max_rooms"):
        hall.call(member.join, "c")
    with pytest.raises(TypeError):
        hall.call(member.join, 5)
    hall.call(member.leave, "a")
    hall.call(member.join, "c")
    assert member.rooms == {member.id, "b", "c"}


def test_volatile_is_dropped_for_those_who_are_not_ready(halls: Halls) -> None:
    hall = halls(web={"max_buffered": 1 << 30})
    slow = hall.enter(receive_buffer=4096)
    hall.enter()
    filler = bytes(200_000)

    def emit_volatile() -> bool:
        if not slow.session.buffered_amount:
            slow.session.send(filler)
            return False
        # At once: later the system may have taken the rest.
        hall.io.volatile.emit("e", "volatile")
        return True

    while not hall.call(emit_volatile):
        pass
    hall.emit(lambda: hall.io, "e", "not volatile")
    assert [hall.raw[1].receive_message() for _ in range(2)] == ["volatile", "not volatile"]
    assert (slow.dropped, hall.members[1].dropped) == (1, 0)
    while (got := hall.raw[0].receive_message()) == filler:
        pass
    assert got == "not volatile"
    hall.driver.until(lambda: not slow.session.buffered_amount)
    hall.emit(lambda: hall.io.volatile, "e", "again")
    assert hall.raw[0].receive_message() == "again"


def test_slow_ones_are_cut_off_and_others_served(
    halls: Halls, caplog: pytest.LogCaptureFixture
) -> None:
    hall = halls(web={"max_buffered": 1_000_000})
    slow = hall.enter(receive_buffer=4096)
    hall.enter()
    message = bytes(200_000)
    for _ in range(1000):
        hall.emit(lambda: hall.io, "e", message)
        assert hall.raw[1].receive_message() == message
        if not hall.call(lambda: slow.connected):
            break
    assert not slow.connected
    assert "bytes wait to be sent, at most 1000000" in caplog.text


@one_driver
def test_the_frame_is_built_once(halls: Halls) -> None:
    hall = halls()
    for _ in range(50):
        hall.enter()
    message = bytes(1_000_000)

    def measure() -> int:
        gc.collect()
        tracemalloc.start()
        hall.io.emit("e", message)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert hall.call(measure) < 2_500_000


def test_namespaces_with_members_stay(halls: Halls) -> None:
    hall = halls()
    parent = hall.call(lambda: hall.io.of(re.compile("^/room-")))
    hall.enter()
    session = hall.members[0].session
    fake = hall.call(lambda: join(hall.io, "/room-1"))
    child = hall.io.namespaces["/room-1"]
    member = hall.call(child.admit, session)
    hall.call(fake.engine.lose)
    assert hall.io.namespaces["/room-1"] is child
    hall.emit(lambda: parent, "e", "to all rooms")
    assert hall.raw[0].receive_message() == "to all rooms"
    hall.call(member.disconnect)
    assert "/room-1" not in hall.io.namespaces
    with pytest.raises(TypeError, match="parent namespace"):
        hall.call(parent.admit, session)


def test_a_server_that_closes_puts_them_out(hall: Hall) -> None:
    hall.driver.until(lambda: hall.io.close().done)
    assert not any(member.connected for member in hall.members)
    # The port, which is not its own, goes on.
    hall.nothing_more()


def test_sessions_of_other_servers(hall: Hall) -> None:
    other = Serving(hall.driver)
    try:
        client, session = other.accept()
        hall.call(hall.io.admit, session)
        hall.emit(lambda: hall.io, "e", "text")
        assert client.receive_message() == "text"
    finally:
        other.close()


@one_driver
def test_who_is_not_admitted(hall: Hall) -> None:
    async def coroutine(*args: Any) -> None:
        raise AssertionError

    session = hall.call(hall.members[0].disconnect) or hall.members[0].session
    for message in (5, coroutine, type("Unhashable", (dict,), {"__call__": print})()):
        with pytest.raises(TypeError):
            hall.call(lambda message=message: hall.io.admit(session, message=message))
    with pytest.raises(RuntimeError, match="another reactor"):
        # This is not the server's thread.
        hall.io.admit(session)
    assert len(hall.call(lambda: hall.io.of("/").raw)) == 2
    with pytest.raises(ValueError, match="reserved"):
        hall.call(hall.members[1].emit, "connect")

    async def ours() -> None:
        host, port = hall.serving.address[:2]
        async with cooee.connect(f"ws://{host}:{port}/") as ws:
            with pytest.raises(ValueError, match="must mask"):
                hall.io.admit(ws)

    hall.driver.run(ours)


@one_driver
def test_nothing_is_left_of_those_who_left(halls: Halls) -> None:
    hall = halls()

    def count() -> int:
        return sum(type(one) is RawMember for one in gc.get_objects())

    gc.collect()
    before = count()
    for _ in range(3):
        hall.enter()
    assert count() == before + 3
    hall.raw.pop().leave()
    hall.raw.pop().vanish()
    namespace = hall.io.of("/")
    hall.driver.until(lambda: len(namespace.raw) == 1)
    hall.call(hall.members[0].disconnect)
    assert hall.call(lambda: (namespace.adapter.rooms, namespace.adapter.sids)) == ({}, {})
    hall.members.clear()
    # Without the help of the collector.
    gc.disable()
    try:
        hall.driver.until(lambda: count() == before)
    finally:
        gc.enable()

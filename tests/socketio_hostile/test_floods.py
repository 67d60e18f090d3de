"""Floods: what one client, or a thousand, can make the server keep is bounded."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from socket import SO_SNDBUF, SOL_SOCKET

import pytest
from tests.leaks import grows_less
from tests.rawclient import RawClient, message_frame
from tests.socketio_hostile.serving import (
    PATH,
    Hostility,
    PollingSession,
    Session,
    write_payload,
)

from cooee.socketio import AckTimeout, LimitExceeded, Limits, Recovery, Socket

Start = Callable[..., Hostility]
MEGABYTE = 1024 * 1024

# Memory does not depend on what drives the reactor.
pytestmark = [
    pytest.mark.once,
    pytest.mark.parametrize("driver", ["asyncio"], indirect=True),
]


@pytest.fixture
def bounded() -> Iterator[None]:
    """The process, which is server and clients, grows by 48 MiB at most."""
    with grows_less(48 * MEGABYTE):
        yield


def bystander(server: Hostility) -> Session:
    """A client that keeps the rules."""
    session = server.join()
    server.sockets.take()
    return session


def limit_buffers(server: Hostility, session: Session) -> None:
    """Have the system hold but little of what a session and its server send to each other."""
    raw: RawClient = session.raw  # type: ignore[attr-defined]
    raw.sock.setsockopt(SOL_SOCKET, SO_SNDBUF, 64 * 1024)
    server.driver.limit_send_buffers()


def test_a_client_that_never_reads_its_echoes(serving: Start, bounded: None) -> None:
    server = serving(max_buffered=MEGABYTE)
    other = bystander(server)
    greedy = server.join(receive_buffer=4096)
    limit_buffers(server, greedy)
    message = message_frame('42["echo","' + "x" * 100_000 + '"]')
    for _ in range(600):
        try:
            greedy.raw.send(message)
        except ConnectionError:
            break
    else:
        # The system's buffers hold some of it, but not 60 MB.
        pytest.fail("the server has taken all of it")
    server.until(lambda: greedy.sid not in server.io.engine.clients)
    assert server.ends.take() == ("/", "transport error")
    other.check_echo()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_that_takes_nothing_of_a_broadcast(
    serving: Start, bounded: None, transport: str
) -> None:
    server = serving(max_buffered=MEGABYTE)
    other = bystander(server)
    deaf = server.join(transport, receive_buffer=4096)
    number = 0
    while server.driver.call(lambda: deaf.sid in server.io.engine.clients):
        for _ in range(10):
            server.driver.call(server.io.emit, "news", number, "x" * 10_000)
            assert json.loads(str(other.take())[1:])[1] == number
            number += 1
        # However much the system takes.
        assert number < 20_000, "it is never cut off"
    assert server.ends.take() == ("/", "transport error")
    other.check_echo()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_slow_client_gets_everything(serving: Start, transport: str) -> None:
    server = serving()
    slow = server.join(transport, receive_buffer=4096)
    for number in range(200):
        server.driver.call(server.io.emit, "news", number, "x" * 10_000)
    assert [json.loads(str(slow.take())[1:])[1] for _ in range(200)] == list(range(200))


def test_an_event_whose_last_attachment_never_comes(serving: Start, bounded: None) -> None:
    server = serving(ping_interval=1, ping_timeout=1)
    # Of another server on the same reactor, with which it has time to answer pings.
    other = bystander(serving())
    sessions = [server.hurried("0") for _ in range(3)]
    for session in sessions:
        session.send('510-["echo"]', *[bytes(1_000_000)] * 9)
    # They answer no ping either.
    while server.sessions:
        other.check_echo()
    assert [server.ends.take() for _ in sessions] == [("/", "ping timeout")] * 3


def test_namespaces_by_the_thousand(serving: Start, bounded: None) -> None:
    server = serving(limits=Limits(max_namespaces=20))
    server.driver.call(server.io.of, re.compile("^/room-"))
    other = bystander(server)
    session = server.session()
    session.send(*[f"0/room-{number}," for number in range(5000)])
    answers = [str(session.take()) for _ in range(5000)]
    assert sum(answer.startswith("0/room-") for answer in answers) == 20
    assert sum('"Too many namespaces"' in answer for answer in answers) == 4980
    assert server.driver.call(lambda: len(server.io.namespaces)) == 21
    # One after another, as many as it likes; none stays.
    session.send(*[f"1/room-{number}," for number in range(20)])
    for number in range(5000):
        session.send(f"0/other-{number},", f"0/room-{number},", f"1/room-{number},")
        assert '"Invalid namespace"' in str(session.take())
        assert str(session.take()).startswith("0/room-")
    server.until(lambda: set(server.io.namespaces) == {"/"})
    other.check_echo()


def test_rooms_by_the_thousand(serving: Start, bounded: None) -> None:
    server = serving(limits=Limits(max_rooms=100))
    other = bystander(server)
    session = server.join()
    socket = server.sockets.take()

    def join(name: str) -> None:
        try:
            socket.join(name)
        except LimitExceeded:
            socket.emit("no")

    server.driver.call(socket.on, "join", join)
    names = ["__proto__", "constructor", *[f"room {number}" for number in range(3000)]]
    session.send(*[f'2["join","{name}"]' for name in names])
    # It is in its own.
    assert [session.take() for _ in range(len(names) - 99)] == ['2["no"]'] * (len(names) - 99)
    assert server.driver.call(lambda: len(socket.rooms)) == 100
    session.send("1")
    server.until(lambda: len(server.io.sockets.adapter.rooms) == 1)
    other.check_echo()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_clients_that_never_join(serving: Start, bounded: None, transport: str) -> None:
    server = serving(connect_timeout=0.5)
    other = server.hurried("0")
    server.sockets.take()
    if transport == "websocket":
        for _ in range(300):
            server.session()
    else:
        # None of them polls, so that the CLOSE packet waits for their heartbeats.
        client = server.connect()
        for _ in range(3000):
            client.request(f"{PATH}?EIO=4&transport=polling")
            assert client.answer().status == 200
        clients = server.io.engine.clients
        server.until(lambda: all(one.ready_state != "open" for one in list(clients.values())[1:]))
        server.driver.call(lambda: [one.close(True) for one in list(clients.values())[1:]])
    server.until(lambda: len(server.io.engine.clients) == 1)
    assert server.sockets.empty()
    other.check_echo()


def test_acknowledgements_that_never_come(serving: Start, bounded: None) -> None:
    server = serving(limits=Limits(max_acks=100))
    other = bystander(server)
    session = server.join()
    socket = server.sockets.take()
    errors: list[Exception | None] = []

    def ask() -> None:
        for _ in range(5000):
            socket.timeout(60).emit("question", ack=lambda error, *answer: errors.append(error))

    server.driver.call(ask)
    server.until(lambda: len(errors) == 4900)
    assert all(isinstance(error, AckTimeout) for error in errors)
    # Nor does it help to guess.
    for _ in range(5000):
        session.take()
    session.send(*[f"3{number}[]" for number in range(4900)])
    session.check_echo()
    assert len(errors) == 4900
    session.send(*[f"3{number}[]" for number in range(4900, 10_000)])
    session.check_echo()
    assert errors[4900:] == [None] * 100
    other.check_echo()


def test_acknowledgements_that_nobody_asked_for(serving: Start, bounded: None) -> None:
    server = serving()
    session = server.join()
    session.send(*[f'3{number * 10**12}["x"]' for number in range(9000)])
    session.send(*[message for _ in range(1000) for message in ('61-7[{"a":1}]', b"x")])
    session.check_echo()


def test_events_while_a_handler_does_not_return(serving: Start, bounded: None) -> None:
    server = serving(limits=Limits(max_queue=MEGABYTE))
    other = bystander(server)
    session = server.join()
    socket: Socket = server.sockets.take()
    released = asyncio.Event()

    @socket.on("hang")
    async def hang() -> None:
        await released.wait()

    session.send('2["hang"]')
    flood = message_frame('42["echo","' + "x" * 1000 + '"]') * 100
    for _ in range(1000):
        session.raw.send_until_gone(flood)
        if not server.driver.call(lambda: session.sid in server.io.engine.clients):
            break
    session.wait_ended()
    assert not socket.connected
    other.check_echo()

    server.driver.call(released.set)
    assert server.ends.take() == ("/", "forced server close")


def test_payloads_of_a_million_bytes_of_nothing(serving: Start, bounded: None) -> None:
    server = serving()
    other = bystander(server)
    for body in (
        b"4" * 1_000_000,
        b"\x1e" * 1_000_000,
        b"4\x1e" * 400_000,
        b"42[\x1e" * 200_000,
        b"b" * 1_000_000,
        write_payload(('2["ignored"]',) * 60_000, 4),
        b'42["ignored",' + b"[" * 900_000,
        b'42["ignored",' + b"0," * 400_000 + b"0]",
        b'42["ignored",' + b'{"":0},' * 100_000 + b"0]",
        b'42["ignored","' + b"\\u0000" * 160_000 + b'"]',
    ):
        session = server.join("polling")
        assert isinstance(session, PollingSession)
        assert session.post(body) in (200, 400, 413)
        session.send("1")
        other.check_echo()
        while not server.events.empty():
            server.events.take()


def test_echoes_that_are_kept_for_recovery(serving: Start, bounded: None) -> None:
    recovery = Recovery(max_log_size=8 * MEGABYTE)
    server = serving(connection_state_recovery=recovery)
    other = bystander(server)
    session = server.join()
    for number in range(100):
        session.send(f'2["echo",{number},"{"x" * 900_000}"]')
        assert str(session.take()).startswith(f'2["echo",{number},')
        server.events.take()
    other.send('2["echo"]')
    assert str(other.take()).startswith('2["echo",')


def test_sessions_that_are_kept_for_recovery(serving: Start, bounded: None) -> None:
    server = serving(connection_state_recovery=Recovery(max_sessions=50))
    for _ in range(200):
        session = server.join()
        session.raw.vanish()  # type: ignore[attr-defined]
        server.ends.take()
        server.sockets.take()
    adapter = server.io.sockets.adapter
    assert server.driver.call(lambda: len(adapter._sessions)) == 50  # type: ignore[attr-defined]
    # Ids and offsets of others open nothing, whatever they are.
    for pid, offset in (
        *(("x", "y"), ("", ""), ("__proto__", "0"), ("x" * 5000, "9" * 5000)),
        *((1, 2), (None, None), ([], {}), (True, True)),
    ):
        session = server.session()
        session.send("0" + json.dumps({"pid": pid, "offset": offset, "sid": "mine"}))
        answer = json.loads(str(session.take())[1:])
        assert answer["sid"] != "mine"
        assert answer["pid"] != pid


def test_connections_that_come_and_go(serving: Start, bounded: None) -> None:
    server = serving()
    other = bystander(server)
    for number in range(1000):
        client = RawClient(server.address)
        if number % 3 == 1:
            client.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n")
        elif number % 3 == 2:
            client.request_upgrade(f"{PATH}?EIO=4&transport=websocket")
        client.vanish() if number % 2 else client.close()
    server.until(lambda: len(server.io.engine.clients) == 1)
    other.check_echo()

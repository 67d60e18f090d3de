"""Our client and servers that lie: it ends the connection, or goes on, and keeps its head."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.drivers import Driver
from tests.leaks import grows_less
from tests.protocol import oracle
from tests.rawserver import RawPeer, RawServer, server_message
from tests.socketio_client.serving import Client
from tests.socketio_hostile.serving import Message
from tests.socketio_hostile.test_packets import CASES, Case

from cooee.engineio.client_transports import TransportFailure
from cooee.socketio import Disconnected, Manager

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

HANDSHAKE = {"sid": "s", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000}
MEGABYTE = 1024 * 1024


class Liar:
    """
    A server on plain sockets, and one client of ours that comes to it.

    Attributes:
        client: The client, in the namespace ``/``.
        peer: The server's end of its WebSocket.
    """

    client: Client
    peer: RawPeer

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.server = RawServer()
        self.managers: list[Manager] = []

    def expect(self, transports: str = "websocket", **options: Any) -> RawPeer:
        """Let a client come, and read its first request."""

        def connect() -> Client:
            manager = Manager(
                self.server.url.replace("ws:", "http:"),
                transports=[transports],
                reconnection=False,
                **options,
            )
            self.managers.append(manager)
            return Client(self.driver, manager.socket("/"))

        self.client = self.driver.call(connect)
        self.peer = self.server.take()
        return self.peer

    def open(self, handshake: str | None = None, **options: Any) -> None:
        """Accept a client's WebSocket, and send it the OPEN packet."""
        self.expect(**options).accept()
        self.peer.send_message("0" + (json.dumps(HANDSHAKE) if handshake is None else handshake))

    def join(self, answer: str = '40{"sid":"id"}', **options: Any) -> None:
        """Open, and answer to CONNECT."""
        self.open(**options)
        assert self.peer.receive_message() == "40"
        self.peer.send_message(answer)

    def send(self, *messages: Message) -> None:
        """Send messages of Socket.IO's; the client may be gone meanwhile."""
        self.peer.send_until_gone(
            b"".join(server_message(f"4{one}" if isinstance(one, str) else one) for one in messages)
        )

    def check(self) -> None:
        """The client goes on: what is sent to it arrives."""
        self.send('2["still there?"]')
        while self.client.take() != ("still there?",):
            pass

    def wait_ended(self) -> tuple[Any, ...]:
        """The client has ended the connection; the arguments of ``disconnect``."""
        while (event := self.client.take())[0] != "disconnect":
            pass
        while self.peer.receive().opcode != oracle.CLOSE:
            pass
        self.peer.send_close(1000)
        return event[1:]

    def close(self) -> None:
        """End everything; nothing may be left."""
        for manager in self.managers:
            self.driver.call(manager.close)
        self.server.close()
        for manager in self.managers:
            engine = manager.engine
            if engine is not None:
                gone = self.driver.call(engine.wait_gone)
                self.driver.until(lambda gone=gone: gone.done)


@pytest.fixture
def liar(driver: Driver, caplog: pytest.LogCaptureFixture) -> Iterator[Liar]:
    """A server that lies; the client logs no error."""
    caplog.set_level(logging.ERROR)
    liar = Liar(driver)
    yield liar
    liar.close()
    assert not [record.getMessage() for record in caplog.get_records("call")]


# What a server says of itself is another matter: below. An event for another namespace is not for
# us; and CONNECT is no violation of a server's.
OF_SERVERS = [
    case
    for case in CASES
    if not any(word in case.name for word in ("CONNECT", "echo", "namespace", "NUL at"))
]


@pytest.mark.parametrize("case", OF_SERVERS, ids=lambda case: case.name)
def test_packets(liar: Liar, case: Case) -> None:
    liar.join()
    assert liar.client.take() == ("connect",)
    liar.send(*case.messages)
    if case.end is None:
        liar.check()
    else:
        assert liar.wait_ended()[0] == "parse error"


@pytest.mark.parametrize(
    "message",
    [
        *("1/admin,", '2/admin,["x"]', "3/admin,1[]", '4/admin,{"message":"no"}', "0/admin,{}"),
        *('0{"sid":"another"}', "0", "0{}", '31["nobody asked"]', '2["connect_error_"]'),
        '21["asks"]',
    ],
)
def test_packets_that_mean_nothing_to_it(liar: Liar, message: str) -> None:
    liar.join()
    liar.send(message)
    liar.check()
    assert liar.client.socket.id == "id"


@pytest.mark.parametrize("packet", ["x", "7", "9", "b!", "bA", "", "0", "0{}", "3", "5", "6"])
def test_packets_of_engineio(liar: Liar, packet: str) -> None:
    liar.join()
    liar.peer.send_message(packet)
    if packet in ("0", "0{}", "3", "5", "6"):
        liar.check()
    else:
        assert liar.wait_ended()[0] == "transport error"


def with_field(name: str, value: str) -> str:
    """A handshake in which a field is something else."""
    rest = {key: field for key, field in HANDSHAKE.items() if key != name}
    return json.dumps(rest)[:-1] + f', "{name}": {value}}}'


LIES = [
    *("", "{", "[]", "null", '"s"', "1", "{}", "NaN", "[" * 100_000, '{"a":' * 100_000),
    *[with_field("sid", value) for value in ("null", "1", "[]", '""', f'"{"s" * MEGABYTE}"')],
    *[with_field("upgrades", value) for value in ("null", '"websocket"', "[1]", "{}")],
    *[
        with_field(name, value)
        for name in ("pingInterval", "pingTimeout")
        for value in ("-1", "-25000", "1e400", "1.5", '"25000"', "null", "true", "1" + "0" * 30)
    ],
    *[with_field("maxPayload", value) for value in ("-1", '"1"', "1e9", "9" * 400)],
    '{"a":"' + "x" * (15 * MEGABYTE) + '"}',
]


@pytest.mark.parametrize("handshake", LIES, ids=lambda text: text[-40:])
def test_handshakes_that_lie(liar: Liar, handshake: str) -> None:
    liar.open(handshake)
    (error,) = liar.client.expect("connect_error")
    assert isinstance(error, TransportFailure)
    assert "handshake malformed" in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sid", '"../../x?y#z&sid=1\\r\\nX: 1"'),
        ("upgrades", '["polling", "websocket", "nonsense", ""]'),
        ("upgrades", json.dumps(["websocket"] * 100_000)),
        ("pingInterval", "0"),
        ("pingInterval", str(2**53 - 1)),
        ("maxPayload", "0"),
        ("maxPayload", "1"),
        ("another", "[" * 200 + "]" * 200),
    ],
    ids=lambda text: text[:30],
)
def test_handshakes_that_are_odd(liar: Liar, field: str, value: str) -> None:
    liar.open(with_field(field, value))
    assert liar.peer.receive_message() == "40"
    liar.peer.send_message('40{"sid":"id"}')
    liar.check()


def test_a_payload_limit_that_nothing_fits_in(liar: Liar) -> None:
    peer = liar.expect("polling")
    peer.read_request()
    opened = "0" + with_field("maxPayload", "1") + '\x1e40{"sid":"id"}'
    answer(peer, opened)
    # Then one packet goes at a time, which is the server's to refuse.
    bodies = []
    other = liar.server.take()
    for one in (peer, other):
        request = one.read_request()
        if request.method == "POST":
            bodies.append(one.take(int(request.headers["content-length"])))
            answer(one, "ok")
    assert bodies == [b"40"]


def answer(peer: RawPeer, body: str) -> None:
    """Answer a request."""
    data = body.encode()
    peer.respond("200 OK", {"Content-Length": str(len(data))}, data)


CONNECTS = [
    *("0", "0{}", '0{"sid":null}', '0{"sid":1}', '0{"pid":"p"}', '4"no"', '4{"message":1}'),
    '4{"message":"no","data":{"a":[1]}}',
]


@pytest.mark.parametrize("packet", CONNECTS)
def test_connect_replies_that_are_none(liar: Liar, packet: str) -> None:
    liar.join(f"4{packet}")
    liar.client.expect("connect_error")
    assert not liar.client.socket.connected


@pytest.mark.parametrize(
    "packet",
    [
        '0{"sid":""}',
        f'0{{"sid":"{"s" * MEGABYTE}"}}',
        '0{"sid":"__proto__","pid":[],"connected":false}',
        '0{"sid":"a","pid":""}',
    ],
    ids=lambda text: text[:30],
)
def test_connect_replies_that_are_odd(liar: Liar, packet: str) -> None:
    liar.join(f"4{packet}")
    liar.check()


def test_events_before_the_answer_to_connect(liar: Liar) -> None:
    liar.open(max_queue=100_000)
    assert liar.peer.receive_message() == "40"
    # Of a session that is recovered they come before it; but not without end.
    liar.send(*['2["missed","' + "x" * 1000 + '"]'] * 200)
    while liar.peer.receive().opcode != oracle.CLOSE:
        pass
    liar.peer.send_close(1000)
    liar.driver.until(lambda: liar.client.socket.manager.ready_state == "closed")
    waiting = liar.driver.call(liar.client.socket.wait_connected)
    with pytest.raises(Disconnected, match="transport error"):
        waiting.result()


@pytest.mark.once
def test_a_flood_while_a_handler_hangs(liar: Liar) -> None:
    liar.join(max_queue=MEGABYTE)
    assert liar.client.take() == ("connect",)
    socket = liar.client.socket
    released = asyncio.Event()

    async def hang() -> None:
        await released.wait()

    liar.driver.call(socket.on, "hang", hang)
    liar.send('2["hang"]')
    flood = [f'2["news","{"x" * 1000}"]'] * 1000
    with grows_less(32 * MEGABYTE):
        for _ in range(100):
            liar.send(*flood)
            if not liar.driver.call(lambda: socket.connected):
                break
        else:
            pytest.fail("100 MB wait for the handler")
        liar.driver.call(released.set)
    while (event := liar.client.take())[0] != "disconnect":
        pass
    assert "max_queue" in str(event[2])


def test_a_message_that_is_too_large(liar: Liar) -> None:
    liar.join(max_message_size=10_000)
    liar.send(f'2["x","{"x" * 10_000}"]')
    assert liar.wait_ended()[0] == "transport error"


ANSWERS: list[tuple[str, bytes, Callable[[int], bytes]]] = [
    ("a head without end", b"HTTP/1.1 200 OK\r\nA: ", lambda number: b"x" * 50_000),
    ("fields without end", b"HTTP/1.1 200 OK\r\n", lambda number: b"A: b\r\n" * 5000),
    ("a reason without end", b"HTTP/1.1 200 ", lambda number: b"x" * 50_000),
    ("interim answers without end", b"", lambda number: b"HTTP/1.1 100 C\r\n\r\n" * 2000),
    (
        "a body without end",
        b"HTTP/1.1 200 OK\r\n\r\n",
        lambda number: b"x" * 50_000,
    ),
    (
        "a body of single bytes without end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        lambda number: b"1\r\nx\r\n" * 5000,
    ),
    (
        "extensions of chunks without end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        lambda number: b"a" * 50_000,
    ),
    (
        "trailers without end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: ",
        lambda number: b"x" * 50_000,
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("name", "begin", "more"), ANSWERS, ids=lambda value: str(value)[:40])
def test_answers_without_end(
    liar: Liar, name: str, begin: bytes, more: Callable[[int], bytes]
) -> None:
    peer = liar.expect("polling", max_message_size=2 * MEGABYTE)
    peer.read_request()
    with grows_less(32 * MEGABYTE):
        try:
            peer.send(begin)
            for number in range(2000):
                peer.send(more(number))
        except ConnectionError:
            pass
        else:
            pytest.fail(f"{name}: it has taken all of it")
        liar.client.expect("connect_error")


POLLS = [
    *("", "\x1e", "x", "0", "0{}", "4x", "6", "1", '40{"sid":"id"}', "b!", "\ufffd", "1:1"),
    "0" + with_field("sid", "[]"),
]


@pytest.mark.parametrize("body", POLLS, ids=ascii)
def test_polls_without_a_handshake(liar: Liar, body: str) -> None:
    peer = liar.expect("polling")
    peer.read_request()
    answer(peer, body)
    liar.client.expect("connect_error")


@pytest.mark.parametrize(
    "status",
    ["101 Switching Protocols", "204 No Content", "301 Moved", "400 Bad Request", "999 x", "20x"],
)
def test_answers_of_another_status(liar: Liar, status: str) -> None:
    peer = liar.expect("polling")
    peer.read_request()
    body = ("0" + json.dumps(HANDSHAKE)).encode()
    peer.respond(status, {"Location": "/", "Content-Length": str(len(body))}, body)
    liar.client.expect("connect_error")

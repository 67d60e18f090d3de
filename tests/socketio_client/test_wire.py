"""
What comes and goes in between: packets on the wire while the connection opens, changes or ends.

The server is a socket that sends exactly what a test says, several packets in one segment.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.protocol import oracle
from tests.rawserver import RawPeer, RawServer, server_message
from tests.socketio_client.serving import Client, Clients

import cooee
from cooee.socketio import Disconnected, LimitExceeded, Manager
from cooee.websocket.outcome import Outcome

HANDSHAKE = {"sid": "s", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000}
OPEN = "0" + json.dumps(HANDSHAKE)
JOINED = '40{"sid":"id"}'
FILE = '451-["file",{"_placeholder":true,"num":0}]'
# Bytes, so that a few megabytes are more than the system holds between a client and its server.
RECEIVE_BUFFER = 128 * 1024


@pytest.fixture
def server(clients: Clients) -> Iterator[RawServer]:
    """Where clients come to; gone before they are closed, which then need not wait for it."""
    with RawServer(receive_buffer=RECEIVE_BUFFER) as server:
        yield server


def join(clients: Clients, server: RawServer, **options: Any) -> tuple[Client, RawPeer]:
    """A client in the namespace ``/``, by WebSocket, and the server's end."""
    client = clients.connect(server.url, **{"transports": ["websocket"], **options})
    peer = let_join(server)
    client.expect("connect")
    return client, peer


def let_join(server: RawServer) -> RawPeer:
    """Take the next connection, and let it join."""
    peer = server.take()
    peer.accept()
    peer.send_message(OPEN)
    assert peer.receive_message() == "40"
    peer.send_message(JOINED)
    return peer


def answer(peer: RawPeer, body: str) -> None:
    """Answer a request."""
    data = body.encode()
    peer.respond("200 OK", {"Content-Length": str(len(data))}, data)


def send(peer: RawPeer, *messages: str | bytes) -> None:
    """Send messages in one segment."""
    peer.send(b"".join(map(server_message, messages)))


def receive_end(peer: RawPeer) -> None:
    """Wait for the Close frame, answer it and close."""
    while peer.receive().opcode != oracle.CLOSE:
        pass
    peer.send_close(1000)
    peer.close()


# Handlers that end the connection in the middle of a segment


@pytest.mark.parametrize("end", [lambda socket: socket.manager.close(), lambda s: s.disconnect()])
def test_a_handler_ends_it(
    server: RawServer, clients: Clients, end: Callable[[Any], object]
) -> None:
    client, peer = join(clients, server)
    client.driver.call(client.socket.on, "stop", lambda: end(client.socket))
    send(peer, '42["first"]', '42["stop"]', '42["after"]', FILE, b"x", "4no packet")
    assert [client.take()[0] for _ in range(3)] == ["first", "stop", "disconnect"]
    receive_end(peer)
    manager = client.socket.manager
    client.driver.until(lambda: manager.wait_closed().done)  # type: ignore[attr-defined]
    assert client.events.empty()


def test_a_handler_connects_again(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server)

    def again() -> None:
        client.socket.disconnect()
        client.socket.connect()

    client.driver.call(client.socket.on, "again", again)
    # The socket is active when the rest is read, but it came by the other connection.
    send(peer, '42["again"]', '42["old"]', FILE, b"old", '42["old"]')
    assert [client.take()[0] for _ in range(2)] == ["again", "disconnect"]
    new = let_join(server)
    client.expect("connect")
    send(new, FILE, b"new", '42["last"]')
    assert [client.take(), client.take()] == [("file", b"new"), ("last",)]
    receive_end(peer)


def test_a_packet_that_does_not_get_its_attachment(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server)
    send(peer, FILE)
    peer.close()
    assert client.expect("disconnect")[0] in ("transport close", "transport error")
    new = let_join(server)
    client.expect("connect")
    # What was forgotten does not take this for its attachment.
    send(new, '42["event"]', b"attachment")
    assert client.take() == ("event",)
    assert client.expect("disconnect")[0] == "parse error"


def test_a_handler_that_raises(
    server: RawServer, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    client, peer = join(clients, server)

    def fail() -> None:
        raise ValueError("a bug")

    with caplog.at_level(logging.ERROR, "cooee.socketio"):
        client.driver.call(client.socket.on, "fail", fail)
        send(peer, '42["fail"]', '42["after"]')
        assert [client.take(), client.take()] == [("fail",), ("after",)]
    assert "exception in a handler of 'fail'" in caplog.messages


def test_ctrl_c_in_a_handler() -> None:
    """What came with the packet is there when the program goes on."""
    got: list[Any] = []

    def serve() -> None:
        peer = let_join(server)
        send(peer, '42["take",0]', '42["take",1]', FILE, b"x", '42["take",2]')
        receive_end(peer)

    def take(number: int) -> None:
        got.append(number)
        if number == 1:
            raise KeyboardInterrupt
        if number == 2:
            manager.close()

    with RawServer() as server:
        manager = Manager(server.url, transports=["websocket"], reconnection=False)
        socket = manager.socket("/")
        socket.on("take", take)
        socket.on("file", got.append)
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            cooee.run()
        assert got == [0, 1]
        cooee.run()
        assert got == [0, 1, b"x", 2]
        thread.join(PATIENCE)


def test_a_handler_of_outgoing_events_connects_again(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server)

    def again(*args: Any) -> None:
        client.socket.off_any_outgoing()
        client.socket.disconnect()
        client.socket.connect()

    client.driver.call(client.socket.on_any_outgoing, again)
    client.driver.call(lambda: client.socket.emit("lost"))
    assert peer.receive_message() == "41"
    receive_end(peer)
    peer = let_join(server)
    client.driver.call(lambda: client.socket.emit("sent"))
    assert peer.receive_message() == '42["sent"]'


# What waits


def test_emitting_to_a_server_that_reads_nothing(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server, high_water=1000)
    client.driver.limit_send_buffers()
    text = "x" * 100_000

    def emit() -> list[Any]:
        return [client.socket.emit("much", text, b"bytes") for _ in range(100)]

    waiting = client.driver.call(emit)
    # More than the system has room for.
    assert isinstance(waiting[-1], Outcome)
    assert not waiting[-1].done
    header = json.dumps(["much", text, {"_placeholder": True, "num": 0}], separators=(",", ":"))
    for _ in waiting:
        assert peer.receive_message() == f"451-{header}"
        assert peer.receive_message() == b"bytes"
    client.driver.until(lambda: waiting[-1].done)
    assert client.driver.call(lambda: client.socket.emit("little")) is not waiting[-1]


def test_the_connection_is_lost_while_an_emit_waits(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server, high_water=1000, reconnection=False)
    client.driver.limit_send_buffers()

    def emit() -> list[Any]:
        return [client.socket.emit("much", "x" * 100_000) for _ in range(100)]

    waiting = client.driver.call(emit)[-1]
    assert isinstance(waiting, Outcome)
    assert not waiting.done
    peer.close()
    client.driver.until(lambda: waiting.done)
    reason = client.expect("disconnect")[0]
    with pytest.raises(Disconnected) as raised:
        waiting.result()
    assert raised.value.reason == reason


def test_a_server_that_takes_too_little(server: RawServer, clients: Clients) -> None:
    client, _ = join(clients, server, high_water=1000, max_buffered=100_000, reconnection=False)
    client.driver.limit_send_buffers()

    def emit() -> None:
        # Nothing of it raises, and what follows is no matter.
        for _ in range(100):
            client.socket.emit("much", "x" * 90_000)

    client.driver.call(emit)
    assert client.expect("disconnect")[0] in ("transport close", "transport error")


def test_attachments_of_events_that_wait_count(server: RawServer, clients: Clients) -> None:
    client, peer = join(clients, server, max_queue=1_000_000, reconnection=False)
    gate: Outcome[None] = Outcome()

    async def hang() -> None:
        await gate

    client.driver.call(client.socket.on, "hang", hang)
    two = '452-["two",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    messages: list[str | bytes] = ['42["hang"]']
    for _ in range(12):
        messages += [two, b"x" * 90_000, b"y"]
    peer.send_until_gone(b"".join(map(server_message, messages)))
    client.driver.until(lambda: not client.socket.connected)
    client.driver.call(gate.set_result, None)
    while (event := client.take())[0] != "disconnect":
        pass
    assert isinstance(event[2], LimitExceeded)


# A server that says no more


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_the_server_falls_silent(server: RawServer, clients: Clients, transport: str) -> None:
    client = clients.connect(server.url, transports=[transport], reconnection=False)
    peer = server.take()
    opened = "0" + json.dumps({**HANDSHAKE, "pingInterval": 100, "pingTimeout": 100})
    # In one piece: from there on only the client's own time counts.
    if transport == "websocket":
        peer.accept(rest=server_message(opened) + server_message(JOINED))
    else:
        assert peer.read_request().method == "GET"
        answer(peer, f"{opened}\x1e{JOINED}")
    client.expect("connect")
    assert client.expect("disconnect")[0] == "ping timeout"


# The change to WebSocket


class Upgrade:
    """
    A client that polls and probes a WebSocket.

    Attributes:
        client: In the namespace ``/``.
        poll: Where its GET waits for an answer.
        candidate: The WebSocket; its probe has come.
    """

    def __init__(self, clients: Clients, server: RawServer) -> None:
        self.client = clients.connect(server.url, transports=["polling", "websocket"])
        first = server.take()
        assert first.read_request().method == "GET"
        answer(first, "0" + json.dumps({**HANDSHAKE, "upgrades": ["websocket"]}))
        # The next poll, the POST with CONNECT and the WebSocket come in no order that matters.
        peers = [first, server.take(), server.take()]
        for peer in peers:
            request = peer.read_request()
            if "sec-websocket-key" in request.headers:
                self.candidate = peer
                fields = {"Upgrade": "websocket", "Connection": "Upgrade"}
                accept = {"Sec-WebSocket-Accept": request.accept}
                peer.respond("101 Switching Protocols", {**fields, **accept})
            elif request.method == "POST":
                assert peer.take(int(request.headers["content-length"])) == b"40"
                answer(peer, "ok")
            else:
                self.poll = peer
        assert self.candidate.receive_message() == "2probe"
        self.answer_poll(JOINED)
        self.client.expect("connect")

    @property
    def engine(self) -> cooee.engineio.Client:
        """The client's Engine.IO client."""
        engine = self.client.socket.manager.engine
        assert engine is not None
        return engine

    def answer_poll(self, *packets: str, again: bool = True) -> None:
        """Answer the poll, and wait for the next."""
        answer(self.poll, "\x1e".join(packets))
        if again:
            assert self.poll.read_request().method == "GET"


def test_messages_while_it_probes(server: RawServer, clients: Clients) -> None:
    upgrade = Upgrade(clients, server)
    client, candidate = upgrade.client, upgrade.candidate
    upgrade.answer_poll('42["polled",1]')
    assert client.take() == ("polled", 1)
    candidate.send_message("3probe")
    client.driver.until(lambda: not upgrade.engine.writable)
    # The poll under way may still bring something; it comes before what the WebSocket has.
    upgrade.answer_poll('42["polled",2]', again=False)
    assert candidate.receive_message() == "5"
    send(candidate, '42["first"]', FILE, b"x")
    assert [client.take() for _ in range(3)] == [("polled", 2), ("first",), ("file", b"x")]
    client.emit("back", b"y")
    assert candidate.receive_message() == FILE.replace("file", "back")
    assert candidate.receive_message() == b"y"


@pytest.mark.parametrize("answer", [[], ["3probe"]])
def test_a_message_before_the_upgrade(
    server: RawServer, clients: Clients, answer: list[str]
) -> None:
    upgrade = Upgrade(clients, server)
    # It belongs to no session yet: polling goes on without it.
    send(upgrade.candidate, *answer, '42["early"]', b"early", '42["early"]')
    upgrade.client.driver.until(lambda: not upgrade.engine.upgrading)
    upgrade.answer_poll('42["polled"]')
    assert upgrade.client.take() == ("polled",)
    assert upgrade.engine.transport == "polling"
    receive_end(upgrade.candidate)


def test_emitting_while_it_upgrades(server: RawServer, clients: Clients) -> None:
    upgrade = Upgrade(clients, server)
    client, candidate = upgrade.client, upgrade.candidate
    candidate.send_message("3probe")
    client.driver.until(lambda: not upgrade.engine.writable)

    def emit() -> None:
        client.socket.emit("first", 1)
        client.socket.emit("file", b"x")
        client.socket.volatile.emit("dropped")
        client.socket.emit("naïve")

    client.driver.call(emit)
    assert client.socket.dropped == 1
    upgrade.answer_poll("6", again=False)
    received = [candidate.receive_message() for _ in range(5)]
    assert received == ["5", '42["first",1]', FILE, b"x", '42["naïve"]']
    client.emit("after")
    assert candidate.receive_message() == '42["after"]'


def test_closing_while_it_upgrades(server: RawServer, clients: Clients, driver: Driver) -> None:
    upgrade = Upgrade(clients, server)
    client, candidate = upgrade.client, upgrade.candidate
    candidate.send_message("3probe")
    driver.until(lambda: not upgrade.engine.writable)
    driver.call(client.socket.disconnect)
    client.expect("disconnect")
    upgrade.answer_poll("6", again=False)
    # What was said before goes out by the transport that takes over.
    assert [candidate.receive_message() for _ in range(2)] == ["5", "41"]
    receive_end(candidate)

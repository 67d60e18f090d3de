"""Large messages, received straight into the object that the handler gets."""

import base64
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from cooee.protocol.frames import build_frame
from cooee.reactor import Reactor, get_reactor
from cooee.websocket import Server

KEY = bytes.fromhex("37fa213d")
# What the decoder sets aside for a message at first, however much is announced.
ROOM = 64 * 1024
# Seconds of waiting for what should come at once.
PATIENCE = 20.0


def until(reactor: Reactor, condition: Callable[[], bool]) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("waited in vain")
        select.select([reactor.fileno()], [], [], 0.1)
        reactor.poll()


def send(reactor: Reactor, sock: socket.socket, data: bytes) -> None:
    """
    Send bytes, of which the system may take only some until the server, in this thread, reads.

    As a rule it takes all of them, and the server has not read any yet.
    """
    sock.setblocking(False)
    unsent = memoryview(data)
    while unsent:
        try:
            unsent = unsent[sock.send(unsent) :]
        except BlockingIOError:
            reactor.poll()
    sock.settimeout(PATIENCE)


@pytest.fixture
def messages() -> list[str | bytes]:
    """What the server has received."""
    return []


@pytest.fixture
def client(messages: list[str | bytes]) -> Iterator[tuple[socket.socket, Reactor]]:
    """A raw socket behind its opening handshake, and the reactor that drives the server."""
    reactor = get_reactor()
    server = Server(host="127.0.0.1", port=0)

    @server.on("connection")
    def connected(session, request):  # type: ignore[no-untyped-def]
        session.on("message", messages.append)

    server.start()
    with socket.create_connection(("127.0.0.1", server.port or 0)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
            % base64.b64encode(bytes(16))
        )
        until(reactor, lambda: len(server.sessions) == 1)
        assert b" 101 " in sock.recv(4096)
        yield sock, reactor
    closed = server.close()
    until(reactor, lambda: closed.done)


@pytest.mark.parametrize("more", [1, 4095, 4096, 8192, 60_000])
@pytest.mark.parametrize("begun", [14, 15, 5000])
def test_message_that_outgrows_its_room(
    client: tuple[socket.socket, Reactor], messages: list[str | bytes], begun: int, more: int
) -> None:
    """
    One read fills the room and takes the rest of the message elsewhere: the message grows, gets the
    rest, and is handed over. Nothing may be received into it afterwards.
    """
    sock, reactor = client
    payload = bytes(range(251)) * 600
    payload = payload[: ROOM + more]
    frame = build_frame(2, payload, mask=KEY)
    for count in range(1, 4):
        send(reactor, sock, frame[:begun])
        # Without an event to wait for: if this is not received by itself, nothing is lost but the
        # point of the test.
        for _ in range(20):
            reactor.poll()
        send(reactor, sock, frame[begun:])
        until(reactor, lambda expected=2 * count - 1: len(messages) == expected)  # type: ignore[misc]
        assert messages[-1] == payload
        sock.sendall(build_frame(1, "after", mask=KEY))
        until(reactor, lambda expected=2 * count: len(messages) == expected)  # type: ignore[misc]
        assert messages[-1] == "after"
        assert messages[-2] == payload


class Interrupted(list[str | bytes]):
    """Ctrl-C comes while the large message is handled."""

    def append(self, item: str | bytes) -> None:
        super().append(item)
        if len(item) == ROOM:
            raise KeyboardInterrupt


class TestCtrlC:
    @pytest.fixture
    def messages(self) -> list[str | bytes]:
        return Interrupted()

    def test_nothing_is_lost(
        self, client: tuple[socket.socket, Reactor], messages: list[str | bytes]
    ) -> None:
        """It comes during a large message, with others behind it in the same read."""
        sock, reactor = client
        large = build_frame(2, bytes(ROOM), mask=KEY)
        send(reactor, sock, large[:20_000])
        for _ in range(20):
            reactor.poll()
        small = b"".join(build_frame(1, str(number), mask=KEY) for number in range(9))
        with pytest.raises(KeyboardInterrupt):
            send(reactor, sock, large[20_000:] + small)
            until(reactor, lambda: len(messages) > 1)
        assert messages == [bytes(ROOM)]
        until(reactor, lambda: len(messages) == 10)
        assert messages[1:] == [str(number) for number in range(9)]

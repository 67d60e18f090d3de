"""The door lets in what the handshake's rules let in, and answers alike."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.drivers import PATIENCE

import cooee
from cooee.reactor import get_reactor
from cooee.websocket.door import Doorman

HEAD = (
    b"GET /chat?x=1 HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)

USUAL = {
    "plain": HEAD,
    "shortest target": HEAD.replace(b"/chat?x=1", b"/"),
    "Firefox": HEAD.replace(b": Upgrade", b": keep-alive, Upgrade"),
    "other case": HEAD.replace(b"Host:", b"hOST:").replace(b"websocket\r", b"WebSocket\r"),
    "no space": HEAD.replace(b": ", b":"),
    "more fields": HEAD.replace(b"Host", b"Accept-Language: de\r\nUser-Agent: x (y; z)\r\nHost"),
    "an extension": HEAD.replace(b"Host", b"Sec-WebSocket-Extensions: permessage-deflate\r\nHost"),
}

UNUSUAL = {
    "origin": HEAD.replace(b"Host", b"Origin: http://example.com\r\nHost"),
    "post": HEAD.replace(b"GET", b"POST"),
    "absolute target": HEAD.replace(b"/chat", b"http://example.com/chat"),
    "HTTP/1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "space in target": HEAD.replace(b"/chat", b"/ch at"),
    "control in target": HEAD.replace(b"/chat", b"/ch\x01at"),
    "no host": HEAD.replace(b"Host: example.com\r\n", b""),
    "two hosts": HEAD.replace(b"Upgrade: w", b"Host: example.org\r\nUpgrade: w"),
    "two keys": HEAD.replace(b"Host", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost"),
    "short key": HEAD.replace(b"dGhl", b""),
    "key not base64": HEAD.replace(b"dGhl", b"d$hl"),
    "version 8": HEAD.replace(b"13", b"8"),
    "other protocol": HEAD.replace(b"websocket\r", b"h2c\r"),
    "no upgrade token": HEAD.replace(b"Connection: Upgrade", b"Connection: close"),
    "length": HEAD.replace(b"Host", b"Content-Length: 3\r\nHost"),
    "chunked": HEAD.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
    "bare newline": HEAD.replace(b"com\r\n", b"com\n"),
    "folded field": HEAD.replace(b"Upgrade: w", b" x\r\nUpgrade: w"),
    "space before colon": HEAD.replace(b"Host:", b"Host :"),
    "no colon": HEAD.replace(b"Host", b"nonsense\r\nHost"),
    "byte above ASCII": HEAD.replace(b"example", b"ex\xe4mple"),
    "NUL": HEAD.replace(b"example", b"ex\0mple"),
    "no end": HEAD[:-2],
    "many fields": HEAD.replace(b"Host", b"X: y\r\n" * 70 + b"Host"),
    "long": HEAD.replace(b"chat", b"c" * 5000),
}


class Knock:
    """A server, and what becomes of the bytes of a client."""

    def __init__(self, **options: Any) -> None:
        self.server = cooee.Server(host="127.0.0.1", port=0, **options)
        self.paths: list[str] = []
        self.server.on("connection", lambda session, request: self.paths.append(request.target))
        self.server.start()
        self.fell_through = 0
        requests = self.server._requests
        original = requests.http_connection

        def http_connection() -> object:
            self.fell_through += 1
            return original()

        requests.http_connection = http_connection  # type: ignore[method-assign,assignment]

    def send(self, data: bytes) -> tuple[bool, bytes]:
        """Whether the door passed it on, and the answer as far as it has come."""
        reactor = get_reactor()
        before = self.fell_through
        with socket.create_connection(("127.0.0.1", self.server.port or 0)) as client:
            client.setblocking(False)
            answer = b""
            deadline = time.monotonic() + PATIENCE
            while not answer and self.fell_through == before:
                assert time.monotonic() < deadline, "neither answered nor passed on"
                with contextlib.suppress(BlockingIOError):
                    # At once, but for what the system does not take.
                    data = data[client.send(data) :] if data else data
                reactor.poll()
                with contextlib.suppress(BlockingIOError):
                    answer += client.recv(65536)
        reactor.poll()
        return self.fell_through > before, answer

    def close(self) -> None:
        self.server.close()
        get_reactor().run(until=lambda: self.server.wait_closed().done)


@pytest.fixture(scope="module")
def knock() -> Iterator[Knock]:
    """One server for all."""
    one = Knock()
    yield one
    one.close()


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_is_answered_at_the_door(knock: Knock, name: str) -> None:
    passed_on, answer = knock.send(USUAL[name])
    assert not passed_on
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    # RFC 6455 §1.3
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert knock.paths[-1] == USUAL[name].split()[1].decode()


@pytest.mark.parametrize("name", UNUSUAL)
def test_all_else_is_passed_on(knock: Knock, name: str) -> None:
    passed_on, _ = knock.send(UNUSUAL[name])
    assert passed_on


OFFER = HEAD.replace(b"Host", b"sec-WebSocket-Protocol: chat\r\nHost")


def test_only_who_has_a_choice_of_subprotocols_is_shown_them(knock: Knock) -> None:
    passed_on, answer = knock.send(OFFER)
    assert not passed_on
    assert b"Sec-WebSocket-Protocol" not in answer
    choosing = Knock(subprotocols=["chat"])
    try:
        passed_on, answer = choosing.send(HEAD)
        assert not passed_on
        assert answer.startswith(b"HTTP/1.1 101")
        assert choosing.send(OFFER)[0]
    finally:
        choosing.close()


@given(st.integers(0, len(HEAD) - 1), st.binary(min_size=0, max_size=3), st.integers(0, 3))
def test_what_is_let_in_keeps_the_rules(
    knock: Knock, at: int, replacement: bytes, removed: int
) -> None:
    """However a head is changed: the door accepts only what the full rules accept."""
    head = HEAD[:at] + replacement + HEAD[at + removed :]
    passed_on, answer = knock.send(head)
    if passed_on:
        return
    # In two pieces it never is a matter of the door.
    reference = cooee.Server(
        host="127.0.0.1", port=0, process_request=lambda request: None, origins="*"
    )
    requests = reference._requests
    assert requests.accept(get_reactor()) == requests.http_connection
    other = Knock.__new__(Knock)
    other.server, other.paths, other.fell_through = reference, [], 0
    reference.start()
    try:
        _, expected = other.send(head)
    finally:
        other.close()
    assert expected.split(b"\r\n")[:4] == answer.split(b"\r\n")[:4]


def test_one_who_says_nothing_is_closed() -> None:
    server = cooee.Server(host="127.0.0.1", port=0, handshake_timeout=0.05)
    server.start()
    reactor = get_reactor()
    with socket.create_connection(("127.0.0.1", server.port or 0)) as client:
        client.setblocking(False)
        answer: bytes | None = None
        while answer is None:
            reactor.poll()
            try:
                answer = client.recv(100)
            except BlockingIOError:
                continue
        assert answer == b""
    server.close()
    reactor.run(until=lambda: server.wait_closed().done)


def test_closing_the_server_closes_those_at_the_door() -> None:
    server = cooee.Server(host="127.0.0.1", port=0)
    server.start()
    reactor = get_reactor()
    with socket.create_connection(("127.0.0.1", server.port or 0)):
        while not any(isinstance(one, Doorman) for one in server._requests.connections()):
            reactor.poll()
        server.close()
        reactor.run(until=lambda: server.wait_closed().done)

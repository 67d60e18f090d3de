"""
Sessions that poll over memory, and a naive reading of the same targets and bodies.

What a client says in a query or a payload is taken in C; here it is split by ``str.split``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote_plus

from tests.http.links import MemoryLink, parse_answers

from cooee.engineio import (
    Packet,
    PacketError,
    PacketType,
    PyReceiver,
    decode_packet,
    decode_payload,
)
from cooee.engineio.answers import Answers
from cooee.engineio.outbox import SocketSettings
from cooee.engineio.polling import Polling
from cooee.engineio.polls import Polls
from cooee.engineio.socket import Socket
from cooee.http import HttpConnection, Request, Response
from cooee.protocol.headers import Headers
from cooee.reactor import get_reactor
from cooee.websocket.connection import Settings

Protocol = Literal[3, 4]

SID = "s1"
LIMIT = 60
"""Bytes of a payload that sessions take here."""

NOT_TAKEN = 404
SETTINGS = SocketSettings(
    ping_interval=60,
    ping_timeout=60,
    upgrade_timeout=60,
    websocket=Settings(max_message_size=LIMIT, close_timeout=60, ping_interval=0),
)


class Result(NamedTuple):
    """What comes of a POST: its status, the messages in it, and whether the session goes on."""

    status: int
    messages: list[str | bytes]
    open: bool


class Inbox(PyReceiver):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []

    def message_received(self, data: str | bytes) -> None:
        self.messages.append(data)


class Desk:
    """What a session has of its server, and one session."""

    max_http_buffer_size = LIMIT
    initial_packet = None

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.inbox = Inbox()
        self.sessions: dict[str, Socket] = {}
        self.answers = Answers(
            lambda request, content_type, first: Headers({"Content-Type": content_type}),
            constant=True,
            listeners=[],
            compression_threshold=None,
        )
        self.polls = Polls(self, self.sessions, self.answers)
        self.link = MemoryLink(self.open)
        self.link.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.link.connection.abort()
        self.link = MemoryLink(self.handle)

    def open(self, http: HttpConnection, request: Request) -> None:
        """Begin the session with a poll, which is answered."""
        server: Any = self
        session = Socket(server, SID, request, self.protocol, SETTINGS, get_reactor(), True)
        session.receiver = self.inbox
        self.sessions[SID] = session
        session.open_polling(Polling(self.answers, SID, self.protocol, True, False), http, [])

    def handle(self, http: HttpConnection, request: Request) -> None:
        """Answer a request."""
        if not self.polls.take(http, request):
            http.respond(request, Response(NOT_TAKEN))

    def encode_handshake(self, sid: str, upgrades: list[str]) -> str:
        return "{}"

    def reject(self, http: HttpConnection, request: Request, status: int = 400) -> None:
        http.respond(request, Response(status))

    def forget(self, session: Socket) -> None:
        del self.sessions[session.sid]


def post(target: str, body: bytes, *, protocol: Protocol, binary: bool = False) -> Result:
    """What comes of a POST to a session of a protocol."""
    desk = Desk(protocol)
    content_type = "application/octet-stream" if binary else "text/plain"
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
    desk.link.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    [answer], rest = parse_answers(bytes(desk.link.received))
    assert rest == b""
    assert answer.body == (b"ok" if answer.status == 200 else b"")
    found = Result(answer.status, desk.inbox.messages, SID in desk.sessions)
    for session in list(desk.sessions.values()):
        session.close(True)
    desk.link.end()
    return found


def parameter(target: str, name: str) -> str | None:
    """The first value of a name in the query of a target, or None."""
    for pair in target.split("#")[0].partition("?")[2].split("&"):
        key, _, value = pair.partition("=")
        if pair and unquote_plus(key) == name:
            return unquote_plus(value)
    return None


def expected(target: str, body: bytes, *, protocol: Protocol, binary: bool = False) -> Result:
    """What is to come of it."""
    named = 4 if parameter(target, "EIO") == "4" else 3
    transport = parameter(target, "transport")
    if parameter(target, "sid") != SID or transport != "polling" or named != protocol:
        return Result(NOT_TAKEN, [], True)
    if protocol == 4 and binary:
        return Result(400, [], False)
    if len(body) > LIMIT:
        return Result(413, [], True)
    messages: list[str | bytes] = []
    is_open = True
    try:
        for kind, data in packets(body, protocol, binary):
            if kind is PacketType.CLOSE:
                return Result(200, messages, False)
            if kind is PacketType.MESSAGE and is_open:
                messages.append(data)
            elif kind is (PacketType.PING if protocol == 4 else PacketType.PONG):
                # A heartbeat in the wrong direction.
                is_open = False
    except (PacketError, UnicodeDecodeError):
        return Result(400, messages, False)
    return Result(200, messages, is_open)


def packets(body: bytes, protocol: Protocol, binary: bool) -> Iterator[Packet]:
    """The packets of a payload, one by one up to the first that is none."""
    if protocol == 3:
        # Read in Python as it is.
        return decode_payload(body, protocol=3, binary=binary)
    return map(decode_packet, body.decode().split("\x1e"))

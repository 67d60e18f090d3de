"""
A Socket.IO server for one test, and sessions with it that keep no rule of Socket.IO.

A :class:`Session` does Engine.IO properly, over either transport and in either revision, on plain
sockets: what it carries is the attacker's choice.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from tests.drivers import PATIENCE, Driver
from tests.engineio_server.serving import take_answer
from tests.protocol import oracle
from tests.rawclient import Answer, RawClient, frame, message_frame
from tests.websocket.serving import Inbox

from cooee.socketio import Server, Socket

PATH: Final = "/socket.io/"
Message = str | bytes


class Hostility:
    """
    A server on a driver, and everyone who comes to it.

    Attributes:
        io: The server. Its event ``echo`` comes back, and is acknowledged where that is asked for.
        sockets: Its sockets, in the order in which they came.
        events: All that they were told, each event as a list that begins with its name.
        ends: Namespace and reason of those that have gone.
    """

    def __init__(self, driver: Driver, **options: Any) -> None:
        self.driver = driver
        self.sockets: Inbox[Socket] = Inbox()
        self.events: Inbox[list[Any]] = Inbox()
        self.ends: Inbox[tuple[str, str]] = Inbox()
        self.connections: list[RawClient] = []

        def start() -> Server:
            io = Server(port=0, host="127.0.0.1", allow_eio3=True, **options)
            io.on("connection", self._connected)
            return io.start()

        self.io = driver.call(start)
        self.address = driver.call(lambda: self.io.addresses)[0]

    def _connected(self, socket: Socket) -> None:
        def echo(*args: Any) -> None:
            if args and callable(args[-1]):
                args[-1](*args[:-1])
            else:
                socket.emit("echo", *args)

        def gone(reason: str) -> None:
            self.ends.put((socket.namespace.name, reason))

        socket.on("echo", echo)
        socket.on("disconnect", gone)
        socket.on_any(lambda *args: self.events.put(list(args)))
        self.sockets.put(socket)

    def connect(self, **options: Any) -> RawClient:
        """A connection on which nothing has been sent."""
        self.connections.append(RawClient(self.address, **options))
        return self.connections[-1]

    def session(self, transport: str = "websocket", revision: int = 4, **options: Any) -> Session:
        """A session that is in no namespace, but for those of revision 3."""
        kind = WebSocketSession if transport == "websocket" else PollingSession
        return kind(self, revision, **options)

    def join(self, transport: str = "websocket", revision: int = 4, **options: Any) -> Session:
        """A session that is in the namespace ``/``."""
        session = self.session(transport, revision, **options)
        session.join()
        return session

    def hurried(self, *messages: Message) -> Session:
        """A session by WebSocket whose first messages are there before any time limit begins."""
        raw = self.connect()
        # What comes meanwhile is all there when the server looks.
        with self.driver.busy():
            raw.request_upgrade(f"{PATH}?EIO=4&transport=websocket")
            raw.send(b"".join(message_frame(f"4{message}") for message in messages))
        return WebSocketSession(self, 4, raw=raw)

    def request(
        self,
        query: str,
        headers: Mapping[str, str | None] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection of its own, and its answer."""
        with RawClient(self.address) as client:
            client.request(PATH + query, headers, method=method, body=body)
            return take_answer(client)

    def until(self, condition: Any) -> None:
        """Wait until a condition, evaluated in the server's thread, holds."""
        self.driver.until(condition)

    @property
    def sessions(self) -> int:
        """How many the server knows."""
        return self.driver.call(lambda: len(self.io.engine.clients))

    def close(self) -> None:
        """Close all clients and the server; nothing may be left."""
        for connection in self.connections:
            connection.close()
        closed = self.driver.call(self.io.close)
        self.until(lambda: closed.done)
        assert self.sessions == 0


class Session:
    """
    A session of Engine.IO.

    Attributes:
        sid: Its id.
    """

    sid: str

    def __init__(self, server: Hostility, revision: int) -> None:
        self.server = server
        self.revision = revision
        # Messages that have come: without the types of Engine.IO.
        self.received: deque[Message] = deque()

    def send(self, *messages: Message) -> None:
        """Send messages: text as text, bytes as binary. The server may close meanwhile."""
        raise NotImplementedError

    def pong(self) -> None:
        """Answer a heartbeat."""
        raise NotImplementedError

    def more(self) -> None:
        """Wait for packets; EOFError if the server has ended the session."""
        raise NotImplementedError

    def take(self) -> Message:
        """Wait for a message."""
        while not self.received:
            self.more()
        return self.received.popleft()

    def join(self) -> None:
        """Be in the namespace ``/``."""
        if self.revision == 4:
            self.send("0")
        packet = self.take()
        assert isinstance(packet, str)
        assert packet.startswith("0"), packet

    def check_echo(self) -> None:
        """The session goes on: what comes next, but for what was sent before, is an echo."""
        word = os.urandom(4).hex()
        self.send(f'2["echo","{word}"]')
        while self.take() != f'2["echo","{word}"]':
            pass

    def wait_ended(self) -> None:
        """The server ends the session, forgets it, and says so to the client."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.more()
        clients = self.server.io.engine.clients
        self.server.until(lambda: self.sid not in clients)

    def got(self, packet: Message) -> None:
        """A packet of Engine.IO's came; EOFError if it ends the session."""
        if isinstance(packet, bytes):
            self.received.append(packet[1:] if self.revision == 3 else packet)
        elif packet[0] == "4":
            self.received.append(packet[1:])
        elif packet[0] == "2":
            self.pong()
        elif packet[0] == "1":
            raise EOFError("the server has closed the session")


class WebSocketSession(Session):
    """Over WebSocket."""

    def __init__(
        self, server: Hostility, revision: int, raw: RawClient | None = None, **options: Any
    ) -> None:
        super().__init__(server, revision)
        self.raw = raw or server.connect(**options)
        if raw is None:
            self.raw.request_upgrade(f"{PATH}?EIO={revision}&transport=websocket")
        assert self.raw.answer().status == 101
        packet = self.raw.receive_message()
        assert isinstance(packet, str)
        self.sid = json.loads(packet[1:])["sid"]

    def send(self, *messages: Message) -> None:
        data = b""
        for message in messages:
            if isinstance(message, str):
                data += frame(oracle.TEXT, b"4" + message.encode("utf-8", "surrogatepass"))
            else:
                data += frame(oracle.BINARY, (b"\4" if self.revision == 3 else b"") + message)
        self.raw.send_until_gone(data)

    def pong(self) -> None:
        self.raw.send_until_gone(message_frame("3"))

    def more(self) -> None:
        got = self.raw.receive()
        if got.opcode == oracle.CLOSE:
            raise EOFError(f"the server has closed: {got.payload!r}")
        self.got(got.payload.decode() if got.opcode == oracle.TEXT else got.payload)


class PollingSession(Session):
    """By polling: polls and POSTs on one connection each."""

    def __init__(self, server: Hostility, revision: int, **options: Any) -> None:
        super().__init__(server, revision)
        self.query = f"?EIO={revision}&transport=polling"
        # In revision 3 payloads with binary data would be binary themselves.
        if revision == 3:
            self.query += "&b64=1"
        self.polls = server.connect(**options)
        self.posts = server.connect()
        for packet in self.poll():
            if isinstance(packet, str) and packet[0] == "0":
                self.sid = json.loads(packet[1:])["sid"]
                self.query += f"&sid={self.sid}"
            else:
                self.got(packet)

    def poll(self) -> list[Message]:
        """What a poll gets, packet by packet."""
        self.polls.request(PATH + self.query)
        answer = self.polls.answer()
        if answer.status != 200:
            raise EOFError(f"poll answered with {answer.status}")
        return list(read_payload(answer.body.decode(), self.revision))

    def more(self) -> None:
        for packet in self.poll():
            self.got(packet)

    def send(self, *messages: Message) -> None:
        self.post(write_payload(messages, self.revision))

    def pong(self) -> None:
        self.post(b"3")

    def post(self, body: bytes) -> int | None:
        """The status that a POST gets; None if the connection has gone."""
        try:
            self.posts.request(PATH + self.query, method="POST", body=body)
            return self.posts.answer().status
        except (EOFError, ConnectionError):
            return None


def write_payload(messages: tuple[Message, ...], revision: int) -> bytes:
    """A POST's body."""
    packets = []
    for message in messages:
        if isinstance(message, str):
            packets.append("4" + message)
        else:
            packets.append(("b4" if revision == 3 else "b") + base64.b64encode(message).decode())
    if revision == 3:
        # Lengths in UTF-16 code units, as JavaScript has them.
        packets = [
            f"{len(packet.encode('utf-16-le', 'surrogatepass')) // 2}:{packet}"
            for packet in packets
        ]
    return ("" if revision == 3 else "\x1e").join(packets).encode("utf-8", "surrogatepass")


def read_payload(text: str, revision: int) -> list[Message]:
    """The packets of an answer; binary ones of revision 3 begin with their type."""
    packets: list[Message] = []
    if revision == 4:
        parts = text.split("\x1e")
    else:
        parts = []
        while text:
            size, _, text = text.partition(":")
            parts.append(text[: int(size)])
            text = text[int(size) :]
    for part in parts:
        if part.startswith("b"):
            binary = base64.b64decode(part[2:] if revision == 3 else part[1:])
            packets.append(b"\4" + binary if revision == 3 else binary)
        else:
            packets.append(part)
    return packets


__all__ = ["PATIENCE", "Hostility", "Message", "PollingSession", "Session", "WebSocketSession"]

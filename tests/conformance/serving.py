"""
A Socket.IO server for one test, and peers that speak raw HTTP or raw WebSocket to it.

Nothing of what is tested takes part: packets are written out in the tests, and what carries them
(payloads, frames) is put together here from strings.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from tests.drivers import Driver
from tests.engineio_server.serving import QUIET, Clients
from tests.protocol import oracle
from tests.rawclient import RawClient, frame
from tests.websocket.serving import Inbox

from cooee.socketio import ConnectError, Server

T = TypeVar("T")

SEPARATOR = "\x1e"


class Left(NamedTuple):
    """A socket that is gone."""

    namespace: str
    reason: str


def build_3(packets: list[str]) -> str:
    """
    A protocol 3 payload (Engine.IO 3, "Payload").

    Its lengths are "in characters", which are JavaScript's: UTF-16 code units.
    """
    return "".join(f"{len(packet.encode('utf-16-le')) // 2}:{packet}" for packet in packets)


def parse_3(payload: str) -> list[str]:
    """The packets of a protocol 3 payload."""
    units = payload.encode("utf-16-le")
    packets = []
    while units:
        size, _, rest = units.partition(b":\0")
        end = 2 * int(size.decode("utf-16-le"))
        packets.append(rest[:end].decode("utf-16-le"))
        units = rest[end:]
    return packets


class Peer:
    """
    A client in Engine.IO's own terms.

    Args:
        server: The server.
        transport: ``polling`` or ``websocket``.
        eio: The revision of Engine.IO.
        query: What else the handshake's query says.
        websocket: One whose opening handshake has been done, to be used.

    Attributes:
        sid: The Engine.IO session's id.
        handshake: The data of the OPEN packet.
    """

    def __init__(
        self,
        server: Serving,
        transport: str = "websocket",
        eio: int = 4,
        query: str = "",
        websocket: RawClient | None = None,
    ) -> None:
        self.server = server
        self.transport = transport
        self.eio = eio
        # Binary payloads of protocol 3 are for tests of Engine.IO.
        b64 = "&b64=1" if eio == 3 and transport == "polling" else ""
        self.query = f"EIO={eio}{b64}{query}"
        self._packets: list[str | bytes] = []
        self._websocket: RawClient | None = None
        if transport == "websocket":
            self._websocket = websocket or server.websocket(self.query)
        else:
            answer = server.request(f"{self.query}&transport=polling")
            assert answer.status == 200, answer
            self._take(answer.body.decode())
        packet = self._next()
        assert isinstance(packet, str)
        assert packet[0] == "0"
        self.handshake: dict[str, Any] = json.loads(packet[1:])
        self.sid: str = self.handshake["sid"]

    # Packets of Engine.IO

    def send_packets(self, *packets: str | bytes) -> int:
        """Send packets; return the status of the answer if it is by polling, in one POST."""
        if self._websocket is not None:
            for packet in packets:
                self._websocket.send_message(packet)
            return 0
        texts = [self._as_text(packet) for packet in packets]
        body = build_3(texts) if self.eio == 3 else SEPARATOR.join(texts)
        return self.server.post(self.sid, body, self.query).status

    def _as_text(self, packet: str | bytes) -> str:
        if isinstance(packet, str):
            return packet
        if self.eio == 3:
            return "b4" + b64encode(packet[1:]).decode()
        return "b" + b64encode(packet).decode()

    def _take(self, payload: str) -> None:
        for packet in parse_3(payload) if self.eio == 3 else payload.split(SEPARATOR):
            if packet[0] == "b":
                data = b64decode(packet[1 + (self.eio == 3) :])
                self._packets.append(b"\4" + data if self.eio == 3 else data)
            else:
                self._packets.append(packet)

    def _next(self) -> str | bytes | None:
        """Wait for a packet; None when the session has ended."""
        while not self._packets:
            if self._websocket is not None:
                got = self._websocket.receive()
                if got.opcode == oracle.CLOSE:
                    return None
                assert got.fin, "a packet is one frame"
                text = got.opcode == oracle.TEXT
                self._packets.append(got.payload.decode() if text else got.payload)
            else:
                query = f"{self.query}&transport=polling&sid={self.sid}"
                answer = self.server.request(query)
                if answer.status == 400:
                    return None
                self._take(answer.body.decode())
        return self._packets.pop(0)

    # Packets of Socket.IO

    def send(self, packet: str, *attachments: bytes) -> int:
        """Send a packet of Socket.IO's, with its attachments behind it."""
        binary = [b"\4" + data if self.eio == 3 else data for data in attachments]
        return self.send_packets("4" + packet, *binary)

    def receive(self) -> str | bytes | None:
        """Wait for a packet of Socket.IO's or an attachment; None when the session has ended."""
        while True:
            packet = self._next()
            if packet is None or packet == "1":
                return None
            if isinstance(packet, bytes):
                return packet[1:] if self.eio == 3 else packet
            if packet == "2":
                self.send_packets("3")
            elif packet[0] == "4":
                return packet[1:]
            else:
                assert packet in ("3", "6"), packet

    def receive_text(self) -> str:
        """Wait for a packet of Socket.IO's."""
        packet = self.receive()
        assert isinstance(packet, str), packet
        return packet

    def ended(self) -> list[str | bytes]:
        """Wait for the end of the session, by the server; what came before it."""
        packets = []
        while (packet := self.receive()) is not None:
            packets.append(packet)
        assert self.server.is_gone(self.sid)
        return packets

    def connect(self, namespace: str = "/", auth: str = "") -> str:
        """Join a namespace of protocol 5, and return the socket's id."""
        self.send("0" + ("" if namespace == "/" else f"{namespace},") + auth)
        return self.admitted(namespace, auth)

    def admitted(self, namespace: str = "/", auth: str = "") -> str:
        """Wait for the answer to CONNECT, and return the socket's id."""
        prefix = "" if namespace == "/" else f"{namespace},"
        packet = self.receive_text()
        assert packet.startswith(f"0{prefix}{{"), packet
        assert self.receive_text() == f'2{prefix}["auth",{auth or "{}"}]'
        return str(json.loads(packet[1 + len(prefix) :])["sid"])

    def answer_ping(self) -> None:
        """Wait for a PING, and nothing else, and answer it."""
        assert self._next() == "2"
        self.send_packets("3")

    def goes_on(self, prefix: str = "") -> None:
        """See that the socket is still there, and that nothing was sent that was not expected."""
        self.send(f'2{prefix}["message","still here"]')
        assert self.receive() == f'2{prefix}["message-back","still here"]'

    # Frames and connections

    @property
    def websocket(self) -> RawClient:
        """The connection of a peer by WebSocket."""
        assert self._websocket is not None
        return self._websocket

    def send_fragments(self, opcode: int, *parts: bytes) -> None:
        """Send a message in several frames (RFC 6455 §5.4)."""
        for index, part in enumerate(parts):
            self.websocket.send(
                frame(
                    opcode if index == 0 else oracle.CONTINUATION,
                    part,
                    fin=index == len(parts) - 1,
                )
            )

    def upgrade(self) -> None:
        """Go over from polling to WebSocket (Engine.IO 4, "Upgrade")."""
        client = self.server.websocket(f"{self.query}&sid={self.sid}")
        client.send_message("2probe")
        assert client.receive_message() == "3probe"
        client.send_message("5")
        self.transport, self._websocket = "websocket", client


class Serving(Clients):
    """
    A server with the application of the published test suite, and what the clauses need besides.

    Its sockets emit ``auth`` when they join, answer ``message`` with ``message-back`` and
    acknowledge ``message-with-ack``, both with the arguments that came; ``ask`` makes the server
    emit ``question`` with the arguments and then ``answer`` with what was acknowledged; ``leave``
    and ``leave all`` make it disconnect the socket, and the client.

    Args:
        driver: What drives it.
        options: Of the server.

    Attributes:
        io: The server.
        left: Sockets that are gone.
    """

    path = "/socket.io/"

    def __init__(self, driver: Driver, **options: Any) -> None:
        self.driver = driver
        self.left: Inbox[Left] = Inbox()
        options = {**QUIET, "host": "127.0.0.1", **options}
        self.io = driver.call(lambda: self.prepare(Server(port=0, **options)).start())
        super().__init__(driver.call(lambda: self.io.addresses)[0])

    def prepare(self, io: Server) -> Server:
        """Register the application: ``/``, ``/custom``, and ``/guarded`` that lets nobody in."""
        io.on("connection", self.connected)
        io.of("/custom").on("connection", self.connected)
        io.of(re.compile(r"^/dynamic-\d+$")).on("connection", self.connected)

        def refuse(socket: Any) -> None:
            raise ConnectError("Not authorized", {"code": 7} if socket.handshake.auth else None)

        io.of("/guarded").use(refuse)
        return io

    def connected(self, socket: Any) -> None:
        """A client has joined."""
        socket.emit("auth", socket.handshake.auth)
        socket.on("message", lambda *args: socket.emit("message-back", *args))
        socket.on("message-with-ack", lambda *args: args[-1](*args[:-1]))
        socket.on("leave", lambda: socket.disconnect())
        socket.on("leave all", lambda: socket.disconnect(True))
        name = socket.namespace.name
        socket.on("disconnect", lambda reason: self.left.put(Left(name, reason)))

        def ask(*args: Any) -> None:
            socket.emit("question", *args, ack=lambda *got: socket.emit("answer", *got))

        socket.on("ask", ask)

    def hurried(self, transport: str, packet: str) -> Peer:
        """A peer whose first packet the server's thread sends: before any time limit begins."""
        if transport == "websocket":
            client = self.open()

            def come() -> None:
                client.request_upgrade(f"{self.path}?EIO=4&transport=websocket")
                client.send_message(f"4{packet}")

            self.call(come)
            assert client.answer().status == 101
            return Peer(self, transport, websocket=client)

        def post(socket: Any) -> None:
            while bodies:
                target = f"{self.path}?EIO=4&transport=polling&sid={socket.sid}"
                self.open().request(target, method="POST", body=bodies.pop())

        bodies = [f"4{packet}".encode()]
        self.io.engine.on("connection", post)
        return Peer(self, transport)

    def is_gone(self, sid: str) -> bool:
        """Whether the session is unknown to its client, and to the server."""
        answer = self.request(f"EIO=4&transport=polling&sid={sid}")
        assert answer.status == 400
        unknown = answer.body == b'{"code":1,"message":"Session ID unknown"}'
        return unknown and self.call(lambda: sid not in self.io.engine.clients)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the server's thread."""
        return self.driver.call(function, *args)

    def close(self) -> None:
        """Close clients and server, and wait until nothing is left."""
        for client in self.clients:
            client.close()
        closed = self.call(self.io.close)
        self.driver.until(lambda: closed.done)
        assert not self.call(lambda: self.io.engine.clients)

"""
A WebSocket server that keeps no rule but those that a test tells it to keep: RawClient's opposite.

Blocking: a test accepts, reads the request and answers it as it likes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import random
import select
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.drivers import PATIENCE
from tests.protocol import oracle
from tests.rawclient import Frame, RawClient, frame, masked


class Request(NamedTuple):
    """An opening handshake; the names of its header fields in lower case."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def accept(self) -> str:
        """RFC 6455 §4.2.2: what to answer to the key."""
        key = self.headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return base64.b64encode(hashlib.sha1(key).digest()).decode()


class RawPeer(RawClient):
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.reset = False
        self._received = bytearray()

    def read_request(self) -> Request:
        """Wait for the opening handshake, and see that it is well-formed."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                raise EOFError(f"the connection ended after {bytes(self._received)!r}")
        line, *lines = self.take(end + 4)[:-4].decode("latin-1").split("\r\n")
        method, target, version = line.split(" ")
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        for field in lines:
            name, value = field.split(": ", 1)
            assert name.lower() not in headers, f"{name} is repeated"
            headers[name.lower()] = value
        return Request(method, target, headers)

    def respond(
        self, status: str, headers: Mapping[str, str | None] | None = None, body: bytes = b""
    ) -> None:
        """Send a response; a header of None is left out."""
        lines = [f"HTTP/1.1 {status}"]
        lines += [
            f"{name}: {value}" for name, value in (headers or {}).items() if value is not None
        ]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def accept(
        self, headers: Mapping[str, str | None] | None = None, *, rest: bytes = b""
    ) -> Request:
        """Do the opening handshake, with more or other headers, and bytes in the same packet."""
        request = self.read_request()
        fields: dict[str, str | None] = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": request.accept,
        }
        self.respond("101 Switching Protocols", {**fields, **(headers or {})}, rest)
        return request

    def frame(self, opcode: int, payload: bytes = b"", **options: Any) -> None:
        """Send a frame, not masked if nothing else is said."""
        self.send(server_frame(opcode, payload, **options))

    def send_message(self, message: str | bytes) -> None:
        """Send a text or a binary message in one frame."""
        self.send(server_message(message))

    def receive(self) -> Frame:
        """Wait for a frame, which must be one that a client may send."""
        first, second = self.take(2)
        assert first & 0x70 == 0, "reserved bits"
        assert second & 0x80, "a client must mask (RFC 6455 §5.1)"
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.take(2), "big")
            assert size > 125
        elif size == 127:
            size = int.from_bytes(self.take(8), "big")
            assert size > 65535
        key = self.take(4)
        return Frame(first & 0x0F, masked(self.take(size), key), first >= 0x80)


class RawServer:
    """
    A listening socket on a free port of a loopback address, or on a path.

    Args:
        receive_buffer: Bytes of the system's receive buffers, for a peer that is soon full.

    Attributes:
        url: What to connect to, without a path.
    """

    def __init__(
        self, host: str = "127.0.0.1", *, path: str | None = None, receive_buffer: int = 0
    ) -> None:
        if path is not None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.bind(path)
            self.url = "ws://localhost"
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            self.sock.bind((host, 0))
            self.port: int = self.sock.getsockname()[1]
            self.url = f"ws://{f'[{host}]' if ':' in host else host}:{self.port}"
        if receive_buffer:
            # Accepted sockets inherit it.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.listen()
        self.sock.settimeout(PATIENCE)
        self._peers: list[RawPeer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def take(self) -> RawPeer:
        """Wait for a connection."""
        sock, _ = self.sock.accept()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = RawPeer(sock)
        self._peers.append(peer)
        return peer

    def waiting(self) -> bool:
        """Whether a connection waits to be taken."""
        self.sock.settimeout(0)
        try:
            sock, _ = self.sock.accept()
        except BlockingIOError:
            return False
        else:
            sock.close()
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def close(self) -> None:
        """Close it and all its connections."""
        self.sock.close()
        for peer in self._peers:
            peer.close()


class BlackHole:
    """
    An address of which nothing comes back: its queue of connections to accept is full.

    Attributes:
        address: As the socket module has it.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.bind((host, 0))
        self._sock.listen(0)
        self.address: Any = self._sock.getsockname()
        self.port: int = self.address[1]
        self._fillers = []
        # One more than the backlog is let in; later ones hang, and may as well be waiting too.
        for _ in range(4):
            filler = socket.socket(family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self.address)
            self._fillers.append(filler)
            # The first is in, and so nobody else.
            assert select.select([self._sock], [], [], PATIENCE)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for filler in self._fillers:
            filler.close()
        self._sock.close()


def server_frame(opcode: int, payload: bytes = b"", **options: Any) -> bytes:
    """A frame, not masked if nothing else is said."""
    return frame(opcode, payload, **{"mask": None, **options})


def server_message(message: str | bytes) -> bytes:
    """A text or a binary message in one frame."""
    if isinstance(message, str):
        return server_frame(oracle.TEXT, message.encode())
    return server_frame(oracle.BINARY, message)


def unused_port(host: str = "127.0.0.1") -> int:
    """
    A port that nobody listens on, and that nobody is going to be given.

    Those that the system gives to whom any port will do, in this process or in another, are higher.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(100):
        # Not from the seeded generator, whose numbers another process may draw too.
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            with contextlib.suppress(OSError):
                sock.bind((host, port))
                return port
    raise AssertionError("a hundred ports in use")


def random_path(folder: Any) -> str:
    """A path for a Unix socket."""
    return str(folder / f"{os.urandom(4).hex()}.sock")

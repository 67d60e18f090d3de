"""
A WebSocket client that keeps no rule but those that a test tells it to keep.

Blocking, on a plain socket; its frames come from the naive codec, so that any violation can be
sent and nothing of what is tested takes part in the testing.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.drivers import PATIENCE
from tests.protocol import oracle

# RFC 6455 §1.3
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
# RFC 6455 §5.7
MASK = bytes.fromhex("37fa213d")


class Answer(NamedTuple):
    """An HTTP response; the names of its header fields in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes
    fin: bool = True


class RawClient:
    """
    One connection.

    Args:
        address: As the socket module has it: a pair, or a path for a Unix socket.
        receive_buffer: Bytes of the system's receive buffer, for a peer that is soon full.

    Attributes:
        sock: The socket.
        reset: Whether the connection ended with a reset.
    """

    def __init__(self, address: Any, *, receive_buffer: int = 0) -> None:
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.reset = False
        self._received = bytearray()
        try:
            if receive_buffer:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.sock.connect(address)
            if family != socket.AF_UNIX:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Bytes

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    @contextlib.contextmanager
    def sending(self, data: bytes) -> Iterator[None]:
        """Send bytes meanwhile, of which the system may take only some until the server reads."""
        thread = threading.Thread(target=self.send, args=(data,), name="sending")
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE)
        assert not thread.is_alive(), "not everything was taken"

    def send_until_gone(self, data: bytes) -> None:
        """Send bytes to a server that may close before it has them all."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)

    def end(self) -> None:
        """Close the sending half."""
        self.sock.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Be gone with a reset, as a process that is killed with data unread."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            self.reset = True
            return False
        self._received += data
        return len(data) > 0

    def take(self, size: int) -> bytes:
        """Wait for that many bytes."""
        while len(self._received) < size:
            if not self._more():
                raise EOFError(f"the connection ended after {bytes(self._received)!r}")
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def rest(self) -> bytes:
        """Wait for the end of the connection and return what came before it."""
        while self._more():
            pass
        data = bytes(self._received)
        self._received.clear()
        return data

    # HTTP

    def request(
        self,
        target: str = "/",
        headers: Mapping[str, str | None] | None = None,
        *,
        method: str = "GET",
        version: str = "HTTP/1.1",
        body: bytes = b"",
    ) -> None:
        """Send a request of any kind, with Host by default; a header of None is left out."""
        fields: dict[str, str | None] = {"Host": "localhost"}
        if body:
            fields["Content-Length"] = str(len(body))
        fields.update(headers or {})
        lines = [f"{method} {target} {version}"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def request_upgrade(
        self, target: str = "/", headers: Mapping[str, str | None] | None = None, **options: Any
    ) -> None:
        """Send an opening handshake; a header of None is left out."""
        fields: dict[str, str | None] = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": "13",
        }
        fields.update(headers or {})
        self.request(target, fields, **options)

    def answer(self, *, head_only: bool = False) -> Answer:
        """Wait for a response, which to a HEAD request has no content."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                raise EOFError(f"the connection ended after {bytes(self._received)!r}")
        status, *lines = self.take(end + 4)[:-4].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} is repeated"
            headers[name.lower()] = value
        size = 0 if head_only else int(headers.get("content-length", 0))
        return Answer(int(status.split(" ")[1]), headers, self.take(size))

    def upgrade(self, *args: Any, **kwargs: Any) -> Answer:
        """Do the opening handshake and return the response, which must be right."""
        self.request_upgrade(*args, **kwargs)
        answer = self.answer()
        assert answer.status == 101, answer
        assert answer.headers["upgrade"] == "websocket"
        assert answer.headers["connection"] == "Upgrade"
        assert answer.headers["sec-websocket-accept"] == ACCEPT
        return answer

    # Frames

    def frame(self, opcode: int, payload: bytes = b"", **options: Any) -> None:
        """Send a frame, masked if nothing else is said; options as the oracle has them."""
        self.send(frame(opcode, payload, **options))

    def send_message(self, message: str | bytes) -> None:
        """Send a text or a binary message in one frame."""
        self.send(message_frame(message))

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a Close frame."""
        payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        self.frame(oracle.CLOSE, payload)

    def receive(self) -> Frame:
        """Wait for a frame, which must be one that a server may send."""
        first, second = self.take(2)
        assert first & 0x70 == 0, "reserved bits"
        assert second & 0x80 == 0, "a server must not mask (RFC 6455 §5.1)"
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.take(2), "big")
            assert size > 125
        elif size == 127:
            size = int.from_bytes(self.take(8), "big")
            assert size > 65535
        return Frame(first & 0x0F, self.take(size), first >= 0x80)

    def receive_message(self) -> str | bytes:
        """Wait for a message in one frame, and nothing else."""
        frame = self.receive()
        assert frame.fin
        if frame.opcode == oracle.TEXT:
            return frame.payload.decode()
        assert frame.opcode == oracle.BINARY, frame
        return frame.payload

    def receive_close(self) -> tuple[int, str]:
        """Wait for a Close frame, and nothing else; code (1005 for none) and reason."""
        frame = self.receive()
        assert frame.opcode == oracle.CLOSE, frame
        assert frame.fin
        if not frame.payload:
            return 1005, ""
        return int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode()

    def wait_closed(self) -> tuple[int, str]:
        """Wait for a Close frame and then for the end of the connection, and nothing else."""
        code = self.receive_close()
        assert self.rest() == b""
        return code

    def leave(self, code: int | None = 1000, reason: str = "") -> None:
        """Do the closing handshake, and see that it goes through."""
        self.send_close(code, reason)
        assert self.receive_close()[0] == (1005 if code is None else code)
        assert self.rest() == b""
        assert not self.reset
        self.close()


def frame(opcode: int, payload: bytes = b"", **options: Any) -> bytes:
    """A frame, masked if nothing else is said."""
    options = {"mask": MASK, "length": len(payload), **options}
    return oracle.build(opcode, b"", **options) + masked(payload, options["mask"])


def masked(payload: bytes, mask: bytes | None) -> bytes:
    """The payload under a masking key, many bytes at a time."""
    if mask is None:
        return payload
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def message_frame(message: str | bytes) -> bytes:
    """A text or a binary message in one masked frame."""
    if isinstance(message, str):
        return frame(oracle.TEXT, message.encode())
    return frame(oracle.BINARY, message)

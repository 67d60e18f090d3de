"""
Payloads: several packets in the body of one polling request or response (Engine.IO protocol,
"HTTP long-polling").

::

    protocol 4              packets as text, U+001E between them
    protocol 3, text        for each: length in UTF-16 code units, ":", packet as text
    protocol 3, binary      for each: 0 for text or 1 for bytes, length in bytes as digits of one
                            byte (0-9), 255, the packet

A protocol 3 server answers with the binary form when there are bytes to send and the client did not
ask for text (``b64=1``); a client says by ``Content-Type: application/octet-stream`` that it sends
it. Protocol 4 has text only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, overload

from cooee.engineio.packet import Packet, PacketError, decode_packet, encode_packet
from cooee.protocol.close import CloseCode

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "MAX_HTTP_BUFFER_SIZE",
    "MAX_PACKETS",
    "decode_payload",
    "encode_payload",
    "fitting_packets",
]

MAX_HTTP_BUFFER_SIZE: Final = 1_000_000
"""Bytes of a payload that are accepted by default; so many as Node's ``maxHttpBufferSize``."""

MAX_PACKETS: Final = 131_072
"""
Packets of a payload that are accepted by default.

Node has no limit. python-engineio has 16, and drops the rest of what a client buffered while it had
no connection. This many is more than the shortest of events can be in MAX_HTTP_BUFFER_SIZE.
"""

_SEPARATOR: Final = "\x1e"
# Of a packet in a protocol 3 payload: no more digits than 2**53 has.
_MAX_DIGITS: Final = 16


@overload
def encode_payload(
    packets: Iterable[Packet], *, protocol: Literal[4] = 4, supports_binary: bool = False
) -> str: ...
@overload
def encode_payload(
    packets: Iterable[Packet], *, protocol: Literal[3, 4], supports_binary: bool = False
) -> str | bytes: ...
def encode_payload(
    packets: Iterable[Packet], *, protocol: Literal[3, 4] = 4, supports_binary: bool = False
) -> str | bytes:
    """
    Write packets as the body of a polling request or response.

    Args:
        packets: What to send, in order.
        protocol: 4, or 3 for a client that came with ``EIO=3``.
        supports_binary: In protocol 3, whether the peer takes the binary form; it is used only when
            there are bytes among the packets.

    Returns:
        ``str``, for ``text/plain; charset=UTF-8``, or ``bytes``, for ``application/octet-stream``.

    Raises:
        ValueError: In protocol 4, for text with U+001E in it, which the peer would take for the end
            of the packet, and for bytes in another packet than a MESSAGE.
    """
    packets = list(packets)
    if protocol == 4:
        texts = [str(encode_packet(packet, supports_binary=False)) for packet in packets]
        payload = _SEPARATOR.join(texts)
        if payload.count(_SEPARATOR) >= max(len(texts), 1):
            raise ValueError("text with U+001E, which ends a packet in a payload (Engine.IO 4)")
        return payload
    if supports_binary and any(not isinstance(packet.data, str) for packet in packets):
        return b"".join(map(_frame_bytes, packets))
    if not packets:
        return "0:"
    texts = [str(encode_packet(packet, protocol=3, supports_binary=False)) for packet in packets]
    return "".join([f"{_utf16_length(text)}:{text}" for text in texts])


def _frame_bytes(packet: Packet) -> bytes:
    data = encode_packet(packet, protocol=3)
    kind = 1
    if isinstance(data, str):
        kind = 0
        data = data.encode()
    length = bytes(map(int, str(len(data))))
    return b"%c%b\xff%b" % (kind, length, data)


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def decode_payload(
    body: Buffer,
    *,
    protocol: Literal[3, 4] = 4,
    binary: bool = False,
    max_http_buffer_size: int = MAX_HTTP_BUFFER_SIZE,
    max_packets: int = MAX_PACKETS,
) -> Iterator[Packet]:
    """
    Read the body of a polling request or response.

    Sizes, form and encoding of the whole are checked at once, packets one by one as they are taken:
    those before a wrong one are delivered, as Node does, and none is kept in memory for later.

    Args:
        body: The body of the request or response.
        protocol: 4, or 3 for a client that came with ``EIO=3``.
        binary: Whether it came as ``application/octet-stream``.
        max_http_buffer_size: In bytes.
        max_packets: How many packets there may be.

    Raises:
        PacketError: At once or while iterating.
    """
    data = bytes(body)
    if len(data) > max_http_buffer_size:
        raise PacketError(
            CloseCode.MESSAGE_TOO_BIG,
            f"payload of {len(data)} bytes, at most {max_http_buffer_size} (maxPayload)",
        )
    if binary:
        if protocol == 4:
            raise _malformed("binary payload", "there is none", 4)
        return _limited(_read_binary(data), max_packets)
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise PacketError(
            CloseCode.INVALID_DATA, f"payload not UTF-8 from byte {exc.start} on"
        ) from None
    if protocol == 3:
        if not text:
            raise _malformed("empty payload", "a length is required", 3)
        units = _read_ascii(text) if text.isascii() else _read_utf16(text.encode("utf-16-le"))
        return _limited(units, max_packets)
    return _limited(_split(text), max_packets)


def _limited(packets: Iterator[Packet], max_packets: int) -> Iterator[Packet]:
    yield from islice(packets, max_packets)
    if next(packets, None) is not None:
        raise PacketError(CloseCode.MESSAGE_TOO_BIG, f"payload of more than {max_packets} packets")


def _split(text: str) -> Iterator[Packet]:
    start = 0
    while (end := text.find(_SEPARATOR, start)) >= 0:
        yield decode_packet(text[start:end])
        start = end + 1
    yield decode_packet(text[start:])


def _read_ascii(text: str) -> Iterator[Packet]:
    start = 0
    while start < len(text):
        colon = text.find(":", start, start + _MAX_DIGITS + 1)
        start, end = _extent(text[start:colon] if colon >= 0 else "", colon + 1, len(text))
        # "0:" is the payload of no packets; so it counts for none wherever it stands.
        if end > start:
            yield decode_packet(text[start:end], protocol=3)
        start = end


def _read_utf16(data: bytes) -> Iterator[Packet]:
    # Lengths count UTF-16 code units, of which a character outside the BMP has two.
    units = len(data) // 2
    start = 0
    while start < units:
        head = data[2 * start : 2 * (start + _MAX_DIGITS + 1)].decode("utf-16-le", "replace")
        digits, colon, _ = head.partition(":")
        start, end = _extent(digits if colon else "", start + len(digits) + 1, units)
        if end > start:
            try:
                text = data[2 * start : 2 * end].decode("utf-16-le")
            except UnicodeDecodeError:
                raise _malformed("length", "it must not part a surrogate pair", 3) from None
            yield decode_packet(text, protocol=3)
        start = end


def _extent(digits: str, start: int, size: int) -> tuple[int, int]:
    """Check a length, and return where its packet starts and ends."""
    if not (digits.isascii() and digits.isdigit()):
        raise _malformed("length", f"{digits!r} must be 1 to {_MAX_DIGITS} digits and a colon", 3)
    end = start + int(digits)
    if end > size:
        raise _malformed("length", f"{digits} exceeds the {size - start} that follow", 3)
    return start, end


def _read_binary(data: bytes) -> Iterator[Packet]:
    start = 0
    while start < len(data):
        kind = data[start]
        stop = data.find(255, start + 1, start + _MAX_DIGITS + 2)
        digits = data[start + 1 : stop] if stop >= 0 else b""
        if kind > 1 or not digits or max(digits) > 9:
            raise _malformed("binary header", f"it is 0 or 1, 1 to {_MAX_DIGITS} digits, 255", 3)
        start, end = _extent("".join(map(str, digits)), stop + 1, len(data))
        packet = data[start:end]
        if kind == 1:
            yield decode_packet(packet, protocol=3)
        else:
            try:
                text = packet.decode()
            except UnicodeDecodeError as exc:
                raise PacketError(
                    CloseCode.INVALID_DATA,
                    f"text in binary payload not UTF-8 from byte {start + exc.start} on",
                ) from None
            yield decode_packet(text, protocol=3)
        start = end


def _malformed(what: str, rule: str, protocol: int) -> PacketError:
    return PacketError(CloseCode.PROTOCOL_ERROR, f"{what} malformed: {rule} (Engine.IO {protocol})")


def fitting_packets(packets: Iterable[Packet], max_payload: int) -> int:
    """
    Return how many of the packets, from the first on, one protocol 4 payload may hold.

    That is at least one: what is too large for a payload of its own is the peer's to refuse.

    Args:
        packets: What there is to send.
        max_payload: In bytes, as the server's handshake says.
    """
    size = count = 0
    for _, data in packets:
        if isinstance(data, str):
            size += 1 + (len(data) if data.isascii() else len(data.encode()))
        else:
            size += 1 + (len(data) + 2) // 3 * 4
        if size > max_payload and count:
            break
        size += 1  # the separator
        count += 1
    return count

"""
Engine.IO packets and how one alone is written (Engine.IO protocol, "Packet encoding").

::

                    protocol 4 (EIO=4)        protocol 3 (EIO=3)
    text            type digit, data          type digit, data
    binary          the data itself           type byte, data
    ... as text     "b", base64               "b", type digit, base64

Binary data goes as such over WebSocket, and as text where only text can go: in the payloads of the
polling transport, and for a protocol 3 client that asks for it (``b64=1``). In protocol 4 it has no
type, since only a MESSAGE has binary data.

Who sends what differs too. In protocol 4 the server sends PING and the client answers PONG; in
protocol 3 it is the client that sends PING. In both, the client probes a WebSocket with a PING
whose data is ``probe``.
"""

from __future__ import annotations

import binascii
import enum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from cooee.protocol.close import CloseCode
from cooee.protocol.errors import ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Packet", "PacketError", "PacketType", "decode_packet", "encode_packet"]


class PacketError(ProtocolError):
    """
    A packet or payload of Engine.IO or Socket.IO breaks its protocol, or exceeds a limit of ours.

    The connection that it came from must be closed: over WebSocket with ``code``, in answer to an
    HTTP request with 400, or 413 if it was the size (``code`` 1009).

    Args:
        code: 1002 for what is malformed, 1007 for what is not UTF-8, 1009 for what exceeds a limit.
        reason: What was wrong; it is also the text of the exception.
    """


class PacketType(enum.IntEnum):
    """What a packet is for; the value is the digit on the wire."""

    OPEN = 0
    """The handshake, from the server: see :class:`cooee.engineio.Handshake`."""
    CLOSE = 1
    """The transport may be closed; polling only."""
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    """The client goes over to the transport that it has probed."""
    NOOP = 6
    """Releases a waiting poll."""


class Packet(NamedTuple):
    """
    A packet.

    Attributes:
        type: What it is for.
        data: Text or bytes; ``""`` for none. In protocol 4, only a MESSAGE may have bytes.
    """

    type: PacketType
    data: str | bytes = ""


_BY_DIGIT: Final = {str(int(kind)): kind for kind in PacketType}
_DIGITS: Final = {kind: digit for digit, kind in _BY_DIGIT.items()}
_HIGHEST: Final = max(PacketType)


def encode_packet(
    packet: Packet, *, protocol: Literal[3, 4] = 4, supports_binary: bool = True
) -> str | bytes:
    """
    Write one packet, as WebSocket messages carry it.

    Args:
        packet: What to send.
        protocol: 4, or 3 for a client that came with ``EIO=3``.
        supports_binary: Whether bytes may stay bytes, or have to be text.

    Raises:
        ValueError: For bytes in another packet than a MESSAGE, in protocol 4.
    """
    kind, data = packet
    if isinstance(data, str):
        return _DIGITS[kind] + data
    if protocol == 3:
        if supports_binary:
            return bytes((kind,)) + data
        return "b" + _DIGITS[kind] + binascii.b2a_base64(data, newline=False).decode("ascii")
    if kind != PacketType.MESSAGE:
        raise ValueError(
            f"{PacketType(kind).name} with bytes, which only MESSAGE has (Engine.IO 4)"
        )
    if supports_binary:
        return data
    return "b" + binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_packet(data: str | Buffer, *, protocol: Literal[3, 4] = 4) -> Packet:
    """
    Read one packet.

    Args:
        data: A WebSocket message, or one part of a text payload.
        protocol: 4, or 3 for a client that came with ``EIO=3``.

    Raises:
        PacketError: For an unknown type, nothing at all, or wrong base64.
    """
    if isinstance(data, str):
        first = data[:1]
        kind = _BY_DIGIT.get(first)
        if kind is not None:
            return Packet(kind, data[1:])
        if first == "b":
            return _decode_base64(data, protocol)
        raise _unknown(first, protocol)
    octets = bytes(data)
    if protocol == 4:
        return Packet(PacketType.MESSAGE, octets)
    if not octets or octets[0] > _HIGHEST:
        raise _unknown(octets[:1], protocol)
    return Packet(PacketType(octets[0]), octets[1:])


def _decode_base64(text: str, protocol: int) -> Packet:
    kind = PacketType.MESSAGE
    start = 1
    if protocol == 3:
        found = _BY_DIGIT.get(text[1:2])
        if found is None:
            raise _unknown(text[1:2], protocol)
        kind = found
        start = 2
    encoded = text[start:]
    try:
        # Node skips what is not base64. No peer is known to need that, and it hides damage.
        octets = binascii.a2b_base64(encoded, strict_mode=True)
        # Strict mode lets padding pass where there is nothing to pad.
        if len(encoded) != (len(octets) + 2) // 3 * 4:
            raise ValueError("Excess padding")
        return Packet(kind, octets)
    except ValueError as exc:
        raise PacketError(
            CloseCode.PROTOCOL_ERROR, f"binary packet is not base64: {exc} (RFC 4648 §4)"
        ) from None


def _unknown(first: str | bytes, protocol: int) -> PacketError:
    if not first:
        return PacketError(
            CloseCode.PROTOCOL_ERROR, f"empty packet, a type is required (Engine.IO {protocol})"
        )
    return PacketError(
        CloseCode.PROTOCOL_ERROR, f"packet type {first!r}, must be 0 to 6 (Engine.IO {protocol})"
    )

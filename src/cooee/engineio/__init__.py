"""
Engine.IO: a connection that begins by HTTP polling and goes over to WebSocket where it can.

So far the codecs, which do no I/O: packets, payloads, the handshake.
"""

from cooee.engineio.handshake import Handshake
from cooee.engineio.packet import Packet, PacketError, PacketType, decode_packet, encode_packet
from cooee.engineio.payload import (
    MAX_HTTP_BUFFER_SIZE,
    MAX_PACKETS,
    decode_payload,
    encode_payload,
    fitting_packets,
)

__all__ = [
    "MAX_HTTP_BUFFER_SIZE",
    "MAX_PACKETS",
    "Handshake",
    "Packet",
    "PacketError",
    "PacketType",
    "decode_packet",
    "decode_payload",
    "encode_packet",
    "encode_payload",
    "fitting_packets",
]

"""
Engine.IO: a connection that begins by HTTP polling and goes over to WebSocket where it can.

The codecs (packets, payloads, the handshake) do no I/O; the server is mounted into a
:class:`cooee.Server`; a client tells its receiver.
"""

from cooee.engineio.client import Client, ClientReceiver, ClientState
from cooee.engineio.client_transports import TransportFailure
from cooee.engineio.cors import Cors
from cooee.engineio.errors import TransportError
from cooee.engineio.handshake import Handshake
from cooee.engineio.packet import Packet, PacketError, PacketType, decode_packet, encode_packet
from cooee.engineio.payload import (
    MAX_HTTP_BUFFER_SIZE,
    MAX_PACKETS,
    decode_payload,
    encode_payload,
    fitting_packets,
)
from cooee.engineio.prepared import Prepared
from cooee.engineio.receiver import PyReceiver, Receiver
from cooee.engineio.replies import Cookie
from cooee.engineio.server import Refusal, Server
from cooee.engineio.socket import Socket

__all__ = [
    "MAX_HTTP_BUFFER_SIZE",
    "MAX_PACKETS",
    "Client",
    "ClientReceiver",
    "ClientState",
    "Cookie",
    "Cors",
    "Handshake",
    "Packet",
    "PacketError",
    "PacketType",
    "Prepared",
    "PyReceiver",
    "Receiver",
    "Refusal",
    "Server",
    "Socket",
    "TransportError",
    "TransportFailure",
    "decode_packet",
    "decode_payload",
    "encode_packet",
    "encode_payload",
    "fitting_packets",
]

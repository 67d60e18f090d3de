"""
Socket.IO: events, acknowledgements, namespaces and rooms on top of Engine.IO.

A parser is a module with the classes ``Encoder`` and ``Decoder``: :mod:`cooee.socketio.parser`,
which every client understands, or :mod:`cooee.socketio.msgpack_parser`.
"""

from cooee.engineio.packet import PacketError
from cooee.socketio.packet import RESERVED_EVENTS, Packet, PacketType

__all__ = ["RESERVED_EVENTS", "Packet", "PacketError", "PacketType"]

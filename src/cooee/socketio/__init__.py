"""
Socket.IO: events, acknowledgements, namespaces and rooms on top of Engine.IO.

A parser is a module with the classes ``Encoder`` and ``Decoder``: :mod:`cooee.socketio.parser`,
which every client understands, or :mod:`cooee.socketio.msgpack_parser`.
"""

from cooee.engineio.packet import PacketError
from cooee.socketio.broadcast import BroadcastOperator, RemoteSocket, SocketOperator
from cooee.socketio.client_socket import ClientAck, ClientSocket
from cooee.socketio.emit_operator import EmitOperator
from cooee.socketio.errors import AckTimeout, ConnectError, Disconnected, LimitExceeded
from cooee.socketio.handshake import Handshake
from cooee.socketio.limits import Limits
from cooee.socketio.manager import Manager, connect
from cooee.socketio.memory import MemoryEngine
from cooee.socketio.namespace import Namespace, ParentNamespace
from cooee.socketio.packet import RESERVED_EVENTS, Packet, PacketType
from cooee.socketio.raw import RawMember
from cooee.socketio.server import Recovery, Server
from cooee.socketio.socket import Ack, Socket

__all__ = [
    "RESERVED_EVENTS",
    "Ack",
    "AckTimeout",
    "BroadcastOperator",
    "ClientAck",
    "ClientSocket",
    "ConnectError",
    "Disconnected",
    "EmitOperator",
    "Handshake",
    "LimitExceeded",
    "Limits",
    "Manager",
    "MemoryEngine",
    "Namespace",
    "Packet",
    "PacketError",
    "PacketType",
    "ParentNamespace",
    "RawMember",
    "Recovery",
    "RemoteSocket",
    "Server",
    "Socket",
    "SocketOperator",
    "connect",
]

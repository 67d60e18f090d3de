"""
cooee speaks raw WebSocket and Socket.IO, on both ends, at native speed.

The README has the ten-line server and client; every name here has its documentation.
"""

from cooee._version import __version__
from cooee.http import HttpLimits, Request, Response
from cooee.protocol.errors import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    CooeeError,
    DOMException,
    HandshakeError,
    InvalidAccessError,
    InvalidStateError,
    NotSupportedError,
    ProtocolError,
)
from cooee.reactor import poll, run
from cooee.websocket import (
    Blob,
    CloseEvent,
    ErrorEvent,
    Event,
    MessageEvent,
    Server,
    Session,
    WebSocket,
    broadcast,
    connect,
    serve,
)

__all__ = [
    "Blob",
    "CloseEvent",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "CooeeError",
    "DOMException",
    "ErrorEvent",
    "Event",
    "HandshakeError",
    "HttpLimits",
    "InvalidAccessError",
    "InvalidStateError",
    "MessageEvent",
    "NotSupportedError",
    "ProtocolError",
    "Request",
    "Response",
    "Server",
    "Session",
    "WebSocket",
    "__version__",
    "broadcast",
    "connect",
    "poll",
    "run",
    "serve",
]

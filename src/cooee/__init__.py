"""
cooee speaks raw WebSocket and Socket.IO, on both ends, at native speed.

The README has the ten-line server and client; every name here has its documentation.
"""

import importlib as _importlib
import typing as _typing

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

if _typing.TYPE_CHECKING:
    from cooee import engineio as engineio
    from cooee import socketio as socketio
else:

    def __getattr__(name):
        # Only when asked for: programs that speak plain WebSocket start the sooner.
        if name in ("engineio", "socketio"):
            return _importlib.import_module(f"cooee.{name}")
        raise AttributeError(f"module 'cooee' has no attribute {name!r}")


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

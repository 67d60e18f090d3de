"""WebSocket: the server, the client, and the connections both lead to (RFC 6455, WHATWG)."""

from cooee.websocket.connection import Connection, Settings
from cooee.websocket.server import Server, serve
from cooee.websocket.session import Session, broadcast

__all__ = ["Connection", "Server", "Session", "Settings", "broadcast", "serve"]

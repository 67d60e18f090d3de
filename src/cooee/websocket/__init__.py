"""WebSocket: the server, the client, and the connections both lead to (RFC 6455, WHATWG)."""

from cooee.websocket.application import Application
from cooee.websocket.blob import Blob
from cooee.websocket.browser import WebSocket
from cooee.websocket.client import connect
from cooee.websocket.connection import Connection, Settings
from cooee.websocket.events import CloseEvent, ErrorEvent, Event, MessageEvent
from cooee.websocket.outcome import Outcome
from cooee.websocket.server import Server, serve
from cooee.websocket.session import Session, broadcast

__all__ = [
    "Application",
    "Blob",
    "CloseEvent",
    "Connection",
    "ErrorEvent",
    "Event",
    "MessageEvent",
    "Outcome",
    "Server",
    "Session",
    "Settings",
    "WebSocket",
    "broadcast",
    "connect",
    "serve",
]

"""
cooee speaks raw WebSocket and Socket.IO, on both ends, at native speed.

The README has the ten-line server and client; every name here has its documentation.
"""

from cooee._version import __version__
from cooee.http import HttpLimits, Request, Response
from cooee.websocket import Server, Session, broadcast, serve

__all__ = ["HttpLimits", "Request", "Response", "Server", "Session", "__version__", "broadcast", "serve"]

"""
HTTP/1.1 requests and responses, on the port that WebSocket uses too.

Parsing is httptools' (llhttp). Start with ``connection.py``; below it ``reader.pyx`` finds the
requests in the input, ``request.pyx`` and ``response.py`` are what the application sees.
"""

from .connection import HttpConnection
from .limits import HttpLimits
from .request import Request
from .response import Response
from .target import Query

__all__ = ["HttpConnection", "HttpLimits", "Query", "Request", "Response"]

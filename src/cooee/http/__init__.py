"""
HTTP/1.1 requests and responses, on the port that WebSocket uses too.

Parsing is httptools' (llhttp). Start with ``connection.py``; below it ``reader.pyx`` finds the
requests in the input, ``request.pyx`` and ``response.py`` are what the application sees.
"""

from cooee.http.connection import HttpConnection
from cooee.http.limits import HttpLimits
from cooee.http.request import Request
from cooee.http.response import Response
from cooee.http.target import Query

__all__ = ["HttpConnection", "HttpLimits", "Query", "Request", "Response"]

"""python-socketio on uvicorn and uvloop."""

from __future__ import annotations

import uvicorn
from python_socketio_events import server
from serving import listening_socket

import socketio

app = socketio.ASGIApp(server("asgi"))
config = uvicorn.Config(app, loop="uvloop", log_level="error", access_log=False)
uvicorn.Server(config).run(sockets=[listening_socket()])

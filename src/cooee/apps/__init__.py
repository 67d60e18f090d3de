"""Applications: the echo servers and the tutorial's clients, ready to run."""

from cooee.apps.echo import EchoServer
from cooee.apps.hello import Hello, SocketIOHello
from cooee.apps.socketio_echo import SocketIOEchoServer

__all__ = ["EchoServer", "Hello", "SocketIOEchoServer", "SocketIOHello"]

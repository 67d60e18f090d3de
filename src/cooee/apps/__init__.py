"""Applications: the echo server and the tutorial's client, ready to run."""

from cooee.apps.echo import EchoServer
from cooee.apps.hello import Hello

__all__ = ["EchoServer", "Hello"]

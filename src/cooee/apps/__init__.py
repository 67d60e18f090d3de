"""Applications: the echo server and the tutorial's client, ready to run."""

from cooee.apps.echo import EchoServer

__all__ = ["EchoServer"]

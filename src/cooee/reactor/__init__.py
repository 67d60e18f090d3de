"""
The reactor: sockets, readiness and timers, driven by asyncio, by itself, or by polling.

It knows nothing of WebSocket. ``COOEE_REACTOR=portable`` in the environment forces the version
over ``selectors`` where the native one would be used.
"""

from cooee.reactor.bind import bind_tcp, bind_unix
from cooee.reactor.core import Handle, Reactor, watch_readable
from cooee.reactor.current import DefaultReactor, get_reactor
from cooee.reactor.stream import (
    Attempt,
    Listener,
    Protocol,
    PyProtocol,
    Stream,
    connect,
    listen,
)
from cooee.reactor.timers import Timer

__all__ = [
    "Attempt",
    "DefaultReactor",
    "Handle",
    "Listener",
    "Protocol",
    "PyProtocol",
    "Reactor",
    "Stream",
    "Timer",
    "bind_tcp",
    "bind_unix",
    "connect",
    "get_reactor",
    "listen",
    "watch_readable",
]

"""
The reactor: sockets, readiness and timers, driven by asyncio, by itself, or by polling.

It knows nothing of WebSocket. ``COOEE_REACTOR=portable`` in the environment forces the version
over ``selectors`` where the native one would be used.
"""

from cooee.reactor.bind import bind_tcp, bind_unix
from cooee.reactor.core import Handle, Reactor, watch_readable
from cooee.reactor.current import DefaultReactor, get_reactor, poll, run
from cooee.reactor.dial import Dial, dial, dial_unix
from cooee.reactor.resolve import Address, Resolution, resolve
from cooee.reactor.stream import (
    Attempt,
    Listener,
    Protocol,
    PyProtocol,
    Stream,
    adopt,
    connect,
    listen,
)
from cooee.reactor.timers import Timer

__all__ = [
    "Address",
    "Attempt",
    "DefaultReactor",
    "Dial",
    "Handle",
    "Listener",
    "Protocol",
    "PyProtocol",
    "Reactor",
    "Resolution",
    "Stream",
    "Timer",
    "adopt",
    "bind_tcp",
    "bind_unix",
    "connect",
    "dial",
    "dial_unix",
    "get_reactor",
    "listen",
    "poll",
    "resolve",
    "run",
    "watch_readable",
]

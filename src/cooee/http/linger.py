"""
Closing a connection whose peer is still sending.

A socket that is closed with input unread answers it with a reset, and a reset makes the peer's
system drop what the peer has not read yet: the very answer that tells it why. So the writing
half is closed first, and what still arrives is dropped for a while (RFC 9112 §9.6).
"""

from __future__ import annotations

from cooee.http.limits import HttpLimits
from cooee.reactor import PyProtocol, Reactor, Stream

__all__ = ["Linger", "linger"]


def linger(stream: Stream, reactor: Reactor, limits: HttpLimits) -> None:
    """Send what is buffered, then FIN; close when the peer closes or a limit is reached."""
    stream.protocol = Linger(stream, reactor, limits)
    stream.shutdown_write()
    stream.resume_reading()


class Linger(PyProtocol):
    """The protocol of a lingering stream."""

    __slots__ = ("_room", "_stream", "_timer")

    def __init__(self, stream: Stream, reactor: Reactor, limits: HttpLimits) -> None:
        self._stream = stream
        self._room = limits.max_linger
        self._timer = reactor.call_later(limits.linger_timeout, stream.abort, ref=False)

    def data_received(self, data: bytes) -> None:
        """Drop it."""
        self._room -= len(data)
        if self._room < 0:
            self._stream.abort()

    def eof_received(self) -> None:
        """Both sides are through."""
        self._stream.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._timer.cancel()

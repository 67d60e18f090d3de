"""
The client's half of the opening handshake on the wire (RFC 6455 §4.1): name, turn, connection,
request, answer.

What it leads to, a session or the browser's class, is the business of who is called back.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cooee._version import __version__
from cooee.protocol.errors import HandshakeError, NotSupportedError
from cooee.protocol.handshake import build_request, check_response, make_key
from cooee.protocol.headers import Extension, Headers
from cooee.protocol.urls import URL
from cooee.reactor import (
    Address,
    Dial,
    PyProtocol,
    Reactor,
    Stream,
    Timer,
    adopt,
    dial,
    dial_unix,
)
from cooee.websocket.response import ResponseReader
from cooee.websocket.turns import Turn, take_turn

__all__ = ["Established", "HeadersLike", "Opening", "OpeningOptions"]

HeadersLike: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]

# Seconds that a refusal's body may take after its head: it only explains.
_BODY_PATIENCE: Final = 1.0
# Characters of such a body that an exception's text shows.
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningOptions:
    """
    How to connect; see :class:`cooee.connect` for each.

    Attributes:
        require_protocol: Whether an answer must choose one of the subprotocols offered.
    """

    protocols: tuple[str, ...] = ()
    origin: str | None = None
    headers: HeadersLike | None = None
    user_agent: str | None = f"cooee/{__version__}"
    open_timeout: float | None = 10
    unix: str | os.PathLike[str] | None = None
    sock: socket.socket | None = None
    local_addr: tuple[str, int] | None = None
    family: int = 0
    require_protocol: bool = False


@dataclass(frozen=True, slots=True)
class Established:
    """
    A connection whose opening handshake is over.

    Attributes:
        stream: Waits for its next protocol, to be assigned at once.
        protocol: The subprotocol in use, or None.
        extensions: Those in use.
        headers: Of the answer.
        rest: What came with the answer: the first frames.
    """

    stream: Stream
    protocol: str | None
    extensions: list[Extension]
    headers: Headers
    rest: bytes


class Opening(PyProtocol):
    """
    One opening handshake under way, and the stream's protocol meanwhile.

    Args:
        callback: Called once, never before the constructor has returned, with
            ``(Established, None)`` or ``(None, exc)``: HandshakeError for an answer that does not
            complete the handshake, OSError for everything else.

    Raises:
        NotSupportedError: The URL's scheme is wss.
        RuntimeError: The reactor is closed.
        ValueError: The options do not make a valid request.
    """

    def __init__(
        self,
        reactor: Reactor,
        url: URL,
        options: OpeningOptions,
        callback: Callable[[Established | None, Exception | None], object],
    ) -> None:
        if url.secure:
            raise NotSupportedError(f"{url.scheme}: connections with TLS are not supported yet")
        headers = Headers(options.headers)
        if options.user_agent is not None:
            headers.setdefault("User-Agent", options.user_agent)
        self._key = make_key(os.urandom(16))
        self._request = build_request(
            url, self._key, protocols=options.protocols, origin=options.origin, headers=headers
        )
        self._reactor = reactor
        self._name = url.host_header
        self._options = options
        self._callback = callback
        self._over = False
        self._response = ResponseReader()
        self._turn: Turn | None = None
        self._dial: Dial | None = None
        self._timer: Timer | None = None
        timeout = options.open_timeout
        if reactor.closed:
            raise RuntimeError("the reactor is closed")
        if options.sock is not None:
            stream = adopt(reactor, options.sock)
            # The protocol at once, so that whatever happens to the stream is told to it.
            stream.protocol = self
            reactor.call_soon(self._connected, stream, None)
        elif options.unix is not None:
            self._dial = dial_unix(reactor, options.unix, self._connected, timeout=timeout)
        else:
            self._dial = dial(
                reactor,
                url.host,
                url.port,
                self._connected,
                timeout=timeout,
                family=options.family,
                local_addr=options.local_addr,
                gate=self._resolved,
            )

    def cancel(self) -> None:
        """Give up: the callback is not called any more. Idempotent; does nothing when over."""
        if not self._over:
            self._end()
            if self.stream is not None:
                self.stream.abort()

    def _end(self) -> None:
        self._over = True
        if self._dial is not None:
            self._dial.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._turn is not None:
            self._turn.leave()

    def _fail(self, exc: Exception) -> None:
        if not self._over:
            self.cancel()
            self._callback(None, exc)

    # Until the stream is there

    def _resolved(self, addresses: list[Address], proceed: Callable[[], None]) -> None:
        self._turn = take_turn(self._reactor, addresses, proceed)

    def _connected(self, stream: Stream | None, exc: OSError | None) -> None:
        if stream is None:
            assert exc is not None
            self._fail(exc)
            return
        if self._over:
            return
        remaining = self._options.open_timeout if self._dial is None else self._dial.remaining
        if remaining is not None:
            self._timer = self._reactor.call_later(max(remaining, 0), self._timed_out)
        stream.protocol = self
        stream.write(self._request)

    def _timed_out(self) -> None:
        if self._response.status is not None:
            self._refused()
            return
        self._fail(
            TimeoutError(
                errno.ETIMEDOUT,
                f"opening handshake with {self._name} not over after "
                f"{self._options.open_timeout} s",
            )
        )

    # From the stream

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        response = self._response
        headless = response.status is None
        try:
            response.feed(data)
        except HandshakeError as exc:
            self._fail(exc)
            return
        if response.complete:
            if response.status == 101:
                self._answered()
            else:
                self._refused()
        elif headless and response.status is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._reactor.call_later(_BODY_PATIENCE, self._refused)

    def eof_received(self) -> None:
        """The server sends no more."""
        if self._response.status is not None:
            self._refused()
        else:
            self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone before its time."""
        if self._response.status is not None:
            self._refused()
        else:
            self._lost(exc)

    def _lost(self, exc: Exception | None) -> None:
        when = "in the middle of its answer" if self._response.begun else "without an answer"
        text = f"{self._name} closed the connection {when}"
        if isinstance(exc, OSError):
            text += f": {exc.strerror}"
        self._fail(ConnectionResetError(errno.ECONNRESET, text))

    def _answered(self) -> None:
        """A 101: RFC 6455 §4.1, the numbered steps on the server's response."""
        response = self._response
        headers = response.headers.items()
        if response.http_version < "1.1":
            # RFC 9110 §15.2: HTTP/1.0 has no 1xx.
            self._fail(
                HandshakeError(f"101 of HTTP/{response.http_version}, 1.1 needed", 101, headers)
            )
            return
        try:
            negotiated = check_response(
                101,
                response.headers,
                self._key,
                self._options.protocols,
                require_protocol=self._options.require_protocol,
            )
        except HandshakeError as exc:
            self._fail(exc)
            return
        self._end()
        self._callback(
            Established(
                self.stream,
                negotiated.protocol,
                negotiated.extensions,
                response.headers,
                response.rest,
            ),
            None,
        )

    def _refused(self) -> None:
        """Another status: the body says why, if the server is kind."""
        response = self._response
        text = f"HTTP status {response.status}"
        if response.reason:
            text += f" {response.reason}"
        text += ", 101 needed (RFC 6455 §4.1)"
        if said := " ".join(response.body.decode("utf-8", "replace").split()):
            text += f": {said[:_SHOWN]}" + ("..." if len(said) > _SHOWN else "")
        self._fail(HandshakeError(text, response.status, response.headers.items(), response.body))

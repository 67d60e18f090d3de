"""
HTTP/1.1 requests to one origin, over connections that are kept alive (RFC 9112).

As much as polling needs: whole bodies, no redirects, no pipelining. A request takes a connection
that has nothing to do, or makes one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

import httptools

from cooee.protocol.authorization import build_basic_auth
from cooee.protocol.errors import CooeeError, NotSupportedError
from cooee.protocol.headers import Headers
from cooee.protocol.urls import URL
from cooee.reactor import Dial, PyProtocol, Reactor, Stream, dial

__all__ = ["MAX_FRAMING", "MAX_HEAD", "Answer", "Exchange", "HttpClient", "ResponseError"]

MAX_HEAD: Final = 64 * 1024
"""Bytes of a response's fields, each counted with 32 of overhead, as for the opening handshake."""

MAX_FRAMING: Final = 8
"""
Bytes that a response may have besides its body, for each of the body's, and twice MAX_HEAD more.

A chunk of a single byte has five; extensions and trailers are of no use.
"""

# Seconds before the end of a connection's announced life at which it is not used any more.
_MARGIN: Final = 1.0
_keep_alive_timeout: Final = re.compile(r"(?:^|[,;\s])timeout=(\d{1,9})").search

_Fields: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None
_Callback: TypeAlias = Callable[["Answer | None", Exception | None], object]


class ResponseError(CooeeError):
    """What a server sent is no HTTP response, or exceeds a limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A response.

    Attributes:
        status: Status code.
        reason: Reason phrase, possibly empty.
        headers: Its fields.
        body: All of it.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes


class HttpClient:
    """
    Requests to one origin.

    Args:
        reactor: The reactor to use.
        url: Its host and port are the origin; a user and password become Basic authentication.
        headers: Fields of every request.
        max_body: Bytes that the body of a response may have.

    Raises:
        NotSupportedError: The URL's scheme is https or wss.
        ValueError: The headers are malformed.
    """

    def __init__(
        self, reactor: Reactor, url: URL, *, headers: _Fields = None, max_body: int
    ) -> None:
        if url.secure:
            raise NotSupportedError(f"{url.scheme}: connections with TLS are not supported yet")
        self.reactor = reactor
        self.url = url
        self.max_body = max_body
        self._headers = Headers({"Host": url.host_header})
        self._headers.extend(Headers(headers))
        if (url.username or url.password) and "Authorization" not in self._headers:
            self._headers.add(
                "Authorization",
                build_basic_auth(
                    unquote(url.username, errors="surrogateescape"),
                    unquote(url.password, errors="surrogateescape"),
                ),
            )
        self._idle: list[_Connection] = []
        self._exchanges: set[Exchange] = set()

    def request(
        self,
        method: str,
        target: str,
        callback: _Callback,
        *,
        headers: _Fields = None,
        body: bytes | None = None,
    ) -> Exchange:
        """
        Send a request.

        Args:
            method: As GET.
            target: Path and query.
            callback: Called once, never before this has returned, with ``(Answer, None)`` or
                ``(None, exc)``: an OSError, or a :class:`ResponseError`.
            headers: Further fields.
            body: None for none.

        Returns:
            An :class:`Exchange`, which can be cancelled.
        """
        fields = Headers(self._headers)
        fields.extend(Headers(headers))
        if body is not None:
            fields.add("Content-Length", str(len(body)))
        head = [f"{method} {target} HTTP/1.1\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in fields.items()]
        data = "".join(head).encode("latin-1") + b"\r\n" + (body or b"")
        exchange = Exchange(self, data, callback)
        self._exchanges.add(exchange)
        exchange.begin(self._take())
        return exchange

    def close(self) -> None:
        """Give all requests up, and close all connections. Idempotent."""
        for exchange in list(self._exchanges):
            exchange.cancel()
        for connection in self._idle:
            connection.stream.abort()
        self._idle.clear()

    # For exchanges and connections

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.stream.abort()
        return None

    def _put_back(self, connection: _Connection) -> None:
        self._idle.append(connection)

    def _drop(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        connection.stream.abort()

    def _forget(self, exchange: Exchange) -> None:
        self._exchanges.discard(exchange)


class Exchange:
    """One request, and the response that it waits for."""

    def __init__(self, client: HttpClient, request: bytes, callback: _Callback) -> None:
        self._client = client
        self._request = request
        self._callback: _Callback | None = callback
        self._dial: Dial | None = None
        self._connection: _Connection | None = None

    def cancel(self) -> None:
        """Give it up: the callback is not called any more. Idempotent."""
        if self._callback is None:
            return
        self._callback = None
        self._client._forget(self)
        if self._dial is not None:
            self._dial.cancel()
        if self._connection is not None:
            self._connection.abandon()

    def begin(self, connection: _Connection | None) -> None:
        """Start, on a connection that is there or on a new one (called by the client)."""
        if connection is not None:
            self._connection = connection
            connection.start(self, self._request)
            return
        url = self._client.url
        self._dial = dial(self._client.reactor, url.host, url.port, self._connected)

    def finish(self, answer: Answer | None, exc: Exception | None) -> None:
        """The response is there, or will not come (called by the connection)."""
        callback, self._callback = self._callback, None
        self._connection = None
        self._client._forget(self)
        if callback is not None:
            callback(answer, exc)

    def _connected(self, stream: Stream | None, exc: OSError | None) -> None:
        self._dial = None
        if stream is None:
            self.finish(None, exc)
            return
        self._connection = _Connection(self._client)
        stream.protocol = self._connection
        self._connection.start(self, self._request)


class _Connection(PyProtocol):
    """A connection, and the parser of what comes over it."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._exchange: Exchange | None = None
        self._expires: float | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status = 0
        self._reason = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._fields_size = 0
        # Not a list of pieces, of which each would cost more than it holds.
        self._body = bytearray()
        self._received = 0
        self._complete = False
        self._keep = False
        self._error: str | None = None

    def start(self, exchange: Exchange, request: bytes) -> None:
        """Send a request."""
        self._exchange = exchange
        self.stream.write(request)

    def usable(self) -> bool:
        """Whether it may take another request."""
        return not self.stream.closing and (
            self._expires is None or self._client.reactor.time() < self._expires
        )

    def abandon(self) -> None:
        """Nobody waits for the response any more."""
        self._exchange = None
        self.stream.abort()

    # From the stream

    def data_received(self, data: bytes) -> None:
        """A piece of a response."""
        if self._exchange is None:
            # RFC 9112 §6.3: what nobody asked for, a 408 say, ends the connection.
            self._client._drop(self)
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._error = "switches protocols, which nobody asked for (RFC 9110 §7.8)"
        except httptools.HttpParserError as exc:
            if not self._complete:
                self._error = self._error or f"is not HTTP/1.1: {exc} (RFC 9112)"
        if self._error is None and not self._complete:
            self._check_framing()
        if self._error is not None:
            self._fail(ResponseError(f"answer {self._error}"))
        elif self._complete:
            self._answer()

    def _check_framing(self) -> None:
        """
        Give up a response that has too much besides its body.

        That is a head, or a part of one, which the parser keeps to itself until it ends; interim
        responses; and all that is between chunks.
        """
        most = 2 * MAX_HEAD + MAX_FRAMING * len(self._body)
        if self._received - len(self._body) > most:
            self._error = f"has more than {most} bytes besides its body"

    def eof_received(self) -> None:
        """The server sends no more."""
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._ended(exc)

    def _ended(self, exc: Exception | None) -> None:
        if self._exchange is None:
            self._client._drop(self)
            return
        headers = Headers.from_wire(self._fields)
        if (
            exc is None
            and self._status
            and headers.get("Content-Length") is None
            and headers.get("Transfer-Encoding") is None
        ):
            # RFC 9112 §6.3: a body without a length ends with the connection.
            self._answer(keep=False)
            return
        text = f"{self._client.url.host_header} closed the connection without a whole answer"
        if isinstance(exc, OSError) and exc.strerror:
            text += f": {exc.strerror}"
        self._fail(ConnectionResetError(errno.ECONNRESET, text))

    def _fail(self, exc: Exception) -> None:
        exchange, self._exchange = self._exchange, None
        self.stream.abort()
        if exchange is not None:
            exchange.finish(None, exc)

    def _answer(self, keep: bool = True) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        answer = Answer(
            self._status,
            self._reason.decode("latin-1"),
            Headers.from_wire(self._fields),
            bytes(self._body),
        )
        if keep and self._keep:
            found = _keep_alive_timeout(answer.headers.get("Keep-Alive") or "")
            if found is not None:
                self._expires = self._client.reactor.time() + int(found[1]) - _MARGIN
            self._reset()
            self._client._put_back(self)
        else:
            self.stream.close()
        exchange.finish(answer, None)

    # Called by the parser

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields_size += len(name) + len(value) + 32
        if self._fields_size > MAX_HEAD:
            self._refuse(f"has a head that is too large, at most {MAX_HEAD} bytes")
        # Those of a trailer section are of no interest.
        if not self._status:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            # RFC 9110 §15.2: interim responses come before the final one.
            self._fields.clear()
            self._reason = b""
            return
        self._status = status

    def on_body(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._client.max_body:
            self._refuse(f"has a body of more than {self._client.max_body} bytes")
        self._body += data

    def on_message_complete(self) -> None:
        if self._status:
            self._complete = True
            # Forgotten once the parser is through.
            self._keep = self._parser.should_keep_alive()

    def _refuse(self, error: str) -> None:
        self._error = error
        # The parser stops, whatever is raised.
        raise ResponseError(error)

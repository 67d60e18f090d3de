"""
The Engine.IO server: handshakes, sessions by their ids, and what is refused.

It is mounted into a :class:`cooee.Server` and shares its port with plain WebSocket and HTTP::

    server = cooee.Server(port=6081)
    engine = cooee.engineio.Server(cors=Cors(origin="*"))
    engine.attach(server)


    @engine.on("connection")
    def connected(socket):
        socket.receiver = Echo(socket)
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cooee.engineio.answers import Answers, is_internet_explorer
from cooee.engineio.cors import AllowedOrigins, Cors
from cooee.engineio.handshake import Handshake
from cooee.engineio.outbox import SocketSettings
from cooee.engineio.payload import MAX_HTTP_BUFFER_SIZE
from cooee.engineio.polling import Polling
from cooee.engineio.polls import Polls
from cooee.engineio.replies import Cookie
from cooee.engineio.socket import Socket
from cooee.engineio.transport import WebSocketTransport
from cooee.engineio.transport_names import Transport, transport_names
from cooee.http import HttpConnection, Request, Response
from cooee.protocol.errors import HandshakeError
from cooee.protocol.handshake import build_response, check_request
from cooee.protocol.headers import Headers, has_token
from cooee.websocket.connection import Settings
from cooee.websocket.outcome import Outcome
from cooee.websocket.server import Server as WebSocketServer

__all__ = ["Refusal", "Server"]

logger = logging.getLogger("cooee.engineio")

AllowRequest: TypeAlias = Callable[[Request], bool | str | Awaitable[bool | str]]

EVENTS: Final = ("connection", "connection_error", "upgrade", "initial_headers", "headers")

# Codes of refusals, and their messages, as clients see them.
UNKNOWN_TRANSPORT: Final = 0
UNKNOWN_SID: Final = 1
BAD_HANDSHAKE_METHOD: Final = 2
BAD_REQUEST: Final = 3
FORBIDDEN: Final = 4
UNSUPPORTED_PROTOCOL_VERSION: Final = 5
MESSAGES: Final = (
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why a request was refused: the argument of the event ``connection_error``.

    Attributes:
        request: The request.
        code: 0 to 5, as the client is told.
        message: The message of the code, or that of ``allow_request``.
        context: What was wrong in particular.
    """

    request: Request
    code: int
    message: str
    context: Mapping[str, object] = field(default_factory=dict)


class Server:
    """
    An Engine.IO server.

    Events, registered with :meth:`on`:

    - ``connection(socket)``: a :class:`Socket` is open; assign its ``receiver`` now;
    - ``connection_error(error)``: a request was refused, see :class:`Refusal`;
    - ``upgrade(socket)``: a session has changed from polling to WebSocket;
    - ``initial_headers(headers, request)``: the handshake is about to be answered;
    - ``headers(headers, request)``: a polling request, or a WebSocket's handshake, is.

    Args:
        ping_interval: Seconds from one heartbeat to the next, default 25.
        ping_timeout: Seconds that the client has to answer it, default 20.
        upgrade_timeout: Seconds that the change to WebSocket may take, default 10.
        max_http_buffer_size: Bytes in a received message, or the body of a POST, default 1 MB, as
            Node has; a larger body is answered with 413, a larger message closed with 1009.
        transports: Those on offer: "polling", "websocket" or, the default, both.
        allow_upgrades: Whether sessions may change from polling to WebSocket.
        allow_eio3: Whether clients of protocol 3 (Socket.IO 2 and older) are served too. A request
            that does not name its protocol then counts as one.
        allow_request: Function or coroutine function called with the :class:`cooee.http.Request` of
            a handshake. True lets it in; False refuses it, and so does a ``str`` that the client is
            told. A coroutine function has as long as the head of a request may take (the
            ``handshake_timeout`` of :class:`cooee.Server`); then it is cancelled, and refuses.
        cors: See :class:`Cors`, or only its ``origin``; None, the default, lets pages of the same
            origin in only.
        cookie: See :class:`Cookie`; None, the default, sets none.
        http_compression: Whether polling answers are compressed for clients that take it.
        compression_threshold: Bytes from which on they are, default 1024.
        initial_packet: A message that all clients get first.
        high_water: Bytes waiting to be sent above which awaiting ``send`` waits.
        max_buffered: Bytes waiting to be sent, or for a poll, above which a client is cut off.
        close_timeout: Seconds for a WebSocket client to answer a Close frame.
    """

    def __init__(
        self,
        *,
        ping_interval: float = 25,
        ping_timeout: float = 20,
        upgrade_timeout: float = 10,
        max_http_buffer_size: int = MAX_HTTP_BUFFER_SIZE,
        transports: Transport | Sequence[Transport] = ("polling", "websocket"),
        allow_upgrades: bool = True,
        allow_eio3: bool = False,
        allow_request: AllowRequest | None = None,
        cors: Cors | AllowedOrigins | None = None,
        cookie: Cookie | None = None,
        http_compression: bool = True,
        compression_threshold: int = 1024,
        initial_packet: str | bytes | None = None,
        high_water: int = 64 * 1024,
        max_buffered: int = 64 * 1024 * 1024,
        close_timeout: float = 10,
    ) -> None:
        for name, value in (
            ("ping_interval", ping_interval),
            ("ping_timeout", ping_timeout),
            ("upgrade_timeout", upgrade_timeout),
        ):
            if not value > 0:
                raise ValueError(f"{name} is {value!r}, must be above 0 seconds")
        self.max_http_buffer_size = max_http_buffer_size
        self.initial_packet = initial_packet
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._transports = transport_names(transports)
        self._upgrades = ["websocket"] if allow_upgrades and "websocket" in self._transports else []
        self._allow_eio3 = allow_eio3
        self._allow_request = allow_request
        self._cors = cors if cors is None or isinstance(cors, Cors) else Cors(origin=cors)
        self._cookie = cookie
        self._websocket = Settings(
            max_message_size=max_http_buffer_size,
            close_timeout=close_timeout,
            ping_interval=0,
            high_water=high_water,
            max_buffered=max_buffered,
        )
        self._settings = SocketSettings(
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            upgrade_timeout=upgrade_timeout,
            websocket=self._websocket,
        )
        self._events: dict[str, list[Callable[..., Any]]] = {name: [] for name in EVENTS}
        self._clients: dict[str, Socket] = {}
        self._answers = Answers(
            self._headers,
            constant=self._cors is None or self._cors.constant,
            listeners=self._events["headers"],
            compression_threshold=compression_threshold if http_compression else None,
        )
        self._polls = Polls(self, self._clients, self._answers)
        # WebSockets of any state, those of sessions that are over included.
        self._websockets: set[WebSocketTransport] = set()
        self._closing = False
        self._closed = Outcome()

    @property
    def clients(self) -> Mapping[str, Socket]:
        """The sessions by their ids; not to be changed."""
        return self._clients

    @property
    def max_body_size(self) -> int:
        """Bytes that the body of a request may have."""
        return self.max_http_buffer_size

    def attach(self, server: WebSocketServer, path: str = "/engine.io/") -> None:
        """Serve the requests to a server whose path begins with `path`."""
        server.mount(path, self)

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """
        Register a handler, a function; without one, return a decorator.

        Raises:
            ValueError: There is no such event.
        """
        if event not in self._events:
            raise ValueError(f"an engine has no event {event!r}, only {', '.join(EVENTS)}")
        if handler is None:
            return lambda function: self.on(event, function)
        self._events[event].append(handler)
        return handler

    def generate_id(self, request: Request) -> str:
        """
        Return a new session's id, which nobody must be able to guess; to be overridden.

        By default 20 characters from a CSPRNG, 120 bits.
        """
        return urlsafe_b64encode(os.urandom(15)).decode("ascii")

    def close(self) -> Outcome:
        """
        Close all sessions and refuse new ones. Awaiting the result waits until all are gone.

        Later calls return the same.
        """
        if not self._closing:
            self._closing = True
            for socket in list(self._clients.values()):
                socket.close(True)
            for transport in list(self._websockets):
                transport.close()
            self._check_closed()
        return self._closed

    def _check_closed(self) -> None:
        if self._closing and not self._websockets:
            self._closed.set_result(None)

    # Requests

    def announce(self, http: HttpConnection, request: Request) -> None:
        """See a request whose body is still to come: of POSTs, a session has one at a time."""
        if request.method == "POST":
            client = self._clients.get(request.query.get("sid", ""))
            if client is not None and client.transport_name == "polling":
                client.announce_post(http)

    def handle(self, http: HttpConnection, request: Request) -> None:
        """Answer a request, now or later."""
        if self._closing:
            http.respond(request, Response(503, "the server is closing\n", {"Connection": "close"}))
            return
        if self._cors is not None and request.method == "OPTIONS":
            headers = Headers()
            self._cors.apply_preflight(headers, request)
            http.respond(request, Response(204, None, headers))
            return
        upgrade = request.is_upgrade and has_token(request.upgrade, "websocket")
        if not upgrade and self._polls.take(http, request):
            return
        error = self._verify(request, upgrade)
        if error is not None:
            self._refuse(http, error, upgrade)
        elif request.query.get("sid") or self._allow_request is None:
            self._accept(http, request, upgrade)
        else:
            self._ask(http, request, upgrade, self._allow_request)

    def _verify(self, request: Request, upgrade: bool) -> Refusal | None:
        query = request.query
        transport = query.get("transport")
        if transport not in self._transports:
            return _error(request, UNKNOWN_TRANSPORT, transport=transport)
        protocol = _protocol(request)
        if sid := query.get("sid"):
            client = self._clients.get(sid)
            # A POST may bring the pong: what has been sent in time counts.
            if client is None or (request.method == "GET" and client.expire()):
                return _error(request, UNKNOWN_SID, sid=sid)
            if not upgrade and client.transport_name != transport:
                return _error(request, BAD_REQUEST, name="TRANSPORT_MISMATCH", transport=transport)
            if client.protocol != protocol:
                return _error(request, BAD_REQUEST, name="PROTOCOL_MISMATCH", protocol=protocol)
            return None
        if request.method != "GET":
            return _error(request, BAD_HANDSHAKE_METHOD, method=request.method)
        if transport == "websocket" and not upgrade:
            return _error(request, BAD_REQUEST, name="TRANSPORT_HANDSHAKE_ERROR")
        if protocol == 3 and not self._allow_eio3:
            return _error(request, UNSUPPORTED_PROTOCOL_VERSION, protocol=query.get("EIO"))
        return None

    def _ask(
        self, http: HttpConnection, request: Request, upgrade: bool, hook: AllowRequest
    ) -> None:
        try:
            answer = hook(request)
        except Exception:
            logger.exception("exception in allow_request for %r", request)
            answer = False
        if isinstance(answer, (bool, str)) or not inspect.isawaitable(answer):
            self._answered(http, request, upgrade, answer)
            return

        async def wait() -> None:
            deadline = asyncio.timeout(http.limits.head_timeout)
            try:
                async with deadline:
                    allowed = await answer
            except Exception:
                if deadline.expired():
                    allowed = f"allow_request took more than {http.limits.head_timeout:g} s"
                    logger.warning("%r refused: %s", request, allowed)
                else:
                    logger.exception("exception in allow_request for %r", request)
                    allowed = False
            if self._closing:
                allowed = "the server is closing"
            self._answered(http, request, upgrade, allowed)

        http.stream.reactor.spawn(wait())

    def _answered(
        self, http: HttpConnection, request: Request, upgrade: bool, answer: object
    ) -> None:
        if http.disconnected:
            # While the hook took its time. Nothing else would end what is left of the connection.
            http.abort()
            return
        if answer is True:
            self._accept(http, request, upgrade)
            return
        message = answer if isinstance(answer, str) and answer else MESSAGES[FORBIDDEN]
        self._refuse(http, Refusal(request, FORBIDDEN, message), upgrade)

    def _refuse(self, http: HttpConnection, error: Refusal, upgrade: bool) -> None:
        logger.info("request from %s refused: %s", error.request.remote_address, error.message)
        self._emit("connection_error", error)
        headers = Headers()
        body = error.message
        status = 400
        if upgrade:
            headers["Connection"] = "close"
            headers["Content-Type"] = "text/html"
        else:
            if error.code == FORBIDDEN:
                status = 403
            headers["Content-Type"] = "application/json"
            body = json.dumps(
                {"code": error.code, "message": error.message},
                ensure_ascii=False,
                separators=(",", ":"),
            )
        if self._cors is not None:
            self._cors.apply(headers, error.request)
        http.respond(error.request, Response(status, body.encode(), headers))

    def _accept(self, http: HttpConnection, request: Request, upgrade: bool) -> None:
        sid = request.query.get("sid")
        if upgrade:
            self._switch(http, request, self._clients.get(sid) if sid else None, bool(sid))
        elif not sid:
            self._open_polling(http, request)
        else:
            # A session takes GET and POST, which have been taken.
            self.reject(http, request)

    def reject(self, http: HttpConnection, request: Request, status: int = 400) -> None:
        """Answer a request that breaks the rules (called by its session)."""
        headers = Headers()
        if self._cors is not None:
            self._cors.apply(headers, request)
        http.respond(request, Response(status, None, headers))

    # Polling

    def _open_polling(self, http: HttpConnection, request: Request) -> None:
        query = request.query
        protocol = _protocol(request)
        socket = self._new_socket(http, request, protocol)
        polling = Polling(self._answers, socket.sid, protocol, not query.get("b64"), "j" in query)
        self._clients[socket.sid] = socket
        socket.open_polling(polling, http, self._upgrades)
        self._connected(socket)

    def _headers(self, request: Request, content_type: str, first: str | None = None) -> Headers:
        headers = Headers({"Content-Type": content_type, "Cache-Control": "no-store"})
        if first is not None and self._cookie is not None:
            headers["Set-Cookie"] = self._cookie.serialize(first)
        if self._cors is not None:
            self._cors.apply(headers, request)
        if is_internet_explorer(request):
            headers["X-XSS-Protection"] = "0"
        if first is not None:
            self._emit("initial_headers", headers, request)
        self._emit("headers", headers, request)
        return headers

    # WebSocket

    def _switch(
        self, http: HttpConnection, request: Request, client: Socket | None, named: bool
    ) -> None:
        """Accept a WebSocket: a session's first transport, or one to upgrade to."""
        headers = Headers()
        if self._cors is not None:
            self._cors.apply(headers, request)
        if not named:
            self._emit("initial_headers", headers, request)
        self._emit("headers", headers, request)
        try:
            key = check_request(request.method, request.http_version, request.headers)
        except HandshakeError as exc:
            http.respond(request, Response(exc.status or 400, f"{exc}\n", exc.headers))
            return
        head = build_response(key, headers=headers.serialize())

        def opened(transport: WebSocketTransport) -> None:
            if request.query.get("transport") != "websocket" or (named and client is None):
                transport.close()
            elif client is not None:
                client.upgrade(transport)
            else:
                socket = self._new_socket(http, request, _protocol(request), transport)
                self._clients[socket.sid] = socket
                socket.open_websocket(transport)
                self._connected(socket)

        http.switch(request, head, WebSocketTransport(self._websocket, self, opened))

    # Sessions

    def _new_socket(
        self,
        http: HttpConnection,
        request: Request,
        protocol: int,
        transport: WebSocketTransport | None = None,
    ) -> Socket:
        stream = http.stream if transport is None else transport.stream
        return Socket(
            self,
            self.generate_id(request),
            request,
            protocol,
            self._settings,
            stream.reactor,
            protocol == 4 or not request.query.get("b64"),
        )

    def _connected(self, socket: Socket) -> None:
        for handler in self._events["connection"]:
            try:
                handler(socket)
            except Exception as exc:
                logger.exception("exception in a handler of 'connection'")
                socket.fail(exc)
                return
        socket.request.compact()

    def encode_handshake(self, sid: str, upgrades: list[str]) -> str:
        """Return the data of the OPEN packet (called by a session)."""
        return Handshake(
            sid=sid,
            upgrades=upgrades,
            ping_interval=round(self._ping_interval * 1000),
            ping_timeout=round(self._ping_timeout * 1000),
            max_payload=self.max_http_buffer_size,
        ).encode()

    def upgraded(self, socket: Socket) -> None:
        """A session has changed over (called by it)."""
        self._emit("upgrade", socket)

    def forget(self, socket: Socket) -> None:
        """A session is over (called by it)."""
        self._clients.pop(socket.sid, None)

    def admit(self, transport: WebSocketTransport) -> None:
        """A WebSocket is there (called by it)."""
        self._websockets.add(transport)

    def release(self, transport: WebSocketTransport) -> None:
        """A WebSocket is gone (called by it)."""
        self._websockets.discard(transport)
        self._check_closed()

    def _emit(self, event: str, *args: object) -> None:
        for handler in self._events[event]:
            try:
                handler(*args)
            except Exception:
                logger.exception("exception in a handler of %r", event)


def _protocol(request: Request) -> int:
    # Protocol 3's clients need not name it.
    return 4 if request.query.get("EIO") == "4" else 3


def _error(request: Request, code: int, **context: object) -> Refusal:
    return Refusal(request, code, MESSAGES[code], context)

"""
What a server does with the requests on its port, opening handshakes among them (RFC 6455 §4.2).

A mounted application gets those below its path. A handshake is checked, shown to
``process_request`` and answered with 101; any other request goes to the ``http`` handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cooee.http import HttpConnection, HttpLimits, Request, Response
from cooee.protocol.errors import HandshakeError, InvalidStateError
from cooee.protocol.handshake import (
    build_response,
    check_request,
    offered_protocols,
    select_protocol,
    validate_protocols,
)
from cooee.protocol.headers import Headers, has_token
from cooee.protocol.origin import SAME_ORIGIN, OriginPolicy, origin_allowed
from cooee.reactor import Protocol, Reactor, Stream
from cooee.websocket.application import Application
from cooee.websocket.connection import Settings
from cooee.websocket.door import USUAL_FIELDS, USUAL_HEAD, Door, Doorman
from cooee.websocket.opening import HeadersLike
from cooee.websocket.options import HttpHandler, RequestHook, Subprotocols
from cooee.websocket.outcome import Outcome
from cooee.websocket.session import Session

if TYPE_CHECKING:
    from cooee.websocket.server import Server

__all__ = ["Requests"]

logger = logging.getLogger("cooee.websocket")


class Requests:
    """
    The requests of one server, and the connections on which they come.

    Args:
        server: The owner of the sessions that handshakes lead to.
        settings: Of these sessions.
        limits: Of the connections, until they are sessions.

    The other arguments, and what is raised, are those of :class:`Server`.

    Attributes:
        limits: As given, but the bodies that mounted applications take may be larger.
    """

    def __init__(
        self,
        server: Server,
        settings: Settings,
        limits: HttpLimits,
        *,
        process_request: RequestHook | None,
        http: HttpHandler | None,
        origins: OriginPolicy,
        subprotocols: Subprotocols | None,
        headers: HeadersLike | None,
        server_header: str | None,
    ) -> None:
        if isinstance(origins, str):
            # Raises where it is neither policy but, say, an origin.
            origin_allowed(None, None, origins)
        if subprotocols is not None and not callable(subprotocols):
            subprotocols = tuple(validate_protocols(subprotocols))
        extra = Headers(headers)
        if server_header is not None:
            extra.setdefault("Server", server_header)
        self.limits = limits
        self._server = server
        self._settings = settings
        self._process_request = process_request
        self._http = http
        self._origins = origins
        self._subprotocols = subprotocols
        self._server_header = server_header
        self._extra_headers = extra.serialize()
        self._mounts: list[tuple[str, Application]] = []
        self._unmounting: list[Outcome] = []
        self._reactor: Reactor | None = None
        self._closing = False

    def mount(self, path: str, application: Application) -> None:
        """Have an application answer all requests whose path begins with `path`."""
        if not path.startswith("/"):
            raise ValueError(f"path {path!r} does not begin with '/'")
        if any(path == taken for taken, _ in self._mounts):
            raise ValueError(f"path {path!r} is taken")
        self._mounts.append((path, application))
        self._mounts.sort(key=lambda mount: len(mount[0]), reverse=True)
        size = max(self.limits.max_body_size, application.max_body_size)
        self.limits = replace(self.limits, max_body_size=size)

    # Connections

    def accept(self, reactor: Reactor) -> Callable[[], Protocol]:
        """Return what makes the protocol of a connection that a listener of `reactor` accepts."""
        self._reactor = reactor
        limits = self.limits
        if (
            not self._mounts
            and self._process_request is None
            and self._origins in (SAME_ORIGIN, "*")
            and min(limits.max_header_size, limits.max_request_line) >= USUAL_HEAD
            and limits.max_headers >= USUAL_FIELDS
        ):
            # A handshake is accepted for what it is, with nobody to ask.
            return Door(
                self,
                self._server,
                self._settings,
                self._extra_headers,
                any_origin=self._origins == "*",
                any_protocol=self._subprotocols is None,
                timeout=limits.head_timeout,
            )
        return self.http_connection

    def http_connection(self) -> HttpConnection:
        """The protocol of a connection whose request is not the usual one (called by its door)."""
        return HttpConnection(
            self._answer,
            on_head=self._announce if self._mounts else None,
            limits=self.limits,
            reactor=self._reactor,
            server_header=self._server_header,
        )

    def connections(self) -> Iterator[HttpConnection | Doorman]:
        """Those in the opening handshake or with a request of another kind."""
        for handle in self._reactor.handles() if self._reactor is not None else ():
            protocol = handle.protocol if isinstance(handle, Stream) else None
            if isinstance(protocol, HttpConnection):
                if protocol.on_request == self._answer:
                    yield protocol
            elif isinstance(protocol, Doorman) and protocol.requests is self:
                yield protocol

    def close(self) -> None:
        """Close applications, and connections once what goes on is answered."""
        self._closing = True
        # Polls that they release are answered before their connections close.
        self._unmounting = [application.close() for _, application in self._mounts]
        for connection in list(self.connections()):
            connection.close()

    def abort(self) -> None:
        """Cut the connections that are left."""
        for connection in list(self.connections()):
            connection.abort()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done after :meth:`close`."""
        return next(self.connections(), None) is None and all(
            outcome.done for outcome in self._unmounting
        )

    # Requests

    def _application(self, request: Request) -> Application | None:
        for path, application in self._mounts:
            if request.path.startswith(path):
                return application
        return None

    def _announce(self, http: HttpConnection, request: Request) -> None:
        application = self._application(request)
        if application is not None:
            application.announce(http, request)

    def _answer(self, http: HttpConnection, request: Request) -> None:
        application = self._application(request)
        if application is not None:
            application.handle(http, request)
        elif self._http is None or (request.is_upgrade and has_token(request.upgrade, "websocket")):
            # Where nothing else is served the answer says what is missing in a handshake.
            self._handshake(http, request)
        else:
            answer = self._http(request)
            if isinstance(answer, Response):
                http.respond(request, answer)
            else:
                self._spawn(self._respond_later(http, request, answer))

    async def _respond_later(
        self, http: HttpConnection, request: Request, answer: Awaitable[Response]
    ) -> None:
        try:
            http.respond(request, await answer)
        except Exception:
            _internal_error(http, request)

    # Opening handshakes

    def _handshake(self, http: HttpConnection, request: Request) -> None:
        try:
            headers = request.headers
            key = check_request(request.method, request.http_version, headers)
            origin = headers.get("origin")
            if not origin_allowed(origin, headers.get("host"), self._origins):
                raise HandshakeError(f"origin {origin!r} not allowed (RFC 6455 §10.2)", 403)
        except HandshakeError as exc:
            _refuse(http, request, exc)
            return
        if self._process_request is not None:
            answer = self._process_request(request)
            if isinstance(answer, Response):
                http.respond(request, answer)
                return
            if answer is not None:
                self._spawn(self._upgrade_later(http, request, key, answer))
                return
        self._upgrade(http, request, key)

    async def _upgrade_later(
        self, http: HttpConnection, request: Request, key: str, answer: Awaitable[Response | None]
    ) -> None:
        deadline = asyncio.timeout(self.limits.head_timeout)
        try:
            async with deadline:
                response = await answer
            if response is not None:
                http.respond(request, response)
            else:
                self._upgrade(http, request, key)
        except Exception:
            if deadline.expired():
                fact = f"process_request took more than {self.limits.head_timeout:g} s"
                logger.warning("%r refused: %s", request, fact)
                http.respond(request, Response(503, f"{fact}\n", {"Connection": "close"}))
            else:
                _internal_error(http, request)

    def _upgrade(self, http: HttpConnection, request: Request, key: str) -> None:
        try:
            subprotocol = self._select(request) if self._subprotocols is not None else None
        except HandshakeError as exc:
            _refuse(http, request, exc)
            return
        if self._closing:
            http.respond(request, Response(503, "the server is closing\n"))
            return
        session = Session(
            self._settings,
            server=True,
            request=request,
            subprotocol=subprotocol,
            owner=self._server,
        )
        head = build_response(key, protocol=subprotocol, headers=self._extra_headers)
        http.switch(request, head, session)

    def _select(self, request: Request) -> str | None:
        offered = offered_protocols(request.headers)
        if not offered:
            return None
        if not callable(self._subprotocols):
            return select_protocol(offered, self._subprotocols or ())
        chosen = self._subprotocols(request, offered)
        if chosen is not None and chosen not in offered:
            raise ValueError(f"subprotocol {chosen!r} chosen, not offered (RFC 6455 §4.2.2)")
        return chosen

    def _spawn(self, coro: Coroutine[Any, Any, None]) -> None:
        assert self._reactor is not None
        self._reactor.spawn(coro)


def _refuse(http: HttpConnection, request: Request, exc: HandshakeError) -> None:
    logger.info("handshake from %s refused, %s: %s", request.remote_address, exc.status, exc)
    http.respond(request, Response(exc.status or 400, f"{exc}\n", exc.headers))


def _internal_error(http: HttpConnection, request: Request) -> None:
    logger.exception("exception in the handler of %r", request)
    with contextlib.suppress(InvalidStateError):
        http.respond(request, Response(500, "Internal Server Error\n", {"Connection": "close"}))

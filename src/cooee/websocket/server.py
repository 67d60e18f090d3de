"""
The WebSocket server: its listening sockets, its sessions, and its life from start to close.

The port speaks HTTP; how requests become sessions is the matter of ``requests``.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

from cooee._version import __version__
from cooee.http import HttpLimits, Request
from cooee.protocol.close import build_close_payload
from cooee.protocol.errors import ConnectionClosed
from cooee.protocol.origin import SAME_ORIGIN, OriginPolicy
from cooee.reactor import (
    Listener,
    Reactor,
    Timer,
    bind_tcp,
    bind_unix,
    get_reactor,
    listen,
)
from cooee.websocket.application import Application
from cooee.websocket.connection import Settings
from cooee.websocket.keepalive import Keepalive
from cooee.websocket.opening import HeadersLike
from cooee.websocket.options import (
    HttpHandler,
    RequestHook,
    ServerOptions,
    SessionHandler,
    SettingsOptions,
    Subprotocols,
    make_settings,
)
from cooee.websocket.outcome import Outcome
from cooee.websocket.requests import Requests
from cooee.websocket.session import Session, broadcast

__all__ = ["Server", "serve"]

logger = logging.getLogger("cooee.websocket")

# Handlers, by what they are called with. A coroutine function is one that returns an object too.
OnConnection = TypeVar("OnConnection", bound=Callable[[Session, Request], object])
OnLife = TypeVar("OnLife", bound=Callable[[], object])

EVENTS = ("connection", "listening", "close")


class Server:
    """
    A WebSocket server.

    Events, registered with :meth:`on`:

    - ``connection(session, request)``: the opening handshake is done;
    - ``listening()``: the sockets are bound;
    - ``close()``: the last session is gone after :meth:`close`.

    Args:
        handler: Coroutine style: a coroutine function called with each :class:`Session`, which is
            closed with 1000 when it returns and with 1011 when it raises.
        host: Name or address to listen on, or several; None, the default, for all interfaces.
        port: TCP port; 0 for a free one.
        unix: Path of a Unix socket to listen on, instead of host and port.
        sock: A bound socket to listen on, instead of host and port.
        process_request: Function or coroutine function, called with the :class:`Request` before a
            WebSocket is accepted; a :class:`Response` it returns is sent instead.
        http: Function or coroutine function that answers other requests with a
            :class:`Response`; by default they get 426.
        origins: Which origins browsers may come from: ``SAME_ORIGIN``, the default, which also
            admits clients that give none; ``"*"`` for all; a list of strings and compiled
            patterns, with None for "none given"; or a function of the origin.
        subprotocols: Those supported, of which the first in the client's order is chosen; or a
            function of the request and the list offered that returns one of them or None. It is not
            called when none is offered.
        headers: Added to the 101 response.
        server_header: Value of the ``Server`` header in responses; None for no such header.
        limits: :class:`HttpLimits` of the opening handshake and other requests.
        handshake_timeout: Seconds from connecting to the end of the request's head, and from there
            to the answer of a `process_request` that is a coroutine function, which is then
            cancelled and the client told 503; by default the ``head_timeout`` of `limits`, 10.
        reuse_port: Let several processes listen on the port.
        backlog: Connections that may wait to be accepted.
        busy_poll: See :class:`cooee.reactor.Reactor`.
        settings: Limits of the sessions, by name: see :class:`cooee.websocket.Settings`.

    Raises:
        TypeError: The handler is no coroutine function, or there is no such option.
        ValueError: An argument is out of range, or not one of port, unix and sock is given.
        errors.SyntaxError: A subprotocol is malformed (also a ValueError).
    """

    def __init__(
        self,
        handler: SessionHandler | None = None,
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        *,
        unix: str | os.PathLike[str] | None = None,
        sock: socket.socket | None = None,
        process_request: RequestHook | None = None,
        http: HttpHandler | None = None,
        origins: OriginPolicy = SAME_ORIGIN,
        subprotocols: Subprotocols | None = None,
        headers: HeadersLike | None = None,
        server_header: str | None = f"cooee/{__version__}",
        limits: HttpLimits | None = None,
        handshake_timeout: float | None = None,
        reuse_port: bool = False,
        backlog: int = 4096,
        busy_poll: float = 0,
        **settings: Unpack[SettingsOptions],
    ) -> None:
        if sum(given is not None for given in (port, unix, sock)) != 1:
            raise ValueError("give one of port, unix and sock")
        if port is not None:
            _check_port(port)
        if handler is not None and not (
            inspect.iscoroutinefunction(handler)
            or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
        ):
            raise TypeError(
                f"the handler must be a coroutine function (async def), not {handler!r}; "
                "plain functions are for on('connection')"
            )
        self._handler = handler
        self._host = host
        self._port = port
        self._unix = unix
        self._sock = sock
        self._reuse_port = reuse_port
        self._backlog = backlog
        self._busy_poll = busy_poll
        self._settings = make_settings(Server, settings)
        limits = limits or HttpLimits()
        if handshake_timeout is not None:
            limits = replace(limits, head_timeout=handshake_timeout)
        self._requests = Requests(
            self,
            self._settings,
            limits,
            process_request=process_request,
            http=http,
            origins=origins,
            subprotocols=subprotocols,
            headers=headers,
            server_header=server_header,
        )
        self._events: dict[str, list[Callable[..., Any]]] = {name: [] for name in EVENTS}
        self._sessions: set[Session] = set()
        self._listeners: list[Listener] = []
        self._keepalive: Keepalive | None = None
        self._cutting: Timer | None = None
        self._reactor: Reactor | None = None
        self._closing = False
        self._closed = Outcome()

    # Events

    @overload
    def on(self, event: Literal["connection"], handler: OnConnection) -> OnConnection: ...
    @overload
    def on(
        self, event: Literal["connection"], handler: None = None
    ) -> Callable[[OnConnection], OnConnection]: ...
    @overload
    def on(self, event: Literal["listening", "close"], handler: OnLife) -> OnLife: ...
    @overload
    def on(
        self, event: Literal["listening", "close"], handler: None = None
    ) -> Callable[[OnLife], OnLife]: ...
    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Any:
        """
        Register a handler, a function or coroutine function; without one, return a decorator.

        Raises:
            ValueError: There is no such event.
        """
        handlers = self._handlers(event)
        if handler is None:

            def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
                handlers.append(function)
                return function

            return decorator
        handlers.append(handler)
        return handler

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """Unregister a handler; does nothing when it is not registered."""
        handlers = self._handlers(event)
        if handler in handlers:
            handlers.remove(handler)

    def _handlers(self, event: str) -> list[Callable[..., Any]]:
        if event not in self._events:
            raise ValueError(f"a server has no event {event!r}, only {', '.join(EVENTS)}")
        return self._events[event]

    def mount(self, path: str, application: Application) -> None:
        """
        Have an application answer all requests whose path begins with `path`.

        Of several such paths the longest counts. The limit of the HTTP body is raised to the
        application's; the application is closed with the server.

        Raises:
            RuntimeError: The server was started before.
            ValueError: The path does not begin with "/", or is taken.
        """
        if self._reactor is not None:
            raise RuntimeError("the server was started before")
        self._requests.mount(path, application)

    # Sessions

    @property
    def sessions(self) -> set[Session]:
        """The open sessions; not to be changed."""
        return self._sessions

    @property
    def settings(self) -> Settings:
        """The limits of the sessions."""
        return self._settings

    @property
    def limits(self) -> HttpLimits:
        """The limits of the opening handshake and other requests."""
        return self._requests.limits

    @property
    def addresses(self) -> list[Any]:
        """The addresses listened on, as the socket module gives them."""
        return [listener.sockname for listener in self._listeners]

    @property
    def port(self) -> int | None:
        """The TCP port, the real one when 0 was asked for; None for a Unix socket."""
        for address in self.addresses:
            if isinstance(address, tuple):
                return int(address[1])
        return self._port

    def broadcast(self, data: Any) -> int:
        """Send a message to all open sessions; its frame is built once. See ``broadcast()``."""
        return broadcast(self._sessions, data)

    # Life

    def start(self) -> Self:
        """
        Bind the sockets and begin to accept; inside asyncio ``await server.start()``.

        Raises:
            OSError: An address is in use or may not be bound.
            RuntimeError: It was started before.
        """
        if self._reactor is not None:
            raise RuntimeError("the server was started before")
        reactor = self._reactor = get_reactor()
        try:
            factory = self._requests.accept(reactor)
            for sock in self._bind():
                self._listeners.append(listen(reactor, sock, factory))
        except BaseException:
            self._reactor = None
            self._stop_listening()
            raise
        if self._busy_poll:
            reactor.busy_poll = self._busy_poll
        self._keepalive = Keepalive(reactor, self._settings, self._sessions)
        self._emit("listening")
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        if self._reactor is None:
            self.start()
        yield from ()
        return self

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def serve_forever(self) -> None:
        """Wait until the server is closed; closes it when cancelled."""
        await self
        try:
            await self._closed
        finally:
            await self.close()

    def run(self) -> None:
        """
        Start, and serve until :meth:`close`, Ctrl-C or SIGTERM; then close gracefully.

        For scripts: inside asyncio use ``serve_forever``. A second Ctrl-C ends it at once.

        Raises:
            OSError: An address is in use or may not be bound.
            RuntimeError: An asyncio loop is running in this thread.
        """
        reactor = get_reactor() if self._reactor is None else self._reactor
        if reactor.loop is not None and reactor.loop.is_running():
            raise RuntimeError("run() inside a running asyncio loop: await serve_forever() instead")

        def terminate(number: int, frame: FrameType | None) -> None:
            reactor.call_soon_threadsafe(self.close)

        main = threading.current_thread() is threading.main_thread()
        previous = signal.signal(signal.SIGTERM, terminate) if main else None
        try:
            # Signals may come as soon as it says that it is listening.
            if self._reactor is None:
                self.start()
            reactor.run(until=lambda: self._closed.done)
        except KeyboardInterrupt:
            self.close()
            reactor.run(until=lambda: self._closed.done)
        finally:
            if main:
                signal.signal(signal.SIGTERM, previous)

    def close(self, code: int = 1001, reason: str = "") -> Outcome:
        """
        Stop accepting, close all sessions, and cut those that take longer than ``close_timeout``.

        Awaiting the result waits until all are gone. Later calls return the same.

        Raises:
            ValueError: The code may not be sent, or the reason is too long.
        """
        if not self._closing:
            # Raises before anything is closed.
            build_close_payload(code, reason)
            self._closing = True
            self._stop_listening()
            self._requests.close()
            for session in list(self._sessions):
                session.close(code, reason)
            if self._reactor is not None:
                self._cutting = self._reactor.call_later(
                    self._settings.close_timeout, self._requests.abort, ref=False
                )
            self._check_closed()
        return self._closed

    def wait_closed(self) -> Outcome:
        """Awaiting the result waits until the server was closed and all sessions are gone."""
        return self._closed

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            name = listener.sockname
            listener.close()
            if isinstance(name, str) and self._unix is not None:
                with contextlib.suppress(OSError):
                    os.unlink(name)
        self._listeners.clear()

    def _check_closed(self) -> None:
        if self._sessions or self._closed.done:
            return
        if self._reactor is not None and not self._requests.finished:
            self._reactor.call_later(0.05, self._check_closed)
            return
        if self._keepalive is not None:
            self._keepalive.stop()
        if self._cutting is not None:
            self._cutting.cancel()
        self._closed.set_result(None)
        self._emit("close")

    def _bind(self) -> Iterable[socket.socket]:
        if self._sock is not None:
            self._sock.setblocking(False)
            self._sock.listen(self._backlog)
            yield self._sock
        elif self._unix is not None:
            yield bind_unix(os.fspath(self._unix), self._backlog)
        else:
            yield from bind_tcp(
                self._host, self._port or 0, self._backlog, reuse_port=self._reuse_port
            )

    # From sessions

    def admit(self, session: Session) -> None:
        """A session is open (called by it)."""
        self._sessions.add(session)
        receives = False
        if self._handler is not None:
            session.spawn(self._run_handler(session))
            receives = True
        for handler in self._events["connection"]:
            try:
                result = handler(session, session.request)
            except Exception as exc:
                session.report(exc)
                return
            if result is not None and inspect.iscoroutine(result):
                session.spawn(result)
                receives = True
        if not receives:
            session.stop_queueing()
        assert session.request is not None
        session.request.compact()

    def forget(self, session: Session) -> None:
        """A session is gone (called by it)."""
        self._sessions.discard(session)
        if self._closing and not self._sessions and self._reactor is not None:
            # Its own close handlers come first.
            self._reactor.call_soon(self._check_closed)

    async def _run_handler(self, session: Session) -> None:
        assert self._handler is not None
        try:
            await self._handler(session)
        except ConnectionClosed as exc:
            logger.debug("a handler met a closed connection: %s", exc)
        session.close()

    def _spawn(self, coro: Any) -> None:
        assert self._reactor is not None
        self._reactor.spawn(coro)

    def _emit(self, event: str) -> None:
        for handler in self._events[event]:
            result = handler()
            if inspect.iscoroutine(result):
                self._spawn(result)


def serve(
    handler: SessionHandler,
    host: str | Iterable[str] | None = None,
    port: int | None = None,
    **options: Unpack[ServerOptions],
) -> Server:
    """
    Serve each session with a coroutine function; coroutine style.

    ::

        async with cooee.serve(echo, port=6080) as server:
            await server.serve_forever()

    Arguments as for :class:`Server`; ``await serve(...)`` starts without a ``with``.
    """
    return Server(handler, host, port, **options)


def _check_port(port: int) -> None:
    if not isinstance(port, int):
        # From the environment it comes as a str.
        raise TypeError(f"port is {port!r}, must be an int")
    if not 0 <= port <= 65535:
        raise ValueError(f"port is {port}, must be 0 to 65535")

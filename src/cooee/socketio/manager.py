"""
Managers: one Engine.IO connection, the namespaces that share it, and reconnection.

::

    closed ── open() ──▶ opening ──▶ open ──┐
      ▲                     │               │ lost
      │ close()             ▼ failed        ▼
      └────────────── waiting to reconnect ◀┘
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Final, Literal, Unpack
from urllib.parse import parse_qsl

from cooee.engineio.client import Client as Engine
from cooee.protocol.headers import Headers
from cooee.protocol.urls import URL, parse_url
from cooee.reactor import Reactor, Timer, get_reactor
from cooee.socketio import parser as default_parser
from cooee.socketio.backoff import Backoff
from cooee.socketio.client_socket import ClientSocket
from cooee.socketio.emitter import Emitter
from cooee.socketio.errors import Disconnected
from cooee.socketio.multiplexer import Multiplexer, PacketReceiver
from cooee.socketio.options import Auth, EngineOptions, ManagerOptions, check_auth
from cooee.websocket.options import check_options
from cooee.websocket.outcome import Outcome

__all__ = ["Manager", "connect"]

logger = logging.getLogger("cooee.socketio")

_REGISTRY: Final = "socket.io managers"
_DONE: Final[Outcome[None]] = Outcome()
_DONE.set_result(None)


class Manager(Multiplexer, Emitter):
    """
    A connection to a Socket.IO server, which comes back when it is lost.

    Events, for functions and coroutine functions:

    - ``open()``: connected, by Engine.IO; the namespaces follow.
    - ``error(exc)``: could not connect, or the connection failed.
    - ``close(reason, description)``: the connection is over.
    - ``ping()``: the server's heartbeat.
    - ``reconnect_attempt(number)``, ``reconnect(number)``, ``reconnect_error(exc)``,
      ``reconnect_failed()``: what comes of connecting again.

    It works inside a running asyncio loop, in a script that then calls ``cooee.run()``, and in a
    game that calls ``cooee.poll()`` once per frame; all methods are for that thread.

    Args:
        url: ws, wss, http or https; its query is sent, its path is not (it is a namespace only for
            :func:`connect`).
        path: Where the server has Socket.IO.
        auto_connect: Whether to connect at once, and to join the namespaces asked for.
        reconnection: Whether to connect again, first after a failure and then after a loss; not
            after the server or the application has ended it.
        reconnection_attempts: How often; None, the default, for ever.
        reconnection_delay: Seconds before the first attempt; each further one doubles it.
        reconnection_delay_max: Upper bound of the delay in seconds.
        randomization_factor: 0 to 1: by how much of itself a delay is made shorter or longer.
        timeout: Seconds that an attempt may take; None for no limit.
        auth: For the server's middlewares: a mapping, or a function or coroutine function that
            returns one, called each time that a namespace is joined. For all namespaces that are
            not given their own.
        parser: A module with the classes ``Encoder`` and ``Decoder``, which the server must have
            too.
        retries: How often to send an event again that was not acknowledged in `ack_timeout`; the
            events of a socket then go out one after another. None, the default, for not at all.
        ack_timeout: Seconds to wait for acknowledgements; None, the default, for ever.
        remember_upgrade: Whether to begin with WebSocket when it has worked before.
        ordered: Whether the events of a socket wait while a coroutine handler of an earlier one
            goes on.
        max_queue: Bytes of events that may wait for that, with 512 for each event; beyond, the
            connection is given up.
        max_acks: Acknowledgements that a socket waits for; the oldest is given up for the next.
        options: Of :class:`cooee.engineio.Client`: ``query``, ``extra_headers``, ``origin``,
            ``transports``, ``upgrade``, ``try_all_transports``, ``with_credentials`` ...

    Attributes:
        url: Where to.
        ready_state: "closed", "opening" or "open".
        engine: The :class:`cooee.engineio.Client` in use, or the last one; None before.

    Raises:
        errors.SyntaxError: The URL is malformed (also a ValueError).
        NotSupportedError: The URL's scheme is https or wss.
        TypeError: There is no such option, or ``auth`` is of another type.
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        path: str = "/socket.io/",
        auto_connect: bool = True,
        reconnection: bool = True,
        reconnection_attempts: int | None = None,
        reconnection_delay: float = 1.0,
        reconnection_delay_max: float = 5.0,
        randomization_factor: float = 0.5,
        timeout: float | None = 20.0,
        auth: Auth = None,
        parser: ModuleType | Any = default_parser,
        retries: int | None = None,
        ack_timeout: float | None = None,
        remember_upgrade: bool = False,
        ordered: bool = True,
        max_queue: int = 4 * 1024 * 1024,
        max_acks: int = 10_000,
        reactor: Reactor | None = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        super().__init__()
        check_options(Manager, options, EngineOptions)
        check_auth(auth)
        self.url = parse_url(str(url))
        self.ready_state: Literal["closed", "opening", "open"] = "closed"
        self.reactor = get_reactor() if reactor is None else reactor
        self.auto_connect = auto_connect
        self.auth = auth
        self.retries = retries
        self.ack_timeout = ack_timeout
        self.ordered = ordered
        self.max_queue = max_queue
        self.max_acks = max_acks
        self.reconnection = reconnection
        self.reconnection_attempts = reconnection_attempts
        self._timeout = timeout
        self._backoff = Backoff(reconnection_delay, reconnection_delay_max, randomization_factor)
        self._remember_upgrade = remember_upgrade
        self._path = path if path.endswith("/") else f"{path}/"
        self._options = options
        self._use_parser(parser.Encoder(), parser.Decoder())
        self._link: _Link | None = None
        self._timer: Timer | None = None
        self._reconnecting = False
        self._skip_reconnect = False
        self._warned = False
        if auto_connect:
            self.open()

    def __repr__(self) -> str:
        return f"<socket.io manager {self.url.origin} {self.ready_state}>"

    @property
    def reconnecting(self) -> bool:
        """Whether it is connecting again, or waiting to."""
        return self._reconnecting

    @property
    def namespaces(self) -> list[str]:
        """Names of the namespaces that were asked for."""
        return list(self._sockets)

    def socket(
        self,
        namespace: str = "/",
        *,
        auth: Auth = None,
        retries: int | None = None,
        ack_timeout: float | None = None,
    ) -> ClientSocket:
        """
        Return the socket of a namespace, joining it unless ``auto_connect`` is off.

        Args:
            namespace: Its name.
            auth: As for the manager.
            retries: As for the manager.
            ack_timeout: As for the manager.

        Raises:
            TypeError: ``auth`` is of another type.
        """
        if not namespace.startswith("/"):
            namespace = f"/{namespace}"
        found = self._sockets.get(namespace)
        if found is None:
            found = ClientSocket(
                self, namespace, auth=auth, retries=retries, ack_timeout=ack_timeout
            )
            self._sockets[namespace] = found
            if self.auto_connect:
                found.connect()
        elif self.auto_connect and not found.active:
            found.connect()
        return found

    # Opening

    def open(self) -> None:
        """Connect; does nothing while connecting or connected."""
        self._open(None)

    def _open(self, done: Callable[[Exception | None], None] | None) -> None:
        if self.ready_state != "closed":
            return
        self.ready_state = "opening"
        self._skip_reconnect = False
        self._cancel_timer()
        before = self.engine
        link = self._link = _Link(self, done)
        try:
            self.engine = Engine(
                self.url,
                link,
                websocket_first=(
                    self._remember_upgrade and before is not None and before.websocket_succeeded
                ),
                reactor=self.reactor,
                path=self._path,
                **self._options,
            )
        except BaseException:
            self.ready_state = "closed"
            self._link = None
            raise
        if self._timeout is not None:
            self._timer = self.reactor.call_later(self._timeout, self._timed_out, link)

    def _timed_out(self, link: _Link) -> None:
        self._timer = None
        engine = self.engine
        assert engine is not None
        what = f"no connection within {self._timeout:g} s"
        if engine.unanswered:
            what += ": a WebSocket, but no OPEN packet (is Socket.IO spoken there?)"
        self._not_opened(link, TimeoutError(what))
        engine.close()

    def _opened(self, link: _Link) -> None:
        self._cancel_timer()
        self.ready_state = "open"
        self._warned = False
        self._fire("open")
        for socket in self._active():
            # A handler may have ended it.
            if self.ready_state == "open":
                socket.transport_opened()
        if link.done is not None and self._link is link:
            link.done(None)

    def _not_opened(self, link: _Link, exc: Exception) -> None:
        self._cleanup()
        self.ready_state = "closed"
        self._warn(exc)
        self._fire("error", exc)
        for socket in self._active():
            socket.transport_failed(exc)
        if link.done is not None:
            link.done(exc)
        elif not self._reconnecting and self.reconnection and self._backoff.attempts == 0:
            self._reconnect()
        self._check_given_up(exc)

    def _warn(self, exc: Exception) -> None:
        """Say why there is no connection, once for each time without one, if nobody listens."""
        if self._warned or self.listeners("error"):
            return
        if not any(socket.hears_failures for socket in self._active()):
            self._warned = True
            logger.warning("cannot connect to %s: %s", self.url.origin, exc)

    def _check_given_up(self, exc: Exception) -> None:
        """Nobody needs to wait for a connection that is not tried again."""
        if self.ready_state == "closed" and not self._reconnecting:
            for socket in self._active():
                socket.given_up(exc)

    # Closing

    def close(self) -> None:
        """Disconnect, for good: until :meth:`open`, or ``connect`` of a socket."""
        self._skip_reconnect = True
        self._reconnecting = False
        registry = self.reactor.registry.get(_REGISTRY, {})
        for key in [key for key, manager in registry.items() if manager is self]:
            del registry[key]
        self._closed("forced close", None)

    def wait_closed(self) -> Awaitable[None]:
        """Awaiting the result waits until no connection of the last attempt is left."""
        return _DONE if self.engine is None else self.engine.wait_gone()

    def _closed(self, reason: str, description: Exception | None) -> None:
        engine = self.engine
        self._cleanup()
        if engine is not None:
            if reason != "forced close":
                engine._relieved(Disconnected(reason))
            engine.close()
        self._backoff.reset()
        self.ready_state = "closed"
        self._fire("close", reason, description)
        for socket in self._active():
            socket.transport_closed(reason, description)
        if self.reconnection and not self._skip_reconnect and self.ready_state == "closed":
            self._reconnect()
        self._check_given_up(Disconnected(reason))

    def _cleanup(self) -> None:
        if self._link is not None:
            self._link.manager = None
            self._link = None
        self._cancel_timer()
        self._forget_partial()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Reconnection

    def _reconnect(self) -> None:
        if self._reconnecting or self._skip_reconnect:
            return
        most = self.reconnection_attempts
        if most is not None and self._backoff.attempts >= most:
            self._backoff.reset()
            self._fire("reconnect_failed")
            return
        self._reconnecting = True
        delay = self._backoff.duration()
        logger.info("%r: next attempt in %.1f s", self, delay)
        self._timer = self.reactor.call_later(delay, self._attempt)

    def _attempt(self) -> None:
        self._timer = None
        self._fire("reconnect_attempt", self._backoff.attempts)
        # A handler may have closed it.
        if self._skip_reconnect:
            return

        def done(exc: Exception | None) -> None:
            self._reconnecting = False
            if exc is None:
                number = self._backoff.attempts
                self._backoff.reset()
                self._fire("reconnect", number)
            else:
                self._reconnect()
                self._fire("reconnect_error", exc)

        self._open(done)

    # Sockets

    def _active(self) -> list[ClientSocket]:
        return [socket for socket in self._sockets.values() if socket.active]

    def release(self, socket: ClientSocket) -> None:
        """A socket has left (called by it): disconnect when it was the last."""
        if not any(one.active for one in self._sockets.values()):
            self.close()

    def join(self, socket: ClientSocket) -> None:
        """A socket wants to join (called by it)."""
        if not self._reconnecting:
            self.open()
        if self.ready_state == "open":
            socket.transport_opened()

    def give_up(self, exc: Exception) -> None:
        """End the connection, which breaks a limit (called by sockets)."""
        self._fire("error", exc)
        self._closed("transport error", exc)

    @property
    def writable(self) -> bool:
        """Whether what is sent now leaves at once."""
        return self.engine is not None and self.engine.writable

    # From the engine

    def _malformed(self, exc: Exception) -> None:
        logger.info("%r: %s", self, exc)
        self._closed("parse error", exc)

    def lost(self, link: _Link, reason: str, description: Exception | None) -> None:
        """The connection is over, or did not come about (called by its link)."""
        if self.ready_state == "opening":
            self._not_opened(link, description or Disconnected(reason))
            return
        if reason == "transport error":
            self._fire("error", description)
        # A handler may have closed it.
        if self._link is link:
            self._closed(reason, description)


class _Link(PacketReceiver):
    """Between one engine and the manager, until the manager cuts it."""

    def __init__(self, manager: Manager, done: Callable[[Exception | None], None] | None) -> None:
        self.manager = manager
        self.done = done

    def opened(self) -> None:
        if self.manager is not None:
            self.manager._opened(self)

    def pinged(self) -> None:
        if self.manager is not None:
            self.manager._fire("ping")

    def closed(self, reason: str, description: Exception | None) -> None:
        if self.manager is not None:
            self.manager.lost(self, reason, description)


_SOCKET_OPTIONS: Final = ("auth", "retries", "ack_timeout")


def connect(
    url: str | URL,
    *,
    force_new: bool = False,
    multiplex: bool = True,
    query: Mapping[str, object] | None = None,
    extra_headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    **options: Unpack[ManagerOptions],
) -> ClientSocket:
    """
    Connect to a namespace of a Socket.IO server.

    ::

        socket = cooee.socketio.connect("http://localhost:6081")


        @socket.on("connect")
        def connected():
            socket.emit("your_echo", "Hello")


        @socket.on("your_echo")
        def your_echo(data):
            print(data)
            socket.disconnect()


        cooee.run()

    Inside asyncio::

        async with cooee.socketio.connect("http://localhost:6081/admin") as socket:
            print(await socket.emit_with_ack("question"))

    It returns at once, and connects in the background; see :class:`ClientSocket`. Namespaces of one
    server share a connection, whose options are those of the first.

    Args:
        url: ws, wss, http or https; its path is the namespace, its query is sent.
        force_new: Whether to have a connection of its own.
        multiplex: The opposite of `force_new`.
        query: Further parameters of the query.
        extra_headers: Further fields of all requests.
        options: Of :class:`Manager`.

    Raises:
        errors.SyntaxError: The URL is malformed (also a ValueError).
        NotSupportedError: The URL's scheme is https or wss.
        TypeError: There is no such option, or ``auth`` is of another type.
        ValueError: An option is out of range.
    """
    check_options(connect, options, ManagerOptions)
    check_auth(options.get("auth"))
    given: dict[str, Any] = dict(options)
    record = parse_url(str(url))
    namespace = record.path
    own = {name: given.pop(name) for name in _SOCKET_OPTIONS if name in given}
    parameters: dict[str, object] = dict(parse_qsl(record.query or "", keep_blank_values=True))
    parameters.update(query or {})
    given.update(query=parameters, extra_headers=extra_headers)
    reactor: Reactor = given.get("reactor") or get_reactor()
    given["reactor"] = reactor
    managers: dict[tuple[str, str], Manager] = reactor.registry.setdefault(_REGISTRY, {})
    key = (record.origin, str(given.get("path", "/socket.io/")))
    shared = managers.get(key)
    if force_new or not multiplex or (shared and namespace in shared.namespaces):
        return Manager(record, **given).socket(namespace, **own)
    if shared is None:
        shared = Manager(record, **given)
        managers[key] = shared
    return shared.socket(namespace, **own)

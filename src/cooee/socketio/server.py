"""The Socket.IO server: namespaces, and the clients that come to them through Engine.IO."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType, TracebackType
from typing import Any, Final, Self, TypeAlias, Unpack, overload
from urllib.parse import parse_qsl

from cooee.engineio.server import Server as EngineServer
from cooee.engineio.socket import Socket as Engine
from cooee.http import Request, Response
from cooee.reactor import get_reactor
from cooee.socketio import parser as default_parser
from cooee.socketio.adapters.base import Adapter, AdapterFactory, Local
from cooee.socketio.adapters.memory import (
    MAX_LOG,
    MAX_LOG_SIZE,
    MAX_SESSIONS,
    MemoryAdapter,
    RecoveringAdapter,
)
from cooee.socketio.broadcast import BroadcastOperator, Broadcasts
from cooee.socketio.client import Client
from cooee.socketio.emitter import AnyHandler, Handler, spawn
from cooee.socketio.limits import Limits
from cooee.socketio.namespace import (
    AnyMiddleware,
    Message,
    Namespace,
    ParentNamespace,
    refuse,
    start_adapter,
)
from cooee.socketio.options import ServerOptions
from cooee.socketio.raw import RawMember
from cooee.websocket.options import check_options
from cooee.websocket.outcome import Outcome
from cooee.websocket.server import Server as WebServer
from cooee.websocket.session import Session

__all__ = ["NamespaceMatcher", "Recovery", "Server"]

logger = logging.getLogger("cooee.socketio")

NamespaceMatcher: TypeAlias = Callable[[str, dict[str, Any]], bool | Awaitable[bool]]

_ENGINE_OPTIONS: Final = frozenset(inspect.signature(EngineServer.__init__).parameters) - {"self"}
_CONTROL: Final = re.compile("[\x00-\x1f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """
    How connection state recovery works.

    Attributes:
        max_disconnection_duration: Seconds that a client may be away.
        skip_middlewares: Whether one that comes back passes by the middlewares.
        max_log: Events that the adapter in memory keeps for those away, in each namespace.
        max_log_size: Bytes of them, with 64 for each value in them.
        max_sessions: Clients that may be away at once, in each namespace; the first to have gone
            cannot come back any more.
    """

    max_disconnection_duration: float = 120
    skip_middlewares: bool = True
    max_log: int = MAX_LOG
    max_log_size: int = MAX_LOG_SIZE
    max_sessions: int = MAX_SESSIONS


class Server(Broadcasts):
    """
    A Socket.IO server, as Node's.

    ::

        io = cooee.socketio.Server(port=6081)


        @io.on("connection")
        def connected(socket):
            @socket.on("your_echo")
            def your_echo(data):
                socket.emit("your_echo", data)


        io.run()  # or, inside asyncio: await io.start()

    What is called on it is called on its namespace ``/``: see :class:`Namespace` for events,
    middlewares, rooms and broadcasts. Beside other services on one port, leave out the port and
    :meth:`attach` it to a :class:`cooee.Server`.

    Args:
        port: TCP port to listen on; 0 for a free one.
        path: Where the port serves Socket.IO; the clients' default is ``/socket.io/``.
        adapter: Called with each namespace's :class:`cooee.socketio.adapters.Local`, returns its
            adapter; by default rooms are kept in memory.
        parser: A module with the classes ``Encoder`` and ``Decoder``; all clients use the same.
        connect_timeout: Seconds within which a client must join a namespace.
        connection_state_recovery: True or a :class:`Recovery` to let clients that lost their
            connection come back to their socket and get what they missed.
        cleanup_empty_child_namespaces: Whether a namespace that a client created, by a name that a
            pattern or function admits, goes with its last socket. Node has False, with which
            clients can make any number of namespaces.
        ordered: Whether the events of a socket wait while a coroutine handler of an earlier one
            goes on; see :class:`Socket`.
        limits: Of each client; see :class:`Limits`.
        options: Of :class:`cooee.engineio.Server` (``ping_interval``, ``cors``, ``transports``,
            ``allow_eio3`` ...) or, with a port, ``unix`` or ``sock``, of :class:`cooee.Server`
            (``host``, ``http``, ``reuse_port`` ...).
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        path: str = "/socket.io/",
        adapter: AdapterFactory | None = None,
        parser: ModuleType | Any = default_parser,
        connect_timeout: float = 45,
        connection_state_recovery: Recovery | bool | None = None,
        cleanup_empty_child_namespaces: bool = True,
        ordered: bool = True,
        limits: Limits | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        check_options(Server, options, ServerOptions)
        recovery = Recovery() if connection_state_recovery is True else connection_state_recovery
        self._recovery = recovery or None
        self._path = path if path.endswith("/") else f"{path}/"
        self._parser = parser
        self._connect_timeout = connect_timeout
        self._cleanup = cleanup_empty_child_namespaces
        self.ordered = ordered
        self.limits = limits or Limits()
        web: dict[str, Any] = {**options}
        engine = {name: web.pop(name) for name in _ENGINE_OPTIONS & web.keys()}
        self.engine = EngineServer(**engine)
        self.engine.on("connection", self.connect)
        self.high_water: int = engine.get("high_water", 64 * 1024)
        self._web: WebServer | None = None
        self._own = False
        if port is not None or web.get("unix") is not None or web.get("sock") is not None:
            self._web = WebServer(port=port, **{"process_request": _not_found} | web)
            self._web.mount(self._path, _Mount(self))
            self._own = True
        elif web:
            raise TypeError(f"options of no effect without a port: {', '.join(sorted(web))}")
        if adapter is not None:
            self._adapter_factory = adapter
        elif self._recovery is not None:
            self._adapter_factory = partial(
                RecoveringAdapter,
                duration=self._recovery.max_disconnection_duration,
                max_log=self._recovery.max_log,
                max_log_size=self._recovery.max_log_size,
                max_sessions=self._recovery.max_sessions,
            )
        else:
            self._adapter_factory = MemoryAdapter
        self._encoder = parser.Encoder()
        # Version 2 clients have their own protocol, if they are served at all.
        self._encoder_3 = parser.Encoder(protocol=4) if parser is default_parser else self._encoder
        self.started = False
        self._closing = False
        self._closed: Outcome[None] = Outcome()
        self._clients: set[Client] = set()
        self._namespaces: dict[str, Namespace] = {}
        self._parents: list[tuple[NamespaceMatcher | re.Pattern[str], ParentNamespace]] = []
        # Child namespaces that the application asked for, which therefore stay.
        self._kept: set[str] = set()
        self.sockets = self.of("/")

    # Namespaces

    def of(
        self,
        name: str | re.Pattern[str] | NamespaceMatcher,
        handler: Handler | None = None,
    ) -> Namespace:
        """
        Return a namespace, made if there is none yet.

        Args:
            name: Its name; or, for all namespaces that clients may ask for, a compiled pattern
                that is searched for in their names, or a function or coroutine function called with
                the name and the client's ``auth``, which returns whether there is one.
            handler: For ``connection``.
        """
        namespace: Namespace
        if isinstance(name, str):
            namespace = self._named(name if name.startswith("/") else f"/{name}")
        else:
            if not isinstance(name, re.Pattern) and not callable(name):
                raise TypeError(f"a namespace is a str, a pattern or a function, not {name!r}")
            namespace = ParentNamespace(self)
            self._parents.append((name, namespace))
        if handler is not None:
            namespace.on("connection", handler)
        return namespace

    def _named(self, name: str) -> Namespace:
        namespace = self._namespaces.get(name)
        if namespace is not None:
            if namespace.parent is not None:
                self._kept.add(name)
            return namespace
        if "," in name or _CONTROL.search(name):
            raise ValueError(f"namespace {name!r}, must have no comma and no control character")
        for matcher, parent in self._parents:
            if isinstance(matcher, re.Pattern) and matcher.search(name):
                self._kept.add(name)
                return self._create_child(parent, name)
        namespace = self._namespaces[name] = Namespace(self, name)
        if name != "/":
            self.sockets._fire("new_namespace", namespace)
        return namespace

    def _create_child(self, parent: ParentNamespace, name: str) -> Namespace:
        namespace = self._namespaces[name] = parent.create(name)
        self.sockets._fire("new_namespace", namespace)
        return namespace

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The namespaces by name; not to be changed."""
        return self._namespaces

    def child_is_empty(self, namespace: Namespace) -> None:
        """The last one has left a namespace that has a parent (called by it)."""
        if self._cleanup and namespace.name not in self._kept and not self._closing:
            if self._recovery is None:
                self._drop_child(namespace)
            else:
                # Its clients may come back.
                get_reactor().call_later(
                    self._recovery.max_disconnection_duration,
                    self._drop_child,
                    namespace,
                    ref=False,
                )

    def _drop_child(self, namespace: Namespace) -> None:
        name = namespace.name
        if name in self._kept or self._namespaces.get(name) is not namespace:
            return
        # Someone may be in a middleware.
        if not namespace.empty or any(name in client.joining for client in self._clients):
            return
        del self._namespaces[name]
        if isinstance(namespace.parent, ParentNamespace):
            namespace.parent.children.discard(namespace)
        self._close_adapter(namespace)

    @property
    def recovers(self) -> bool:
        """Whether clients can come back to their sockets."""
        return self._recovery is not None

    @property
    def skips_middlewares(self) -> bool:
        """Whether those that do pass by the middlewares."""
        return self._recovery is not None and self._recovery.skip_middlewares

    def make_adapter(self, local: Local) -> Adapter:
        """Return a new namespace's adapter (called by it)."""
        return self._adapter_factory(local)

    def make_memory_adapter(self, local: Local) -> Adapter:
        """Return the adapter of a namespace that has no sockets."""
        return MemoryAdapter(local)

    # Clients

    def connect(self, engine: Engine) -> Client:
        """Serve an Engine.IO session: a new one of the engine, or of a test."""
        if engine.protocol == 3:
            protocol = {"protocol": 4} if self._parser is default_parser else {}
            client = Client(self, engine, self._encoder_3, self._parser.Decoder(**protocol))
        else:
            client = Client(self, engine, self._encoder, self._parser.Decoder())
        self._clients.add(client)
        client.set_connect_timer(
            get_reactor().call_later(
                self._connect_timeout, self._connect_timed_out, client, ref=False
            )
        )
        if engine.protocol == 3:
            # These are in "/" without asking.
            self.sockets.got_connect(client, {})
        return client

    def _connect_timed_out(self, client: Client) -> None:
        if not client.namespaces:
            logger.info("client %s has joined no namespace in time", client.request)
            client.close()

    def forget(self, client: Client) -> None:
        """A client is gone (called by it)."""
        self._clients.discard(client)

    def got_connect(self, client: Client, name: str, auth: Any) -> None:
        """A client wants to join a namespace (called by it)."""
        if not isinstance(auth, dict):
            auth = {}
        if client.protocol == 3:
            name, _, query = name.partition("?")
            auth = dict(parse_qsl(query, keep_blank_values=True))
            if name in client.namespaces or name in client.joining:
                client.close()
                return
        if client.count >= self.limits.max_namespaces:
            logger.info("client %s wants to join too many namespaces", client.request)
            refuse(client, _printable(name), "Too many namespaces")
            return
        namespace = self._namespaces.get(name)
        if namespace is not None:
            namespace.got_connect(client, auth)
        elif _CONTROL.search(name):
            # Node asks the patterns; but U+001E would break polling payloads.
            client.close()
        else:
            self._match(client, name, auth, 0)

    def _match(self, client: Client, name: str, auth: dict[str, Any], start: int) -> None:
        """Find who admits a namespace that is not there yet."""
        for index in range(start, len(self._parents)):
            matcher, parent = self._parents[index]
            if isinstance(matcher, re.Pattern):
                matches = matcher.search(name) is not None
            else:
                try:
                    answer = matcher(name, auth)
                except Exception:
                    logger.exception("exception in the function of a dynamic namespace")
                    continue
                if inspect.isawaitable(answer):
                    client.joining.add(name)
                    spawn(self._match_later(client, name, auth, index, answer), "connection")
                    return
                matches = bool(answer)
            if matches:
                self._join_child(client, name, auth, parent)
                return
        refuse(client, name, "Invalid namespace")

    async def _match_later(
        self, client: Client, name: str, auth: dict[str, Any], index: int, answer: Awaitable[bool]
    ) -> None:
        try:
            matches = await answer
        except Exception:
            logger.exception("exception in the function of a dynamic namespace")
            matches = False
        if client.closed:
            return
        if matches:
            self._join_child(client, name, auth, self._parents[index][1])
        else:
            self._match(client, name, auth, index + 1)

    def _join_child(
        self, client: Client, name: str, auth: dict[str, Any], parent: ParentNamespace
    ) -> None:
        # It may have been made meanwhile.
        namespace = self._namespaces.get(name) or self._create_child(parent, name)
        namespace.got_connect(client, auth)
        if namespace.empty:
            self.child_is_empty(namespace)

    # Life

    def attach(self, server: WebServer) -> None:
        """
        Serve Socket.IO on the port of a server, besides what it serves already.

        It is closed with the server.

        Raises:
            RuntimeError: It has a port of its own, or is attached already.
        """
        if self._web is not None:
            raise RuntimeError("a Socket.IO server has one port")
        server.mount(self._path, _Mount(self))
        server.on("listening", self._start_adapters)
        self._web = server

    @property
    def web(self) -> WebServer | None:
        """The server whose port it uses."""
        return self._web

    @property
    def port(self) -> int | None:
        """The TCP port; None for a Unix socket."""
        return self._web.port if self._web is not None else None

    @property
    def addresses(self) -> list[Any]:
        """The addresses listened on, as the socket module gives them."""
        return self._web.addresses if self._web is not None else []

    @property
    def path(self) -> str:
        """Where the port serves Socket.IO."""
        return self._path

    def _owned(self) -> WebServer:
        if self._web is None or not self._own:
            raise RuntimeError(
                "no port of its own: give Server() one, or start the server that it is attached to"
            )
        return self._web

    def start(self) -> Self:
        """
        Bind the sockets and begin to accept; inside asyncio ``await io.start()``.

        Raises:
            OSError: The address is in use or may not be bound.
            RuntimeError: It was started before, or has no port of its own.
        """
        self._owned().start()
        self._start_adapters()
        return self

    def _start_adapters(self) -> None:
        if not self.started:
            self.started = True
            for namespace in list(self._namespaces.values()):
                start_adapter(namespace.adapter)

    def __await__(self) -> Generator[Any, None, Self]:
        if not self.started:
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
            await self._owned().wait_closed()
        finally:
            await self.close()

    def run(self) -> None:
        """
        Start, and serve until :meth:`close`, Ctrl-C or SIGTERM; then close gracefully.

        For scripts: inside asyncio use ``serve_forever``.
        """
        web = self._owned()
        if not self.started:
            self.start()
        web.run()

    def close(self) -> Outcome[None]:
        """
        Disconnect all sockets ("server shutting down"), and close the port if it is its own.

        Awaiting the result waits until all sessions are gone. Later calls return the same.
        """
        return self._owned().close() if self._own else self._shut()

    def _shut(self) -> Outcome[None]:
        if not self._closing:
            self._closing = True
            for client in list(self._clients):
                client.close("server shutting down")
            for namespace in list(self._namespaces.values()):
                for member in list(namespace.raw.values()):
                    member.disconnect()
                self._close_adapter(namespace)
            self._closed = self.engine.close()
        return self._closed

    def _close_adapter(self, namespace: Namespace) -> None:
        result = namespace.adapter.close()
        if result is not None:
            spawn(result, "close")

    # As the namespace "/"

    @overload
    def on(self, event: str, handler: AnyHandler) -> AnyHandler: ...
    @overload
    def on(self, event: str, handler: None = None) -> Callable[[AnyHandler], AnyHandler]: ...
    def on(self, event: str, handler: Handler | None = None) -> Any:
        """Register a handler; without one, return a decorator."""
        return self.sockets.on(event, handler)

    @overload
    def once(self, event: str, handler: AnyHandler) -> AnyHandler: ...
    @overload
    def once(self, event: str, handler: None = None) -> Callable[[AnyHandler], AnyHandler]: ...
    def once(self, event: str, handler: Handler | None = None) -> Any:
        """As :meth:`on`, for the first occurrence only."""
        return self.sockets.once(event, handler)

    def off(self, event: str | None = None, handler: Handler | None = None) -> None:
        """Unregister one handler; without one, all of the event; without an event, all."""
        self.sockets.off(event, handler)

    def listeners(self, event: str) -> list[Handler]:
        """The handlers of an event."""
        return self.sockets.listeners(event)

    def use(self, middleware: AnyMiddleware) -> AnyMiddleware:
        """Register a middleware; see :meth:`Namespace.use`."""
        return self.sockets.use(middleware)

    def admit(self, session: Session, *, message: Message | None = None) -> RawMember:
        """Let a raw WebSocket session in; see :meth:`Namespace.admit`."""
        return self.sockets.admit(session, message=message)

    def _everyone(self) -> BroadcastOperator:
        return BroadcastOperator(self.sockets)

    def server_side_emit(self, *args: Any, ack: Callable[..., Any] | None = None) -> bool:
        """Emit an event to the other servers; see :meth:`Namespace.server_side_emit`."""
        return self.sockets.server_side_emit(*args, ack=ack)

    def server_side_emit_with_ack(self, *args: Any) -> Outcome[list[Any]]:
        """As :meth:`server_side_emit`; awaiting the result gives the answers."""
        return self.sockets.server_side_emit_with_ack(*args)


class _Mount:
    """What the port's server sees of it."""

    def __init__(self, io: Server) -> None:
        self.max_body_size = io.engine.max_body_size
        self.announce = io.engine.announce
        self.handle = io.engine.handle
        self.close = io._shut


def _printable(name: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", name)


def _not_found(request: Request) -> Response:
    return Response(404, "nothing here but Socket.IO\n")

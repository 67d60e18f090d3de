"""Namespaces: the sockets that have joined one, and who may join."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cooee.socketio.acks import settle_outcome
from cooee.socketio.adapters.base import Adapter, BroadcastOptions, SocketDetails, StoredSession
from cooee.socketio.broadcast import BroadcastOperator, Broadcasts, RemoteSocket, room_names
from cooee.socketio.client import Client
from cooee.socketio.deliver import deliver
from cooee.socketio.emitter import Emitter, spawn
from cooee.socketio.errors import ConnectError, LimitExceeded
from cooee.socketio.handshake import Handshake
from cooee.socketio.packet import Packet, PacketType
from cooee.socketio.raw import RawBroadcast, RawMember
from cooee.socketio.socket import Socket
from cooee.websocket.outcome import Outcome
from cooee.websocket.session import Session

if TYPE_CHECKING:
    from cooee.socketio.server import Server

__all__ = ["AnyMiddleware", "Message", "Middleware", "Namespace", "ParentNamespace"]

logger = logging.getLogger("cooee.socketio")

Middleware = Callable[[Socket], Any]
AnyMiddleware = TypeVar("AnyMiddleware", bound=Middleware)
# Makes of an event's name and arguments what raw sessions get.
Message = Callable[..., str | bytes | bytearray | memoryview | None]

# Events of a namespace that other servers may not emit here.
RESERVED = frozenset({"connect", "connection", "new_namespace"})


def make_id() -> str:
    """An id that nobody can guess: 120 random bits, as 20 characters."""
    return urlsafe_b64encode(os.urandom(15)).decode("ascii")


class Namespace(Emitter, Broadcasts):
    """
    A namespace.

    Events:

    - ``connection(socket)``, also called ``connect``: a client has joined. Handlers of the socket's
      events are best registered at once: a coroutine function does so before it first awaits.
    - ``new_namespace(namespace)``, of ``/`` only: there is another namespace.
    - what other servers emit with :meth:`server_side_emit`.

    What clients emit goes to the handlers of their sockets, not to these.

    Attributes:
        name: Its name, which begins with ``/``.
        server: The server.
        sockets: By id; not to be changed.
        raw: The raw sessions that were admitted, by id; not to be changed.
        adapter: What keeps the rooms.
    """

    def __init__(self, server: Server, name: str, parent: ParentNamespace | None = None) -> None:
        super().__init__()
        self.server = server
        self.name = name
        self.sockets: dict[str, Socket] = {}
        # Lost ones whose events are still being handled, by id.
        self.lingering: dict[str, Socket] = {}
        self.raw: dict[str, RawMember] = {}
        self._raw_by_session: dict[Session, RawMember] = {}
        self.next_id: Callable[[], int] = itertools.count().__next__
        self.parent = parent
        self._middlewares: list[Middleware] = []
        self.adapter: Adapter = self._make_adapter()

    def _make_adapter(self) -> Adapter:
        adapter = self.server.make_adapter(self)
        if self.server.started:
            start_adapter(adapter)
        return adapter

    def __repr__(self) -> str:
        return f"<Namespace {self.name!r} with {len(self.sockets)} sockets>"

    def use(self, middleware: AnyMiddleware) -> AnyMiddleware:
        """
        Register a middleware, called with each socket before it is let in.

        A function or coroutine function. It keeps the client out by raising :class:`ConnectError`,
        which the client is told; of other exceptions it is told only that there was one.
        """
        if not callable(middleware):
            raise TypeError(f"a middleware is called, which {middleware!r} cannot be")
        self._middlewares.append(middleware)
        return middleware

    # Who joins

    def got_connect(self, client: Client, auth: dict[str, Any]) -> None:
        """A client wants to join (called by the server)."""
        client.joining.add(self.name)
        pid, offset = auth.get("pid"), auth.get("offset")
        if self.server.recovers and isinstance(pid, str) and isinstance(offset, str):
            try:
                session = self.adapter.restore_session(pid, offset)
            except Exception:
                logger.exception("exception while a session was restored")
                session = None
            if session is not None and not isinstance(session, StoredSession):
                spawn(self._admit_later(client, auth, session), "connection")
                return
        else:
            session = None
        self._admit(client, auth, session)

    async def _admit_later(
        self, client: Client, auth: dict[str, Any], restoring: Awaitable[StoredSession | None]
    ) -> None:
        try:
            session = await restoring
        except Exception:
            logger.exception("exception while a session was restored")
            session = None
        self._admit(client, auth, session)

    def _admit(self, client: Client, auth: dict[str, Any], session: StoredSession | None) -> None:
        if client.closed:
            return
        handshake = Handshake(client.request, auth)
        if session is not None:
            socket = Socket(
                self,
                client,
                session.sid,
                handshake,
                pid=session.pid,
                data=session.data,
                recovered=True,
            )
            if lost := self.lingering.get(session.sid):
                socket.follow(lost)
            self.adapter.add_all(session.sid, session.rooms)
            missed = session.missed
            middlewares = () if self.server.skips_middlewares else tuple(self._middlewares)
        else:
            socket = Socket(
                self,
                client,
                self._socket_id(client),
                handshake,
                pid=make_id() if self.server.recovers else None,
            )
            missed = []
            middlewares = tuple(self._middlewares)
        if middlewares:
            self._run(socket, missed, iter(middlewares))
        else:
            self._connect(socket, missed)

    def _socket_id(self, client: Client) -> str:
        # Version 2 clients take their Engine.IO id for it.
        if client.protocol == 3:
            return client.id if self.name == "/" else f"{self.name}#{client.id}"
        return make_id()

    def _run(self, socket: Socket, missed: list[list[Any]], rest: Iterator[Middleware]) -> None:
        for middleware in rest:
            try:
                result = middleware(socket)
            except Exception as exc:
                self._refuse(socket, exc)
                return
            if result is not None and inspect.iscoroutine(result):
                spawn(self._run_later(socket, missed, rest, result), "connection")
                return
        self._connect(socket, missed)

    async def _run_later(
        self,
        socket: Socket,
        missed: list[list[Any]],
        rest: Iterator[Middleware],
        result: Awaitable[Any],
    ) -> None:
        try:
            await result
        except Exception as exc:
            self._refuse(socket, exc)
        else:
            self._run(socket, missed, rest)

    def _refuse(self, socket: Socket, exc: Exception) -> None:
        if isinstance(exc, ConnectError):
            message, data = exc.message, exc.data
        else:
            logger.error("exception in a middleware of %r", self, exc_info=exc)
            message, data = "Internal server error", None
        self.adapter.remove_all(socket.id)
        if not socket.client.closed:
            refuse(socket.client, self.name, message, data)

    def _connect(self, socket: Socket, missed: list[list[Any]]) -> None:
        client = socket.client
        if client.closed:
            self.adapter.remove_all(socket.id)
            return
        self.sockets[socket.id] = socket
        client.add(socket)
        socket.establish()
        socket.replay(missed)
        self._fire("connect", socket)
        self._fire("connection", socket)

    def remove(self, socket: Socket, persist: bool) -> None:
        """A socket is gone (called by it)."""
        if self.sockets.get(socket.id) is not socket:
            return
        del self.sockets[socket.id]
        if persist and socket.pid is not None:
            result = self.adapter.persist_session(
                StoredSession(
                    socket.id, socket.pid, list(self.adapter.rooms_of(socket.id)), socket.data
                )
            )
            if result is not None:
                spawn(result, "disconnect")
        self.adapter.remove_all(socket.id)
        self._check_empty()

    @property
    def empty(self) -> bool:
        """Whether there are neither sockets nor raw sessions in it."""
        return not self.sockets and not self.raw

    def _check_empty(self) -> None:
        if self.parent is not None and self.empty:
            self.server.child_is_empty(self)

    def let_join(self, member: Socket | RawMember, rooms: Iterable[str | Iterable[str]]) -> None:
        """
        Let a socket or raw session join rooms (called by it).

        Raises:
            LimitExceeded: It is in ``Limits.max_rooms`` rooms.
        """
        names = room_names(rooms)
        most = self.server.limits.max_rooms
        mine = self.adapter.rooms_of(member.id)
        if len(mine) + len(names) > most and len(names.union(mine)) > most:
            raise LimitExceeded(f"rooms of {member!r}: at most {most} (max_rooms)")
        self.adapter.add_all(member.id, names)

    # Raw WebSocket sessions

    def admit(self, session: Session, *, message: Message | None = None) -> RawMember:
        """
        Let a raw WebSocket session in, which gets as messages what is emitted to the namespace.

        ::

            @server.on("connection")
            def connected(session, request):
                member = io.of("/").admit(session)
                member.join("news")
                session.on("message", lambda text: member.to("news").emit("chat", text))

        No middleware is asked: who calls this decides. A session that is in already keeps its id
        and rooms, and its `message` unless another is given.

        Args:
            session: An open session of any :class:`cooee.Server` on this reactor.
            message: Called with an event's name and arguments, returns what such sessions get:
                ``str`` for a text message, bytes-like for a binary one, None for none. It is called
                once for each broadcast, for all sessions that were admitted with the same
                function. If it raises, this is logged and they get nothing. By default one
                argument that is ``str`` or bytes-like is the message as it is, without the event's
                name, and anything else the JSON text ``[event, *args]``, with bytes in base64.

        Raises:
            ConnectionClosed: The session is closing or closed.
            TypeError: `message` cannot be called or hashed, or is a coroutine function; or this is
                a parent namespace.
            ValueError: It is a client's session.
        """
        member = self._raw_by_session.get(session)
        if member is None:
            member = RawMember(self, session, make_id(), message)
            self.raw[member.id] = self._raw_by_session[session] = member
            self.adapter.add_all(member.id, (member.id,))
        elif message is not None:
            member.message = message
        return member

    def forget(self, member: RawMember) -> None:
        """A raw session has left (called by it)."""
        del self.raw[member.id]
        del self._raw_by_session[member.session]
        self.adapter.remove_all(member.id)
        self._check_empty()

    # To all of them

    def targets(self) -> Iterable[Namespace]:
        """The namespaces that a broadcast to this one goes to."""
        return (self,)

    def _everyone(self) -> BroadcastOperator:
        return BroadcastOperator(self)

    # To other servers

    def server_side_emit(self, *args: Any, ack: Callable[..., Any] | None = None) -> bool:
        """
        Emit an event to this namespace's handlers on the other servers of the cluster.

        Args:
            event: Its name, and then its arguments.
            ack: Called with an error or None, and the list of their answers. Their handlers get
                a callable as their last argument.

        Raises:
            ValueError: The event is ``connect``, ``connection`` or ``new_namespace``.
        """
        if not args or not isinstance(args[0], str):
            raise TypeError("an event begins with its name, a str")
        if args[0] in RESERVED:
            raise ValueError(f"{args[0]!r} is a reserved event name")
        self.adapter.server_side_emit(list(args), ack)
        return True

    def server_side_emit_with_ack(self, *args: Any) -> Outcome[list[Any]]:
        """As :meth:`server_side_emit`; awaiting the result gives the answers."""
        outcome: Outcome[list[Any]] = Outcome()

        def settle(error: Exception | None, responses: list[Any]) -> None:
            settle_outcome(outcome, error, responses)

        self.server_side_emit(*args, ack=settle)
        return outcome

    # For the adapter

    def deliver(
        self, sids: Iterable[str], payload: Sequence[Any], options: BroadcastOptions
    ) -> int:
        """Send an EVENT to sockets and raw sessions of this server."""
        packet = Packet(PacketType.EVENT, self.name, None, payload)
        if not self.raw:
            return len(deliver(self.sockets, sids, packet, options))
        if self.adapter.appends_offset and not options.volatile:
            payload = payload[:-1]
        raw = RawBroadcast(self.raw, payload, options.volatile)
        return len(deliver(self.sockets, sids, packet, options, raw=raw)) + raw.count

    def deliver_with_ack(
        self,
        sids: Iterable[str],
        payload: Sequence[Any],
        options: BroadcastOptions,
        ack: Callable[[list[Any]], None],
    ) -> tuple[int, Callable[[], None]]:
        """The same, collecting acknowledgements, which raw sessions cannot give."""
        packet_id = self.next_id()
        packet = Packet(PacketType.EVENT, self.name, packet_id, payload)
        raw = RawBroadcast(self.raw, payload, options.volatile) if self.raw else None
        reached = deliver(self.sockets, sids, packet, options, ack, raw)

        def cancel() -> None:
            for socket in reached:
                socket.forget_ack(packet_id)

        return len(reached), cancel

    def find(self, sid: str) -> Socket | None:
        """The socket of this server with this id, or None."""
        return self.sockets.get(sid)

    def details(self, sid: str) -> SocketDetails | None:
        """A socket as other servers are to see it; or None."""
        socket = self.sockets.get(sid)
        if socket is None:
            return None
        handshake = socket.handshake.as_dict()
        return SocketDetails(sid, handshake, list(self.adapter.rooms_of(sid)), socket.data)

    def disconnect(self, sids: Iterable[str], close: bool) -> None:
        """Disconnect sockets and raw sessions of this server."""
        for sid in sids:
            member = self.sockets.get(sid) or self.raw.get(sid)
            if member is not None:
                member.disconnect(close)

    def server_side_event(
        self, args: Sequence[Any], ack: Callable[[Any], None] | None = None
    ) -> None:
        """Another server emitted an event."""
        if args and args[0] not in RESERVED:
            self._fire(*args, *(() if ack is None else (ack,)))


class ParentNamespace(Namespace):
    """
    What the namespaces that a pattern or function admits have in common.

    Handlers and middlewares that it has when a client first asks for such a namespace are the new
    one's; what is emitted goes to all of them.

    Attributes:
        children: Those that there are.
    """

    _count = itertools.count()

    def __init__(self, server: Server) -> None:
        self.children: set[Namespace] = set()
        super().__init__(server, f"/_{next(self._count)}")

    def _make_adapter(self) -> Adapter:
        # It has no sockets: a name for nothing to be in.
        return self.server.make_memory_adapter(self)

    def targets(self) -> Iterable[Namespace]:
        """The namespaces that a broadcast to this one goes to."""
        return tuple(self.children)

    def admit(self, session: Session, *, message: Message | None = None) -> RawMember:
        """
        Not supported: a session is in one of the children.

        Raises:
            TypeError: Always.
        """
        raise TypeError("admit() of a parent namespace: ask one of its children")

    def create(self, name: str) -> Namespace:
        """Make a namespace (called by the server)."""
        child = Namespace(self.server, name, self)
        child._middlewares.extend(self._middlewares)
        for event, handlers in self._handlers.items():
            child._handlers[event] = list(handlers)
        self.children.add(child)
        return child

    def fetch_sockets(self) -> Awaitable[list[Socket | RemoteSocket]]:
        """
        Not supported: other servers may have children that this one has not.

        Raises:
            TypeError: Always.
        """
        raise TypeError("fetch_sockets() of a parent namespace: ask its children")


def refuse(client: Client, name: str, message: str, data: Any = None) -> None:
    """Tell a client that it may not join a namespace."""
    client.joining.discard(name)
    payload = {"message": message}
    if data is not None:
        payload["data"] = data
    client.send(Packet(PacketType.CONNECT_ERROR, name, None, payload))


def start_adapter(adapter: Adapter) -> None:
    """Start an adapter, in a task if it takes time."""
    result = adapter.start()
    if result is not None:
        spawn(result, "start")

"""Whom an event is for: operators that collect rooms and flags, and then emit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cooee.reactor import get_reactor
from cooee.socketio.acks import settle_outcome
from cooee.socketio.adapters.base import BroadcastOptions, SocketDetails
from cooee.socketio.emit_operator import EmitOperator
from cooee.socketio.emitter import spawn
from cooee.socketio.errors import AckTimeout
from cooee.socketio.packet import RESERVED_EVENTS
from cooee.websocket.outcome import Outcome

if TYPE_CHECKING:
    from cooee.socketio.namespace import Namespace
    from cooee.socketio.socket import Socket

__all__ = [
    "BroadcastOperator",
    "Broadcasts",
    "RemoteSocket",
    "SocketOperator",
    "check_event",
    "room_names",
]

EVERYONE = BroadcastOptions()

DEFAULT_TIMEOUT = 5.0
"""Seconds to wait for the acknowledgements of a broadcast, if nothing else is said."""


def check_event(args: tuple[Any, ...]) -> None:
    """
    Check that an event may be sent.

    Raises:
        TypeError: It has no name.
        ValueError: The name is reserved.
    """
    if not args or not isinstance(args[0], str):
        raise TypeError("an event begins with its name, a str")
    if args[0] in RESERVED_EVENTS:
        raise ValueError(f"{args[0]!r} is a reserved event name")


def room_names(rooms: Iterable[str | Iterable[str]]) -> set[str]:
    """The names among arguments that are names or iterables of names."""
    names: set[str] = set()
    for room in rooms:
        if isinstance(room, str):
            names.add(room)
        else:
            names.update(room)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a room's name is a str")
    return names


class BroadcastOperator:
    """
    Sockets of a namespace, chosen by rooms, and how to send to them.

    It does not change: each of ``to``, ``except_``, ``volatile`` ... returns another. It chooses
    anew each time that it is used, and nothing that it sends waits: a client that takes too
    little is cut off when the limit of its buffer is reached (``max_buffered``).
    """

    __slots__ = ("_namespace", "_options")

    def __init__(self, namespace: Namespace, options: BroadcastOptions = EVERYONE) -> None:
        self._namespace = namespace
        self._options = options

    def _with(self, **changes: Any) -> BroadcastOperator:
        return BroadcastOperator(self._namespace, replace(self._options, **changes))

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """Sockets in any of these rooms and those given before; names or iterables of names."""
        return self._with(rooms=self._options.rooms | room_names(rooms))

    def in_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.to(*rooms)

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """But none that is in any of these rooms."""
        return self._with(except_=self._options.except_ | room_names(rooms))

    @property
    def volatile(self) -> BroadcastOperator:
        """Drop it for those that are not ready."""
        return self._with(volatile=True)

    @property
    def local(self) -> BroadcastOperator:
        """Sockets of this server only."""
        return self._with(local=True)

    def compress(self, compress: bool) -> BroadcastOperator:
        """Whether to compress it, where the transport does."""
        return self._with(compress=compress)

    def timeout(self, seconds: float) -> BroadcastOperator:
        """How long to wait for acknowledgements; 5 by default."""
        return self._with(timeout=seconds)

    def emit(self, *args: Any, ack: Callable[..., Any] | None = None) -> bool:
        """
        Send an event to them.

        Args:
            event: Its name.
            args: What the parser can write.
            ack: Called once, with an error or None, and the list of the answers: of each client
                the first argument of its acknowledgement. The error is an :class:`AckTimeout` if
                some did not come in time.

        Returns:
            True.

        Raises:
            ValueError: The event is reserved.
        """
        check_event(args)
        if ack is None:
            for namespace in self._namespace.targets():
                coro = namespace.adapter.broadcast(list(args), self._options)
                if coro is not None:
                    spawn(coro, args[0])
        else:
            _Collection(self._namespace, list(args), self._options, ack)
        return True

    def send(self, *args: Any) -> bool:
        """Send them the event ``message``."""
        return self.emit("message", *args)

    def emit_with_ack(self, *args: Any) -> Outcome[list[Any]]:
        """
        Send an event to them, and return the list of the answers when awaited.

        Raises:
            AckTimeout: When awaited: some did not come in time; those that did are its
                ``responses``.
        """
        outcome: Outcome[list[Any]] = Outcome()

        def settle(error: Exception | None, responses: list[Any]) -> None:
            settle_outcome(outcome, error, responses)

        self.emit(*args, ack=settle)
        return outcome

    def fetch_sockets(self) -> Awaitable[list[Socket | RemoteSocket]]:
        """Await them: local ones as :class:`Socket`, others as :class:`RemoteSocket`."""
        return _Fetch(self._namespace, self._options)

    def sockets_join(self, *rooms: str | Iterable[str]) -> None:
        """Let them join rooms."""
        self._namespace.adapter.add_sockets(self._options, sorted(room_names(rooms)))

    def sockets_leave(self, *rooms: str | Iterable[str]) -> None:
        """Let them leave rooms."""
        self._namespace.adapter.remove_sockets(self._options, sorted(room_names(rooms)))

    def disconnect_sockets(self, close: bool = False) -> None:
        """Disconnect them; with `close`, from everything."""
        self._namespace.adapter.disconnect_sockets(self._options, close)


class Broadcasts:
    """All sockets of a namespace: what they are sent, and where a choice among them begins."""

    def _everyone(self) -> BroadcastOperator:
        """All of them."""
        raise NotImplementedError

    def emit(self, *args: Any, ack: Callable[..., Any] | None = None) -> bool:
        """Send an event to all sockets; see :meth:`BroadcastOperator.emit`."""
        return self._everyone().emit(*args, ack=ack)

    def send(self, *args: Any) -> bool:
        """Send the event ``message`` to all sockets."""
        return self._everyone().send(*args)

    def emit_with_ack(self, *args: Any) -> Outcome[list[Any]]:
        """Send an event to all; see :meth:`BroadcastOperator.emit_with_ack`."""
        return self._everyone().emit_with_ack(*args)

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To sockets in any of these rooms."""
        return self._everyone().to(*rooms)

    def in_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self._everyone().to(*rooms)

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To sockets that are in none of these rooms."""
        return self._everyone().except_(*rooms)

    @property
    def volatile(self) -> BroadcastOperator:
        """To those that are ready."""
        return self._everyone().volatile

    @property
    def local(self) -> BroadcastOperator:
        """To those of this server."""
        return self._everyone().local

    def compress(self, compress: bool) -> BroadcastOperator:
        """Whether to compress it, where the transport does."""
        return self._everyone().compress(compress)

    def timeout(self, seconds: float) -> BroadcastOperator:
        """How long to wait for acknowledgements."""
        return self._everyone().timeout(seconds)

    def fetch_sockets(self) -> Awaitable[list[Socket | RemoteSocket]]:
        """Await all sockets, those of other servers too."""
        return self._everyone().fetch_sockets()

    def sockets_join(self, *rooms: str | Iterable[str]) -> None:
        """Let all sockets join rooms."""
        self._everyone().sockets_join(*rooms)

    def sockets_leave(self, *rooms: str | Iterable[str]) -> None:
        """Let all sockets leave rooms."""
        self._everyone().sockets_leave(*rooms)

    def disconnect_sockets(self, close: bool = False) -> None:
        """Disconnect all sockets."""
        self._everyone().disconnect_sockets(close)


class _Fetch:
    """Sockets that are being asked for."""

    def __init__(self, namespace: Namespace, options: BroadcastOptions) -> None:
        self._namespace = namespace
        self._found = namespace.adapter.fetch_sockets(options)

    def __await__(self) -> Generator[Any, Any, list[Any]]:
        found = yield from self._found.__await__()
        return [
            RemoteSocket(self._namespace, one) if isinstance(one, SocketDetails) else one
            for one in found
        ]


class _Collection:
    """The answers to a broadcast, as they come in."""

    def __init__(
        self,
        namespace: Namespace,
        payload: list[Any],
        options: BroadcastOptions,
        done: Callable[..., Any],
    ) -> None:
        self._done: Callable[..., Any] | None = done
        self._name = payload[0]
        self._responses: list[Any] = []
        self._clients = 0
        self._servers = 0
        self._expected: int | None = None
        self._timer = get_reactor().call_later(
            DEFAULT_TIMEOUT if options.timeout is None else options.timeout,
            self._timed_out,
            ref=False,
        )
        try:
            self._cancel = namespace.adapter.broadcast_with_ack(
                payload, options, self._counted, self._answered
            )
        except BaseException:
            self._timer.cancel()
            raise
        count = 1 if options.local else namespace.adapter.server_count()
        if isinstance(count, int):
            self._expected = count
            self._check()
        else:
            spawn(self._count(count), self._name)

    async def _count(self, count: Awaitable[int]) -> None:
        self._expected = await count
        self._check()

    def _counted(self, clients: int) -> None:
        self._servers += 1
        self._clients += clients
        self._check()

    def _answered(self, args: list[Any]) -> None:
        self._responses.append(args[0] if args else None)
        self._check()

    def _check(self) -> None:
        if self._servers == self._expected and len(self._responses) == self._clients:
            self._finish(None)

    def _timed_out(self) -> None:
        self._cancel()
        self._finish(AckTimeout(responses=self._responses))

    def _finish(self, error: AckTimeout | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        self._timer.cancel()
        result = done(error, self._responses)
        if result is not None and hasattr(result, "__await__"):
            spawn(result, self._name)


class RemoteSocket:
    """
    A socket of another server.

    Attributes:
        id: Its id.
        handshake: How its client came, as a mapping.
        rooms: The rooms it was in.
        data: Its data. Changes go nowhere.
    """

    def __init__(self, namespace: Namespace, details: SocketDetails) -> None:
        self.id = details.id
        self.handshake = details.handshake
        self.rooms = set(details.rooms)
        self.data = details.data
        self._operator = BroadcastOperator(namespace).to(self.id)

    def emit(self, *args: Any) -> bool:
        """Send it an event."""
        return self._operator.emit(*args)

    async def emit_with_ack(self, *args: Any, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """Send it an event, and return the first argument of its acknowledgement."""
        answers = await self._operator.timeout(timeout).emit_with_ack(*args)
        return answers[0] if answers else None

    def join(self, *rooms: str | Iterable[str]) -> None:
        """Let it join rooms."""
        self._operator.sockets_join(*rooms)

    def leave(self, room: str) -> None:
        """Let it leave a room."""
        self._operator.sockets_leave(room)

    def disconnect(self, close: bool = False) -> None:
        """Disconnect it."""
        self._operator.disconnect_sockets(close)


class SocketOperator(EmitOperator["Socket"]):
    """
    One socket, and how to send to it or to the others.

    It does not change: each of ``volatile``, ``compress``, ``timeout`` ... returns another.
    """

    __slots__ = ()

    @property
    def broadcast(self) -> BroadcastOperator:
        """To all others of the namespace."""
        return BroadcastOperator(
            self._socket.namespace,
            BroadcastOptions(
                except_=frozenset((self._socket.id,)),
                volatile=self._volatile,
                compress=self._compress,
                timeout=self._timeout,
            ),
        )

    @property
    def local(self) -> BroadcastOperator:
        """To all others of the namespace on this server."""
        return self.broadcast.local

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To the others in any of these rooms."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To the others that are in none of these rooms."""
        return self.broadcast.except_(*rooms)

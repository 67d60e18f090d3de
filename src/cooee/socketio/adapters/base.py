"""
What an adapter is, and what it may do with the sockets of this server.

A namespace has one adapter. It keeps the rooms, decides which sockets a broadcast is for, and where
there are several servers carries it to the others. It knows sockets by their ids and reaches them
through :class:`Local` alone, so that it needs neither the server nor a client to be tested.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from cooee.socketio.emitter import Emitter

__all__ = [
    "Adapter",
    "AdapterFactory",
    "BroadcastOptions",
    "Local",
    "SocketDetails",
    "StoredSession",
]


@dataclass(frozen=True, slots=True)
class BroadcastOptions:
    """
    Whom something is for, and how it is sent.

    Attributes:
        rooms: Sockets in any of these; empty for all of the namespace.
        except_: But in none of these.
        volatile: Drop it for those that are not ready.
        compress: Compress it, where the transport does.
        local: Only those of this server.
        timeout: Seconds to wait for acknowledgements or for other servers; None for the default.
    """

    rooms: frozenset[str] = frozenset()
    except_: frozenset[str] = frozenset()
    volatile: bool = False
    compress: bool = True
    local: bool = False
    timeout: float | None = None


@dataclass(slots=True)
class SocketDetails:
    """A socket as other servers see it."""

    id: str
    handshake: Mapping[str, Any]
    rooms: Collection[str]
    data: dict[str, Any]


@dataclass(slots=True)
class StoredSession:
    """
    A socket that is gone and may come back (connection state recovery).

    Attributes:
        sid: Its id.
        pid: Its private id, which the client must know.
        rooms: That it was in.
        data: ``socket.data``.
        missed: Once it is back: the payloads of the events that it missed, event name first and
            offset last.
    """

    sid: str
    pid: str
    rooms: list[str]
    data: dict[str, Any]
    missed: list[list[Any]] = field(default_factory=list)


class Local(Protocol):
    """What an adapter may do with the sockets of this server and one namespace."""

    @property
    def name(self) -> str:
        """The namespace's."""

    def deliver(
        self, sids: Iterable[str], payload: Sequence[Any], options: BroadcastOptions
    ) -> int:
        """
        Send an EVENT to sockets, written once; return to how many. Unknown ids are passed over.

        An id may also be that of a raw session, which the server admitted. Such ids are in rooms
        as sockets' are, and all that an adapter must know of them is that :meth:`find` and
        :meth:`details` do not find them and that nothing acknowledges for them.
        """

    def deliver_with_ack(
        self,
        sids: Iterable[str],
        payload: Sequence[Any],
        options: BroadcastOptions,
        ack: Callable[[list[Any]], None],
    ) -> tuple[int, Callable[[], None]]:
        """
        The same, with `ack` called with the arguments of each acknowledgement.

        Returns:
            The number of sockets, and a function that stops waiting for their acknowledgements.
        """

    def find(self, sid: str) -> Any:
        """The socket with this id, or None."""

    def details(self, sid: str) -> SocketDetails | None:
        """A socket as other servers are to see it; or None."""

    def disconnect(self, sids: Iterable[str], close: bool) -> None:
        """Disconnect sockets."""

    def server_side_event(
        self, args: Sequence[Any], ack: Callable[[Any], None] | None = None
    ) -> None:
        """Another server emitted an event to the servers."""


class Adapter(Emitter, ABC):
    """
    The base of all adapters; its methods speak for the whole cluster unless they say "local".

    Events: ``create_room(room)``, ``delete_room(room)``, ``join_room(room, sid)`` and
    ``leave_room(room, sid)``, of local sockets.

    Attributes:
        appends_offset: Whether it appends an offset to the events without acknowledgement that are
            not volatile, for connection state recovery.
    """

    appends_offset: ClassVar[bool] = False

    def __init__(self, local: Local) -> None:
        super().__init__()
        self.local = local

    # Life

    def start(self) -> Awaitable[None] | None:
        """The server starts. What it returns is awaited in a task."""

    def close(self) -> Awaitable[None] | None:
        """The server has closed, or the namespace is gone."""

    # Rooms of local sockets

    @abstractmethod
    def add_all(self, sid: str, rooms: Iterable[str]) -> None:
        """Let a socket join rooms."""

    @abstractmethod
    def remove(self, sid: str, room: str) -> None:
        """Let a socket leave a room."""

    @abstractmethod
    def remove_all(self, sid: str) -> None:
        """A socket is gone."""

    @abstractmethod
    def rooms_of(self, sid: str) -> Collection[str]:
        """The rooms that a local socket is in; a live view."""

    # Broadcasts

    @abstractmethod
    def broadcast(self, payload: list[Any], options: BroadcastOptions) -> Any:
        """
        Send an EVENT to all whom the options name.

        Args:
            payload: The event's name and arguments; the adapter's own from now on.

        Returns:
            None, or something to await.
        """

    @abstractmethod
    def broadcast_with_ack(
        self,
        payload: list[Any],
        options: BroadcastOptions,
        client_count: Callable[[int], None],
        ack: Callable[[list[Any]], None],
    ) -> Callable[[], None]:
        """
        The same, collecting acknowledgements.

        Args:
            client_count: Called once for each server, with the number of its recipients.
            ack: Called for each acknowledgement, with its arguments.

        Returns:
            A function that stops waiting for them.
        """

    # Sockets by room

    @abstractmethod
    def fetch_sockets(self, options: BroadcastOptions) -> Awaitable[list[Any]]:
        """Those whom the options name: local sockets, and :class:`SocketDetails` of others."""

    @abstractmethod
    def add_sockets(self, options: BroadcastOptions, rooms: Sequence[str]) -> None:
        """Let them join rooms."""

    @abstractmethod
    def remove_sockets(self, options: BroadcastOptions, rooms: Sequence[str]) -> None:
        """Let them leave rooms."""

    @abstractmethod
    def disconnect_sockets(self, options: BroadcastOptions, close: bool) -> None:
        """Disconnect them."""

    # Servers

    def server_count(self) -> int | Awaitable[int]:
        """How many servers there are, this one included."""
        return 1

    def server_side_emit(
        self, args: list[Any], ack: Callable[[Exception | None, list[Any]], None] | None = None
    ) -> None:
        """
        Emit an event to the other servers.

        Args:
            ack: Called with an error or None, and the other servers' answers.
        """
        if ack is not None:
            ack(None, [])

    # Connection state recovery

    def persist_session(self, session: StoredSession) -> Awaitable[None] | None:
        """A socket is gone that may come back."""

    def restore_session(
        self, pid: str, offset: str
    ) -> StoredSession | Awaitable[StoredSession | None] | None:
        """
        A client comes back, having seen everything up to `offset`.

        Returns:
            Its session, with what it missed; or None if that cannot be told.
        """
        return None


AdapterFactory: TypeAlias = Callable[[Local], Adapter]

"""Rooms in the memory of one process; with or without connection state recovery."""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cooee.socketio.adapters.base import Adapter, BroadcastOptions, Local, StoredSession
from cooee.websocket.outcome import Outcome

__all__ = [
    "MAX_LOG",
    "MAX_LOG_SIZE",
    "MAX_SESSIONS",
    "MemoryAdapter",
    "RecoveringAdapter",
]

MAX_LOG = 100_000
"""Events that are kept for recovery by default, whatever their age; Node keeps any number."""

MAX_LOG_SIZE = 64 * 1024 * 1024
"""Bytes of them by default: what their data holds, and VALUE_OVERHEAD for each value."""

MAX_SESSIONS = 100_000
"""Sessions that are kept by default; Node keeps any number."""

VALUE_OVERHEAD = 64
"""Bytes that a value counts besides what it holds."""

_NO_ROOMS: frozenset[str] = frozenset()


class MemoryAdapter(Adapter):
    """
    Rooms in the memory of one process: sockets by room, and rooms by socket.

    A broadcast costs in proportion to the members of its rooms, not to those of the namespace.
    """

    def __init__(self, local: Local) -> None:
        super().__init__(local)
        # Dicts for sets: they keep the order in which sockets came.
        self.rooms: dict[str, dict[str, None]] = {}
        self.sids: dict[str, set[str]] = {}

    def add_all(self, sid: str, rooms: Iterable[str]) -> None:
        """Let a socket join rooms."""
        mine = self.sids.setdefault(sid, set())
        for room in rooms:
            if room in mine:
                continue
            mine.add(room)
            members = self.rooms.get(room)
            if members is None:
                members = self.rooms[room] = {}
                if self._handlers:
                    self._fire("create_room", room)
            members[sid] = None
            if self._handlers:
                self._fire("join_room", room, sid)

    def remove(self, sid: str, room: str) -> None:
        """Let a socket leave a room."""
        mine = self.sids.get(sid)
        if mine is not None and room in mine:
            mine.remove(room)
            self._leave(sid, room)

    def remove_all(self, sid: str) -> None:
        """A socket is gone."""
        for room in self.sids.pop(sid, ()):
            self._leave(sid, room)

    def _leave(self, sid: str, room: str) -> None:
        members = self.rooms.get(room)
        if members is None:
            return
        members.pop(sid, None)
        if self._handlers:
            self._fire("leave_room", room, sid)
        # A handler may have let someone in.
        if not members and self.rooms.get(room) is members:
            del self.rooms[room]
            if self._handlers:
                self._fire("delete_room", room)

    def rooms_of(self, sid: str) -> Collection[str]:
        """The rooms that a socket is in; a live view."""
        return self.sids.get(sid, _NO_ROOMS)

    def matching(self, options: BroadcastOptions) -> Iterable[str]:
        """The ids of local sockets whom the options name, each once; not a live view."""
        rooms = options.rooms
        if not options.except_:
            if not rooms:
                return list(self.sids)
            if len(rooms) == 1:
                (room,) = rooms
                return list(self.rooms.get(room, ()))
        return list(self._filter(rooms, options.except_))

    def _filter(self, rooms: frozenset[str], except_: frozenset[str]) -> Iterator[str]:
        # Asking each candidate for its rooms, rather than the rooms for their members: who is kept
        # out may be many.
        seen: dict[str, Any]
        if not rooms:
            seen = dict(self.sids)
        elif len(rooms) == 1:
            seen = self.rooms.get(next(iter(rooms)), {})
        else:
            seen = {}
            for room in rooms:
                seen.update(self.rooms.get(room, ()))
        sids = self.sids
        return (sid for sid in seen if sids[sid].isdisjoint(except_))

    def broadcast(self, payload: list[Any], options: BroadcastOptions) -> Any:
        """Send an EVENT to all whom the options name."""
        self.local.deliver(self.matching(options), payload, options)

    def broadcast_with_ack(
        self,
        payload: list[Any],
        options: BroadcastOptions,
        client_count: Callable[[int], None],
        ack: Callable[[list[Any]], None],
    ) -> Callable[[], None]:
        """The same, collecting acknowledgements."""
        count, cancel = self.local.deliver_with_ack(self.matching(options), payload, options, ack)
        client_count(count)
        return cancel

    def fetch_sockets(self, options: BroadcastOptions) -> Awaitable[list[Any]]:
        """Those whom the options name."""
        found = [self.local.find(sid) for sid in self.matching(options)]
        ready: Outcome[list[Any]] = Outcome()
        ready.set_result([socket for socket in found if socket is not None])
        return ready

    def add_sockets(self, options: BroadcastOptions, rooms: Sequence[str]) -> None:
        """Let them join rooms."""
        for sid in self.matching(options):
            self.add_all(sid, rooms)

    def remove_sockets(self, options: BroadcastOptions, rooms: Sequence[str]) -> None:
        """Let them leave rooms."""
        for sid in self.matching(options):
            for room in rooms:
                self.remove(sid, room)

    def disconnect_sockets(self, options: BroadcastOptions, close: bool) -> None:
        """Disconnect them."""
        self.local.disconnect(self.matching(options), close)


class _Logged(NamedTuple):
    offset: str
    payload: list[Any]
    options: BroadcastOptions
    time: float
    size: int


class RecoveringAdapter(MemoryAdapter):
    """
    Keeps the events and sessions of the last minutes, for clients to come back to.

    Every event without acknowledgement that is not volatile gets its offset as a last argument, by
    which a client says how far it came. Sessions and events are forgotten when they are older than
    the duration; no timer is needed for that, as each new one drives out the old.

    Args:
        duration: Seconds.
        max_log: Events that are kept.
        max_log_size: Bytes of events that are kept. A client whose events are sent back fills the
            log with them.
        max_sessions: Sessions that are kept; the oldest goes for the next.
        clock: Seconds from any point in time.
    """

    appends_offset = True

    def __init__(
        self,
        local: Local,
        *,
        duration: float = 120,
        max_log: int = MAX_LOG,
        max_log_size: int = MAX_LOG_SIZE,
        max_sessions: int = MAX_SESSIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(local)
        self._duration = duration
        self._clock = clock
        self._log: deque[_Logged] = deque()
        self._log_size = 0
        self._max_log = max_log
        self._max_log_size = max_log_size
        self._max_sessions = max_sessions
        # The number of the first event in the log.
        self._first = 0
        # Offsets of one adapter are not those of another: a restarted server knows its own.
        self._epoch = urlsafe_b64encode(os.urandom(6)).decode()
        self._sessions: dict[str, tuple[StoredSession, float]] = {}

    def broadcast(self, payload: list[Any], options: BroadcastOptions) -> Any:
        """Send an EVENT to all whom the options name, and remember it."""
        if not options.volatile:
            offset = f"{self._epoch}{self._first + len(self._log):x}"
            payload.append(offset)
            size = _size(payload, self._max_log_size)
            self._log.append(_Logged(offset, payload, options, self._clock(), size))
            self._log_size += size
            self._expire()
        return super().broadcast(payload, options)

    def persist_session(self, session: StoredSession) -> None:
        """A socket is gone that may come back."""
        self._sessions.pop(session.pid, None)
        self._sessions[session.pid] = (session, self._clock())
        self._expire()

    def restore_session(self, pid: str, offset: str) -> StoredSession | None:
        """A client comes back; a session can be taken once."""
        self._expire()
        if pid not in self._sessions:
            return None
        index = self._index(offset)
        if index is None:
            return None
        session, _ = self._sessions.pop(pid)
        rooms = set(session.rooms)
        session.missed = [
            self._log[at].payload
            for at in range(index + 1, len(self._log))
            if _concerns(rooms, self._log[at].options)
        ]
        return session

    def _index(self, offset: str) -> int | None:
        """Where an event is in the log; None if it is not, or not any more."""
        epoch, number = offset[: len(self._epoch)], offset[len(self._epoch) :]
        # Not longer than a number that was ever given: int() of a peer's text can be slow.
        if epoch != self._epoch or not 0 < len(number) <= 16:
            return None
        try:
            index = int(number, 16) - self._first
        except ValueError:
            return None
        return index if 0 <= index < len(self._log) and self._log[index].offset == offset else None

    def _expire(self) -> None:
        oldest = self._clock() - self._duration
        while self._log and (
            self._log[0].time < oldest
            or len(self._log) > self._max_log
            or self._log_size > self._max_log_size
        ):
            self._log_size -= self._log.popleft().size
            self._first += 1
        while self._sessions:
            pid = next(iter(self._sessions))
            if self._sessions[pid][1] >= oldest and len(self._sessions) <= self._max_sessions:
                break
            del self._sessions[pid]


def _concerns(rooms: set[str], options: BroadcastOptions) -> bool:
    included = not options.rooms or not rooms.isdisjoint(options.rooms)
    return included and rooms.isdisjoint(options.except_)


def _size(payload: list[Any], most: int) -> int:
    """Bytes that an event costs, roughly; of one beyond `most` just that it is."""
    size = 0
    values: list[Any] = [payload]
    while values and size <= most:
        value = values.pop()
        size += VALUE_OVERHEAD
        if isinstance(value, (str, bytes, bytearray)):
            size += len(value)
        elif isinstance(value, memoryview):
            size += value.nbytes
        elif isinstance(value, dict):
            values.extend(value)
            values.extend(value.values())
        elif isinstance(value, (list, tuple)):
            values.extend(value)
    return size

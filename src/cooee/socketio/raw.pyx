"""
Raw WebSocket sessions in rooms: they get what is broadcast, as plain messages.

A namespace that has admitted a session knows it by an id, as it knows its sockets, and tells its
adapter of the rooms by that id: so whatever chooses sockets by room chooses these as well. What an
event is for somebody who does not speak Socket.IO, the application says with a function, which is
called once for each broadcast, however many sessions share it; so is the frame built once.
"""

import inspect
import json
import logging

import msgspec

from cooee.protocol.frames cimport BINARY, TEXT
from cooee.websocket.connection cimport OPEN
from cooee.websocket.session cimport Session

from cooee.protocol.frames import build_frame
from cooee.reactor import get_reactor
from cooee.socketio.adapters.base import BroadcastOptions
from cooee.socketio.broadcast import BroadcastOperator, check_event

logger = logging.getLogger("cooee.socketio")

cdef object encode = msgspec.json.Encoder().encode


def plain_message(event, *args):
    """
    The message for an event where the application says nothing else.

    One argument that is text or bytes is the message as it is, and the event's name is not told.
    Anything else becomes text, the JSON of ``[event, *args]``, in which bytes are base64.
    """
    if len(args) == 1 and isinstance(args[0], (str, bytes, bytearray, memoryview)):
        return args[0]
    try:
        return encode((event, *args)).decode()
    except UnicodeEncodeError:
        # A surrogate by itself, for which JSON has an escape and msgspec has none.
        return json.dumps(msgspec.to_builtins((event, *args)), separators=(",", ":"))


cdef class RawMember:
    """
    A raw WebSocket session in a namespace and its rooms; :meth:`Namespace.admit` makes it.

    What is emitted to all of the namespace, or to a room that it is in, is sent to it as a message,
    text or binary. What the session receives is the application's affair: it is the handler of the
    session's ``message`` that emits something, for instance with ``member.to("room")``.

    It leaves by itself when the session is closed, before the session's ``close``.
    ``sockets_join``, ``sockets_leave`` and ``disconnect_sockets`` act on it too. ``fetch_sockets``
    does not find it, middlewares and ``on_any_outgoing`` do not see it, and where an
    acknowledgement is asked for it gets the event and is not waited for. Recovery is not for it.

    Attributes:
        id: Its id, and the name of a room that it is alone in.
        session: The session.
        namespace: The namespace.
        connected: Whether it is in the namespace.
        dropped: Volatile events that were not sent, since something waited to be sent already.
    """

    def __init__(self, namespace, Session session not None, str id not None, message=None):
        if not session.server:
            raise ValueError("a client's session, which must mask, is in no room (RFC 6455 §5.3)")
        if session.state != OPEN:
            raise session.not_open()
        if session.stream.reactor is not get_reactor():
            raise RuntimeError("a session of another reactor is in no room of this one")
        self.namespace = namespace
        self.session = session
        self.id = id
        self.message = plain_message if message is None else message
        self.connected = True
        self._on_close = self.session_closed
        # Before the application's handlers, of which one that raises keeps the later from being
        # called.
        if session.on_close is None:
            session.on_close = self._on_close
        elif type(session.on_close) is list:
            session.on_close = [self._on_close, *session.on_close]
        else:
            session.on_close = [self._on_close, session.on_close]

    def __repr__(self):
        return f"<RawMember {self.id} of {self.namespace!r}>"

    @property
    def message(self):
        """
        What makes the message of an event, called with its name and arguments, which it must not
        change; see :meth:`Namespace.admit`.
        """
        return self._message

    @message.setter
    def message(self, message):
        if not callable(message) or inspect.iscoroutinefunction(message):
            raise TypeError(f"message is a function, which {message!r} is not")
        # By it, one broadcast knows those that share a frame.
        hash(message)
        self._message = message

    @property
    def rooms(self):
        """The rooms that it is in, of which one is its id."""
        return set(self.namespace.adapter.rooms_of(self.id))

    def join(self, *rooms):
        """
        Join rooms, given by name or as iterables of names; does nothing when it has left.

        Raises:
            LimitExceeded: It is in ``Limits.max_rooms`` rooms.
        """
        if self.connected:
            self.namespace.let_join(self, rooms)

    def leave(self, str room not None):
        """Leave a room; does nothing when it is not in it."""
        self.namespace.adapter.remove(self.id, room)

    def emit(self, *args):
        """
        Send an event to it alone, as the message that its function makes.

        Returns:
            Whether it was sent: not if there is no message for it, or if the session is closing.

        Raises:
            ValueError: The event is reserved.
        """
        cdef RawBroadcast one
        check_event(args)
        one = RawBroadcast({self.id: self}, args, False)
        return self.connected and one.deliver(self.id) == 1

    @property
    def broadcast(self):
        """To all others of the namespace."""
        return BroadcastOperator(
            self.namespace, BroadcastOptions(except_=frozenset((self.id,)))
        )

    @property
    def local(self):
        """To all others of the namespace on this server."""
        return self.broadcast.local

    @property
    def volatile(self):
        """To those of the others that are ready."""
        return self.broadcast.volatile

    def to(self, *rooms):
        """To the others in any of these rooms."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms):
        """To the others in any of these rooms; the same as :meth:`to`."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms):
        """To the others that are in none of these rooms."""
        return self.broadcast.except_(*rooms)

    def disconnect(self, bint close=False):
        """
        Leave the namespace and all its rooms; with `close`, close the session too.

        Does nothing when it has left.
        """
        if not self.connected:
            return
        self.connected = False
        self.session.off("close", self._on_close)
        self._on_close = None
        self.namespace.forget(self)
        if close:
            self.session.close()

    def session_closed(self, code, reason):
        """The session is closed (called by it)."""
        self.disconnect()


cdef class RawBroadcast:
    """
    An event on its way to raw sessions.

    Args:
        members: Those of the namespace, by their ids.
        payload: The event's name and arguments.
        volatile: Drop it for those that have something waiting to be sent.
    """

    def __init__(self, dict members not None, payload, bint volatile):
        self.members = members
        self.payload = payload
        self.volatile_ = volatile

    cdef int deliver(self, object sid) except -1:
        """Send it to the member with this id, if there is one; return whether it was sent."""
        cdef RawMember member = <RawMember> self.members.get(sid)
        cdef Session session
        cdef bytes frame
        if member is None:
            return 0
        session = member.session
        if session.state != OPEN:
            return 0
        if self.volatile_ and session.stream.out.bytes:
            member.dropped += 1
            return 0
        frame = self.frame if member._message is self.message else self.frame_of(member._message)
        # The function may have closed it.
        if frame is None or session.state != OPEN:
            return 0
        session.stream.share(frame)
        session.drop_if_slow()
        self.count += 1
        return 1

    cdef bytes frame_of(self, object message):
        """The frame of another function than the last one."""
        cdef bytes frame = None
        if self.frames is None:
            self.frames = {}
        if message in self.frames:
            frame = self.frames[message]
        else:
            try:
                data = message(*self.payload)
                if data is not None:
                    frame = build_frame(TEXT if isinstance(data, str) else BINARY, data)
            except Exception:
                # Those who emit have nothing to do with it.
                logger.exception("no message for raw sessions of the event %r", self.payload[0])
            self.frames[message] = frame
        self.message = message
        self.frame = frame
        return frame

"""
Socket.IO packets, whichever way they are written (Socket.IO protocol, "Packet types").

Both parsers read into a :class:`Packet` and write from one.
"""

import enum

cimport cython
from cpython.long cimport PyLong_CheckExact


class PacketType(enum.IntEnum):
    """What a packet is for; the value is the one on the wire."""

    CONNECT = 0
    """A client wants to join a namespace; or the server lets it."""
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    """The server does not let the client join. In protocol 4 it is called ERROR."""
    BINARY_EVENT = 5
    """How the parser writes an EVENT that has attachments."""
    BINARY_ACK = 6
    """How the parser writes an ACK that has attachments."""


# Names that the applications of the reference implementation receive from the library itself, and
# therefore never from a peer.
RESERVED_EVENTS = frozenset({
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
})

cdef tuple TYPES = tuple(PacketType)
cdef frozenset reserved = RESERVED_EVENTS


@cython.freelist(64)
cdef class Packet:
    """
    A packet. It does not change; its data belongs to whoever has it.

    Args:
        type: A :class:`PacketType`. An EVENT or ACK with attachments is of those types too: how it
            is written is the parser's business.
        namespace: Begins with ``/`` and has no comma. In protocol 4 the one of a CONNECT may have a
            query: ``/admin?token=abc``.
        id: Of an EVENT that is to be acknowledged, and of the ACK that does so: 0 to 2**53 - 1.
        data: The payload, ``None`` for none. By type: CONNECT has a dict or none, DISCONNECT none,
            EVENT a list that begins with the event's name, ACK a list, CONNECT_ERROR a dict or a
            str. Encoders check it, and take tuples for lists.

    Raises:
        ValueError: For a type, namespace or id that there is not.
    """

    def __init__(self, type, namespace="/", id=None, data=None):
        kind = int(type)
        if not CONNECT <= kind <= CONNECT_ERROR:
            raise ValueError(
                f"{TYPES[kind].name} is chosen by the parser, use {TYPES[kind - 3].name}"
                if BINARY_EVENT <= kind <= BINARY_ACK
                else f"packet type {kind}, must be 0 to 4 (Socket.IO 5, Packet types)"
            )
        if not isinstance(namespace, str):
            raise TypeError(f"namespace of type {namespace.__class__.__name__}, must be str")
        if not namespace.startswith("/") or "," in namespace:
            raise ValueError(f"namespace {namespace!r}, must begin with / and have no comma")
        if id is not None:
            id = int(id)
            if not 0 <= id <= MAX_ID:
                raise ValueError(f"id {id}, must be 0 to 2**53 - 1")
        self.kind = kind
        self.namespace = str(namespace)
        self.id = id
        self.data = data

    @property
    def type(self):
        """What it is for."""
        return TYPES[self.kind]

    def __eq__(self, other):
        cdef Packet packet
        if not isinstance(other, Packet):
            return NotImplemented
        packet = other
        return (
            self.kind == packet.kind
            and self.namespace == packet.namespace
            and self.id == packet.id
            and self.data == packet.data
        )

    def __reduce__(self):
        return Packet, (self.kind, self.namespace, self.id, self.data)

    def __repr__(self):
        text = f"Packet({TYPES[self.kind].name}, {self.namespace!r}"
        if self.id is not None:
            text += f", id={self.id}"
        if self.data is not None:
            text += f", data={self.data!r}"
        return text + ")"


cdef Packet make_packet(int kind, str namespace, object id, object data):
    """Make a packet of what has been checked."""
    cdef Packet packet = Packet.__new__(Packet)
    packet.kind = kind
    packet.namespace = namespace
    packet.id = id
    packet.data = data
    return packet


cdef bint is_event_name(object name) except -1:
    """Whether a payload may begin with it: a string that is not reserved, or a number."""
    if isinstance(name, str):
        return name not in reserved
    return PyLong_CheckExact(name) or isinstance(name, float)


cdef bint is_payload(int kind, object data) except -1:
    """Whether a packet of this type may have the payload."""
    if kind == EVENT:
        if isinstance(data, list):
            return len(<list> data) > 0 and is_event_name((<list> data)[0])
        return isinstance(data, tuple) and len(<tuple> data) > 0 and (
            is_event_name((<tuple> data)[0])
        )
    if kind == ACK:
        return isinstance(data, (list, tuple))
    if kind == CONNECT:
        return data is None or isinstance(data, dict)
    if kind == DISCONNECT:
        return data is None
    return isinstance(data, (dict, str))


cdef str payload_rule(int kind):
    """What `is_payload` demands."""
    return (
        "must have an object or none",
        "must have none",
        "must have an array that begins with a number, or a string that is not reserved",
        "must have an array",
        "must have an object or a string",
    )[kind]


cdef object wrong_payload(int kind, object data):
    """What an encoder was given is not the payload of this type."""
    detail = f"of type {type(data).__name__}"
    if isinstance(data, (list, tuple)):
        detail = f"that begins with {data[0]!r}" if data else "that is empty"
    return ValueError(
        f"{TYPES[kind].name} with a payload {detail}, {payload_rule(kind)} "
        "(Socket.IO 5, Packet types)"
    )

"""
Socket.IO packets as MessagePack, one binary message each (socket.io-msgpack-parser 3).

::

    {"type": 2, "nsp": "/", "id": 7, "data": ["your_echo", b"..."]}

Two dialects of MessagePack are about. notepack.io, on which the JavaScript parser is built, knows
no timestamps and writes

- ``undefined`` as fixext 1 of type 0,
- a Date as fixext 8 of type 0, milliseconds since 1970,
- an ArrayBuffer, under Node, as ext 8, 16 or 32 of type 0,

while the adapters and everyone else have timestamps of type -1. Both are read. Dates are written
for notepack.io unless told otherwise.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.datetime cimport (
    PyDateTime_Check,
    datetime_new,
    get_utc,
    import_datetime,
    timedelta_days,
    timedelta_microseconds,
    timedelta_new,
    timedelta_seconds,
)
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from typing import Any

import msgspec

from cooee.engineio.packet import PacketError

from cooee.socketio.packet cimport (
    CONNECT,
    CONNECT_ERROR,
    MAX_ID,
    Packet,
    is_payload,
    make_packet,
    payload_rule,
    wrong_payload,
)
from cooee.socketio.payload cimport FOREIGN, check_room, convert, inspect

cdef enum:
    PROTOCOL_ERROR = 1002
    MESSAGE_TOO_BIG = 1009

cdef enum:
    FIXEXT_1 = 0xD4
    FIXEXT_8 = 0xD7

cdef enum:
    # In milliseconds.
    DAY = 86400000
    # From 1970, of the years that a datetime can have: 1 to 9999.
    MIN_DAY = -719162
    MAX_DAY = 2932896

cdef tuple NAMES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR")

import_datetime()

cdef object EPOCH = datetime_new(1970, 1, 1, 0, 0, 0, 0, get_utc())
cdef tuple KEPT = (
    bytes, bytearray, memoryview, type(EPOCH), msgspec.Raw, msgspec.msgpack.Ext
)


# What a packet has on the wire; other fields, such as "options", do not count.
_Fields = msgspec.defstruct(
    "_Fields", [(name, Any, None) for name in ("type", "data", "nsp", "id")], omit_defaults=True
)

cdef object Fields = _Fields
cdef object Ext = msgspec.msgpack.Ext
cdef object encode = msgspec.msgpack.Encoder().encode


cdef inline int64_t read_int64(const unsigned char *data) noexcept:
    cdef uint64_t number = 0
    cdef int i
    for i in range(8):
        number = number << 8 | data[i]
    return <int64_t> number


cdef object read_date(int64_t milliseconds):
    """A Date of JavaScript, in UTC."""
    cdef int64_t days = milliseconds // DAY
    if milliseconds % DAY < 0:
        days -= 1
    if not MIN_DAY <= days <= MAX_DAY:
        raise PacketError(
            PROTOCOL_ERROR, f"date {milliseconds} ms from 1970, must be in the years 1 to 9999"
        )
    milliseconds -= days * DAY
    return EPOCH + timedelta_new(
        <int> days, <int> (milliseconds // 1000), <int> (milliseconds % 1000) * 1000
    )


def _read_ext(int code, data):
    """
    Make an object of an extension type; msgspec itself has done so for type -1.

    What notepack.io means by type 0 depends on how the length is written, which msgspec does not
    say. But `data` lies in the message that it reads, after its header.
    """
    cdef Py_buffer view
    cdef const unsigned char *octets
    cdef int head = 0
    if code != 0:
        return Ext(code, bytes(data))
    message = data.obj
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    octets = <const unsigned char *> view.buf
    try:
        if PyBytes_CheckExact(message) and (
            octets - <const unsigned char *> PyBytes_AS_STRING(message) >= 2
        ):
            head = (octets - 2)[0]
        # ... which is the low byte of the length, 1 or 8, in the longer forms.
        if head == FIXEXT_1 and view.len == 1:
            return None
        if head == FIXEXT_8 and view.len == 8:
            return read_date(read_int64(octets))
        return PyBytes_FromStringAndSize(<const char *> octets, view.len)
    finally:
        PyBuffer_Release(&view)


cdef object decode = msgspec.msgpack.Decoder(_Fields, ext_hook=_read_ext).decode


cdef object rewrite(object value, bint timestamps, int room):
    """
    Return a copy with dates as notepack.io has them, unless there are to be timestamps.

    Dates without a time zone stay: they are text. Views of memory with gaps become bytes.
    """
    cdef int64_t milliseconds
    cdef uint64_t number
    cdef char octets[8]
    cdef int i
    if isinstance(value, dict):
        check_room(room)
        return {
            key: rewrite(item, timestamps, room - 1) for key, item in (<dict> value).items()
        }
    if isinstance(value, (list, tuple)):
        check_room(room)
        return [rewrite(item, timestamps, room - 1) for item in value]
    if isinstance(value, memoryview):
        return bytes(value)
    if timestamps or not PyDateTime_Check(value) or value.tzinfo is None:
        return value
    delta = value - EPOCH
    milliseconds = <int64_t> DAY * timedelta_days(delta)
    milliseconds += 1000 * timedelta_seconds(delta) + timedelta_microseconds(delta) // 1000
    number = <uint64_t> milliseconds
    for i in range(8):
        octets[i] = <char> (number >> (56 - 8 * i) & 0xFF)
    return Ext(0, PyBytes_FromStringAndSize(octets, 8))


cdef const unsigned char *skip_value(
    const unsigned char *at, const unsigned char *end, int room
) except? NULL:
    """
    Return where the value ends that starts here, or `end` if it ends too early or is none.

    That is then found out in reading it. Only the depth is checked here, before any parser sees it.
    """
    cdef unsigned char first
    cdef uint64_t size = 0
    cdef int width = 0
    cdef int i
    if at >= end:
        return end
    first = at[0]
    at += 1
    if first < 0x80 or first >= 0xE0:
        return at
    # The width of the length, and what it counts.
    if first < 0x90:
        size = 2 * (first & 0x0F)
    elif first < 0xA0:
        size = first & 0x0F
    elif first < 0xC0:
        size = first & 0x1F
    elif first < 0xC4:
        return at
    elif first < 0xC7:
        width = 1 << (first - 0xC4)
    elif first < 0xCA:
        width = 1 << (first - 0xC7)
    elif first < 0xCC:
        size = 4 << (first - 0xCA)
    elif first < 0xD4:
        size = 1 << (first & 3)
    elif first < 0xD9:
        size = 1 + (1 << (first - 0xD4))
    elif first < 0xDC:
        width = 1 << (first - 0xD9)
    else:
        width = 2 << (first & 1)
    if width:
        if end - at < width:
            return end
        for i in range(width):
            size = size << 8 | at[i]
        at += width
        if 0xC7 <= first < 0xCA:
            size += 1
        elif first >= 0xDE:
            size *= 2
    if not (0x80 <= first < 0xA0 or first >= 0xDC):
        return end if size > <uint64_t> (end - at) else at + size
    if room <= 0:
        raise PacketError(MESSAGE_TOO_BIG, "packet nested too deep (max_depth)")
    while size > 0 and at < end:
        at = skip_value(at, end, room - 1)
        size -= 1
    return at


cdef class Encoder:
    """
    Writes packets. One encoder may serve any number of connections.

    Args:
        timestamps: Whether dates are written as timestamps of type -1, as adapters do, or as
            notepack.io reads them.
        max_depth: How deep lists and dicts of a payload may be nested.
        enc_hook: Called with an object that msgspec does not know how to encode; returns one that
            it does.
    """

    def __init__(self, *, bint timestamps=False, int max_depth=256, enc_hook=None):
        self.timestamps = timestamps
        self.max_depth = max_depth
        self.enc_hook = enc_hook

    def encode(self, Packet packet not None, str prefix not None=""):
        """
        Write one packet.

        Besides what MessagePack has, payloads may contain whatever msgspec knows: dataclasses,
        Structs, sets ...

        Args:
            packet: What to send. It is not changed.
            prefix: Not used. It is here for both parsers to have the same face, and only texts have
                one.

        Returns:
            The bytes and an empty list: binary data needs no attachments.

        Raises:
            ValueError: If the payload is not one of its type, nested too deep, or text in it has
                surrogates by themselves.
            OverflowError: If there is an integer of more than 64 bits.
            TypeError: If something in it cannot be encoded.
        """
        return self.write(packet), []

    cdef bytes write(self, Packet packet):
        cdef object data = packet.data
        if inspect(<PyObject *> data, self.max_depth) & FOREIGN:
            data = convert(data, self.enc_hook, KEPT)
            # Not inspected again: this walk refuses what is nested too deep as well.
            data = rewrite(data, self.timestamps, self.max_depth)
        if not is_payload(packet.kind, data):
            raise wrong_payload(packet.kind, data)
        try:
            return encode(Fields(packet.kind, data, packet.namespace, packet.id))
        except BufferError:
            # A view with gaps; dates are as they should be.
            data = rewrite(data, True, self.max_depth)
        return encode(Fields(packet.kind, data, packet.namespace, packet.id))


cdef class Decoder:
    """
    Reads packets. A connection has its own, though it remembers nothing.

    Args:
        max_depth: How deep lists and maps of a payload may be nested.
        max_namespace: In characters.
    """

    def __init__(self, *, int max_depth=256, Py_ssize_t max_namespace=4096):
        self.max_depth = max_depth
        self.max_namespace = max_namespace

    @property
    def reconstructing(self):
        """Always False: binary data needs no attachments."""
        return False

    def add(self, data, Py_ssize_t skip=0):
        """
        Take the next message.

        Args:
            data: A bytes-like object; bytes that are kept need not be copied.
            skip: How many bytes precede the packet: 1 in protocol 3 of Engine.IO.

        Returns:
            The packet. Dates are datetimes in UTC, ``undefined`` is None, extensions of types that
            neither dialect has are ``msgspec.msgpack.Ext``.

        Raises:
            PacketError: If it is none, or exceeds a limit; the connection must be closed.
        """
        if isinstance(data, str):
            raise PacketError(PROTOCOL_ERROR, "text, where packets are MessagePack")
        if skip:
            return self.take(bytes(memoryview(data)[skip:]))
        return self.take(data if PyBytes_CheckExact(data) else bytes(memoryview(data)))

    def destroy(self):
        """Do nothing: there is nothing to forget."""

    cdef Packet take(self, bytes data):
        cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(data)
        cdef object identifier, kind, namespace
        if len(data) > self.max_depth:
            # One level is that of the packet itself.
            skip_value(at, at + len(data), self.max_depth + 1)
        try:
            fields = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise PacketError(PROTOCOL_ERROR, f"packet is not MessagePack: {exc}") from None
        kind = fields.type
        if type(kind) is not int or not CONNECT <= kind <= CONNECT_ERROR:
            raise PacketError(
                PROTOCOL_ERROR, f"invalid packet type {kind!r}, must be 0 to 4 (Socket.IO 5)"
            )
        namespace = fields.nsp
        if type(namespace) is not str or not namespace.startswith("/") or "," in namespace:
            raise PacketError(
                PROTOCOL_ERROR, "invalid namespace, must be a string that begins with / and has "
                "no comma (Socket.IO 5)"
            )
        if len(namespace) > self.max_namespace:
            raise PacketError(
                MESSAGE_TOO_BIG,
                f"namespace of {len(namespace)} characters, at most {self.max_namespace} "
                "(max_namespace)",
            )
        identifier = fields.id
        if identifier is not None and (
            type(identifier) is not int or not 0 <= identifier <= MAX_ID
        ):
            raise PacketError(
                PROTOCOL_ERROR, f"invalid packet id {identifier!r}, must be 0 to 2**53 - 1 "
                "(Socket.IO 5)"
            )
        if not is_payload(kind, fields.data):
            raise PacketError(
                PROTOCOL_ERROR,
                f"invalid payload: {NAMES[kind]} {payload_rule(kind)} (Socket.IO 5, Packet types)",
            )
        return make_packet(kind, namespace, identifier, fields.data)

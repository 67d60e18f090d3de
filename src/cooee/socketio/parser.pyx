"""
Socket.IO packets as text with attachments (Socket.IO protocol, "Packet encoding").

::

    <type>[<number of attachments>-][<namespace>,][<id>][<payload as JSON>]   <attachment>...

This is the parser that everyone has unless told otherwise. It speaks protocol 5 (clients of
version 3 and 4) and protocol 4 (version 2), in which

- a CONNECT has no payload: a client puts a query into the namespace, as ``/admin?token=abc``;
- CONNECT_ERROR is called ERROR, and its payload is any JSON but a number or a boolean;
- no names of events are reserved.

That a protocol 4 client is in the namespace ``/`` without asking is not the parser's business.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_CheckExact,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

import msgspec

from cooee.engineio.packet import PacketError

from cooee.socketio.packet cimport (
    ACK,
    BINARY_ACK,
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    MAX_ID,
    Packet,
    is_event_name,
    is_payload,
    make_packet,
    payload_rule,
    wrong_payload,
)
from cooee.socketio.payload cimport (
    BINARY,
    FOREIGN,
    convert,
    deconstruct,
    inspect,
    reconstruct,
)
from cooee.socketio.payload_json cimport read_json, write_json

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void *PyUnicode_DATA(object text)

cdef enum:
    PROTOCOL_ERROR = 1002
    MESSAGE_TOO_BIG = 1009

cdef enum:
    # Of a decimal number that is written: 2**64 has 20 digits.
    MAX_DIGITS = 20

cdef tuple NAMES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR")
cdef tuple KEPT = (bytes, bytearray, memoryview, msgspec.Raw)


cdef inline int check_protocol(int protocol) except -1:
    if protocol not in (4, 5):
        raise ValueError(f"Socket.IO protocol {protocol}, must be 4 or 5")
    return 0


cdef inline Py_ssize_t write_number(char *to, uint64_t number) noexcept:
    """Write a number in decimal and return how many digits it has."""
    cdef char digits[MAX_DIGITS]
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t i
    while True:
        digits[count] = <char> (c"0" + number % 10)
        count += 1
        number //= 10
        if number == 0:
            break
    for i in range(count):
        to[i] = digits[count - 1 - i]
    return count


cdef inline bint is_ascii(const char *data, Py_ssize_t size) noexcept:
    cdef unsigned char bits = 0
    cdef Py_ssize_t i
    for i in range(size):
        bits |= <unsigned char> data[i]
    return bits < 0x80


cdef class Encoder:
    """
    Writes packets.

    One encoder may serve any number of connections, as long as they speak the same protocol.

    Args:
        protocol: 5, or 4 for clients of version 2. For these, the payload of a CONNECT is left out,
            and of a CONNECT_ERROR ``{"message": ..., "data": ...}`` only the data remains or, where
            there is none, the message; so does the reference.
        max_depth: How deep lists and dicts of a payload may be nested.
        enc_hook: Called with an object that msgspec does not know how to encode; returns one that
            it does.
    """

    def __init__(self, *, int protocol=5, int max_depth=256, enc_hook=None):
        check_protocol(protocol)
        self.protocol = protocol
        self.max_depth = max_depth
        self.enc_hook = enc_hook

    def encode(self, Packet packet not None, str prefix not None=""):
        """
        Write one packet.

        Besides what JSON has, payloads may contain whatever msgspec knows: dataclasses, Structs,
        sets, datetimes ... Bytes, bytearrays and memoryviews become attachments of an EVENT or ACK;
        other packets have none. Numbers that are not finite become null.

        Args:
            packet: What to send. It is not changed.
            prefix: What the text is to begin with: ``"4"`` makes it a MESSAGE of Engine.IO.

        Returns:
            The text and a list of the attachments, to be sent right after it and in that order.

        Raises:
            ValueError: If the payload is not one of its type, or nested too deep.
            TypeError: If something in it cannot be encoded.
        """
        cdef list attachments = []
        return self.write(packet, prefix, attachments, True), attachments

    cdef object write(self, Packet packet, str prefix, list attachments, bint text):
        """
        Return the text, as a str or in UTF-8, after appending to `attachments`, which is empty.
        """
        cdef bytes body = self.body(packet, attachments)
        cdef Py_ssize_t count = len(attachments)
        cdef Py_ssize_t prefix_size, size
        cdef Py_ssize_t namespace_size = 0
        cdef Py_ssize_t body_size = 0
        cdef const char *start = PyUnicode_AsUTF8AndSize(prefix, &prefix_size)
        cdef const char *namespace = NULL
        cdef char head[2 * MAX_DIGITS + 2]
        cdef char digits[MAX_DIGITS]
        cdef Py_ssize_t head_size, digits_size
        cdef char *to
        head[0] = <char> (c"0" + packet.kind)
        head_size = 1
        if count:
            head[0] += BINARY_EVENT - EVENT
            head_size += write_number(head + 1, count)
            head[head_size] = c"-"
            head_size += 1
        if packet.namespace != "/":
            namespace = PyUnicode_AsUTF8AndSize(packet.namespace, &namespace_size)
        digits_size = 0 if packet.id is None else write_number(digits, packet.id)
        if body is not None:
            body_size = PyBytes_GET_SIZE(body)
        size = prefix_size + head_size + namespace_size + (namespace_size > 0) + digits_size
        size += body_size

        ascii = text and (
            is_ascii(start, prefix_size)
            and is_ascii(namespace, namespace_size)
            and (body is None or is_ascii(PyBytes_AS_STRING(body), body_size))
        )
        if ascii:
            result = PyUnicode_New(size, 127)
            to = <char *> PyUnicode_DATA(result)
        else:
            result = PyBytes_FromStringAndSize(NULL, size)
            to = PyBytes_AS_STRING(result)
        memcpy(to, start, prefix_size)
        to += prefix_size
        memcpy(to, head, head_size)
        to += head_size
        if namespace_size:
            memcpy(to, namespace, namespace_size)
            to += namespace_size
            to[0] = c","
            to += 1
        memcpy(to, digits, digits_size)
        to += digits_size
        if body_size:
            memcpy(to, PyBytes_AS_STRING(body), body_size)
        if text and not ascii:
            return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(result), size, NULL)
        return result

    cdef bytes body(self, Packet packet, list attachments):
        """The payload as JSON, None if there is none; attachments are appended to the list."""
        cdef int kind = packet.kind
        cdef object data = packet.data
        cdef int found
        if self.protocol == 4:
            if kind == CONNECT:
                return None
            if kind == CONNECT_ERROR and isinstance(data, dict) and "message" in data:
                data = data.get("data") or data["message"]
        found = inspect(<PyObject *> data, self.max_depth)
        if found & FOREIGN:
            data = convert(data, self.enc_hook, KEPT)
            found = inspect(<PyObject *> data, self.max_depth)
        if not is_payload(kind, data):
            raise wrong_payload(kind, data)
        if data is None:
            return None
        if found & BINARY:
            if kind != EVENT and kind != ACK:
                raise TypeError(f"{NAMES[kind]} with binary data, which EVENT and ACK alone have")
            data = deconstruct(data, attachments, self.max_depth)
        return write_json(data, self.max_depth)


cdef class Decoder:
    """
    Reads packets, each of which is a text and its attachments.

    A connection has its own. It is as strict as the reference, or stricter where that takes for a
    packet what no peer means to be one; README.md lists the differences.

    Args:
        protocol: 5, or 4 for a client of version 2.
        max_attachments: Of one packet. The reference has 10 too. They wait in memory for the last
            of them; the connection limits how large each is.
        max_depth: How deep lists and objects of a payload may be nested (serde_json has 128,
            msgspec what remains of Python's stack).
        max_namespace: In bytes. Protocol 4 clients have their query in it.
    """

    def __init__(
        self,
        *,
        int protocol=5,
        Py_ssize_t max_attachments=10,
        int max_depth=256,
        Py_ssize_t max_namespace=4096,
    ):
        check_protocol(protocol)
        self.protocol = protocol
        self.max_attachments = max_attachments
        self.max_depth = max_depth
        self.max_namespace = max_namespace

    @property
    def reconstructing(self):
        """Whether attachments of a packet are still to come."""
        return self.packet is not None

    def add(self, data, Py_ssize_t skip=0):
        """
        Take the next message.

        Args:
            data: ``str``, or a bytes-like object for an attachment, which is copied unless it is
                bytes.
            skip: How many characters of a text precede the packet: 1 if it is a MESSAGE of
                Engine.IO. They must be ASCII, and are not read.

        Returns:
            The packet that it completes, or None if attachments are still to come. An EVENT with
            attachments is an EVENT, its payload has the bytes in their places.

        Raises:
            PacketError: If it is none, or exceeds a limit; the connection must be closed. What had
                been received of a packet is forgotten.
        """
        cdef const char *text = NULL
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t i
        if isinstance(data, str):
            try:
                text = PyUnicode_AsUTF8AndSize(data, &size)
            except UnicodeEncodeError:
                self.destroy()
                raise PacketError(
                    PROTOCOL_ERROR, "packet with surrogates by themselves, which no text has"
                ) from None
            if not 0 <= skip <= size:
                raise ValueError(f"skip of {skip} in a text of {size} bytes")
            for i in range(skip):
                if text[i] & 0x80:
                    raise ValueError("skip over text that is not ASCII")
            return self.take_text(text + skip, size - skip)
        return self.take_binary(data if PyBytes_CheckExact(data) else bytes(memoryview(data)))

    def destroy(self):
        """Forget what has been received of a packet, as when the connection is closed."""
        self.packet = None
        self.attachments = None
        self.expected = 0

    cdef int fail(self, int code, str reason) except -1:
        self.destroy()
        raise PacketError(code, reason)

    cdef Packet take_text(self, const char *data, Py_ssize_t size):
        """Read a text in UTF-8."""
        cdef int kind
        cdef Py_ssize_t i = 1
        cdef Py_ssize_t expected = 0
        cdef uint64_t number
        cdef const char *comma
        cdef Py_ssize_t start
        cdef str namespace = "/"
        cdef object identifier = None
        cdef object payload = None
        if self.packet is not None:
            self.fail(
                PROTOCOL_ERROR,
                f"got plaintext data when reconstructing a packet: {len(self.attachments)} of "
                f"{self.expected} attachments have come (Socket.IO 5, Packet encoding)",
            )
        kind = data[0] - c"0" if size else -1
        if not CONNECT <= kind <= BINARY_ACK:
            self.fail(
                PROTOCOL_ERROR,
                f"unknown packet type {PyUnicode_DecodeUTF8(data, min(size, 1), 'replace')!r}, "
                "must be 0 to 6 (Socket.IO 5, Packet types)",
            )
        if kind >= BINARY_EVENT:
            while i < size and c"0" <= data[i] <= c"9" and expected <= self.max_attachments:
                expected = 10 * expected + (data[i] - c"0")
                i += 1
            # Node takes whatever is a whole number for JavaScript, such as "+1.0e1".
            if expected > self.max_attachments:
                self.fail(
                    MESSAGE_TOO_BIG,
                    f"too many attachments, at most {self.max_attachments} (max_attachments)",
                )
            if expected == 0 or data[1] == c"0" or i == size or data[i] != c"-":
                self.fail(
                    PROTOCOL_ERROR,
                    "illegal attachments, their number and a dash are required "
                    "(Socket.IO 5, Packet encoding)",
                )
            i += 1
            kind -= BINARY_EVENT - EVENT
        if i < size and data[i] == c"/":
            comma = <const char *> memchr(data + i, c",", size - i)
            start = i
            i = size if comma == NULL else comma - data
            namespace = self.read_namespace(data + start, i - start)
            i += comma != NULL
        if i < size and c"0" <= data[i] <= c"9":
            start = i
            number = 0
            while i < size and c"0" <= data[i] <= c"9" and number <= MAX_ID:
                number = 10 * number + <unsigned char> (data[i] - c"0")
                i += 1
            if number > MAX_ID:
                self.fail(PROTOCOL_ERROR, "id exceeds 2**53 - 1 (Socket.IO 5, Packet encoding)")
            identifier = number
        try:
            payload = self.payload(kind, data + i, size - i)
        except PacketError:
            self.destroy()
            raise
        packet = make_packet(kind, namespace, identifier, payload)
        if expected == 0:
            return packet
        self.packet = packet
        self.expected = expected
        self.attachments = []
        return None

    cdef str read_namespace(self, const char *data, Py_ssize_t size):
        if size == 1:
            return "/"
        if self.namespace_utf8 is not None and size == PyBytes_GET_SIZE(self.namespace_utf8) and (
            memcmp(data, PyBytes_AS_STRING(self.namespace_utf8), size) == 0
        ):
            return self.namespace
        if size > self.max_namespace:
            self.fail(
                MESSAGE_TOO_BIG,
                f"namespace of {size} bytes, at most {self.max_namespace} (max_namespace)",
            )
        self.namespace = PyUnicode_DecodeUTF8(data, size, "replace")
        self.namespace_utf8 = PyBytes_FromStringAndSize(data, size)
        return self.namespace

    cdef object payload(self, int kind, const char *data, Py_ssize_t size):
        """Read a payload, which must have the form that its type demands."""
        cdef char first = data[0] if size else 0
        cdef object payload
        cdef bint right
        # What it begins with tells an array, object or string from others before it is read. Space
        # may not come first: Node would take it for an id.
        if kind == EVENT or kind == ACK:
            right = first == c"["
        elif kind == CONNECT:
            right = size == 0 or first == c"{"
        elif kind == DISCONNECT:
            right = size == 0
        else:
            right = first == c"{" or first == c'"'
        if self.protocol == 4 and (kind == CONNECT or kind == CONNECT_ERROR):
            right = right or first == c"[" or first == c"n"
        if not right:
            raise invalid_payload(kind, self.protocol, size == 0)
        if size == 0:
            return None
        payload = read_json(data, size, self.max_depth)
        if kind == EVENT and not (
            len(<list> payload) > 0
            and (is_event_name((<list> payload)[0]) or (
                self.protocol == 4 and isinstance((<list> payload)[0], str)
            ))
        ):
            raise invalid_payload(kind, self.protocol, False)
        return payload

    cdef Packet take_binary(self, bytes data):
        """Take an attachment."""
        cdef Packet packet
        if self.packet is None:
            self.fail(
                PROTOCOL_ERROR,
                "got binary data when not reconstructing a packet (Socket.IO 5, Packet encoding)",
            )
        self.attachments.append(data)
        if len(self.attachments) < self.expected:
            return None
        packet, attachments = self.packet, self.attachments
        self.destroy()
        reconstruct(packet.data, attachments)
        return packet


cdef object invalid_payload(int kind, int protocol, bint missing):
    """What a peer sent is not the payload of this type."""
    return PacketError(
        PROTOCOL_ERROR,
        f"invalid payload: {NAMES[kind]} {'has none, ' if missing else ''}{payload_rule(kind)} "
        f"(Socket.IO {protocol}, Packet types)",
    )

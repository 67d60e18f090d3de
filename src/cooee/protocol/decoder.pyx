"""
Frames on the way in: from bytes to messages (RFC 6455 §5, §7, §8).

The C functions work on a struct that a connection embeds. ``decoder_next`` takes one event out of
a buffer, in which it may unmask in place; a frame that lies in it whole becomes an object with one
copy. A frame that does not is collected in the message's own object, into which a connection may
receive directly (``decoder_room``, ``decoder_filled``). Text that arrives in pieces is validated
as it arrives, so that the first wrong byte fails the connection.

:class:`Decoder` is the same for Python: for tests, fuzzers and those who do their own I/O.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from cooee.protocol.frames cimport (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL,
    MAX_HEADER,
    PING,
    PONG,
    TEXT,
    cooee_mask,
)

from cooee.protocol.close import parse_close_payload
from cooee.protocol.errors import ProtocolError

cdef extern from "cooee/protocol/_utf8.h" nogil:
    size_t cooee_utf8(unsigned int *state, const unsigned char *p, size_t n, int *nonascii)
    const unsigned char *cooee_utf8_skip(const unsigned char *p, const unsigned char *end)

cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject **bytes, Py_ssize_t size) except -1
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    void *PyUnicode_DATA(object text)
    PyObject *PyBytes_FromStringAndSize_ "PyBytes_FromStringAndSize" (
        const char *data, Py_ssize_t size
    ) except NULL
    char *PyBytes_AS_STRING_ "PyBytes_AS_STRING" (PyObject *data)
    Py_ssize_t PyBytes_GET_SIZE_ "PyBytes_GET_SIZE" (PyObject *data)

cdef enum:
    # A peer that announces a large message gets room for it as it arrives, not at once.
    FIRST_ROOM = 64 * 1024
    # Frames of one message. They cost no memory here, but are no reason to work for ever (ws has
    # 131072, websockets 4096).
    MAX_FRAGMENTS = 131072

cdef enum:
    TOO_BIG = 1009
    INVALID_DATA = 1007
    PROTOCOL_ERROR = 1002


cdef void decoder_init(decoder_t *d, bint server, uint64_t max_size) noexcept:
    memset(d, 0, sizeof(decoder_t))
    d.server = server
    d.max_size = max_size


cdef void decoder_free(decoder_t *d) noexcept:
    Py_XDECREF(d.message)
    d.message = NULL
    PyMem_RawFree(d.stash)
    d.stash = NULL
    d.ended = True


cdef int fail(decoder_t *d, int code, str reason) except -1:
    decoder_free(d)
    raise ProtocolError(code, reason)


cdef Py_ssize_t prefix(decoder_t *d, const unsigned char *p, Py_ssize_t size) except -1:
    """
    Bytes wanted at `p`, where `size` are, before the frame can be taken up: its header, and for a
    control frame its payload. What is there is checked, down to a single byte.
    """
    cdef unsigned int opcode, length
    cdef Py_ssize_t header
    cdef uint64_t long_length
    cdef int index
    if size < 1:
        return 2
    opcode = p[0] & 0x0F
    if p[0] & 0x70:
        fail(d, PROTOCOL_ERROR, f"reserved bits {(p[0] >> 4) & 7:03b} set, "
                                "no extension negotiated (RFC 6455 §5.2)")
    if opcode >= CLOSE:
        if opcode > PONG:
            fail(d, PROTOCOL_ERROR, f"reserved opcode {opcode} (RFC 6455 §5.2)")
        if not p[0] & FIN:
            fail(d, PROTOCOL_ERROR, "fragmented control frame (RFC 6455 §5.5)")
    elif opcode == CONTINUATION:
        if d.opcode == 0:
            fail(d, PROTOCOL_ERROR, "continuation frame without a message (RFC 6455 §5.4)")
    elif opcode > BINARY:
        fail(d, PROTOCOL_ERROR, f"reserved opcode {opcode} (RFC 6455 §5.2)")
    elif d.opcode != 0:
        fail(d, PROTOCOL_ERROR, "new message inside a fragmented one (RFC 6455 §5.4)")
    if size < 2:
        return 2
    if d.server != ((p[1] & MASKED) != 0):
        fail(d, PROTOCOL_ERROR, "frame from a client not masked (RFC 6455 §5.1)" if d.server
             else "frame from a server masked (RFC 6455 §5.1)")
    length = p[1] & 0x7F
    header = 6 if d.server else 2
    if length < 126:
        return header + length if opcode >= CLOSE else header
    if opcode >= CLOSE:
        fail(d, PROTOCOL_ERROR, "control frame of more than 125 bytes (RFC 6455 §5.5)")
    if length == 126:
        header += 2
        if size >= 4 and p[2] == 0 and p[3] < 126:
            fail(d, PROTOCOL_ERROR, f"length {p[3]} not in its shortest form (RFC 6455 §5.2)")
    else:
        header += 8
        if size >= 3 and p[2] & 0x80:
            fail(d, PROTOCOL_ERROR, "64-bit length with its top bit set (RFC 6455 §5.2)")
        if size >= 10:
            long_length = 0
            for index in range(2, 10):
                long_length = long_length << 8 | p[index]
            if long_length < 65536:
                fail(d, PROTOCOL_ERROR,
                     f"length {long_length} not in its shortest form (RFC 6455 §5.2)")
    return header


cdef int decoder_next(
    decoder_t *d, unsigned char **at, unsigned char *end, PyObject **out
) except -1:
    """
    Take the next event out of ``[*at, end)`` and move `at` behind it.

    Returns the event's opcode with a new reference in `out`: ``str`` for TEXT, ``bytes`` for
    BINARY, PING and PONG, the reason for CLOSE, whose code is then in ``d.close_code``. NEED_MORE
    means that all bytes were taken.

    Raises:
        ProtocolError: The connection must be failed; what follows is ignored.
    """
    cdef unsigned char *p = at[0]
    cdef unsigned char *h
    cdef Py_ssize_t want, have
    cdef uint64_t length
    cdef unsigned int opcode
    cdef int index, header
    if not (d.in_payload or d.stashed or d.opcode or d.ended) and end - p >= 2:
        # A short message in one frame that is here whole, as most are: nothing else to check.
        length = p[1] & 0x7F
        header = 6 if d.server else 2
        if (
            (p[0] == (FIN | BINARY) or p[0] == (FIN | TEXT))
            and (p[1] >> 7) == d.server
            and length < 126
            and length <= d.max_size
            and length + header <= <uint64_t> (end - p)
        ):
            opcode = p[0] & 0x0F
            if d.server:
                memcpy(d.key, p + 2, 4)
            at[0] = p + header + length
            return whole(d, opcode, p + header, length, out)
    while not d.ended:
        if d.in_payload:
            if d.remaining:
                length = min(d.remaining, <uint64_t> (end - p))
                if length == 0:
                    break
                make_room(d, d.filled + length)
                take(d, p, length)
                p += length
                at[0] = p
                if d.remaining:
                    break
            d.in_payload = False
            if d.fin:
                at[0] = p
                return finish(d, out)
            continue

        # A header, in the buffer or, when it came in pieces, in the stash.
        have = end - p
        if d.stashed == 0:
            want = prefix(d, p, have)
            if want > have:
                if have > 0:
                    if d.stash == NULL:
                        d.stash = <unsigned char *> PyMem_RawMalloc(MAX_HEADER + MAX_CONTROL)
                        if d.stash == NULL:
                            raise MemoryError
                    memcpy(d.stash, p, have)
                    d.stashed = <uint8_t> have
                    p += have
                break
            h = p
            p += want
        else:
            want = prefix(d, d.stash, d.stashed)
            while want > d.stashed and p < end:
                have = min(want - d.stashed, <Py_ssize_t> (end - p))
                memcpy(d.stash + d.stashed, p, have)
                d.stashed += <uint8_t> have
                p += have
                at[0] = p
                want = prefix(d, d.stash, d.stashed)
            if want > d.stashed:
                break
            h = d.stash
            d.stashed = 0

        opcode = h[0] & 0x0F
        length = h[1] & 0x7F
        header = 2
        if length == 126:
            length = <uint64_t> h[2] << 8 | h[3]
            header = 4
        elif length == 127:
            length = 0
            for index in range(2, 10):
                length = length << 8 | h[index]
            header = 10

        if opcode >= CLOSE:
            at[0] = p
            return control(d, opcode, h + header, length, out)

        if length > d.max_size or d.filled > d.max_size - length:
            fail(d, TOO_BIG, f"message of {d.filled + length} bytes or more, "
                             f"at most {d.max_size} (RFC 6455 §7.4.1)")
        d.fragments += 1
        if d.fragments > MAX_FRAGMENTS:
            fail(d, TOO_BIG, f"message of more than {MAX_FRAGMENTS} frames (RFC 6455 §7.4.1)")
        if d.server:
            memcpy(d.key, h + header, 4)
        if h[0] & FIN and opcode != CONTINUATION and length <= <uint64_t> (end - p):
            # The usual case: the whole message is here.
            at[0] = p + length
            d.fragments = 0
            return whole(d, opcode, p, length, out)
        if opcode != CONTINUATION:
            d.opcode = <uint8_t> opcode
        d.fin = (h[0] & FIN) != 0
        d.in_payload = True
        d.key_offset = 0
        d.remaining = length
        make_room(d, d.filled)
        if d.stash != NULL:
            PyMem_RawFree(d.stash)
            d.stash = NULL
    at[0] = end
    return NEED_MORE


cdef inline int whole(
    decoder_t *d, unsigned int opcode, unsigned char *p, uint64_t length, PyObject **out
) except -1:
    """A message in one frame that lies in the buffer."""
    cdef unsigned int state = 0
    cdef int nonascii = 0
    if opcode == BINARY:
        out[0] = PyBytes_FromStringAndSize_(NULL, length)
        if d.server:
            cooee_mask(<unsigned char *> PyBytes_AS_STRING_(out[0]), p, length, d.key, 0)
        else:
            memcpy(PyBytes_AS_STRING_(out[0]), p, length)
        return BINARY
    if d.server:
        cooee_mask(p, p, length, d.key, 0)
    out[0] = decode(p, length)
    if out[0] == NULL:
        fail(d, INVALID_DATA, "text message not UTF-8 from byte "
                              f"{cooee_utf8(&state, p, length, &nonascii)} on (RFC 6455 §8.1)")
    return TEXT


cdef inline PyObject *decode(const unsigned char *p, Py_ssize_t size) except? NULL:
    """A new reference to the text; NULL, without an exception, when it is not UTF-8."""
    if cooee_utf8_skip(p, p + size) == p + size:
        return ascii_text(p, size)
    try:
        text = PyUnicode_DecodeUTF8(<const char *> p, size, NULL)
    except UnicodeDecodeError:
        return NULL
    Py_INCREF(text)
    return <PyObject *> text


cdef inline PyObject *ascii_text(const unsigned char *p, Py_ssize_t size) except NULL:
    """
    A new reference to a text known to be ASCII.

    Copying it is several times as fast as to have it decoded, eight bytes at a time.
    """
    text = PyUnicode_New(size, 127)
    memcpy(PyUnicode_DATA(text), p, size)
    Py_INCREF(text)
    return <PyObject *> text


cdef int control(
    decoder_t *d, unsigned int opcode, unsigned char *p, uint64_t length, PyObject **out
) except -1:
    """A control frame; `p` is at its key or, from a server, its payload."""
    cdef bytes payload
    if d.server:
        cooee_mask(p + 4, p + 4, length, p, 0)
        p += 4
    payload = PyBytes_FromStringAndSize(<char *> p, length)
    if opcode != CLOSE:
        Py_INCREF(payload)
        out[0] = <PyObject *> payload
        return opcode
    try:
        code, reason = parse_close_payload(payload)
    finally:
        decoder_free(d)
    d.close_code = code
    Py_INCREF(reason)
    out[0] = <PyObject *> reason
    return CLOSE


cdef int make_room(decoder_t *d, size_t size) except -1:
    """Have the message's object hold `size` bytes, and more when more is announced."""
    cdef uint64_t total = d.filled + d.remaining
    cdef size_t room
    if d.message == NULL:
        room = min(total, <uint64_t> max(<size_t> FIRST_ROOM, size))
        d.message = PyBytes_FromStringAndSize_(NULL, room)
        return 0
    room = PyBytes_GET_SIZE_(d.message)
    if size > room or (room == d.filled and d.remaining):
        room = max(2 * room, size)
        if d.fin and room > total:
            room = total
        elif room > d.max_size:
            room = d.max_size
        _PyBytes_Resize(&d.message, room)
    return 0


cdef Py_ssize_t decoder_room(decoder_t *d, unsigned char **where) except -1:
    """Where the rest of a payload may be received, and how much of it; 0 for nowhere."""
    if not d.in_payload or d.remaining == 0:
        return 0
    make_room(d, d.filled + 1)
    where[0] = <unsigned char *> PyBytes_AS_STRING_(d.message) + d.filled
    return min(d.remaining, <uint64_t> (PyBytes_GET_SIZE_(d.message) - d.filled))


cdef int decoder_filled(decoder_t *d, size_t size) except -1:
    """`size` bytes have come to where decoder_room said; decoder_next makes the event of them."""
    return take(d, <unsigned char *> PyBytes_AS_STRING_(d.message) + d.filled, size)


cdef int take(decoder_t *d, const unsigned char *p, size_t size) except -1:
    """Take `size` bytes of payload over into the message, unless they are there already."""
    cdef unsigned char *to = <unsigned char *> PyBytes_AS_STRING_(d.message) + d.filled
    cdef size_t valid
    if d.server:
        cooee_mask(to, p, size, d.key, d.key_offset)
        d.key_offset = (d.key_offset + size) & 3
    elif to != p:
        memcpy(to, p, size)
    if d.opcode == TEXT:
        valid = cooee_utf8(&d.utf8, to, size, &d.nonascii)
        if valid < size:
            fail(d, INVALID_DATA,
                 f"text message not UTF-8 from byte {d.filled + valid} on (RFC 6455 §8.1)")
    d.filled += size
    d.remaining -= size
    return 0


cdef int finish(decoder_t *d, PyObject **out) except -1:
    """The message is complete."""
    cdef int opcode = d.opcode
    cdef size_t size = d.filled
    if opcode == BINARY:
        if <size_t> PyBytes_GET_SIZE_(d.message) != size:
            _PyBytes_Resize(&d.message, size)
        out[0] = d.message
    else:
        if d.utf8 != 0:
            fail(d, INVALID_DATA, "text message ends within a UTF-8 sequence (RFC 6455 §8.1)")
        if d.nonascii:
            out[0] = decode(<unsigned char *> PyBytes_AS_STRING_(d.message), size)
        else:
            out[0] = ascii_text(<unsigned char *> PyBytes_AS_STRING_(d.message), size)
        Py_XDECREF(d.message)
    # Not before: without memory for the text the message is still to be freed.
    d.message = NULL
    d.filled = 0
    d.opcode = 0
    d.fragments = 0
    d.nonascii = 0
    return opcode


cdef class Decoder:
    """
    Turns received bytes into events.

    Args:
        role: ``"server"`` for what a client sent, which must be masked, or ``"client"``.
        max_message_size: In bytes, over all fragments; 1 MiB by default. 0 allows empty messages
            only, ``None`` any size.
    """

    cdef decoder_t state

    def __cinit__(self, str role, *, max_message_size=1024 * 1024):
        if role not in ("server", "client"):
            raise ValueError(f"role {role!r}, must be 'server' or 'client'")
        decoder_init(&self.state, role == "server",
                     <uint64_t> -1 if max_message_size is None else max_message_size)

    def __dealloc__(self):
        decoder_free(&self.state)

    @property
    def ended(self):
        """Whether a Close frame or a violation has come, after which input is ignored."""
        return self.state.ended

    def feed(self, data, *, bint direct=False):
        """
        Take bytes and return the events they complete, in order.

        Args:
            data: Bytes-like object; it is copied.
            direct: Whether what continues a payload goes straight into the message, as when a
                connection receives a large one. The events are the same.

        Returns:
            A list of ``("message", str | bytes)``, ``("ping", bytes)``, ``("pong", bytes)`` and
            ``("close", code, reason)``; the code of an empty Close frame is 1005.

        Raises:
            ProtocolError: The connection must be failed with its ``code``; its ``events`` are
                those that came before.
            MemoryError: The message is lost, and the connection with it.
        """
        # Not of the data itself: of a number, bytearray makes that many zeros.
        cdef bytearray copy = bytearray(memoryview(data))
        cdef unsigned char *p = <unsigned char *> <char *> copy
        cdef unsigned char *end = p + len(copy)
        cdef unsigned char *where = NULL
        cdef Py_ssize_t room
        cdef PyObject *out = NULL
        cdef int kind
        cdef list events = []
        try:
            if direct:
                room = min(decoder_room(&self.state, &where), <Py_ssize_t> (end - p))
                if room > 0:
                    memcpy(where, p, room)
                    p += room
                    decoder_filled(&self.state, room)
            while True:
                kind = decoder_next(&self.state, &p, end, &out)
                if kind == NEED_MORE:
                    return events
                item = <object> out
                Py_XDECREF(out)
                if kind == CLOSE:
                    events.append(("close", self.state.close_code, item))
                else:
                    events.append((
                        "ping" if kind == PING else "pong" if kind == PONG else "message", item
                    ))
        except ProtocolError as exc:
            exc.events = events
            raise
        except MemoryError:
            decoder_free(&self.state)
            raise

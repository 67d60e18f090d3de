"""
The door: the usual opening handshake, answered without taking it apart (RFC 6455 §4.2).

Nearly every client sends the same few fields in the same few forms, in one packet. For those the
head is checked where it lies in the receive buffer and answered at once, which saves the HTTP
connection, the header objects and two thirds of the cost of accepting. Everything else, the
malformed and the merely unusual, goes to an ``HttpConnection``, which knows all the rules and gives
the reasons.
"""

from binascii import b2a_base64

try:
    # A third of the price of OpenSSL's for 60 bytes, and not for secrets here.
    from _sha1 import sha1
except ImportError:
    from hashlib import sha1

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from cooee.http.request cimport Request, make_request
from cooee.reactor.stream cimport Protocol, Stream
from cooee.reactor.timers cimport Timer
from cooee.websocket.connection cimport Settings
from cooee.websocket.session cimport Session

cdef const char *GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
cdef bytes HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: "
)

cdef enum:
    HOST = 1
    UPGRADE = 2
    CONNECTION = 4
    KEY = 8
    VERSION = 16
    REQUIRED = 31

# A head up to this size is looked at here; servers whose limits are lower do without.
cdef enum:
    MAX_HEAD = 4096
    MAX_FIELDS = 64

USUAL_HEAD = MAX_HEAD
USUAL_FIELDS = MAX_FIELDS


cdef inline bint same(const char *text, Py_ssize_t size, bytes lower) noexcept:
    """Whether the text is that word, in any case; the word has letters, digits and "-" only."""
    cdef const char *word = PyBytes_AS_STRING(lower)
    cdef Py_ssize_t index
    cdef char c
    if size != PyBytes_GET_SIZE(lower):
        return False
    for index in range(size):
        c = text[index]
        if b"A" <= c <= b"Z":
            c |= 0x20
        if c != word[index]:
            return False
    return True


cdef inline bint is_alphanumeric(char c) noexcept:
    return b"a" <= c <= b"z" or b"A" <= c <= b"Z" or b"0" <= c <= b"9"


cdef inline bint is_name(const char *text, Py_ssize_t size) noexcept:
    """Whether it is a field name of the usual characters, a subset of the permitted."""
    cdef Py_ssize_t index
    for index in range(size):
        if not (is_alphanumeric(text[index]) or text[index] == b"-" or text[index] == b"_"):
            return False
    return size > 0


cdef inline bint is_plain(const char *text, Py_ssize_t size, char lowest) noexcept:
    """Whether it has only characters of ASCII from `lowest` to the tilde."""
    cdef Py_ssize_t index
    for index in range(size):
        if text[index] < lowest or text[index] > b"~":
            return False
    return True


cdef inline bint is_host(const char *text, Py_ssize_t size) noexcept:
    """Whether it is a host and port of the usual characters, a subset of the permitted."""
    cdef Py_ssize_t index
    cdef char c
    for index in range(size):
        c = text[index]
        if not (is_alphanumeric(c) or b"-" <= c <= b"." or c == b":" or c == b"[" or c == b"]"):
            return False
    return True


cdef inline bint is_key(const char *text, Py_ssize_t size) noexcept:
    """Whether it is the base64 form of 16 bytes."""
    cdef Py_ssize_t index
    cdef char c
    if size != 24 or text[22] != b"=" or text[23] != b"=":
        return False
    for index in range(22):
        c = text[index]
        if not (is_alphanumeric(c) or c == b"+" or c == b"/"):
            return False
    return True


cdef Py_ssize_t usual(
    const char *start, Py_ssize_t size, bint any_origin, bint any_protocol, char *key
) noexcept:
    """The size of a head in the usual form, whose 24 characters of key go to `key`; 0 if not."""
    cdef const char *at = start
    cdef const char *end = start + min(size, MAX_HEAD)
    cdef const char *line
    cdef const char *colon
    cdef const char *value
    cdef Py_ssize_t name, length
    cdef int found = 0, field, _index
    line = <const char *> memchr(at, b"\n", end - at)
    if line == NULL or line - at < 15:
        return 0
    # GET SP target SP HTTP/1.1 CR
    if memcmp(at, b"GET /", 5) != 0 or memcmp(line - 10, b" HTTP/1.1\r", 10) != 0:
        return 0
    if not is_plain(at + 4, line - 10 - (at + 4), b"!"):
        return 0
    for _index in range(MAX_FIELDS + 1):
        at = line + 1
        line = <const char *> memchr(at, b"\n", end - at)
        if line == NULL or line == at or (line - 1)[0] != b"\r":
            return 0
        if line - at == 1:
            return line + 1 - start if found == REQUIRED else 0
        colon = <const char *> memchr(at, b":", line - at)
        if colon == NULL or not is_name(at, colon - at):
            return 0
        name = colon - at
        value = colon + 1
        while value[0] == b" ":
            value += 1
        length = line - 1 - value
        if length < 1 or value[length - 1] == b" " or not is_plain(value, length, b" "):
            return 0
        field = 0
        if name == 4 and same(at, name, b"host"):
            if not is_host(value, length):
                return 0
            field = HOST
        elif name == 7 and same(at, name, b"upgrade"):
            if not same(value, length, b"websocket"):
                return 0
            field = UPGRADE
        elif name == 10 and same(at, name, b"connection"):
            if not same(value, length, b"upgrade") and not (
                # As Firefox has it.
                length == 19
                and same(value, 10, b"keep-alive")
                and memcmp(value + 10, b", ", 2) == 0
                and same(value + 12, 7, b"upgrade")
            ):
                return 0
            field = CONNECTION
        elif name == 17 and same(at, name, b"sec-websocket-key"):
            if not is_key(value, length):
                return 0
            memcpy(key, value, 24)
            field = KEY
        elif name == 21 and same(at, name, b"sec-websocket-version"):
            if length != 2 or memcmp(value, b"13", 2) != 0:
                return 0
            field = VERSION
        elif (
            name == 6 and not any_origin and same(at, name, b"origin")
            or name == 22 and not any_protocol and same(at, name, b"sec-websocket-protocol")
            or name == 6 and same(at, name, b"expect")
            or name == 14 and same(at, name, b"content-length")
            or name == 17 and same(at, name, b"transfer-encoding")
        ):
            return 0
        if found & field:
            return 0
        found |= field
    return 0


cdef bytes answer(char key[60], bytes tail):
    """The 101 for a key, whose first 24 bytes there are; the rest is room for the GUID."""
    cdef Py_ssize_t head = PyBytes_GET_SIZE(HEAD)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(tail)
    cdef bytes response = PyBytes_FromStringAndSize(NULL, head + 28 + end)
    cdef char *to = PyBytes_AS_STRING(response)
    cdef bytes accept
    memcpy(key + 24, GUID, 36)
    accept = b2a_base64(sha1(key[:60]).digest())
    memcpy(to, PyBytes_AS_STRING(HEAD), head)
    memcpy(to + head, PyBytes_AS_STRING(accept), 28)
    memcpy(to + head + 28, PyBytes_AS_STRING(tail), end)
    return response


cdef class Door:
    """
    The factory of a server's connections.

    Args:
        requests: Has ``http_connection()``, for what is not usual.
        server: The owner of the sessions.
        settings: Of the sessions.
        extra_headers: Further fields of the 101 response, serialised.
        any_origin: Whether a request with an Origin may be accepted here.
        any_protocol: Whether one that offers subprotocols may, none of them to be chosen.
        timeout: Seconds until the request must have come.
    """

    cdef object requests
    cdef object server
    cdef Settings settings
    cdef bytes tail
    cdef bint any_origin
    cdef bint any_protocol
    cdef double timeout

    def __init__(self, requests, server, Settings settings not None,
                 bytes extra_headers not None, *, bint any_origin, bint any_protocol,
                 double timeout):
        self.requests = requests
        self.server = server
        self.settings = settings
        self.tail = b"\r\n" + extra_headers + b"\r\n"
        self.any_origin = any_origin
        self.any_protocol = any_protocol
        self.timeout = timeout

    def __call__(self):
        cdef Doorman doorman = Doorman.__new__(Doorman)
        doorman.door = self
        return doorman


cdef class Doorman(Protocol):
    """A connection from which nothing has come yet."""

    cdef Door door
    cdef Timer timer

    @property
    def requests(self):
        """Those that the connection belongs to."""
        return self.door.requests

    def close(self):
        """Close: there is nothing to answer."""
        self.stream.close()

    def abort(self):
        """As :meth:`close`."""
        self.stream.abort()

    cdef int on_made(self) except -1:
        self.timer = self.stream.reactor.set_timer(self.door.timeout, self.close, (), False)
        return 0

    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1:
        cdef Stream stream = self.stream
        cdef Door door = self.door
        cdef char key[60]
        cdef Py_ssize_t head = usual(
            <char *> data, size, door.any_origin, door.any_protocol, key
        )
        cdef Request request
        cdef Session session
        cdef Protocol http
        cdef bytes response
        self.timer.cancel()
        if head == 0:
            http = door.requests.http_connection()
            stream.switch(http)
            http.on_made()
            return http.on_data(data, size)
        request = make_request((<char *> data)[:head], stream)
        request.is_upgrade = True
        response = answer(key, door.tail)
        session = Session.__new__(Session)
        session.prepare(door.settings, True)
        session.request = request
        session.owner = door.server
        session.queueing = True
        stream.switch(session)
        stream.refer(response, PyBytes_AS_STRING(response), PyBytes_GET_SIZE(response))
        session.connection_made()
        if size > head:
            session.on_data(data + head, size - head)
        return 0

    cdef int on_eof(self) except -1:
        self.stream.close()
        return 0

    cdef int on_lost(self, object exc) except -1:
        self.timer.cancel()
        return 0

"""
The usual opening handshake, answered without taking it apart (RFC 6455 §4.2).

Nearly every client sends the same few fields in the same few forms. For those this saves the
header objects and most of the cost of accepting a connection; every other request is left to
``cooee.protocol.handshake``, which knows all the rules and gives the reasons.
"""

from binascii import b2a_base64

try:
    # A third of the price of OpenSSL's for 60 bytes, and not for secrets here.
    from _sha1 import sha1
except ImportError:
    from hashlib import sha1

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

from cooee.http.request cimport Request

cdef bytes GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
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


cdef inline bint same(const char *text, Py_ssize_t size, bytes lower) noexcept:
    """Whether the text is that word, in any case; `lower` has no character but letters and -, ."""
    cdef const char *word = PyBytes_AS_STRING(lower)
    cdef Py_ssize_t index
    if size != PyBytes_GET_SIZE(lower):
        return False
    for index in range(size):
        if (text[index] | 0x20) != (word[index] | 0x20):
            return False
    return True


cdef inline bint is_space(char c) noexcept:
    return c == b" " or c == b"\t" or c == b"\r"


cdef inline bint is_key(const char *text, Py_ssize_t size) noexcept:
    """Whether it is the base64 form of 16 bytes."""
    cdef Py_ssize_t index
    cdef char c
    if size != 24 or text[22] != b"=" or text[23] != b"=":
        return False
    for index in range(22):
        c = text[index]
        if not (b"a" <= c <= b"z" or b"A" <= c <= b"Z" or b"0" <= c <= b"9"
                or c == b"+" or c == b"/"):
            return False
    # The last character has two bits of the sixteenth byte, the others must be zero.
    return text[21] in b"AQgw"


def usual_response(Request request not None, bytes extra_headers not None, bint any_origin):
    """
    The 101 response to a handshake in its usual form, or None for any other request.

    Args:
        extra_headers: Further fields of the response, serialised.
        any_origin: Whether a request with an Origin may be accepted here.
    """
    cdef const char *at = PyBytes_AS_STRING(request.head)
    cdef const char *end = at + PyBytes_GET_SIZE(request.head)
    cdef const char *line
    cdef const char *colon
    cdef const char *value
    cdef const char *stop
    cdef const char *key = NULL
    cdef Py_ssize_t size
    cdef int found = 0, field
    if end - at < 16 or memcmp(at, b"GET ", 4) != 0:
        return None
    line = <const char *> memchr(at, b"\n", end - at)
    if line == NULL or line - at < 14 or memcmp(line - 9, b"HTTP/1.1\r", 9) != 0:
        return None
    at = line + 1
    while True:
        line = <const char *> memchr(at, b"\n", end - at)
        if line == NULL:
            return None
        if line - at < 2:
            break
        colon = <const char *> memchr(at, b":", line - at)
        if colon == NULL:
            return None
        value = colon + 1
        while value < line and is_space(value[0]):
            value += 1
        stop = line
        while stop > value and is_space((stop - 1)[0]):
            stop -= 1
        size = colon - at
        field = 0
        if size == 4 and same(at, size, b"host"):
            field = HOST
        elif size == 7 and same(at, size, b"upgrade"):
            if not same(value, stop - value, b"websocket"):
                return None
            field = UPGRADE
        elif size == 10 and same(at, size, b"connection"):
            if not same(value, stop - value, b"upgrade") and not (
                # As Firefox has it.
                stop - value == 19
                and same(value, 10, b"keep-alive")
                and value[10] == b","
                and value[11] == b" "
                and same(value + 12, 7, b"upgrade")
            ):
                return None
            field = CONNECTION
        elif size == 17 and same(at, size, b"sec-websocket-key"):
            if not is_key(value, stop - value):
                return None
            key = value
            field = KEY
        elif size == 21 and same(at, size, b"sec-websocket-version"):
            if stop - value != 2 or memcmp(value, b"13", 2) != 0:
                return None
            field = VERSION
        elif size == 6 and not any_origin and same(at, size, b"origin"):
            return None
        elif size == 14 and same(at, size, b"content-length"):
            return None
        elif size == 17 and same(at, size, b"transfer-encoding"):
            return None
        if found & field:
            return None
        found |= field
        at = line + 1
    if found != REQUIRED:
        return None
    accept = b2a_base64(sha1(key[:24] + GUID).digest())
    return HEAD + (<bytes> accept)[:28] + b"\r\n" + extra_headers + b"\r\n"

"""Responses that have the head in common: it is put together once (RFC 9112 §4, §5)."""

from email.utils import formatdate

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from libc.time cimport time

cdef enum:
    # Of a Content-Length.
    DIGITS = 20

cdef bytes LENGTH = b"Content-Length: "
cdef bytes EMPTY_LINE = b"\r\n\r\n"

# The Date field, and the second that it is of.
cdef bytes date = b""
cdef long long date_second = -1


cpdef bytes date_field(long long now):
    """
    The Date field (RFC 9110 §6.6.1); formatted once a second.

    Args:
        now: Seconds since 1970.
    """
    global date, date_second
    if now != date_second:
        date = f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
        date_second = now
    return date


cdef class Template:
    """
    The head of responses that differ in nothing but their bodies.

    Args:
        response: One of them, whose body does not matter. It is copied.

    Raises:
        ValueError: If the response has Connection or Date, or no content by its status.
    """

    def __init__(self, response not None):
        if response.status in (204, 205, 304):
            raise ValueError(f"template of status {response.status}, which has no content")
        for name in ("Connection", "Date"):
            if name in response.headers:
                raise ValueError(f"template with {name}, which is another for each response")
        self.response = response.copy(b"")

    cdef object with_body(self, bytes body):
        """The response with a body, for when it is not sent as usual."""
        return self.response.copy(body)

    cdef bytes fill(self, bytes body, object server):
        """The response with a body, as it goes over the wire when the connection goes on."""
        cdef bytes field = date_field(time(NULL))
        cdef bytes whole
        cdef char digits[DIGITS]
        cdef int first = DIGITS
        cdef Py_ssize_t length = PyBytes_GET_SIZE(body)
        cdef char *at
        if self.begin is None or self.server is not server:
            self.begin, self.rest = self.response.outline(server=server)
            self.server = server
        while True:
            first -= 1
            digits[first] = c"0" + <char> (length % 10)
            length //= 10
            if length == 0:
                break
        whole = PyBytes_FromStringAndSize(
            NULL,
            PyBytes_GET_SIZE(self.begin) + PyBytes_GET_SIZE(field) + PyBytes_GET_SIZE(self.rest)
            + PyBytes_GET_SIZE(LENGTH) + DIGITS - first + PyBytes_GET_SIZE(EMPTY_LINE)
            + PyBytes_GET_SIZE(body),
        )
        at = put(PyBytes_AS_STRING(whole), self.begin)
        at = put(at, field)
        at = put(at, self.rest)
        at = put(at, LENGTH)
        memcpy(at, digits + first, DIGITS - first)
        at = put(at + DIGITS - first, EMPTY_LINE)
        put(at, body)
        return whole


cdef inline char *put(char *at, bytes part) noexcept:
    memcpy(at, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return at + PyBytes_GET_SIZE(part)

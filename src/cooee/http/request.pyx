"""
Requests: the head as one object, read again whenever something of it is asked for.

A WebSocket session keeps its request for life, and an idle one is to cost little: the raw head is
several times smaller than its parsed form, and most of it is never looked at.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.string cimport memchr, memcmp

from cooee.http.cookies import parse_cookies
from cooee.http.target import Query, decode_path, split_target
from cooee.protocol.headers import Headers, has_token

cdef extern from "Python.h":
    str PyUnicode_DecodeLatin1(const char *text, Py_ssize_t size, const char *errors)

cdef enum:
    # Places in Request.derived
    HEADERS = 0
    QUERY = 1
    COOKIES = 2

# Field names that were seen, in lower case. Bounded, since clients choose them.
cdef dict lower_names = {}

cdef enum:
    LOWER_NAMES = 512
    LONGEST_NAME = 64

cdef bytes NOTHING = b""

cdef enum:
    # " HTTP/1.1"
    VERSION_SIZE = 9
    # Counted, that is; heads with more are longer than 256 KiB.
    MOST_FIELDS = 0xffff


cdef inline bint is_name(const char *text, Py_ssize_t size, bytes lower_name) noexcept:
    """Whether a field's name is `lower_name` in any case."""
    cdef const char *expected = PyBytes_AS_STRING(lower_name)
    cdef Py_ssize_t i
    if size != PyBytes_GET_SIZE(lower_name):
        return False
    for i in range(size):
        # Letters only differ in this bit, and "-" has it set. Of the other characters that a
        # token can have, none becomes a letter or "-" by it but CR, which ends a line.
        if (text[i] | 0x20) != expected[i]:
            return False
    return True


cdef inline const char *skip_space(const char *at, const char *end) noexcept:
    while at < end and (at[0] == b" " or at[0] == b"\t"):
        at += 1
    return at


cdef inline const char *trim_space(const char *start, const char *end) noexcept:
    while end > start and ((end - 1)[0] == b" " or (end - 1)[0] == b"\t"):
        end -= 1
    return end


cdef class Request:
    """
    An HTTP request.

    Attributes:
        body: The content, complete and with any chunking removed.
        is_upgrade: Whether the client asks to go on with another protocol (RFC 9110 §7.8).

    Args:
        head: Request line, header fields and empty line, with CRLF as line ends. The caller has
            validated it; here only its outline is looked at.
        body: The content.
        remote_address: The client's address; also an object with the attribute ``peername``,
            which is then read whenever the address is asked for.

    Raises:
        ValueError: If the head is not "method SP target SP HTTP/1.x CRLF ... CRLF CRLF".
    """

    def __init__(self, bytes head not None, bytes body not None=b"", remote_address=None):
        if not head.endswith(b"\r\n\r\n"):
            raise ValueError("head without an empty line at its end (RFC 9112 §2.1)")
        self.head = head
        self.body = body
        self.peer = remote_address
        self.look()
        if self.found & BAD_LINE:
            raise ValueError(
                f"request line {head[:self.line_size]!r} is not 'method target HTTP/1.x' "
                "(RFC 9112 §3)"
            )
        self.is_upgrade = (
            self.minor_version > 0
            and self.method != "CONNECT"
            and has_token(self.field(b"connection") or "", "upgrade")
            and self.field(b"upgrade") is not None
        )

    cdef int look(self) except -1:
        """Find what decides on how to read on, in one pass."""
        cdef const char *at = PyBytes_AS_STRING(self.head)
        cdef const char *end = at + PyBytes_GET_SIZE(self.head)
        cdef const char *line
        cdef const char *colon
        cdef const char *value
        cdef Py_ssize_t size
        self.content_length = -1
        line = <const char *> memchr(at, b"\n", end - at)
        self.line_size = line - 1 - at
        self.look_at_line(at, self.line_size)
        at = line + 1
        while True:
            line = <const char *> memchr(at, b"\n", end - at)
            if line == NULL or line - at <= 1:
                return 0
            if self.field_count < MOST_FIELDS:
                self.field_count += 1
            colon = <const char *> memchr(at, b":", line - at)
            if colon != NULL:
                size = colon - at
                if size == 4:
                    if is_name(at, size, b"host"):
                        self.found |= SECOND_HOST if self.found & HOST else HOST
                elif size == 6:
                    if is_name(at, size, b"expect"):
                        self.found |= EXPECT
                elif size == 10:
                    if is_name(at, size, b"connection"):
                        self.found |= CONNECTION
                elif size == 14:
                    if is_name(at, size, b"content-length"):
                        self.found |= CONTENT_LENGTH
                        value = skip_space(colon + 1, line - 1)
                        self.content_length = read_length(value, trim_space(value, line - 1))
                elif size == 17:
                    if is_name(at, size, b"transfer-encoding"):
                        self.found |= TRANSFER_ENCODING
            at = line + 1

    cdef int look_at_line(self, const char *line, Py_ssize_t size) except -1:
        """
        Check the outline of the request line, and find the version.

        The parser also takes what has no place here: HTTP/0.9 and 2.0, RTSP, several spaces.
        """
        cdef const char *first
        cdef const char *second
        cdef const char *end = line + size
        self.found |= BAD_LINE
        if size < 0:
            # The line is a mere LF.
            return 0
        first = <const char *> memchr(line, b" ", size)
        if first == NULL or first == line:
            return 0
        second = <const char *> memchr(first + 1, b" ", end - first - 1)
        if second == NULL or second == first + 1 or end - second != 9:
            return 0
        if memcmp(second, b" HTTP/1.", 8) != 0:
            return 0
        if second[8] != b"0" and second[8] != b"1":
            return 0
        self.minor_version = second[8] == b"1"
        self.method_size = first - line
        self.found &= ~BAD_LINE
        return 0

    cdef bint is_method(self, bytes method) noexcept:
        """Whether it is that one, without making a string of it."""
        return self.method_size == PyBytes_GET_SIZE(method) and memcmp(
            PyBytes_AS_STRING(self.head), PyBytes_AS_STRING(method), self.method_size
        ) == 0

    cdef Py_ssize_t path_size(self) noexcept:
        """The path's size in a target of path and query only (RFC 9112 §3.2.1), or -1."""
        cdef const char *target = PyBytes_AS_STRING(self.head) + self.method_size + 1
        cdef Py_ssize_t size = self.line_size - VERSION_SIZE - self.method_size - 1
        cdef const char *query
        # A fragment has no place in a target; llhttp lets it pass.
        if target[0] != b"/" or memchr(target, b"#", size) != NULL:
            return -1
        query = <const char *> memchr(target, b"?", size)
        return size if query == NULL else query - target

    cpdef str parameter(self, bytes name):
        """
        The first value of a name in the query, or None; without taking the query apart.

        Args:
            name: Of letters, digits and the like.
        """
        cdef const char *at = PyBytes_AS_STRING(self.head) + self.method_size + 1
        cdef const char *end = PyBytes_AS_STRING(self.head) + self.line_size - VERSION_SIZE
        cdef const char *pair_end
        cdef Py_ssize_t path = self.path_size()
        cdef Py_ssize_t size
        if name is None:
            raise TypeError("the name of a parameter is bytes, not None")
        size = PyBytes_GET_SIZE(name)
        if path < 0:
            return self.query.get(name.decode("ascii"))
        at += path
        if memchr(at, b"%", end - at) != NULL or memchr(at, b"+", end - at) != NULL:
            return self.query.get(name.decode("ascii"))
        # Nothing is encoded, as nearly always.
        while at < end:
            at += 1
            pair_end = <const char *> memchr(at, b"&", end - at)
            if pair_end == NULL:
                pair_end = end
            if pair_end - at >= size and memcmp(at, PyBytes_AS_STRING(name), size) == 0:
                if pair_end - at == size:
                    return ""
                if at[size] == b"=":
                    at += size + 1
                    return PyUnicode_DecodeLatin1(at, pair_end - at, NULL)
            at = pair_end
        return None

    cdef str field(self, bytes lower_name, str separator=", "):
        """
        The values of a field, joined (RFC 9110 §5.3), or None; without caching.

        Args:
            separator: What they are joined with; None for the first value only.
        """
        cdef const char *at = PyBytes_AS_STRING(self.head) + self.line_size + 2
        cdef const char *end = PyBytes_AS_STRING(self.head) + PyBytes_GET_SIZE(self.head)
        cdef const char *line
        cdef const char *colon
        cdef const char *value
        cdef str found = None
        cdef str text
        while True:
            line = <const char *> memchr(at, b"\n", end - at)
            if line == NULL or line - at <= 1:
                return found
            colon = <const char *> memchr(at, b":", line - at)
            if colon != NULL and is_name(at, colon - at, lower_name):
                value = skip_space(colon + 1, line - 1)
                text = PyUnicode_DecodeLatin1(value, trim_space(value, line - 1) - value, NULL)
                if separator is None:
                    return text
                found = text if found is None else f"{found}{separator}{text}"
            at = line + 1

    @property
    def method(self):
        """The method, case-sensitive: "GET", "POST"."""
        if self.is_method(b"GET"):
            return "GET"
        if self.is_method(b"POST"):
            return "POST"
        return self.head[:self.method_size].decode("latin-1")

    @property
    def target(self):
        """The request target as it came (RFC 9112 §3.2): "/chat?room=1"."""
        return self.head[self.method_size + 1:self.line_size - VERSION_SIZE].decode("latin-1")

    @property
    def path(self):
        """
        The path, percent-decoded as UTF-8; what is not UTF-8 becomes U+FFFD.

        That of the URL when the target is one (absolute form); "*" for that target; "" when it is
        a mere authority (CONNECT).
        """
        cdef const char *target = PyBytes_AS_STRING(self.head) + self.method_size + 1
        cdef Py_ssize_t size = self.path_size()
        if size < 0 or memchr(target, b"%", size) != NULL:
            return decode_path(split_target(self.target)[0])
        return PyUnicode_DecodeLatin1(target, size, NULL)

    @property
    def query_string(self):
        """The part of the target after the first "?", still encoded; "" without one."""
        return split_target(self.target)[1]

    @property
    def query(self):
        """The query, a :class:`Query`: name to first value."""
        query = self.recall(QUERY)
        if query is None:
            query = self.remember(QUERY, Query(self.query_string))
        return query

    @property
    def headers(self):
        """The header fields, a :class:`Headers`. Read only: changes do not change the request."""
        headers = self.recall(HEADERS)
        if headers is None:
            headers = self.remember(HEADERS, make_headers(self))
        return headers

    @property
    def cookies(self):
        """
        The cookies, name to value, as they came; surrounding double quotes are dropped.

        Of several with one name the first counts: user agents send the one with the most specific
        path first (RFC 6265 §5.4).
        """
        cookies = self.recall(COOKIES)
        if cookies is None:
            cookies = self.remember(COOKIES, parse_cookies(self.field(b"cookie", "; ") or ""))
        return cookies

    @property
    def http_version(self):
        """The version, "1.1" or "1.0"."""
        return "1.1" if self.minor_version else "1.0"

    @property
    def upgrade(self):
        """The protocols that the client would rather speak, in lower case; "" if none."""
        return self.field(b"upgrade").lower() if self.is_upgrade else ""

    @property
    def keep_alive(self):
        """Whether the connection may stay open after the answer (RFC 9112 §9.3)."""
        if not self.found & CONNECTION:
            return self.minor_version > 0
        options = self.field(b"connection")
        if options == "keep-alive":
            # What nearly all say, most of whom need not.
            return True
        if has_token(options, "close"):
            return False
        return self.minor_version > 0 or has_token(options, "keep-alive")

    @property
    def remote_address(self):
        """The client's address as the socket module gives it, None when it has none."""
        peer = self.peer
        if peer is None or type(peer) is tuple or type(peer) is str:
            return peer
        return peer.peername

    def compact(self):
        """Forget what was derived from the head; it is derived again when asked for."""
        self.derived = None

    def __repr__(self):
        return f"<Request {self.method} {self.target}>"

    cdef object recall(self, int place):
        return None if self.derived is None else self.derived[place]

    cdef object remember(self, int place, object value):
        if self.derived is None:
            self.derived = [None, None, None]
        self.derived[place] = value
        return value


cdef Request make_request(bytes head, object peer):
    """A request without the checks of the constructor; the body comes later, if at all."""
    cdef Request request = Request.__new__(Request)
    request.head = head
    request.body = NOTHING
    request.peer = peer
    request.look()
    return request


cdef Py_ssize_t read_length(const char *at, const char *end) noexcept:
    """The value of Content-Length, -1 when it is no number; huge ones are cut to 2**62."""
    cdef Py_ssize_t length = 0
    if at == end:
        return -1
    while at < end:
        if not b"0" <= at[0] <= b"9":
            return -1
        if length < <Py_ssize_t> 1 << 58:
            length = length * 10 + (at[0] - c"0")
        else:
            length = <Py_ssize_t> 1 << 62
        at += 1
    return length


cdef object make_headers(Request request):
    """
    The header fields, validated by llhttp, as Headers.

    What ``Headers.from_wire`` and the first look-up would do takes more than all of the parsing.
    """
    cdef const char *at = PyBytes_AS_STRING(request.head) + request.line_size + 2
    cdef const char *end = PyBytes_AS_STRING(request.head) + PyBytes_GET_SIZE(request.head)
    cdef const char *line
    cdef const char *colon
    cdef const char *start
    cdef list fields = []
    cdef dict index = {}
    cdef str name, value
    while True:
        line = <const char *> memchr(at, b"\n", end - at)
        if line == NULL or line - at <= 1:
            break
        colon = <const char *> memchr(at, b":", line - at)
        if colon != NULL:
            name = PyUnicode_DecodeLatin1(at, colon - at, NULL)
            start = skip_space(colon + 1, line - 1)
            value = PyUnicode_DecodeLatin1(start, trim_space(start, line - 1) - start, NULL)
            fields.append((name, value))
            index[lower_name(name)] = value
        at = line + 1
    headers = Headers.__new__(Headers)
    headers._fields = fields
    # With a repeated name the index has lists; that it makes itself.
    headers._index = index if len(index) == len(fields) else None
    return headers


cdef inline str lower_name(str name):
    """`name.lower()`, remembered for the names that are in use."""
    cdef PyObject *known = PyDict_GetItem(lower_names, name)
    cdef str lower
    if known != NULL:
        return <str> known
    lower = name.lower()
    if len(lower_names) < LOWER_NAMES and len(lower) <= LONGEST_NAME:
        lower_names[name] = lower
    return lower

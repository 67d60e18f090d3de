"""
From bytes to requests, sans I/O (RFC 9112).

llhttp, through httptools, decides what is well-formed; this module decides where messages begin
and end in the input, which httptools does not tell, and keeps the limits. Both must agree: llhttp
is given one message at a time and has to be through with it at exactly the byte where this module
sees its end. Where they disagree the request is rejected, so that no difference of opinion can be
used to smuggle a second request in the first.

A head that arrives in one piece, as nearly all do, is given to llhttp in one call, without one
Python call per field.
"""

from cpython.bytearray cimport PyByteArray_GET_SIZE
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.string cimport memchr

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from cooee.http.errors import RequestRejected
from cooee.http.request cimport (
    BAD_LINE,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    SECOND_HOST,
    TRANSFER_ENCODING,
    Request,
    make_request,
)

cdef extern from *:
    """
    /* Offset of the CR LF CR LF at or after `from`, or -1. */
    static Py_ssize_t cooee_head_end(const char *data, Py_ssize_t from, Py_ssize_t size)
    {
        const char *at = data + from, *end = data + size;
        while (end - at >= 4) {
            at = (const char *)memchr(at + 3, '\\n', end - at - 3);
            if (at == NULL)
                return -1;
            if (at[-1] == '\\r' && at[-2] == '\\n' && at[-3] == '\\r')
                return at - 3 - data;
            at -= 2;
        }
        return -1;
    }
    """
    Py_ssize_t cooee_head_end(const char *data, Py_ssize_t start, Py_ssize_t size)

# Parsers between two messages, any of which can take the next. Making one costs as much as
# parsing a head.
cdef list spare_parsers = []

# What llhttp says to HTTP/3.0, and to HTTP/2 with prior knowledge.
cdef tuple OTHER_VERSION = ("Invalid HTTP version", "Pause on PRI/Upgrade")

cdef bytes NOTHING = b""

cdef enum:
    SPARE_PARSERS = 16
    # The first byte of a TLS connection: a record with a handshake message.
    TLS = 0x16
    # A chunk's data is followed by CR LF.
    CRLF = 2
    # What the line of a chunk's size may have without counting as an extension.
    SIZE_LINE = 20


cdef class Completion:
    """What llhttp calls back; apart from Parser, since a cycle would wait for the collector."""

    def on_message_complete(self):
        self.reached = True


cdef class Parser:
    """llhttp, for one message at a time."""

    def __cinit__(self):
        self.completion = Completion.__new__(Completion)
        self.llhttp = HttpRequestParser(self.completion)
        # Whether the connection goes on is decided by its owner, who never gives the parser
        # anything that follows a message with "Connection: close".
        self.llhttp.set_dangerous_leniencies(lenient_keep_alive=True)

    cdef bint feed(self, object data) except -1:
        """Parse more of the message; whether it ended in a change of protocol."""
        try:
            self.llhttp.feed_data(data)
        except HttpParserUpgrade:
            return True
        except HttpParserError as exc:
            reason = str(exc)
            if reason in OTHER_VERSION:
                raise RequestRejected(505, "only HTTP/1.1 and 1.0 are spoken here") from None
            raise RequestRejected(400, f"malformed request: {reason} (RFC 9112)") from None
        return False


cdef inline Parser take_parser():
    cdef Parser parser = <Parser> spare_parsers.pop() if spare_parsers else Parser.__new__(Parser)
    parser.completion.reached = False
    return parser


cdef class RequestReader:
    """
    The requests in the bytes of one connection.

    ``feed()`` more bytes, then call ``next()`` until it returns None. After it has raised, the
    input makes no sense any more and nothing but ``rest()`` may be called.

    Args:
        limits: An :class:`HttpLimits`.
        peer: The ``remote_address`` of every :class:`Request`.
    """

    def __cinit__(self, limits not None, peer=None):
        self.limits = limits
        self.peer = peer
        self.data = b""

    @property
    def buffered(self):
        """Bytes fed that are not part of a request returned."""
        return self.count_buffered()

    cdef Py_ssize_t count_buffered(self):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.offset
        return size if self.body is None else size + PyByteArray_GET_SIZE(self.body)

    @property
    def in_body(self):
        """Whether a head is complete and its body is not."""
        return self.request is not None

    def feed(self, bytes data not None):
        """Take more input."""
        self.take(data)

    cdef int take(self, bytes data) except -1:
        if self.offset == PyBytes_GET_SIZE(self.data):
            self.data = data
        elif self.offset == 0:
            self.data += data
        else:
            self.data = self.data[self.offset:] + data
        self.offset = 0
        return 0

    cpdef rest(self):
        """Give back the unread input, and forget it."""
        rest = self.piece(self.offset, PyBytes_GET_SIZE(self.data))
        self.data = b""
        self.offset = 0
        return rest

    cpdef bint take_expectation(self):
        """Whether "100 Continue" is due; true once for a request."""
        expects = self.expects
        self.expects = False
        return expects

    cpdef Request next(self):
        """
        Return the next complete request, or None if more input is needed.

        Raises:
            RequestRejected: The input is malformed or beyond a limit.
        """
        if self.state == HEAD and not self.read_head():
            return None
        while self.request is not None:
            if self.state == LENGTH:
                if not self.read_length():
                    return None
            elif self.state == CHUNK_SIZE:
                if not self.read_chunk_size():
                    return None
            elif self.state == CHUNK_DATA:
                if not self.read_chunk_data():
                    return None
            elif self.state == TRAILER:
                if not self.read_trailer():
                    return None
            else:
                break
        request = self.request
        self.request = None
        return request

    cdef bytes piece(self, Py_ssize_t start, Py_ssize_t end):
        """A copy of a part of the input."""
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(self.data) + start, end - start)

    # What follows returns whether it got through with its part.

    cdef bint read_head(self) except -1:
        cdef const char *data = PyBytes_AS_STRING(self.data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data)
        cdef Py_ssize_t end
        cdef bytes head
        cdef bint upgrade
        if self.fed == 0:
            # RFC 9112 §2.2: empty lines before a request are skipped.
            while self.offset < size and data[self.offset] in b"\r\n":
                self.offset += 1
            if self.offset == size:
                return False
            if data[self.offset] == TLS:
                raise RequestRejected(400, "a TLS handshake on a port without TLS")
        # The end may lie up to three bytes back in what was searched before.
        end = cooee_head_end(data, self.offset + max(self.fed - 3, 0), size)
        if end < 0:
            self.check_sizes(data + self.offset, size - self.offset)
            if size > self.offset + self.fed:
                if self.parser is None:
                    self.parser = take_parser()
                piece = self.data[self.offset + self.fed:]
                self.fed = size - self.offset
                if self.parser.feed(piece) or self.parser.completion.reached:
                    raise RequestRejected(400, "end of the head without CRLF (RFC 9112 §2.2)")
            return False
        end += 4
        if self.offset == 0 and end == size:
            head = self.data
        else:
            head = self.piece(self.offset, end)
        self.check_sizes(data + self.offset, end - self.offset)
        if self.parser is None:
            self.parser = take_parser()
        upgrade = self.parser.feed(head if self.fed == 0 else head[self.fed:])
        self.offset = end
        self.fed = 0
        self.request = make_request(head, self.peer)
        if self.request.field_count > self.limits.max_headers:
            raise RequestRejected(
                431, f"{self.request.field_count} header fields, at most {self.limits.max_headers}"
            )
        self.check_head(self.request)
        # llhttp also takes CONNECT for one. RFC 9110 §7.8: in HTTP/1.0 it does not count.
        self.request.is_upgrade = (
            upgrade and self.request.minor_version > 0 and self.request.method != "CONNECT"
        )
        if self.request.found & (CONTENT_LENGTH | TRANSFER_ENCODING | EXPECT):
            self.start_body(upgrade)
        return self.state != HEAD or self.finish()

    cdef int check_sizes(self, const char *head, Py_ssize_t size) except -1:
        """Reject a head, complete or not, that is longer than allowed."""
        cdef const char *line_end
        cdef Py_ssize_t line, limit
        limit = self.limits.max_request_line
        if size <= limit and size <= self.limits.max_header_size:
            return 0
        line_end = <const char *> memchr(head, b"\n", size)
        if line_end != NULL:
            line = line_end + 1 - head - CRLF
        else:
            # A CR at the end may be half of the line's end.
            line = size - (head[size - 1] == b"\r")
        if line > limit:
            raise RequestRejected(414, f"request line of {line} bytes or more, at most {limit}")
        limit = self.limits.max_header_size
        # Without the empty line when that has come; while it has not, two bytes less may be seen.
        size -= line + 2 * CRLF
        if size > limit:
            raise RequestRejected(431, f"header fields of {size} bytes or more, at most {limit}")
        return 0

    cdef int check_head(self, Request request) except -1:
        """Reject what llhttp lets pass."""
        if request.found & BAD_LINE:
            if request.head[:request.line_size].endswith(b" HTTP/2.0"):
                raise RequestRejected(505, "only HTTP/1.1 and 1.0 are spoken here")
            raise RequestRejected(400, "request line is not 'method target HTTP/1.x' (RFC 9112 §3)")
        if request.found & SECOND_HOST:
            raise RequestRejected(400, "more than one Host (RFC 9112 §3.2)")
        if not request.found & HOST and request.minor_version > 0:
            raise RequestRejected(400, "no Host (RFC 9112 §3.2)")
        return 0

    cdef int start_body(self, bint upgrade) except -1:
        cdef Request request = self.request
        cdef str coding
        cdef Py_ssize_t limit = self.limits.max_body_size
        if request.method == "CONNECT":
            # RFC 9110 §9.3.6: what follows is no content, whatever the fields say.
            return 0
        if request.found & TRANSFER_ENCODING:
            if request.minor_version == 0:
                raise RequestRejected(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)")
            coding = request.field(b"transfer-encoding")
            if coding.lower() != "chunked":
                raise RequestRejected(501, f"transfer coding {coding!r}, only chunked is known")
            self.state = CHUNK_SIZE
            self.body = bytearray()
            self.overhead = 0
        elif request.found & CONTENT_LENGTH:
            if request.content_length < 0:
                raise RequestRejected(400, "Content-Length is no number (RFC 9112 §6.3)")
            if request.content_length > limit:
                raise RequestRejected(
                    413, f"body of {request.content_length} bytes, at most {limit}"
                )
            if request.content_length == 0:
                return 0
            self.state = LENGTH
            self.remaining = request.content_length
        if request.found & EXPECT and request.minor_version > 0:
            if request.field(b"expect").lower() != "100-continue":
                raise RequestRejected(417, "the only expectation met is 100-continue")
            # RFC 9110 §10.1.1: not needed when some of the body is here already.
            self.expects = self.state != HEAD and self.offset == PyBytes_GET_SIZE(self.data)
        if upgrade and self.state != HEAD:
            # llhttp takes it that the other protocol begins right after the head. The body comes
            # first (RFC 9110 §7.8): HTTP clients that would rather speak HTTP/2 do send such
            # requests. A head without the wish to upgrade makes llhttp go on with the body.
            self.parser.completion.reached = False
            if self.state == LENGTH:
                framing = b"Content-Length: %d" % request.content_length
            else:
                framing = b"Transfer-Encoding: chunked"
            self.parser.feed(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        return 0

    cdef bint finish(self) except -1:
        """The end of the message, as this module sees it."""
        if not self.parser.completion.reached:
            raise RequestRejected(400, "the end of the request is ambiguous (RFC 9112 §6)")
        if len(spare_parsers) < SPARE_PARSERS:
            spare_parsers.append(self.parser)
        self.parser = None
        self.state = HEAD
        if self.offset == PyBytes_GET_SIZE(self.data):
            # An idle connection is not to keep its last input.
            self.data = NOTHING
            self.offset = 0
        if self.body is not None:
            self.request.body = bytes(self.body)
            self.body = None
        return True

    cdef int give(self, Py_ssize_t size) except -1:
        """Have llhttp parse the next `size` bytes, those that it has seen already left out."""
        if size > self.fed:
            if self.parser.completion.reached:
                raise RequestRejected(400, "the end of the request is ambiguous (RFC 9112 §6)")
            view = memoryview(self.data)[self.offset + self.fed:self.offset + size]
            self.parser.feed(view)
        return 0

    cdef bint read_length(self) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.offset
        if size == 0:
            return False
        size = min(size, self.remaining)
        self.give(size)
        piece = self.piece(self.offset, self.offset + size)
        self.offset += size
        self.remaining -= size
        if self.body is not None:
            self.body += piece
        elif self.remaining == 0:
            self.request.body = piece
        else:
            self.body = bytearray(piece)
        return self.remaining == 0 and self.finish()

    cdef Py_ssize_t read_line(self, Py_ssize_t limit, int status, str what) except -2:
        """The size of the next line with its LF, which llhttp has then seen; -1 if incomplete."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.offset
        cdef const char *start = PyBytes_AS_STRING(self.data) + self.offset
        cdef const char *end = <const char *> memchr(start + self.fed, b"\n", size - self.fed)
        if end != NULL:
            size = end + 1 - start
        if size > limit:
            raise RequestRejected(status, f"{what} of {size} bytes or more, at most {limit}")
        self.give(size)
        if end == NULL:
            self.fed = size
            return -1
        self.fed = 0
        return size

    cdef bint read_chunk_size(self) except -1:
        cdef Py_ssize_t room = self.limits.max_header_size - self.overhead
        cdef Py_ssize_t size = self.read_line(room + SIZE_LINE, 413, "chunk extensions")
        cdef Py_ssize_t limit = self.limits.max_body_size
        if size < 0:
            return False
        if size > SIZE_LINE:
            self.overhead += size - SIZE_LINE
        line = self.data[self.offset:self.offset + size]
        self.offset += size
        # llhttp has found it to be hexadecimal digits, of 64 bits at most.
        chunk = int(line.partition(b";")[0], 16)
        if chunk == 0:
            self.state = TRAILER
            self.remaining = self.limits.max_header_size
            return True
        if chunk > limit - PyByteArray_GET_SIZE(self.body):
            raise RequestRejected(
                413, f"body of {PyByteArray_GET_SIZE(self.body) + chunk} bytes or more, "
                f"at most {limit}"
            )
        self.remaining = chunk + CRLF
        self.state = CHUNK_DATA
        return True

    cdef bint read_chunk_data(self) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.offset
        if size == 0:
            return False
        size = min(size, self.remaining)
        self.give(size)
        if self.remaining > CRLF:
            self.body += self.data[self.offset:self.offset + min(size, self.remaining - CRLF)]
        self.offset += size
        self.remaining -= size
        if self.remaining > 0:
            return False
        self.state = CHUNK_SIZE
        return True

    cdef bint read_trailer(self) except -1:
        # RFC 9110 §6.5.1: trailer fields may be discarded.
        cdef Py_ssize_t size = self.read_line(self.remaining + CRLF, 431, "trailer fields")
        if size < 0:
            return False
        self.offset += size
        if self.parser.completion.reached:
            return self.finish()
        self.remaining -= size
        return True

cdef class Request:
    cdef readonly bytes body
    cdef readonly bint is_upgrade
    # The head as it came, validated: request line, fields, empty line.
    cdef bytes head
    # A stream, whose peername is asked for when needed, or the address itself.
    cdef object peer
    # None, or what has been derived from the head: [headers, query, cookies].
    cdef list derived
    # What the first look at the head has found.
    cdef Py_ssize_t line_size
    cdef Py_ssize_t content_length
    # Of the method at the head's beginning.
    cdef unsigned int method_size
    cdef unsigned short field_count
    cdef unsigned char found
    cdef unsigned char minor_version

    cdef int look(self) except -1
    cdef bint is_method(self, bytes method) noexcept
    cdef Py_ssize_t path_size(self) noexcept
    cpdef str parameter(self, bytes name)
    cdef int look_at_line(self, const char *line, Py_ssize_t size) except -1
    cdef object recall(self, int place)
    cdef object remember(self, int place, object value)
    cdef str field(self, bytes lower_name, str separator=*)


# Bits of Request.found
cdef enum:
    HOST = 1
    SECOND_HOST = 2
    CONTENT_LENGTH = 4
    TRANSFER_ENCODING = 8
    EXPECT = 16
    CONNECTION = 32
    # The request line is not "method SP target SP HTTP/1.0 or HTTP/1.1".
    BAD_LINE = 64


cdef Request make_request(bytes head, object peer)

from cooee.http.request cimport Request

cdef enum State:
    HEAD
    LENGTH
    CHUNK_SIZE
    CHUNK_DATA
    TRAILER


cdef class Completion:
    cdef bint reached


cdef class Parser:
    cdef object llhttp
    cdef Completion completion

    cdef bint feed(self, object data) except -1


cdef class RequestReader:
    cdef object limits
    cdef object peer
    # Input from `offset` on is unread. The first `fed` bytes of it llhttp has seen already.
    cdef bytes data
    cdef Py_ssize_t offset
    cdef Py_ssize_t fed
    cdef State state
    cdef Parser parser
    # The request whose body is being read, and what there is of the body.
    cdef Request request
    cdef bytearray body
    cdef Py_ssize_t remaining
    cdef Py_ssize_t overhead
    # Whether the client waits for "100 Continue" before it sends the body.
    cdef bint expects

    cdef int take(self, bytes data) except -1
    cpdef Request next(self)
    cpdef rest(self)
    cdef bytes piece(self, Py_ssize_t start, Py_ssize_t end)
    cpdef bint take_expectation(self)
    cdef Py_ssize_t count_buffered(self)
    cdef bint read_head(self) except -1
    cdef int check_sizes(self, const char *head, Py_ssize_t size) except -1
    cdef int check_head(self, Request request) except -1
    cdef int start_body(self, bint upgrade) except -1
    cdef bint finish(self) except -1
    cdef int give(self, Py_ssize_t size) except -1
    cdef bint read_length(self) except -1
    cdef Py_ssize_t read_line(self, Py_ssize_t limit, int status, str what) except -2
    cdef bint read_chunk_size(self) except -1
    cdef bint read_chunk_data(self) except -1
    cdef bint read_trailer(self) except -1

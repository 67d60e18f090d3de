from cooee.http.reader cimport RequestReader
from cooee.http.request cimport Request
from cooee.http.template cimport Template
from cooee.reactor.stream cimport PyProtocol

# What a connection waits for, and so which time limit applies.
cdef enum Phase:
    NEW  # its stream
    HEAD  # the rest of a head, or the first one
    BODY  # the rest of a body
    ANSWER  # respond() or switch(); no limit
    IDLE  # another request
    SENDING  # the peer to take what was sent, before anything else happens
    GONE  # nothing: closed, or another protocol's


cdef class HttpConnection(PyProtocol):
    cdef readonly object limits
    cdef public object on_disconnect
    cdef public object on_head
    cdef readonly Request request
    cdef readonly bint disconnected
    cdef readonly object on_request
    cdef object server_header
    cdef object reactor
    # The stream, as any object that behaves like one: the unit tests have theirs in memory.
    cdef object transport
    cdef RequestReader reader
    cdef object timer
    cdef Phase phase
    # Bytes unsent when the phase began.
    cdef Py_ssize_t unsent
    cdef bint in_handler
    # Whether close() was called.
    cdef bint closing

    # As respond(), with a response that has its head in common with others.
    cdef bint respond_with(self, Request request, Template template, bytes body) except -1
    cpdef read(self)
    cdef int receive(self, bytes data) except -1
    cdef int answered(self, bint closes, bint connect) except -1
    cdef int hand_out(self, Request request) except -1
    cdef int wait_for_input(self) except -1
    cdef int notify_head(self) except -1
    cdef bint may_answer(self, Request request) except -1
    cdef int notify_disconnect(self) except -1
    cdef int send(self, response, bint closes, bint head_only, bint http_1_0) except -1
    cdef int reject(self, int status, str reason) except -1
    cdef int end(self, bint unread) except -1
    cdef int leave(self) except -1
    cdef int enter(self, Phase phase, double seconds) except -1
    cdef int log(self, int level, str message) except -1

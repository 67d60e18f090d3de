from libc.stdint cimport uint64_t

from cooee.reactor.core cimport Reactor
from cooee.websocket.session cimport Session


cdef class Latencies:
    # By units of 1024 ns; those that take longest apart.
    cdef uint64_t *counts
    cdef dict slow
    cdef readonly uint64_t total

    cdef int count(self, double seconds) except -1


cdef class Talker:
    cdef Reactor reactor
    cdef tuple payloads
    cdef Latencies latencies
    # For each payload, when it was sent.
    cdef double *sent
    cdef Py_ssize_t expected
    cdef Py_ssize_t following
    cdef bint stopped
    cdef readonly bint corrupt

    cdef int prepare(self, Reactor reactor, object payloads, Latencies latencies) except -1
    cdef bint open(self)
    cdef int transmit(self, Py_ssize_t slot) except -1
    cdef int send(self, double now) except -1
    cdef int came(self, object data) except -1
    cdef bint check(self, Py_ssize_t slot, object data, double now) except -1


cdef class SessionTalker(Talker):
    cdef Session session

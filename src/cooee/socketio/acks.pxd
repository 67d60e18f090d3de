from cooee.reactor.core cimport Reactor
from cooee.reactor.timers cimport Timer
from cooee.websocket.outcome cimport Outcome

# Who is told of an acknowledgement: a callback that takes its arguments; one that takes an error
# before them; one that takes them as a list; an Outcome.
cdef enum:
    PLAIN = 0
    TIMED = 1
    COLLECTED = 2
    AWAITED = 3


cdef class Pending:
    cdef int kind
    cdef object callback
    cdef Outcome outcome
    cdef Timer timer


cdef class AckTable:
    cdef dict pending
    cdef Reactor reactor
    cdef Py_ssize_t limit

    cdef int expect(self, object id, int kind, object callback, object timeout) except -1
    cdef int got(self, object id, list args) except -1
    cdef int forget(self, object id) except -1
    cdef int fail(self, object error) except -1
    cdef int settle(self, Pending pending, list args, object error) except -1


cdef int check_callback(object callback) except -1

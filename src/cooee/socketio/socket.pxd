from cooee.socketio.acks cimport AckTable
from cooee.socketio.client cimport Client, Member


cdef class Ack:
    cdef Socket socket
    cdef object id
    cdef bint sent


cdef class Socket(Member):
    cdef readonly Client client
    cdef readonly object namespace
    cdef readonly str id
    # The private id, by which the client can come back; or None.
    cdef readonly str pid
    cdef readonly bint connected
    cdef readonly bint recovered
    cdef readonly object handshake
    # Volatile events that were dropped.
    cdef readonly Py_ssize_t dropped
    cdef list filters
    cdef AckTable acks
    cdef bint leaving
    # Who goes on after a recovery, and waits for the events that came before.
    cdef Socket successor
    # Why it is not connected any more.
    cdef object reason
    cdef dict state_data
    cdef bint recording

    cdef int filter(self, list args, Py_ssize_t size) except -1
    cdef int filtered(self, list args, Py_ssize_t size) except -1
    cdef object send_event(
        self, object payload, object id, bint volatile_, bint compress
    )
    cdef AckTable ack_table(self)
    cdef object expect(self, int kind, object callback, object timeout)
    cdef int end(self, str reason, object description) except -1
    cdef object gone(self)
    cdef int refused(self, object exc) except -1

from cooee.socketio.multiplexer cimport Channel


cdef enum:
    # Instead of a kind of acknowledgement: nobody waits for it.
    NO_ACK = -1


cdef class Retries:
    cdef Channel channel
    cdef object queue

    cdef int add(self, tuple args, int kind, object callback, object timeout) except -1
    cdef int drain(self, bint force) except -1

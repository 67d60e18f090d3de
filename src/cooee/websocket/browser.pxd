from libc.stdint cimport uint8_t, uint64_t

from cooee.reactor.core cimport Reactor
from cooee.websocket.connection cimport Connection
from cooee.websocket.events cimport EventListeners


# A message that was given to the stream.
cdef struct sent_t:
    # How many bytes the stream will have sent, ever, with the last byte of its frame.
    uint64_t end
    size_t payload


cdef class WebSocket(Connection):
    cdef object record
    cdef str origin
    cdef str protocol_in_use
    cdef str extensions_in_use
    cdef bint blobs
    cdef EventListeners listeners
    cdef Reactor reactor
    cdef object opening
    cdef object keepalive
    cdef object error
    # For buffered_amount: messages that are not known to be sent, from `oldest` to `newest`.
    cdef sent_t *messages
    cdef Py_ssize_t oldest
    cdef Py_ssize_t newest
    cdef Py_ssize_t capacity
    # Bytes that were given to the stream, ever; of payload in `messages`; of payload dropped.
    cdef uint64_t queued
    cdef size_t pending
    cdef size_t dropped
    cdef object __weakref__

    cdef int enqueue(self, size_t frame, size_t payload) except -1
    cdef int forget_sent(self) noexcept
    cdef size_t unsent_payload(self) noexcept
    cdef object handler_of(self, str type)

from cooee.socketio.multiplexer cimport Channel
from cooee.socketio.packet cimport Packet
from cooee.socketio.retries cimport Retries
from cooee.websocket.outcome cimport Outcome


cdef class ClientAck:
    cdef ClientSocket socket
    cdef object id
    cdef Py_ssize_t connection
    cdef bint sent


cdef class ClientSocket(Channel):
    cdef public object auth
    cdef public object ack_timeout
    # None while it is not connected.
    cdef readonly str id
    cdef readonly bint recovered
    # Volatile events that were not sent.
    cdef readonly Py_ssize_t dropped
    # Packets for when it is connected; (args, size) of events that came before it was.
    cdef list send_buffer
    cdef list receive_buffer
    cdef Py_ssize_t received_size
    cdef Retries queue
    # By which the server knows it again: its private id, and the last event that it has had.
    cdef str pid
    cdef str last_offset
    # Connections so far.
    cdef Py_ssize_t connection
    # Who waits for it to be connected, and why it will not be.
    cdef Outcome joining
    cdef object failure

    cdef object send_event(
        self, tuple args, int kind, object callback, bint volatile_, object timeout
    )
    cdef int got_connect(self, object data) except -1
    cdef int got_event(self, list args, Py_ssize_t size) except -1
    cdef int refused(self, object exc) except -1
    cdef int lost(self, str reason, object description) except -1
    cdef int forget_acks(self, object error) except -1
    cdef int leave(self) except -1
    cdef int settle_joining(self, object error) except -1
    cdef int tell(self, list args) except -1
    cdef int auth_failed(self, object exc) except -1

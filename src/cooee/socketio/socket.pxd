from cooee.socketio.acks cimport AckTable
from cooee.socketio.client cimport Client, Member
from cooee.socketio.listeners cimport Listener


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
    # By name; what is not for peers to send, by a tuple of it.
    cdef dict listeners_by_event
    cdef list any_listeners
    cdef list any_outgoing
    cdef list filters
    cdef AckTable acks
    cdef bint leaving
    # Why it is not connected any more.
    cdef object reason
    cdef dict state_data
    cdef bint recording
    cdef bint ordered
    # Coroutines of handlers that are under way, and what waits for them.
    cdef Py_ssize_t running
    cdef object waiting
    cdef Py_ssize_t waiting_size
    cdef Py_ssize_t max_waiting
    cdef object __weakref__

    cdef int handle(self, list args, Py_ssize_t size) except -1
    cdef int dispatch(self, list args, Py_ssize_t size) except -1
    cdef int invoke(self, Listener listener, list args, Py_ssize_t skip, Py_ssize_t size) except -1
    cdef int filter(self, list args, Py_ssize_t size) except -1
    cdef int filtered(self, list args, Py_ssize_t size) except -1
    cdef int wait(self, tuple item, Py_ssize_t size) except -1
    cdef int resume(self) except -1
    cdef int fire(self, str event, list args) except -1
    cdef int start_task(self, object coro, object event, Py_ssize_t size, bint counted) except -1
    cdef object key(self, object event)
    cdef object send_event(
        self, object payload, object id, bint volatile_, bint compress
    )
    cdef object expect(self, int kind, object callback, object timeout)
    cdef int end(self, str reason, object description) except -1
    cdef int ended(self, str reason, object description) except -1
    cdef object gone(self)
    cdef int notify_outgoing(self, object payload) except -1
    cdef int listen(self, object event, object handler, bint once) except -1
    cdef int refused(self, object exc) except -1
    cdef int overrun(self) except -1
    cdef int finished(self, Py_ssize_t size) except -1

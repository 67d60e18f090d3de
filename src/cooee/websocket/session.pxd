from cooee.websocket.connection cimport Connection


cdef class Session(Connection):
    cdef object on_message
    cdef object on_close
    cdef object on_error
    cdef object on_ping
    cdef object on_pong
    cdef object on_drain
    # Messages for recv(), while queueing; None until the first.
    cdef object queue
    cdef size_t queued
    cdef bint queueing
    cdef object receiver
    cdef readonly object request
    cdef readonly object subprotocol
    cdef readonly object owner
    cdef object state_data

    cdef object register(self, str event, object handler)
    cdef object handlers(self, str event)
    cdef int set_handlers(self, str event, object handlers) except -1
    cdef int emit(self, object handler, tuple args) except -1
    cdef int returned(self, object result) except -1
    cdef object following(self, bint iterating)
    cdef object take(self)
    cdef int wake(self) except -1

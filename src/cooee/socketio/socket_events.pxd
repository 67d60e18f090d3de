from cooee.reactor.core cimport Reactor
from cooee.socketio.listeners cimport Listener


cdef enum:
    # What an event costs that waits, besides its content, in bytes.
    EVENT_OVERHEAD = 512


cdef class Handling:
    # Whose events wait until it is over; None if none do.
    cdef SocketEvents socket
    cdef object coro
    cdef object context
    # The event, and what it costs meanwhile, in bytes.
    cdef object event
    cdef Py_ssize_t size

    cdef object step(self, object value, object exc)
    cdef int over(self) except -1


cdef class Worker:
    cdef Reactor reactor
    cdef object task
    # To the task, before a handler had any.
    cdef Py_ssize_t references
    # What is under way, or about to be; and behind it what comes next, a deque or None.
    cdef Handling current
    cdef object ahead
    # Whether what is under way has begun.
    cdef bint begun
    # Whether it is the reactor's worker that takes more.
    cdef bint taking

    cdef object drive(self, object value, object exc)
    cdef int start_taking(self) except -1
    cdef int stop_taking(self) except -1


cdef class SocketEvents:
    cdef Reactor reactor
    # By name; what is not for peers to send may be under other keys.
    cdef dict listeners_by_event
    cdef list any_listeners
    cdef list any_outgoing
    cdef bint ordered
    # Coroutines of handlers that are under way, and the events that wait for them.
    cdef Py_ssize_t running
    cdef object waiting
    # Bytes of both, and how many there may be.
    cdef Py_ssize_t waiting_size
    cdef Py_ssize_t max_waiting
    cdef object __weakref__

    cdef int prepare(self, Reactor reactor, bint ordered, Py_ssize_t max_waiting) except -1
    cdef object key(self, object event)
    cdef int handle(self, list args, Py_ssize_t size) except -1
    cdef int handle_local(self, list args) except -1
    cdef int dispatch(self, list args, Py_ssize_t size) except -1
    cdef int invoke(self, Listener listener, list args, Py_ssize_t skip, Py_ssize_t size) except -1
    cdef int fire(self, list args) except -1
    cdef int notify_outgoing(self, object payload) except -1
    cdef int start_task(self, object coro, object event, Py_ssize_t size) except -1
    cdef bint must_wait(self) noexcept
    cdef int wait(self, list args, Py_ssize_t size) except -1
    cdef int check_waiting(self) except -1
    cdef int overrun(self) except -1
    cdef int finished(self, Py_ssize_t size) except -1
    cdef int go_on(self) except -1


cdef str event_name(object event)

from cooee.reactor.timers cimport Timer, TimerHeap

# What a handle waits for, in epoll's own bits.
cdef enum:
    READ = 1
    WRITE = 4
    ERROR = 8
    HANG_UP = 16
    FAULT = ERROR | HANG_UP

# What the calls of the operating system return besides a byte count.
cdef enum:
    WOULD_BLOCK = -1
    FAILED = -2


cdef class Handle:
    cdef int fd
    cdef unsigned int interest
    # Flags are bytes: a bint is four of them, and idle connections are many.
    cdef unsigned char ref
    cdef unsigned char watched
    cdef readonly Reactor reactor
    # The Python socket, where there is one.
    cdef object sock
    cdef void *older
    cdef void *newer
    cdef int open(self, Reactor reactor, int fd, unsigned int interest) except -1
    cdef int leave(self) except -1
    cdef int shut(self) except -1
    cdef int ready(self, unsigned int events) except -1
    cdef int flush(self) except -1
    cdef int farewell(self) except -1


cdef class Reactor:
    cdef readonly object loop
    cdef readonly bint closed
    cdef public double busy_poll
    # The time at the start of this round.
    cdef double now
    cdef double last_event
    cdef bint dispatching
    # Set by whoever resolves a future that a task waits for.
    cdef bint woke_tasks
    cdef bint scheduled
    cdef bint spinning
    # Events so far.
    cdef Py_ssize_t handled
    cdef bint hosted
    cdef bint running
    # The handle whose event is being handled: it is flushed when its turn ends.
    cdef Handle current
    cdef list dirty
    cdef list lost
    # Handles closed in this round, to which an event of the round may still refer.
    cdef list grave
    cdef object soon
    cdef object inbox
    cdef object tasks
    cdef TimerHeap timers
    cdef object waker
    cdef public object on_close
    # What the layers above keep for each reactor, by names of their own.
    cdef readonly dict registry
    # The context variables as they were when it was made, for tasks of nobody in particular.
    cdef object context
    cdef object quit
    cdef object until
    cdef object __weakref__
    cdef unsigned char *buffer
    cdef Py_ssize_t buffer_size
    cdef Py_ssize_t refs
    cdef void *newest

    cdef int begin(self, object loop) except -1
    cdef int adopt_loop(self, object loop) except -1
    cdef int unhost(self) except -1
    cdef int stop_if_idle(self) except -1
    cdef bint alive(self) except -1
    cdef bint fresh(self) noexcept
    cdef int keep_polling(self) except -1
    cdef Timer set_timer(self, double delay, object callback, tuple args, bint ref)
    cdef int turn(self, bint block) except -1
    cdef int end_dispatch(self) except -1
    cdef int settle(self) except -1
    cdef int invoke(self, object callback, tuple args) except -1
    cdef int report(self, str what) except -1
    cdef int schedule(self) except -1

    cdef double clock(self) noexcept
    cdef int wait(self, bint block) except -1
    cdef int watch(self, Handle handle, unsigned int interest) except -1
    cdef int unwatch(self, Handle handle) except -1
    cdef int arm(self, double when) except -1
    cdef int attach(self, object loop) except -1
    cdef int detach(self) except -1
    cdef Py_ssize_t sys_receive(self, Handle stream) except -3
    cdef Py_ssize_t sys_send(self, Handle stream) except -3
    cdef int sys_accept(self, Handle listener) except -1
    cdef int sys_adopt(self, Handle stream, object sock) except -1
    cdef int sys_end(self, Handle stream, bint both) except -1
    cdef int sys_close(self, Handle handle) except -1
    cdef object sys_error(self)
    cdef object sys_name(self, Handle stream, bint peer)
    cdef int close_system(self) except -1

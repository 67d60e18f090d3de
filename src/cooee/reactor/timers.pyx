"""
Timers: a binary heap whose entries know their place, so that cancelling one frees it at once.

Ten thousand handshake timeouts that are set and cancelled leave nothing behind, which a heap with
lazy deletion would keep until each had expired.
"""


cdef class Timer:
    """
    A callback to be called once, at a time of the reactor's clock.

    Attributes:
        when: Due time in seconds, on the clock of ``Reactor.time()``.
        ref: Whether this timer keeps ``Reactor.run()`` from returning.
    """

    @property
    def active(self):
        """Whether the callback is still to be called."""
        return self.heap is not None

    cpdef cancel(self):
        """Do not call the callback. Does nothing when it was called or cancelled before."""
        if self.heap is not None:
            self.heap.remove(self)


cdef inline bint earlier(Timer a, Timer b) noexcept:
    """By due time, then in the order they were set."""
    return a.when < b.when or (a.when == b.when and a.serial < b.serial)


cdef class TimerHeap:
    """Timers by due time; ``refs`` counts those that keep the reactor running."""

    def __cinit__(self):
        self.entries = []

    def __len__(self):
        return len(self.entries)

    cdef Timer add(self, double when, object callback, tuple args, bint ref):
        cdef Timer timer = Timer.__new__(Timer)
        timer.when = when
        timer.callback = callback
        timer.args = args
        timer.heap = self
        timer.ref = ref
        timer.index = len(self.entries)
        self.serial += 1
        timer.serial = self.serial
        self.refs += ref
        self.entries.append(timer)
        self.up(timer.index)
        return timer

    cdef void remove(self, Timer timer):
        cdef Py_ssize_t index = timer.index
        cdef Timer last = <Timer> self.entries.pop()
        if last is not timer:
            self.place(last, index)
            self.up(index)
            self.down(last.index)
        self.refs -= timer.ref
        timer.heap = None
        timer.callback = None
        timer.args = None

    cdef Timer pop(self):
        """Take the first timer out, its callback and arguments left in place."""
        cdef Timer timer = <Timer> self.entries[0]
        cdef object callback = timer.callback
        cdef tuple args = timer.args
        self.remove(timer)
        timer.callback = callback
        timer.args = args
        return timer

    cdef double first(self) except? -1:
        """When the first timer is due; the heap must not be empty."""
        return (<Timer> self.entries[0]).when

    cdef void place(self, Timer timer, Py_ssize_t index):
        self.entries[index] = timer
        timer.index = index

    cdef void up(self, Py_ssize_t index):
        cdef Timer timer = <Timer> self.entries[index]
        cdef Timer parent
        while index > 0:
            parent = <Timer> self.entries[(index - 1) >> 1]
            if not earlier(timer, parent):
                break
            self.place(parent, index)
            index = (index - 1) >> 1
        self.place(timer, index)

    cdef void down(self, Py_ssize_t index):
        cdef Timer timer = <Timer> self.entries[index]
        cdef Timer child
        cdef Py_ssize_t size = len(self.entries)
        cdef Py_ssize_t at = 2 * index + 1
        while at < size:
            child = <Timer> self.entries[at]
            if at + 1 < size and earlier(<Timer> self.entries[at + 1], child):
                at += 1
                child = <Timer> self.entries[at]
            if earlier(timer, child):
                break
            self.place(child, index)
            index = at
            at = 2 * index + 1
        self.place(timer, index)

cdef class Timer:
    cdef readonly double when
    cdef object callback
    cdef tuple args
    cdef TimerHeap heap
    cdef Py_ssize_t index
    cdef unsigned long long serial
    cdef readonly bint ref
    cpdef cancel(self)


cdef class TimerHeap:
    cdef list entries
    cdef readonly Py_ssize_t refs
    cdef unsigned long long serial
    cdef Timer add(self, double when, object callback, tuple args, bint ref)
    cdef void remove(self, Timer timer)
    cdef Timer pop(self)
    cdef double first(self) except? -1
    cdef void place(self, Timer timer, Py_ssize_t index)
    cdef void up(self, Py_ssize_t index)
    cdef void down(self, Py_ssize_t index)

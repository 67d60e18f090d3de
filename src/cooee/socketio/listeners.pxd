cdef class Listener:
    cdef object handler
    # The most positional arguments that it takes; -1 for any number.
    cdef Py_ssize_t room
    cdef bint once
    cdef object call(self, list args, Py_ssize_t skip)


cdef Listener make_listener(object handler, bint once)
cdef int add_listener(dict table, object key, Listener listener, bint first) except -1
cdef int drop_listener(dict table, object key, Listener listener) except -1
cdef int drop_handler(dict table, object key, object handler) except -1
cdef list listeners_of(dict table, object key)

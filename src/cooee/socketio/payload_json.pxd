cdef class Window:
    cdef const char *data
    cdef Py_ssize_t size


cdef object read_json(const char *data, Py_ssize_t size, int max_depth)
cdef bytes write_json(object data, int max_depth)

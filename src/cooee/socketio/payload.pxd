from cpython.object cimport PyObject

cdef enum:
    # Of what a payload consists: what every encoder takes as it is ...
    PLAIN = 0
    # ... bytes, bytearrays and memoryviews ...
    BINARY = 1
    # ... and objects of other types, which have to be converted first.
    FOREIGN = 2


cdef int inspect(PyObject *value, int room) except -1
cdef object convert(object data, object enc_hook, tuple keep)
cdef object deconstruct(object value, list attachments, int room)
cdef object reconstruct(object value, list attachments)


cdef inline int check_room(int room) except -1:
    """Refuse to go down another level where there is no room for it."""
    if room <= 0:
        raise ValueError("data nested too deep, or within itself (max_depth)")
    return 0

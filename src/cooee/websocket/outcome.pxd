cdef class Outcome:
    cdef bint finished
    cdef object value
    cdef object error
    cdef list waiters
    cdef int finish(self, object value, object error) except -1


cdef class Done:
    pass


cdef Done DONE

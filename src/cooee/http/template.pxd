cdef class Template:
    cdef object response
    # What `head` begins with, before Date, and what follows it, for a `Server` of this name.
    cdef bytes begin
    cdef bytes rest
    cdef object server

    cdef object with_body(self, bytes body)
    cdef bytes fill(self, bytes body, object server)


cpdef bytes date_field(long long now)

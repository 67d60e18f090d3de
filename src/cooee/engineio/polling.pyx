"""The polling transport."""


cdef class Polling:
    """Filled in below."""

    cdef int wait(self, HttpConnection http, Request request, object on_disconnect) except -1:
        return 0

    cdef int answer(self, list packets, object cookie) except -1:
        return 0

    cdef object encode(self, list packets):
        return None

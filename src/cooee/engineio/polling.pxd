from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request


cdef class Polling:
    # What waits for an answer; both None while there is no poll.
    cdef HttpConnection http
    cdef Request request
    cdef readonly object server
    cdef readonly int protocol
    cdef readonly bint supports_binary
    cdef readonly bint jsonp

    cdef int wait(self, HttpConnection http, Request request, object on_disconnect) except -1
    cdef int answer(self, list packets, object cookie) except -1
    cdef object encode(self, list packets)

from cooee.engineio.answers cimport Answers
from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request


cdef class Polling:
    # What waits for an answer; both None while there is no poll.
    cdef HttpConnection http
    cdef Request request
    # What a POST is coming from.
    cdef HttpConnection posting
    cdef Answers answers
    cdef int protocol
    cdef bint supports_binary
    cdef bint jsonp
    # The session's id until the handshake has been answered.
    cdef str first

    cdef int wait(self, HttpConnection http, Request request, object on_disconnect) except -1
    cdef int drop(self) except -1
    cdef int answer(self, list packets) except -1
    cdef object encode(self, list packets)


cdef int check(object item, int protocol) except -1

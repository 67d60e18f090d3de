from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request


cdef class Answers:
    cdef object make_headers
    cdef bint constant
    cdef list listeners
    cdef object threshold
    # By type of content; made with the first answer of each.
    cdef dict templates

    cdef int ok(self, HttpConnection http, Request request) except -1
    cdef int payload(
        self,
        HttpConnection http,
        Request request,
        object payload,
        bint compressible,
        str first,
        bint jsonp,
    ) except -1
    cdef int send(
        self,
        HttpConnection http,
        Request request,
        str content_type,
        bytes body,
        str first,
        str coding,
    ) except -1

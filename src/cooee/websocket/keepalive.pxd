from cooee.reactor.core cimport Reactor
from cooee.reactor.timers cimport Timer


cdef class Keepalive:
    cdef readonly object members
    cdef Reactor reactor
    cdef Timer timer
    cdef int interval
    cdef int timeout
    cdef double period

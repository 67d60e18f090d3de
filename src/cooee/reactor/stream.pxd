from cooee.reactor.core cimport Handle, Reactor

cdef extern from "cooee/reactor/_outq.h":
    ctypedef struct cooee_block:
        cooee_block *next
        const unsigned char *data
        size_t len
    ctypedef struct cooee_outq:
        cooee_block *head
        cooee_block *tail
        size_t bytes
        unsigned long long sent
    unsigned char *cooee_outq_reserve(cooee_outq *queue, size_t n) except NULL
    int cooee_outq_refer(cooee_outq *queue, object owner, const void *data, size_t n) except -1
    int cooee_outq_share(cooee_outq *queue, object message) except -1
    int cooee_outq_own(cooee_outq *queue) except -1
    void cooee_outq_consume(cooee_outq *queue, size_t n)
    void cooee_outq_clear(cooee_outq *queue)


cdef class Protocol:
    cdef readonly Stream stream
    cdef int on_made(self) except -1
    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1
    cdef int on_direct(self, Py_ssize_t size) except -1
    cdef int on_eof(self) except -1
    cdef int on_lost(self, object exc) except -1
    cdef int on_drained(self) except -1


cdef class PyProtocol(Protocol):
    cdef object __weakref__


cdef class Stream(Handle):
    cdef Protocol handler
    cdef cooee_outq out
    # Where the next bytes are to go instead of the reactor's buffer; set by the protocol.
    cdef unsigned char *direct
    cdef Py_ssize_t direct_size
    cdef object error
    cdef object peer
    cdef unsigned char raw_peer[28]
    cdef unsigned char dirty
    # Set by the protocol: call on_drained when all is sent, even if nothing had to wait.
    cdef unsigned char tell_drained
    cdef unsigned char blocked
    cdef unsigned char paused
    cdef unsigned char is_closing
    cdef unsigned char ending
    cdef unsigned char finished
    cdef unsigned char ended

    cdef int switch(self, Protocol protocol) except -1
    cdef unsigned char *reserve(self, size_t size) except NULL
    cdef int refer(self, object owner, const void *data, size_t size) except -1
    cdef int share(self, bytes message) except -1
    cdef int touch(self) except -1
    cdef int receive(self) except -1
    cdef int lose(self, object exc) except -1
    cdef int update_interest(self) except -1
    cdef int fail(self) except -1
    cpdef close(self)
    cpdef abort(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef shutdown_write(self)


cdef class Listener(Handle):
    cdef object factory
    cdef int accepted(self, Stream stream, object sock, int fd) except -1


cdef class Attempt(Handle):
    cdef object callback
    # The outcome is known, and finish() about to be called with it.
    cdef bint decided

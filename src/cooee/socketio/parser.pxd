from cooee.socketio.packet cimport Packet


cdef class Encoder:
    cdef readonly int protocol
    cdef readonly int max_depth
    cdef object enc_hook

    cdef object write(self, Packet packet, str prefix, list attachments, bint text)
    cdef bytes body(self, Packet packet, list attachments)


cdef class Decoder:
    cdef readonly int protocol
    cdef readonly Py_ssize_t max_attachments
    cdef readonly Py_ssize_t max_namespace
    cdef readonly int max_depth
    # A packet whose attachments are arriving, and those that have.
    cdef Packet packet
    cdef list attachments
    cdef Py_ssize_t expected
    # The namespace seen last: most clients have one.
    cdef str namespace
    cdef bytes namespace_utf8

    cdef Packet take_text(self, const char *data, Py_ssize_t size)
    cdef Packet take_binary(self, bytes data)
    cdef object payload(self, int kind, const char *data, Py_ssize_t size)
    cdef str read_namespace(self, const char *data, Py_ssize_t size)
    cdef int fail(self, int code, str reason) except -1

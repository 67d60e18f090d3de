cdef class Prepared:
    cdef readonly object data
    cdef readonly tuple attachments
    cdef readonly bint compress
    # Bytes of data and attachments, with the overhead of queued messages.
    cdef readonly size_t size
    # As WebSocket frames, by protocol, and as packets of a protocol 4 payload; None until needed.
    cdef bytes frames_3
    cdef bytes frames_4
    cdef str part

    cdef bytes frames(self, int protocol)
    cdef bytes build(self, bint typed)
    cdef str payload_part(self)


cdef int check_separator(str text) except -1

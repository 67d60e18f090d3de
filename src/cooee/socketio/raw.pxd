from cooee.websocket.session cimport Session


cdef class RawMember:
    cdef readonly object namespace
    cdef readonly Session session
    cdef readonly str id
    cdef readonly bint connected
    # Volatile events that were dropped.
    cdef readonly Py_ssize_t dropped
    cdef object _message
    # What the session calls when it is closed: the same object, to be taken off again.
    cdef object _on_close


cdef class RawBroadcast:
    cdef dict members
    cdef object payload
    cdef bint volatile_
    # To how many it went.
    cdef readonly Py_ssize_t count
    # The function whose frame is at hand, and that frame; None for no message.
    cdef object message
    cdef bytes frame
    # The frames of the others, by function; None while there is one function.
    cdef dict frames

    cdef int deliver(self, object sid) except -1
    cdef bytes frame_of(self, object message)

cdef class Receiver:
    # A message: str or bytes.
    cdef int on_message(self, object data) except -1
    # A text message, with Engine.IO's "4" before it: the text begins at packet[1]. Calls
    # on_message(packet[1:]) unless overridden, which saves the copy.
    cdef int on_text(self, str packet) except -1
    # The session is over: the last call.
    cdef int on_close(self, str reason, object description) except -1
    # What had to wait has been sent.
    cdef int on_drain(self) except -1


cdef class PyReceiver(Receiver):
    pass

from cooee.websocket.connection cimport Connection
from cooee.websocket.outcome cimport Outcome


cdef class ClientReceiver:
    # A message: data[skip:]. Calls received() unless overridden.
    cdef int on_message(self, object data, Py_ssize_t skip) except -1


cdef class ClientSession:
    cdef public object state
    cdef ClientReceiver _receiver
    # Packets for a transport that cannot take them yet.
    cdef public list _buffer
    # The transport in use, if it takes messages at once.
    cdef readonly ClientWebSocket _websocket
    # What those wait for who await what they send.
    cdef Outcome draining

    # These return what may be awaited, None where there is no need to. Text is UTF-8 and has
    # Engine.IO's "4" before it.
    cdef object send_text(self, bytes packet)
    cdef object send_message(self, object data)
    cdef Outcome pressed(self)
    cdef int drained(self, object error) except -1
    cdef int deliver(self, object data, Py_ssize_t skip) except -1


cdef class ClientWebSocket(Connection):
    cdef object transport
    # Whose messages it carries; None before the session is there, while it is a candidate, and
    # after the end.
    cdef ClientSession session

    cdef object pressing(self)

"""
One Engine.IO session.
"""


cdef class Receiver:
    """What a session tells: C-level methods, all of which may be overridden."""

    cdef int on_message(self, object data) except -1:
        """A message: str or bytes."""
        return 0

    cdef int on_text(self, str packet) except -1:
        """A text message that begins at ``packet[1]``."""
        return self.on_message(packet[1:])

    cdef int on_close(self, str reason, object description) except -1:
        """The session is over: the last call."""
        return 0

    cdef int on_drain(self) except -1:
        """What had to wait has been sent."""
        return 0


cdef class PyReceiver(Receiver):
    """Base of receivers written in Python."""

    cdef int on_message(self, object data) except -1:
        self.message_received(data)
        return 0

    cdef int on_close(self, str reason, object description) except -1:
        self.session_closed(reason, description)
        return 0

    cdef int on_drain(self) except -1:
        self.writing_drained()
        return 0

    def message_received(self, data):
        """A message: ``str`` or ``bytes``."""

    def session_closed(self, reason, description):
        """
        The session is over: the last call.

        Args:
            reason: "transport close", "transport error", "ping timeout", "parse error" or
                "forced close".
            description: The exception behind it, or None.
        """

    def writing_drained(self):
        """What had to wait has been sent."""


cdef class SocketSettings:
    """Times and limits that sessions share."""


cdef class Socket(TransportOwner):
    """One session."""

    cpdef object send(self, object data, bint compress=True):
        return None

    cdef int send_text(self, bytes utf8, bint compress) except -1:
        return 0

    cpdef int send_prepared(self, Prepared message) except -1:
        return 0

    cdef size_t unsent(self) noexcept:
        return 0

    cdef bint is_writable(self) noexcept:
        return False

    cpdef object close(self, bint discard=False):
        return None

    cdef object pressure(self):
        return None

    cdef int packet(self, int kind, object data, bint compress) except -1:
        return 0

    cdef int enqueue(self, object item, size_t size) except -1:
        return 0

    cdef int flush(self) except -1:
        return 0

    cdef int received(self, int kind, object data) except -1:
        return 0

    cdef int probe(self, object data) except -1:
        return 0

    cdef int take_over(self) except -1:
        return 0

    cdef int drop_candidate(self) except -1:
        return 0

    cdef int close_transport(self) except -1:
        return 0

    cdef int end(self, str reason, object description) except -1:
        return 0

    cdef int set_heartbeat(self, double delay) except -1:
        return 0

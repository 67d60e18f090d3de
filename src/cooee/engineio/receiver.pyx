"""Who is told of what comes to a session."""


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

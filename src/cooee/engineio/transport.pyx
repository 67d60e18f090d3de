"""The WebSocket transport."""


cdef class TransportOwner:
    """Who is told of what happens to a transport: a :class:`cooee.engineio.Socket`."""

    cdef int from_websocket(self, WebSocketTransport transport, object data) except -1:
        """A message came."""
        return 0

    cdef int websocket_lost(
        self, WebSocketTransport transport, str reason, object description
    ) except -1:
        """The transport is closed or about to: its last call."""
        return 0

    cdef int websocket_drained(self, WebSocketTransport transport) except -1:
        """What had to wait has been sent."""
        return 0


cdef class WebSocketTransport(Connection):
    """Filled in below."""

    cdef int write_text(
        self, unsigned char digit, object owner, const char *text, Py_ssize_t size
    ) except -1:
        return 0

    cdef int write_binary(self, bytes data, int protocol, bint supports_binary) except -1:
        return 0

    cdef int write_packet(self, int kind, object data, int protocol, bint supports_binary) except -1:
        return 0

    cdef int write_prepared(self, Prepared message, int protocol, bint supports_binary) except -1:
        return 0

    cdef int leave(self, str reason, object description) except -1:
        return 0

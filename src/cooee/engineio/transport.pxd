from cooee.engineio.prepared cimport Prepared
from cooee.websocket.connection cimport Connection


cdef class TransportOwner:
    cdef int from_websocket(self, WebSocketTransport transport, object data) except -1
    cdef int websocket_lost(
        self, WebSocketTransport transport, str reason, object description
    ) except -1
    cdef int websocket_drained(self, WebSocketTransport transport) except -1


cdef class WebSocketTransport(Connection):
    cdef TransportOwner owner
    cdef object server
    cdef object opened

    cdef int write_text(
        self, unsigned char digit, object source, const char *text, Py_ssize_t size
    ) except -1
    cdef int write_binary(self, bytes data, int protocol, bint supports_binary) except -1
    cdef int write_packet(self, int kind, object data, int protocol, bint supports_binary) except -1
    cdef int write_prepared(self, Prepared message, int protocol, bint supports_binary) except -1
    cdef int shut_down(self) except -1
    cdef int leave(self, str reason, object description) except -1

"""
The WebSocket transport: packets in WebSocket messages, one in each.

An incoming message goes from the socket's buffer into one ``str`` or ``bytes``, and to its owner in
C; an outgoing one from its ``str`` into the stream's queue, the packet type written before it.
"""

from binascii import b2a_base64

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from cooee.engineio.prepared cimport Prepared
from cooee.protocol.frames cimport BINARY, FIN, TEXT, header_size, write_header
from cooee.reactor.stream cimport Stream
from cooee.websocket.connection cimport OPEN, Connection, Settings

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    # The packet type MESSAGE, as the first byte of protocol 3's binary packets.
    MESSAGE = 4
    ZERO = c"0"
    # From here on a payload is referred to rather than copied into the queue.
    SMALL = 4096


cdef class TransportOwner:
    """Who is told of what happens to a transport: a :class:`cooee.engineio.Socket`."""

    cdef int from_websocket(self, WebSocketTransport transport, object data) except -1:
        """A message came: str or bytes."""
        return 0

    cdef int websocket_lost(
        self, WebSocketTransport transport, str reason, object description
    ) except -1:
        """The transport has closed, or is about to; the last call."""
        return 0

    cdef int websocket_drained(self, WebSocketTransport transport) except -1:
        """What had to wait has been sent."""
        return 0


cdef class WebSocketTransport(Connection):
    """
    A WebSocket that carries packets.

    Args:
        settings: Its limits.
        server: Told by ``admit(transport)`` and ``release(transport)`` when it is there and gone.
        opened: Called with it, once the opening handshake is over.
    """

    def __init__(self, Settings settings not None, server, opened):
        self.prepare(settings, True)
        self.server = server
        self.opened = opened

    def connection_made(self):
        """The opening handshake is over and the stream ours."""
        opened = self.opened
        self.opened = None
        self.establish()
        self.server.admit(self)
        opened(self)

    def close(self):
        """Start the closing handshake, without a code. Idempotent."""
        self.shut_down()

    # Sent

    cdef int write_text(
        self, unsigned char digit, object source, const char *text, Py_ssize_t size
    ) except -1:
        """Queue a packet of text: its type's digit, and data that lie in `source`."""
        cdef Stream stream = self.stream
        cdef unsigned char *to
        cdef int header
        if self.state != OPEN or stream.is_closing or stream.ending:
            return 0
        header = header_size(size + 1, False)
        if size <= SMALL:
            to = stream.reserve(header + 1 + size)
            memcpy(to + header + 1, text, size)
        else:
            to = stream.reserve(header + 1)
        write_header(to, TEXT | FIN, size + 1, NULL)
        to[header] = digit
        if size > SMALL:
            return stream.refer(source, text, size)
        return stream.touch()

    cdef int write_binary(self, bytes data, int protocol, bint supports_binary) except -1:
        """Queue a MESSAGE of bytes."""
        cdef Stream stream = self.stream
        cdef unsigned char *to
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef bytes text
        cdef int header
        if self.state != OPEN or stream.is_closing or stream.ending:
            return 0
        if not supports_binary:
            # Only protocol 3's clients can say so.
            text = b"4" + b2a_base64(data, newline=False)
            return self.write_text(c"b", text, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        if protocol == 4:
            return self.write_frame(BINARY | FIN, data, PyBytes_AS_STRING(data), size)
        header = header_size(size + 1, False)
        to = stream.reserve(header + 1)
        write_header(to, BINARY | FIN, size + 1, NULL)
        to[header] = MESSAGE
        return stream.refer(data, PyBytes_AS_STRING(data), size)

    cdef int write_packet(
        self, int kind, object data, int protocol, bint supports_binary
    ) except -1:
        """Queue a packet of any type; its data are str or bytes."""
        cdef Py_ssize_t size
        cdef const char *text
        if type(data) is bytes:
            return self.write_binary(data, protocol, supports_binary)
        text = PyUnicode_AsUTF8AndSize(data, &size)
        return self.write_text(ZERO + kind, data, text, size)

    cdef int write_prepared(self, Prepared message, int protocol, bint supports_binary) except -1:
        """Queue a prepared message with its attachments."""
        cdef Stream stream = self.stream
        if self.state != OPEN:
            return 0
        if not supports_binary:
            for data in (message.data, *message.attachments):
                self.write_packet(MESSAGE, data, protocol, False)
            return 0
        return stream.share(message.frames(protocol))

    cdef int shut_down(self) except -1:
        return self.start_closing(None, "")

    cdef int send_close(self, object code, str reason) except -1:
        # Node gives none, and a reason of ours would tell peers what only the log should say.
        return Connection.send_close(self, code, "")

    # From the connection

    cdef int leave(self, str reason, object description) except -1:
        """Tell the owner, once, that this is over."""
        cdef TransportOwner owner = self.owner
        self.owner = None
        if owner is not None:
            owner.websocket_lost(self, reason, description)
        return 0

    cdef int got_message(self, object data) except -1:
        if self.owner is not None:
            self.owner.from_websocket(self, data)
        return 0

    cdef int got_drained(self) except -1:
        if self.owner is not None:
            self.owner.websocket_drained(self)
        return 0

    cdef int got_close(self) except -1:
        return self.leave("transport close", None)

    cdef int got_error(self, object exc) except -1:
        return self.leave("transport error", exc)

    cdef int got_lost(self) except -1:
        self.server.release(self)
        if self.failed:
            return self.leave("transport error", self.closed_error())
        return self.leave("transport close", None)

    cdef int handler_raised(self, object exc) except -1:
        Connection.handler_raised(self, exc)
        if self.failed:
            self.leave("transport error", exc)
        return 0

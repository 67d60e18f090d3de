"""What a session sends, over either transport, and what waits to be sent."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from cooee.engineio.polling cimport check
from cooee.engineio.prepared cimport Prepared
from cooee.engineio.transport cimport TransportOwner
from cooee.websocket.connection cimport MESSAGE_OVERHEAD, Settings
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.engineio.errors import TransportError

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    DIGIT_4 = c"4"


cdef class SocketSettings:
    """
    Times and limits that sessions share.

    Args:
        ping_interval: Seconds from one heartbeat to the next.
        ping_timeout: Seconds that the client has to answer it.
        upgrade_timeout: Seconds that the change to WebSocket may take.
        websocket: Limits of the WebSockets. ``high_water`` and ``max_buffered`` hold for what waits
            for a poll too.
    """

    def __init__(
        self,
        *,
        double ping_interval,
        double ping_timeout,
        double upgrade_timeout,
        Settings websocket not None,
    ):
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.upgrade_timeout = upgrade_timeout
        self.websocket = websocket


cdef class Outbox(TransportOwner):
    """
    The half of a :class:`Socket` that sends.

    Attributes:
        protocol: 4 or 3.
        receiver: The :class:`Receiver` of what comes, to be assigned when the session is made
            known. Without one, messages are dropped.
    """

    @property
    def buffered_amount(self):
        """Bytes that wait to be sent, with their overhead."""
        return self.unsent()

    @property
    def writable(self):
        """Whether nothing waits to be sent and, with polling, a poll waits."""
        return self.is_writable()

    cpdef object send(self, object data, bint compress=True):
        """
        Send a message: ``str`` as text, bytes-like as binary.

        Does nothing when the session is not open. The result may be awaited, and is done at once
        unless more than ``high_water`` bytes are waiting; or ignored.

        Args:
            compress: Whether it may be compressed on its way.

        Raises:
            TypeError: For other types.
            UnicodeEncodeError: For text with lone surrogates, which UTF-8 cannot express.
            ValueError: For text with U+001E, while polling in protocol 4.
        """
        cdef const char *text
        cdef Py_ssize_t size
        if type(data) is not str and type(data) is not bytes:
            if isinstance(data, str):
                data = str(data)
            elif isinstance(data, (bytes, bytearray, memoryview)):
                data = bytes(data)
            else:
                raise TypeError(
                    f"a message is str, bytes, bytearray or memoryview, not {type(data).__name__}"
                )
        if self.state != OPEN:
            return DONE
        if self.websocket is not None and type(data) is str:
            text = PyUnicode_AsUTF8AndSize(data, &size)
            self.websocket.write_text(DIGIT_4, data, text, size)
            self.check_unsent()
        else:
            self.packet(MESSAGE, data, compress)
        return self.pressure()

    cdef int send_text(self, bytes utf8, bint compress) except -1:
        if self.state != OPEN:
            return 0
        if self.websocket is None:
            return self.packet(MESSAGE, utf8.decode(), compress)
        self.websocket.write_text(
            DIGIT_4, utf8, PyBytes_AS_STRING(utf8), PyBytes_GET_SIZE(utf8)
        )
        return self.check_unsent()

    cpdef int send_prepared(self, Prepared message) except -1:
        """
        Send a message that others get too. Does nothing when the session is not open.

        Raises:
            ValueError: For text with U+001E, while polling in protocol 4.
        """
        if self.state != OPEN:
            return 0
        if self.websocket is None:
            return self.enqueue(message, message.size)
        self.websocket.write_prepared(message, self.protocol, self.supports_binary)
        return self.check_unsent()

    cdef int packet(self, int kind, object data, bint compress) except -1:
        cdef Py_ssize_t size
        if self.state != OPEN:
            return 0
        if self.websocket is not None:
            self.websocket.write_packet(kind, data, self.protocol, self.supports_binary)
            return self.check_unsent()
        if type(data) is bytes:
            size = PyBytes_GET_SIZE(data)
        else:
            PyUnicode_AsUTF8AndSize(data, &size)
        return self.enqueue((kind, data, compress), size + MESSAGE_OVERHEAD)

    cdef int enqueue(self, object item, size_t size) except -1:
        """Have an item wait for a poll, or answer the one that waits."""
        check(item, self.protocol)
        if self.queue is None:
            self.queue = []
        self.queue.append(item)
        self.queued += size
        self.flush()
        return self.check_unsent()

    cdef size_t unsent(self) noexcept:
        if self.websocket is None:
            return self.queued
        return self.websocket.stream.out.bytes

    cdef bint is_writable(self) noexcept:
        if self.state != OPEN:
            return False
        if self.websocket is None:
            return self.polling.http is not None and not self.queued
        return self.websocket.stream.out.bytes == 0

    cdef object pressure(self):
        cdef size_t waiting = self.unsent()
        if waiting <= self.settings.websocket.high_water or self.state != OPEN:
            return DONE
        if self.draining is None:
            self.draining = Outcome()
            if self.websocket is not None:
                self.websocket.stream.tell_drained = True
        return self.draining

    cdef int check_unsent(self) except -1:
        """Give a client up that takes its messages too slowly, or has stopped polling."""
        cdef size_t waiting = self.unsent()
        if waiting <= self.settings.websocket.max_buffered:
            return 0
        if self.websocket is not None:
            # Comes back as the loss of the transport.
            self.websocket.drop_if_slow()
        elif self.state != CLOSED:
            # Later, for the sender may be in the middle of a broadcast.
            self.state = CLOSING
            self.queue = None
            self.queued = 0
            self.reactor.call_soon(
                self.end_later,
                "transport error",
                TransportError(
                    f"{waiting} bytes wait for a poll, "
                    f"at most {self.settings.websocket.max_buffered}"
                ),
            )
        return 0

    cdef int cork(self) except -1:
        self.corked = True
        return 0

    cdef int uncork(self) except -1:
        self.corked = False
        if self.owes_drain:
            self.owes_drain = False
            return self.drained()
        return self.flush()

    cdef int flush(self) except -1:
        """Answer the waiting poll with what is queued, if both are there."""
        cdef list queue = self.queue
        if self.polling is None or self.polling.http is None or not queue or self.corked:
            return 0
        self.queue = None
        self.queued = 0
        self.polling.answer(queue)
        if self.closing == AFTER_QUEUE:
            return self.close_transport(False)
        return self.drained()

    cdef int drained(self) except -1:
        cdef Outcome draining = self.draining
        if self.corked:
            self.owes_drain = True
            return 0
        if draining is not None:
            self.draining = None
            draining.finish(None, None)
            self.reactor.woke_tasks = True
        if self.receiver is not None and self.state == OPEN:
            self.receiver.on_drain()
        return 0

    # For the other half

    cdef int close_transport(self, bint discard) except -1:
        """Everything has been sent: close."""
        raise NotImplementedError

    cdef int end(self, str reason, object description) except -1:
        """The session is over."""
        raise NotImplementedError

    def end_later(self, reason, description):
        self.end(reason, description)

from libc.stdint cimport uint8_t

from cooee.engineio.polling cimport Polling
from cooee.engineio.prepared cimport Prepared
from cooee.engineio.receiver cimport Receiver
from cooee.engineio.transport cimport TransportOwner, WebSocketTransport
from cooee.reactor.core cimport Reactor
from cooee.websocket.connection cimport Settings
from cooee.websocket.outcome cimport Outcome

# Packet types; the enumeration is cooee.engineio.PacketType.
cdef enum:
    OPEN_PACKET = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6

# Outbox.state
cdef enum:
    OPENING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3

# Outbox.closing, what close() waits for: the queue to be sent, and then a poll to carry the CLOSE
# packet.
cdef enum:
    NOT_CLOSING = 0
    AFTER_QUEUE = 1
    WITH_POLL = 2


cdef class SocketSettings:
    cdef readonly double ping_interval
    cdef readonly double ping_timeout
    cdef readonly double upgrade_timeout
    cdef readonly Settings websocket


cdef class Outbox(TransportOwner):
    # 3 or 4
    cdef readonly int protocol
    cdef public Receiver receiver
    cdef uint8_t state
    cdef uint8_t supports_binary
    # A ping is unanswered; its time limit has been extended once.
    cdef uint8_t awaiting_pong
    cdef uint8_t extended
    cdef uint8_t closing
    # Between cork() and uncork(); what had to wait was sent meanwhile.
    cdef uint8_t corked
    cdef uint8_t owes_drain
    cdef Reactor reactor
    cdef SocketSettings settings
    # The transport in use is one of these; the other is None.
    cdef WebSocketTransport websocket
    cdef Polling polling
    # What waits for a poll: (type, data, compress) or Prepared; None or empty for nothing.
    cdef list queue
    cdef size_t queued
    cdef Outcome draining

    # Messages. These do nothing when the session is not open; `compress` allows compression.
    cpdef object send(self, object data, bint compress=*)
    # Text that is UTF-8 already; for `send`'s result call `pressure`.
    cdef int send_text(self, bytes utf8, bint compress) except -1
    # One encoding for many recipients.
    cpdef int send_prepared(self, Prepared message) except -1
    # Around messages that belong together: no others come between, nobody is told of a drain.
    cdef int cork(self) except -1
    cdef int uncork(self) except -1
    # What a sender may await: done at once unless more than `high_water` bytes wait.
    cdef object pressure(self)
    # Bytes that wait to be sent.
    cdef size_t unsent(self) noexcept
    # Nothing waits to be sent and, with polling, a poll waits: for what may be dropped otherwise.
    cdef bint is_writable(self) noexcept

    cdef int packet(self, int kind, object data, bint compress) except -1
    cdef int enqueue(self, object item, size_t size) except -1
    cdef int check_unsent(self) except -1
    cdef int flush(self) except -1
    cdef int drained(self) except -1
    # To be overridden.
    cdef int close_transport(self, bint discard) except -1
    cdef int end(self, str reason, object description) except -1

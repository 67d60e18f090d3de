"""
What the layer above builds on.

A :class:`Socket` is one session, whatever transport carries it. It calls its `receiver`; to send,
call ``send``, ``send_text`` or ``send_prepared``.
"""

from libc.stdint cimport uint8_t

from cooee.engineio.polling cimport Polling
from cooee.engineio.prepared cimport Prepared
from cooee.engineio.transport cimport TransportOwner, WebSocketTransport
from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request
from cooee.reactor.core cimport Reactor
from cooee.reactor.timers cimport Timer
from cooee.websocket.connection cimport Settings
from cooee.websocket.outcome cimport Outcome

# Socket.state
cdef enum:
    OPENING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


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


cdef class SocketSettings:
    cdef readonly double ping_interval
    cdef readonly double ping_timeout
    cdef readonly double upgrade_timeout
    cdef readonly Settings websocket


cdef class Socket(TransportOwner):
    cdef readonly str sid
    cdef readonly Request request
    # 3 or 4
    cdef readonly int protocol
    cdef readonly object server
    cdef public Receiver receiver
    cdef uint8_t state
    cdef uint8_t supports_binary
    # A ping is unanswered; its time limit has been extended once.
    cdef uint8_t awaiting_pong
    cdef uint8_t extended
    # What close() waits for: see Closing.
    cdef uint8_t closing
    cdef Reactor reactor
    cdef SocketSettings settings
    # The transport in use is one of these; the other is None.
    cdef WebSocketTransport websocket
    cdef Polling polling
    # A WebSocket that is being probed.
    cdef WebSocketTransport candidate
    # What waits for a poll: (type, data, compress) or Prepared; None or empty for nothing.
    cdef list queue
    cdef size_t queued
    cdef Timer heartbeat
    cdef Timer upgrade_timer
    cdef Timer check_timer
    cdef Timer close_timer
    cdef Outcome draining

    # Messages. These do nothing when the session is not open; `compress` allows compression.
    cpdef object send(self, object data, bint compress=*)
    # Text that is UTF-8 already; for `send`'s result call `pressure`.
    cdef int send_text(self, bytes utf8, bint compress) except -1
    # One encoding for many recipients.
    cpdef int send_prepared(self, Prepared message) except -1
    # What a sender may await: done at once unless more than `high_water` bytes wait.
    cdef object pressure(self)
    # Bytes that wait to be sent.
    cdef size_t unsent(self) noexcept
    # Nothing waits to be sent and, with polling, a poll waits: for what may be dropped otherwise.
    cdef bint is_writable(self) noexcept
    cpdef object close(self, bint discard=*)

    cdef int begin(self, list upgrades) except -1
    cdef int packet(self, int kind, object data, bint compress) except -1
    cdef int enqueue(self, object item, size_t size) except -1
    cdef int check_unsent(self) except -1
    cdef int flush(self) except -1
    cdef int drained(self) except -1
    cdef int received(self, int kind, object data) except -1
    cdef int extend(self) except -1
    cdef int probe(self, object data) except -1
    cdef int take_over(self) except -1
    cdef int drop_candidate(self) except -1
    cdef int close_transport(self, bint discard) except -1
    cdef int end(self, str reason, object description) except -1
    # What Polls and the server call for requests.
    cdef int poll(self, HttpConnection http, Request request) except -1
    cpdef bint announce_post(self, HttpConnection http) except -1
    cdef object post(self, bytes body, bint binary, object max_http_buffer_size)
    cpdef bint expire(self) except -1

    cdef int unpack(self, str payload) except -1
    cdef bint from_post(self, int kind, object data) except -1
    cdef int got_text(self, str packet) except -1
    cdef int set_heartbeat(self, double delay) except -1

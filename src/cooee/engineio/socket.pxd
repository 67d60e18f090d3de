"""
What the layer above builds on.

A :class:`Socket` is one session, whatever transport carries it. It calls its `receiver`; to send,
call ``send``, ``send_text`` or ``send_prepared`` (``outbox.pxd``).
"""

from cooee.engineio.outbox cimport CLOSED, CLOSING, OPEN, OPENING, Outbox, SocketSettings
from cooee.engineio.receiver cimport PyReceiver, Receiver
from cooee.engineio.transport cimport WebSocketTransport
from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request
from cooee.reactor.timers cimport Timer


cdef class Socket(Outbox):
    cdef readonly str sid
    cdef readonly Request request
    cdef readonly object server
    # A WebSocket that is being probed.
    cdef WebSocketTransport candidate
    cdef Timer heartbeat
    cdef Timer upgrade_timer
    cdef Timer check_timer
    cdef Timer close_timer

    cpdef object close(self, bint discard=*)

    # What Polls and the server call for requests.
    cdef int poll(self, HttpConnection http, Request request) except -1
    cpdef bint announce_post(self, HttpConnection http) except -1
    cdef object post(self, bytes body, bint binary, object max_http_buffer_size)
    cpdef bint expire(self) except -1

    cdef int begin(self, list upgrades) except -1
    cdef int received(self, int kind, object data) except -1
    cdef int got_text(self, str packet) except -1
    cdef int unpack(self, str payload) except -1
    cdef bint from_post(self, int kind, object data) except -1
    cdef int set_heartbeat(self, double delay) except -1
    cdef int extend(self) except -1
    cdef int probe(self, object data) except -1
    cdef int take_over(self) except -1
    cdef int drop_candidate(self) except -1

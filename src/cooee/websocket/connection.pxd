from libc.stdint cimport uint8_t, uint64_t

from cooee.protocol.decoder cimport decoder_t
from cooee.reactor.stream cimport Protocol
from cooee.reactor.timers cimport Timer
from cooee.websocket.outcome cimport Outcome

cdef enum:
    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3

# Why nothing is parsed: the application asked for it, or its queue is full.
cdef enum:
    HELD_BY_USER = 1
    HELD_BY_QUEUE = 2


# What a queued message costs besides its content, in bytes.
cdef enum:
    MESSAGE_OVERHEAD = 64


cdef class Settings:
    cdef readonly object max_message_size
    cdef readonly double close_timeout
    cdef readonly double ping_interval
    cdef readonly double ping_timeout
    cdef readonly size_t high_water
    cdef readonly size_t max_buffered
    cdef readonly size_t max_queue


cdef class Connection(Protocol):
    cdef decoder_t decoder
    cdef Settings settings
    cdef uint8_t state
    cdef uint8_t server
    cdef uint8_t close_sent
    cdef uint8_t close_received
    cdef uint8_t failed
    cdef uint8_t parsing
    # Whether anything came since the keepalive looked last, and how often it did not.
    cdef uint8_t heard
    cdef uint8_t held
    cdef unsigned short silent
    cdef unsigned short code
    cdef unsigned short sent_code
    cdef size_t unsent
    cdef object reason
    cdef object sent_reason
    # Received but not parsed, while held.
    cdef bytes rest
    cdef Timer close_timer
    cdef dict pings
    cdef double latency_seconds
    cdef Outcome draining
    cdef Outcome ended

    cdef int prepare(self, Settings settings, bint server) except -1
    cdef int establish(self) except -1
    cdef int parse(self, unsigned char *at, unsigned char *end, size_t filled) except -1
    cdef int broken(self, object exc) except -1
    cdef int hold(self, uint8_t why) except -1
    cdef int unhold(self, uint8_t why) except -1
    cdef int close_frame(self, int code, str reason) except -1
    cdef int answered(self, bytes payload) except -1
    cdef int write_frame(
        self, uint8_t first, object owner, const void *data, size_t size
    ) except -1
    cdef int write_control(self, uint8_t opcode, bytes payload) except -1
    cdef bint drop_if_slow(self) except -1
    cdef int write_message(self, object data) except -1
    cdef object pressure(self)
    cdef Outcome outcome(self)
    cdef int start_closing(self, object code, str reason) except -1
    cdef int fail(self, int code, str reason) except -1
    cdef int send_close(self, object code, str reason) except -1
    cdef int start_close_timer(self, double seconds) except -1
    cdef int send_ping(self, bytes payload, Outcome outcome) except -1
    cdef int tick(self, int interval, int timeout) except -1
    cdef object closed_error(self)
    cdef object not_open(self)

    cdef int got_message(self, object data) except -1
    cdef int got_ping(self, bytes data) except -1
    cdef int got_pong(self, bytes data) except -1
    cdef int got_close(self) except -1
    cdef int got_error(self, object exc) except -1
    cdef int got_drained(self) except -1
    cdef int got_lost(self) except -1
    cdef int handler_raised(self, object exc) except -1

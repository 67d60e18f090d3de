"""
A WebSocket connection after its opening handshake, for both roles (RFC 6455 §5 to §7).

It turns the stream's bytes into calls of the ``got_`` methods, which a session or the browser's
class overrides, and writes frames. Lifecycle: CONNECTING until :meth:`establish`, OPEN, CLOSING
from the first Close frame sent or received or from a failure, CLOSED when the stream is gone.
"""

import logging
import os
import sys
from math import inf

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from cooee.protocol.decoder cimport (
    NEED_MORE,
    decoder_filled,
    decoder_free,
    decoder_init,
    decoder_next,
    decoder_room,
)
from cooee.protocol.frames cimport (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXT,
    cooee_mask,
    header_size,
    write_header,
)
from cooee.reactor.stream cimport Stream
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.protocol.close import build_close_payload, truncate_reason
from cooee.protocol.errors import ConnectionClosed, InvalidStateError, ProtocolError

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

logger = logging.getLogger("cooee.websocket")

cdef enum:
    # From here on a payload is referred to rather than copied into the queue.
    SMALL = 4096
    # Below this the rest of a message is received with its neighbours, not by itself.
    DIRECT = 4096
    KEYS = 4096

# Seconds for the peer to read the Close frame of a failed connection.
cdef double LINGER = 2.0

# RFC 6455 §10.3: masking keys come from a source that peers cannot predict; in batches, since
# asking for four bytes costs as much as asking for thousands.
cdef bytes keys = b""
cdef Py_ssize_t next_key = KEYS


def forget_keys():
    """In a forked child: a key of which the parent's peers see the twin can be predicted."""
    global next_key
    next_key = KEYS


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_keys)


cdef const unsigned char *masking_key() except NULL:
    global keys, next_key
    if next_key >= KEYS:
        keys = os.urandom(KEYS)
        next_key = 0
    next_key += 4
    return <const unsigned char *> PyBytes_AS_STRING(keys) + next_key - 4


cdef class Settings:
    """
    Limits and times that connections share.

    Args:
        max_message_size: Bytes in a received message, over all its fragments; a larger one fails
            the connection with 1009. None for no limit. 1 MiB by default, as websockets has;
            ws has 100 MiB, aiohttp 4 MiB, Bun 16 MB.
        close_timeout: Seconds for the peer to answer a Close frame, then the connection is cut.
        ping_interval: Seconds of silence after which a Ping is sent; 0 for never.
        ping_timeout: Seconds of silence after that Ping until the connection is failed with 1011;
            0 for never. Any byte received counts as an answer, and time during which this process
            did not get to look does not count.
        high_water: Bytes waiting to be sent above which awaiting ``send`` waits.
        max_buffered: Bytes waiting to be sent above which a slow peer is cut off, with 1008.
        max_queue: Bytes of received messages that wait to be taken by ``recv``, each counted with
            64 bytes of overhead; above, reading pauses.

    Raises:
        TypeError: One is no number.
        ValueError: One is negative, or a number of bytes that there cannot be.
    """

    def __init__(
        self,
        *,
        max_message_size=1024 * 1024,
        close_timeout=10.0,
        ping_interval=20.0,
        ping_timeout=20.0,
        high_water=64 * 1024,
        max_buffered=64 * 1024 * 1024,
        max_queue=256 * 1024,
    ):
        for name, value, most in (
            ("max_message_size", 0 if max_message_size is None else max_message_size, sys.maxsize),
            ("close_timeout", close_timeout, inf),
            ("ping_interval", 0 if ping_interval is None else ping_interval, inf),
            ("ping_timeout", 0 if ping_timeout is None else ping_timeout, inf),
            ("high_water", high_water, sys.maxsize),
            ("max_buffered", max_buffered, sys.maxsize),
            ("max_queue", max_queue, sys.maxsize),
        ):
            if not isinstance(value, (int, float)):
                raise TypeError(f"{name} is {value!r}, must be a number")
            if value < 0:
                raise ValueError(f"{name} is {value!r}, must not be negative")
            # Also what is not a number.
            if not value <= most:
                raise ValueError(f"{name} is {value!r}, must be at most {most}")
        self.max_message_size = None if max_message_size is None else int(max_message_size)
        self.close_timeout = close_timeout
        self.ping_interval = ping_interval or 0
        self.ping_timeout = ping_timeout or 0
        self.high_water = high_water
        self.max_buffered = max_buffered
        self.max_queue = max_queue


cdef class Connection(Protocol):
    """
    What sessions and the browser's class have in common.

    Attributes:
        stream: The :class:`cooee.reactor.Stream` beneath; None before there is one.
    """

    def __cinit__(self):
        self.code = 1006
        self.reason = ""
        self.latency_seconds = -1

    def __dealloc__(self):
        decoder_free(&self.decoder)

    cdef int prepare(self, Settings settings, bint server) except -1:
        self.settings = settings
        self.server = server
        decoder_init(
            &self.decoder,
            server,
            <uint64_t> -1 if settings.max_message_size is None else settings.max_message_size,
        )
        return 0

    cdef int establish(self) except -1:
        """The opening handshake is over and the stream ours."""
        self.state = OPEN
        self.heard = True
        return 0

    @property
    def ready_state(self):
        """CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3), as in the browser."""
        return self.state

    @property
    def buffered_amount(self):
        """Bytes, framing included, that the operating system has not taken yet."""
        return self.stream.out.bytes if self.stream is not None else 0

    @property
    def latency(self):
        """Seconds that the last answered Ping took to come back; None before the first."""
        return self.latency_seconds if self.latency_seconds >= 0 else None

    # Received

    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1:
        return self.parse(data, data + size, 0)

    cdef int on_direct(self, Py_ssize_t size) except -1:
        return self.parse(NULL, NULL, size)

    def feed(self, bytes data):
        """Bytes that came with the opening handshake."""
        # Ours alone: unmasking in place must not show elsewhere.
        cdef bytes copy = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), len(data))
        cdef unsigned char *at = <unsigned char *> PyBytes_AS_STRING(copy)
        self.parse(at, at + len(copy), 0)

    cdef int parse(self, unsigned char *at, unsigned char *end, size_t filled) except -1:
        """Take the bytes, and `filled` ones that were received into the message itself."""
        cdef PyObject *out = NULL
        cdef unsigned char *where = NULL
        cdef Py_ssize_t room
        cdef int kind
        cdef bint calling = False
        cdef Stream stream = self.stream
        self.heard = True
        if self.failed or self.state == CLOSED:
            return 0
        # Set after an earlier part of this same read, it may point into a message that is about to
        # be moved, filled further or handed over.
        stream.direct_size = 0
        if self.rest is not None and not filled:
            # The other part of a read in which a handler was interrupted.
            self.rest += at[:end - at]
            return 0
        self.parsing = True
        while True:
            try:
                if filled:
                    decoder_filled(&self.decoder, filled)
                    filled = 0
                while True:
                    if self.held:
                        self.rest = at[:end - at]
                        break
                    kind = decoder_next(&self.decoder, &at, end, &out)
                    if kind == NEED_MORE:
                        break
                    item = <object> out
                    Py_DECREF(item)
                    calling = True
                    if kind <= BINARY:
                        self.got_message(item)
                    elif kind == PING:
                        if self.state == OPEN:
                            self.write_control(PONG, item)
                            self.drop_if_slow()
                        self.got_ping(item)
                    elif kind == PONG:
                        self.answered(item)
                        self.got_pong(item)
                    else:
                        self.close_frame(self.decoder.close_code, item)
                    calling = False
                    item = None
                    if self.failed or stream.fd < 0:
                        break
            except Exception as exc:
                if calling:
                    calling = False
                    self.handler_raised(exc)
                    if not self.failed and stream.fd >= 0:
                        # It met another connection's end: here more may be waiting.
                        continue
                else:
                    self.parsing = False
                    if not isinstance(exc, ProtocolError):
                        raise
                    self.broken(exc)
            except BaseException:
                # Ctrl-C in a handler. What follows comes when the reactor runs again.
                self.parsing = False
                self.rest = at[:end - at]
                stream.pause_reading()
                stream.reactor.call_soon(self.parse_rest)
                raise
            break
        self.parsing = False
        if stream.paused and self.held == 0 and self.rest is None:
            stream.resume_reading()
        if self.decoder.in_payload and not self.held and not self.failed:
            room = decoder_room(&self.decoder, &where)
            if room >= DIRECT:
                stream.direct = where
                stream.direct_size = room
        return 0

    cdef int broken(self, object exc) except -1:
        """The peer broke the protocol."""
        self.fail(exc.code, exc.reason)
        try:
            self.got_error(exc)
        except Exception as raised:
            self.handler_raised(raised)
        return 0

    cdef int hold(self, uint8_t why) except -1:
        """Parse and receive nothing more for now."""
        self.held |= why
        self.stream.pause_reading()
        return 0

    cdef int unhold(self, uint8_t why) except -1:
        if not self.held & why:
            return 0
        self.held &= ~why
        if self.held == 0 and not self.parsing:
            if self.rest is None:
                self.stream.resume_reading()
            else:
                self.stream.reactor.call_soon(self.parse_rest)
        return 0

    def parse_rest(self):
        cdef bytes rest = self.rest
        cdef unsigned char *at
        if self.held or rest is None:
            return
        self.rest = None
        at = <unsigned char *> PyBytes_AS_STRING(rest)
        try:
            self.parse(at, at + len(rest), 0)
        except Exception:
            # Out of memory: what was taken of these bytes is lost.
            self.stream.abort()
            raise

    cdef int close_frame(self, int code, str reason) except -1:
        """A Close frame came: the only one, since the decoder ignores what follows."""
        self.close_received = True
        self.code = code
        self.reason = reason
        if not self.close_sent:
            # RFC 6455 §5.5.1: answer with the code received.
            self.send_close(None if code == 1005 else code, "")
        self.state = CLOSING
        self.got_close()
        if self.server:
            self.stream.close()
        # §7.1.1: a client waits for the server to close, but not for ever.
        self.start_close_timer(self.settings.close_timeout)
        return 0

    cdef int answered(self, bytes payload) except -1:
        """A Pong came: it answers the Ping of that payload and all before it (§5.5.3)."""
        cdef Outcome outcome
        cdef double now = self.stream.reactor.clock()
        if self.pings is None or payload not in self.pings:
            return 0
        for sent in list(self.pings):
            outcome, when = self.pings.pop(sent)
            self.latency_seconds = now - when
            if outcome is not None:
                outcome.finish(self.latency_seconds, None)
            if sent == payload:
                break
        return 0

    cdef int on_eof(self) except -1:
        if self.state == OPEN:
            self.state = CLOSING
        self.stream.close()
        # A peer that takes nothing of what is still to be sent is not waited for for ever.
        return self.start_close_timer(self.settings.close_timeout)

    cdef int on_drained(self) except -1:
        cdef Outcome draining = self.draining
        self.draining = None
        if draining is not None:
            draining.finish(None, None)
        try:
            self.got_drained()
        except Exception as exc:
            self.handler_raised(exc)
        return 0

    cdef int on_lost(self, object exc) except -1:
        self.state = CLOSED
        decoder_free(&self.decoder)
        self.rest = None
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = None
        if exc is not None and not self.close_received:
            logger.info("connection with %s lost: %s", self.stream.peername, exc)
        error = self.closed_error()
        if self.pings is not None:
            for outcome, _when in self.pings.values():
                if outcome is not None:
                    (<Outcome> outcome).finish(None, error)
            self.pings = None
        if self.draining is not None:
            self.draining.finish(None, error)
            self.draining = None
        try:
            if exc is not None and not self.close_received and not self.failed:
                self.got_error(exc)
        except Exception:
            logger.exception("exception in an error handler")
        try:
            self.got_lost()
        except Exception:
            logger.exception("exception in a close handler")
        if self.ended is not None:
            self.ended.finish(None, None)
        return 0

    # Sent

    cdef int write_frame(
        self, uint8_t first, object owner, const void *data, size_t size
    ) except -1:
        """Queue one frame; `data` lies in `owner`, which is immutable, or is copied."""
        cdef Stream stream = self.stream
        cdef unsigned char *to
        cdef const unsigned char *key
        cdef int header
        if stream.is_closing or stream.ending:
            return 0
        header = header_size(size, not self.server)
        if not self.server:
            key = masking_key()
            to = stream.reserve(header + size)
            write_header(to, first, size, key)
            cooee_mask(to + header, <const unsigned char *> data, size, key, 0)
        elif size <= SMALL or owner is None:
            to = stream.reserve(header + size)
            write_header(to, first, size, NULL)
            memcpy(to + header, data, size)
        else:
            to = stream.reserve(header)
            write_header(to, first, size, NULL)
            try:
                stream.refer(owner, data, size)
            except MemoryError:
                # A header without its payload: nothing that follows would be understood.
                stream.abort()
                raise
        return stream.touch()

    cdef int write_message(self, object data) except -1:
        """Queue a message of any type that can be sent."""
        cdef Py_buffer view
        cdef Py_ssize_t size
        cdef const char *text
        if type(data) is bytes:
            self.write_frame(BINARY | FIN, data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        elif isinstance(data, str):
            text = PyUnicode_AsUTF8AndSize(data, &size)
            self.write_frame(TEXT | FIN, data, text, size)
        elif PyObject_CheckBuffer(data):
            if isinstance(data, memoryview) and not data.c_contiguous:
                data = data.tobytes()
            PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
            try:
                self.write_frame(BINARY | FIN, None, view.buf, view.len)
            finally:
                PyBuffer_Release(&view)
        else:
            raise TypeError(f"a message is str or bytes-like, not {type(data).__name__}")
        return 0

    cdef object pressure(self):
        """What a sender may await: at once done while little is waiting to be sent."""
        cdef Stream stream = self.stream
        if stream.out.bytes <= self.settings.high_water:
            return DONE
        if self.drop_if_slow():
            raise self.closed_error()
        if self.draining is None:
            self.draining = Outcome()
            stream.tell_drained = True
        return self.draining

    cdef bint drop_if_slow(self) except -1:
        """Cut a peer off that takes its messages too slowly, or not at all."""
        cdef size_t waiting = self.stream.out.bytes
        if waiting <= self.settings.max_buffered:
            return False
        self.fail(1008, f"{waiting} bytes wait to be sent, at most {self.settings.max_buffered}")
        self.stream.abort()
        return True

    cdef int start_closing(self, object code, str reason) except -1:
        """Start the closing handshake (§7.1.2). Later calls do nothing."""
        if self.state != OPEN:
            return 0
        self.send_close(code, reason)
        self.state = CLOSING
        self.sent_code = 1005 if code is None else code
        self.sent_reason = reason
        if self.held:
            # The answer must be seen; the application reads no more.
            self.held = 0
            if not self.parsing:
                self.stream.reactor.call_soon(self.parse_rest)
                if self.rest is None:
                    self.stream.resume_reading()
        return self.start_close_timer(self.settings.close_timeout)

    cdef int send_close(self, object code, str reason) except -1:
        payload = build_close_payload(code, reason)
        self.close_sent = True
        return self.write_control(CLOSE, payload)

    cdef int write_control(self, uint8_t opcode, bytes payload) except -1:
        return self.write_frame(
            opcode | FIN, payload, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload)
        )

    cdef int start_close_timer(self, double seconds) except -1:
        if self.close_timer is None and self.stream.fd >= 0:
            self.close_timer = self.stream.reactor.set_timer(seconds, self.cut, (), True)
        return 0

    def cut(self):
        """The peer did not close in time."""
        self.close_timer = None
        logger.info("connection with %s cut: no close within the time limit", self.stream.peername)
        self.stream.abort()

    cdef int fail(self, int code, str reason) except -1:
        """
        Fail the connection (§7.1.7): say why, stop listening to the peer, close.

        The reading side stays open for a moment, for closing with input unread would reset the
        connection and take the Close frame away from the peer.
        """
        cdef Stream stream = self.stream
        if self.failed or self.state == CLOSED:
            return 0
        self.failed = True
        logger.warning("connection with %s failed, %d: %s", stream.peername, code, reason)
        decoder_free(&self.decoder)
        stream.direct_size = 0
        self.rest = None
        if not self.close_sent:
            self.sent_code = code
            self.sent_reason = truncate_reason(reason)
            self.send_close(code, self.sent_reason)
        self.state = CLOSING
        self.held = 0
        stream.resume_reading()
        stream.shutdown_write()
        if self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = None
        return self.start_close_timer(min(LINGER, self.settings.close_timeout))

    cdef int send_ping(self, bytes payload, Outcome outcome) except -1:
        if self.pings is None:
            self.pings = {}
        self.pings[payload] = (outcome, self.stream.reactor.clock())
        return self.write_control(PING, payload)

    cdef Outcome outcome(self):
        """The outcome of closing, finished when the stream is gone."""
        if self.ended is None:
            self.ended = Outcome()
            if self.state == CLOSED:
                self.ended.finish(None, None)
        return self.ended

    cdef object closed_error(self):
        """The ConnectionClosed that says how it ended, or is about to."""
        if self.close_received:
            return ConnectionClosed.make(
                self.code, self.reason, self.close_sent, self.sent_code != 0
            )
        if self.close_sent:
            return ConnectionClosed.make(self.sent_code, self.sent_reason, False, True)
        return ConnectionClosed.make(1006)

    cdef object not_open(self):
        """The exception for sending in this state."""
        if self.state == CONNECTING:
            return InvalidStateError("still CONNECTING")
        return self.closed_error()

    cdef int tick(self, int interval, int timeout) except -1:
        """One tick of the keepalive: see there."""
        cdef size_t unsent = self.stream.out.bytes
        if self.heard or unsent < self.unsent or self.state != OPEN or self.held:
            self.heard = False
            self.silent = 0
        else:
            self.silent += 1
            if self.silent == interval:
                if self.pings is not None:
                    # Of a peer that sends now and then, but never a Pong, only the last is kept.
                    self.pings = {sent: ping for sent, ping in self.pings.items()
                                  if ping[0] is not None}
                self.send_ping(os.urandom(4), None)
            elif timeout and self.silent >= interval + timeout:
                self.fail(1011, "keepalive ping timeout")
        # Without the Ping: that it goes out is no sign of life.
        self.unsent = unsent
        return 0

    # For subclasses

    cdef int got_message(self, object data) except -1:
        """A message: str or bytes."""
        return 0

    cdef int got_ping(self, bytes data) except -1:
        """A Ping, which has been answered."""
        return 0

    cdef int got_pong(self, bytes data) except -1:
        """A Pong, asked for or not."""
        return 0

    cdef int got_close(self) except -1:
        """The peer's Close frame; the connection is CLOSING."""
        return 0

    cdef int got_error(self, object exc) except -1:
        """The peer broke the protocol or the network failed; got_lost follows."""
        return 0

    cdef int got_drained(self) except -1:
        """Everything that had to wait has been sent."""
        return 0

    cdef int got_lost(self) except -1:
        """The connection is CLOSED: the last call."""
        return 0

    cdef int handler_raised(self, object exc) except -1:
        """An application's handler raised: the connection is failed with 1011 (§7.4.1)."""
        if isinstance(exc, ConnectionClosed):
            logger.debug("a handler met a closed connection: %s", exc)
            return 0
        logger.error("exception in a handler; connection with %s closes",
                     self.stream.peername, exc_info=exc)
        return self.fail(1011, "internal error")

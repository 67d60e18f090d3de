"""
The server's side of an HTTP/1.1 connection, until it ends or goes on as another protocol.

One request at a time is handed out; the next one, should the client have sent it already, only
after the answer. What waits meanwhile is bounded: reading pauses as soon as input arrives that
cannot be handed out, or when answers pile up because the client does not read them.
"""

import logging

from cpython.bytes cimport PyBytes_GET_SIZE

from cooee.http.errors import RequestRejected
from cooee.http.limits import HttpLimits
from cooee.http.linger import linger
from cooee.http.response import Response
from cooee.protocol.errors import InvalidStateError
from cooee.reactor import get_reactor

from cooee.http.reader cimport RequestReader
from cooee.http.request cimport Request
from cooee.http.template cimport Template
from cooee.reactor.stream cimport PyProtocol

logger = logging.getLogger("cooee.http")

cdef object DEFAULT_LIMITS = HttpLimits()

# Limits that the operator may have to raise.
cdef frozenset TOO_LARGE = frozenset({413, 414, 431})

cdef enum:
    # Requests handed out in one go, so that a client with hundreds in one packet leaves turns to
    # others.
    BATCH = 16
    # Unsent bytes with which the next request waits.
    HIGH_WATER = 64 * 1024
    # Up to this size head and body are joined: a copy costs less than one more piece to send.
    JOINED = 16 * 1024


cdef class HttpConnection(PyProtocol):
    """
    A protocol of the reactor that serves HTTP/1.1 and 1.0.

    Attributes:
        limits, on_request: As given; the latter None once this connection is through.
        on_disconnect, on_head: As given; may be assigned.
        request: The :class:`Request` that waits for its answer, or None.
        disconnected: Whether the client has gone away or sends no more.

    Args:
        on_request: Called with this connection and each :class:`Request`, once its body is
            complete. It answers with respond() or switch(), now or later. If it raises, that is
            logged, the client gets 500 and the connection closes.
        limits: The :class:`HttpLimits`.
        on_disconnect: Called with this connection and a request that has not been answered when
            the client has gone away, or has closed its sending side, which is what a browser
            that gives up looks like. It may abort(); or the request may be answered all the
            same, in case the client still reads.
        on_head: Called with this connection and a request whose head has come, but not yet all of
            its body. It does not answer; on_request gets the same request later.
        reactor: The reactor of the stream; by default that of the running loop or the thread.
        server_header: Value of ``Server`` in responses that do not have it.
    """

    def __init__(
        self,
        on_request not None,
        *,
        limits not None=DEFAULT_LIMITS,
        on_disconnect=None,
        on_head=None,
        reactor=None,
        server_header=None,
    ):
        self.on_request = on_request
        self.limits = limits
        self.on_disconnect = on_disconnect
        self.on_head = on_head
        self.server_header = server_header
        self.reactor = get_reactor() if reactor is None else reactor

    # For the application

    def respond(self, Request request not None, response not None):
        """
        Answer a request.

        The stream buffers the whole response, a large body without a copy; further requests wait
        until most of it has been sent.

        Returns:
            False if the client was gone already, so that nothing was sent.

        Raises:
            InvalidStateError: If the request was answered before.
        """
        cdef bint closes, connect
        if not self.may_answer(request):
            return False
        connect = request.is_method(b"CONNECT")
        closes = (
            self.closing
            or self.disconnected
            or connect
            or not request.keep_alive
            or response.closes
        )
        self.send(response, closes, request.is_method(b"HEAD"), request.minor_version == 0)
        self.answered(closes, connect)
        return True

    cdef bint respond_with(self, Request request, Template template, bytes body) except -1:
        cdef bytes data
        if not (
            PyBytes_GET_SIZE(body) <= JOINED
            and self.request is request
            and request.minor_version > 0
            and (request.is_method(b"GET") or request.is_method(b"POST"))
            and not (self.closing or self.disconnected)
            and request.keep_alive
        ):
            return self.respond(request, template.with_body(body))
        data = template.fill(body, self.server_header)
        self.transport.write(data)
        self.answered(False, False)
        return True

    cdef int answered(self, bint closes, bint connect) except -1:
        """The answer is on its way: close, or go on with the next request."""
        self.request = None
        if closes:
            # After CONNECT the client may have sent something for the tunnel: not to be read as
            # a request (RFC 9110 §9.3.6), nor answered with a reset.
            self.end(connect or self.reader.count_buffered() > 0)
        elif self.reader.count_buffered() > 0:
            if not self.in_handler:
                # Not from here: the caller is to return first.
                self.reactor.call_soon(self.read)
        else:
            self.enter(IDLE, self.limits.keep_alive_timeout)
            self.transport.resume_reading()
        return 0

    def switch(self, Request request not None, bytes head not None, protocol not None):
        """
        Accept an upgrade: send a complete 101 response and hand the stream over.

        ``protocol.connection_made()`` is called, then ``protocol.feed()`` with what the client
        sent after its request, if there is anything. This connection lets go of everything and
        must not be used any more. If the protocol raises, the stream is aborted, as it would be
        later on.

        Returns:
            False if the client was gone already; the protocol has not been told anything then.

        Raises:
            InvalidStateError: If the request was answered before.
        """
        if not self.may_answer(request):
            return False
        if self.disconnected:
            # The end of its input has been reported here: the protocol would never learn of it.
            self.end(False)
            return False
        stream = self.transport
        rest = self.reader.rest()
        self.leave()
        stream.write(head)
        stream.protocol = protocol
        stream.resume_reading()
        try:
            protocol.connection_made()
            if rest and not stream.closing:
                protocol.feed(rest)
        except BaseException:
            stream.abort()
            raise
        return True

    def close(self):
        """
        Close gracefully: now if no request is being received or answered, else after the answer.

        Later calls do nothing.
        """
        self.closing = True
        if self.phase == IDLE or (self.phase == HEAD and self.reader.count_buffered() == 0):
            self.end(False)

    def abort(self):
        """Close now and drop what is buffered. Idempotent."""
        if self.transport is not None:
            self.transport.abort()

    # For the reactor

    def connection_made(self):
        """Wait for the first request."""
        self.begin(self.stream)

    def begin(self, stream not None):
        """Wait for the first request on an object that behaves like a :class:`Stream`."""
        self.transport = stream
        self.reader = RequestReader.__new__(RequestReader, self.limits, stream)
        self.enter(HEAD, self.limits.head_timeout)
        if self.closing:
            self.end(False)

    def data_received(self, bytes data not None):
        """Input."""
        self.receive(data)

    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1:
        return self.receive(data[:size])

    cdef int receive(self, bytes data) except -1:
        if self.phase == GONE:
            return 0
        self.reader.take(data)
        if self.phase == ANSWER or self.phase == SENDING:
            self.transport.pause_reading()
        else:
            self.read()
        return 0

    def eof_received(self):
        """The client sends no more: it is gone, or has only closed its sending side."""
        if self.disconnected or self.phase == GONE:
            return
        self.disconnected = True
        if self.phase == ANSWER:
            self.notify_disconnect()
        elif self.phase != SENDING:
            if self.reader.count_buffered() > 0:
                self.log(logging.INFO, "connection closed in the middle of a request")
            self.end(False)

    def connection_lost(self, exc):
        """It is over."""
        if self.phase == ANSWER and not self.disconnected:
            self.disconnected = True
            self.notify_disconnect()
        self.disconnected = True
        self.leave()

    def writing_drained(self):
        """The peer has taken everything."""
        if self.phase == SENDING:
            self.read()

    # Requests

    cpdef read(self):
        """Hand out requests for as long as each is answered at once."""
        cdef int _
        cdef Request request
        stream = self.transport
        for _ in range(BATCH):
            if self.request is not None or self.phase == GONE or stream.closing:
                return
            if stream.buffered_amount > HIGH_WATER:
                self.enter(SENDING, self.limits.send_timeout)
                stream.pause_reading()
                self.reactor.call_soon(self.read_after_flush, 1)
                return
            try:
                request = self.reader.next()
            except RequestRejected as exc:
                self.reject(exc.status, exc.reason)
                return
            if request is None:
                self.wait_for_input()
                return
            self.hand_out(request)
        if self.request is None and self.phase != GONE and self.reader.count_buffered() > 0:
            stream.pause_reading()
            self.reactor.call_soon(self.read)

    def read_after_flush(self, chances):
        """
        Go on once the peer has taken most of what was sent.

        writing_drained() is only called after the system has refused some of it. A callback of
        this turn may come before the turn's sends, one of the next turn comes after them: what
        is still unsent then has been refused.
        """
        if self.phase == SENDING:
            if self.transport.buffered_amount <= HIGH_WATER:
                self.read()
            elif chances > 0:
                self.reactor.call_soon(self.read_after_flush, chances - 1)

    cdef int hand_out(self, Request request) except -1:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.phase = ANSWER
        self.request = request
        self.in_handler = True
        try:
            self.on_request(self, request)
        except Exception:
            logger.exception("exception in the handler of %r", request)
            if self.request is request:
                self.closing = True
                self.respond(request, Response(500, "Internal Server Error\n"))
            elif self.phase != GONE:
                self.end(False)
        finally:
            self.in_handler = False
        return 0

    cdef int wait_for_input(self) except -1:
        if self.disconnected:
            return self.end(False)
        if self.reader.request is not None:
            if self.phase != BODY and self.on_head is not None:
                self.notify_head()
                if self.transport is None:
                    # It has aborted.
                    return 0
            self.enter(BODY, self.limits.body_timeout)
            if self.reader.take_expectation():
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self.reader.count_buffered() > 0:
            self.enter(HEAD, self.limits.head_timeout)
        elif self.closing:
            return self.end(False)
        elif self.phase != HEAD:
            self.enter(IDLE, self.limits.keep_alive_timeout)
        self.transport.resume_reading()
        return 0

    cdef int notify_head(self) except -1:
        try:
            self.on_head(self, self.reader.request)
        except Exception:
            logger.exception("exception in on_head of %r", self.reader.request)
        return 0

    cdef bint may_answer(self, Request request) except -1:
        if self.request is request:
            return True
        if self.phase == GONE and self.disconnected:
            return False
        raise InvalidStateError("the request has been answered already")

    cdef int notify_disconnect(self) except -1:
        cdef Request request = self.request
        if self.on_disconnect is not None and request is not None:
            try:
                self.on_disconnect(self, request)
            except Exception:
                logger.exception("exception in on_disconnect of %r", request)
        return 0

    # Responses and ends

    cdef int send(self, response, bint closes, bint head_only, bint http_1_0) except -1:
        cdef str option = "close" if closes else "keep-alive" if http_1_0 else ""
        cdef bytes head = response.serialize_head(connection=option, server=self.server_header)
        cdef bytes body = b"" if head_only else response.body
        if len(body) <= JOINED:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        return 0

    cdef int reject(self, int status, str reason) except -1:
        """Answer what is no request, and close."""
        level = logging.WARNING if status in TOO_LARGE else logging.INFO
        self.log(level, f"request rejected with {status}: {reason}")
        self.send(Response(status, reason + "\n"), True, False, False)
        return self.end(True)

    cdef int end(self, bint unread) except -1:
        """Close once everything has been sent; `unread`: the client may have sent more."""
        stream = self.transport
        if unread and not self.disconnected:
            self.leave()
            linger(stream, self.reactor, self.limits)
        else:
            stream.close()
            self.enter(SENDING, self.limits.send_timeout)
        return 0

    cdef int leave(self) except -1:
        """Let go of everything."""
        self.phase = GONE
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.request = None
        self.reader = None
        self.transport = None
        self.on_request = None
        self.on_disconnect = None
        self.on_head = None
        self.stream = None
        return 0

    # Time

    cdef int enter(self, Phase phase, double seconds) except -1:
        """Wait for something else, for a limited time."""
        if phase != self.phase or self.timer is None:
            self.phase = phase
            self.unsent = self.transport.buffered_amount
            if self.timer is not None:
                self.timer.cancel()
            self.timer = self.reactor.call_later(seconds, self.time_out, ref=False)
        return 0

    def time_out(self):
        cdef Phase phase = self.phase
        cdef Py_ssize_t unsent = self.transport.buffered_amount
        self.timer = None
        if phase == HEAD and self.reader.count_buffered() > 0:
            self.reject(408, f"head not complete after {self.limits.head_timeout:g} s")
        elif phase == BODY:
            self.reject(408, f"body not complete after {self.limits.body_timeout:g} s")
        elif unsent == 0:
            self.end(False)
        elif unsent < self.unsent:
            self.enter(phase, self.limits.send_timeout)
        else:
            self.log(logging.INFO, f"{unsent} bytes not taken; connection aborted")
            self.transport.abort()

    cdef int log(self, int level, str message) except -1:
        peer = self.transport.peername
        if isinstance(peer, tuple):
            peer = f"{peer[0]} port {peer[1]}"
        logger.log(level, "%s: %s", peer, message)
        return 0

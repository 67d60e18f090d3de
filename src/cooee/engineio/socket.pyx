"""
Engine.IO sessions.

A session outlives its transports: it begins with one, may change from polling to WebSocket, and
ends with a reason. It ends everywhere at once: timers are cancelled, the waiting poll is released,
the server forgets it, the receiver is told.

::

    OPENING ── handshake sent ──▶ OPEN ── close(), something queued ──▶ CLOSING ──▶ CLOSED
                                   └──── close(), a failure, the client ─────────────▲
"""

import logging

from cooee.engineio.outbox cimport (
    AFTER_QUEUE,
    CLOSE,
    CLOSED,
    CLOSING,
    MESSAGE,
    NOOP,
    OPEN,
    OPEN_PACKET,
    PING,
    PONG,
    WITH_POLL,
    Outbox,
    SocketSettings,
)
from cooee.engineio.polling cimport Polling
from cooee.engineio.prepared cimport Prepared
from cooee.engineio.receiver cimport Receiver
from cooee.engineio.transport cimport WebSocketTransport
from cooee.http.connection cimport BODY, HttpConnection
from cooee.http.request cimport Request
from cooee.reactor.core cimport Reactor
from cooee.websocket.outcome cimport Outcome

from cooee.engineio.errors import TransportError
from cooee.engineio.packet import PacketError, decode_packet
from cooee.engineio.payload import MAX_PACKETS, decode_payload
from cooee.protocol.close import CloseCode

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_FindChar(
        object text, Py_UCS4 character, Py_ssize_t start, Py_ssize_t end, int direction
    ) except -2

logger = logging.getLogger("cooee.engineio")

cdef enum:
    DIGIT_3 = c"3"
    # Between the packets of a protocol 4 payload.
    SEPARATOR = 0x1e

cdef Py_ssize_t MOST_PACKETS = MAX_PACKETS

cdef tuple STATES = ("opening", "open", "closing", "closed")

# Seconds between two NOOPs that release the polls of a client which is changing to WebSocket, and
# seconds that close() waits for a poll: as in Node's engine.io.
cdef double CHECK_INTERVAL = 0.1
cdef double CLOSE_TIMEOUT = 30.0
# A timer this late says that the process stood still, not the client; one up to a tick late is
# made up for, so that the two time limits add up to the millisecond.
cdef double LATE = 1.0
cdef double TICK = 0.005


cdef inline bint is_text(str packet) noexcept:
    """Whether it is a MESSAGE with text."""
    return len(packet) > 0 and packet[0] == u"4"


cdef str as_text(bytes body):
    """A body that is UTF-8, or None."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


cdef class Socket(Outbox):
    """
    A session.

    Attributes:
        sid: Its id.
        request: The :class:`cooee.http.Request` of the handshake.
        protocol: 4 or 3.
        server: The :class:`cooee.engineio.Server` it belongs to.
        receiver: The :class:`Receiver` of what comes, to be assigned when the session is made
            known. Without one, messages are dropped.
    """

    def __init__(
        self,
        server,
        str sid not None,
        Request request not None,
        int protocol,
        SocketSettings settings not None,
        Reactor reactor not None,
        bint supports_binary,
    ):
        self.server = server
        self.sid = sid
        self.request = request
        self.protocol = protocol
        self.settings = settings
        self.reactor = reactor
        self.supports_binary = supports_binary

    @property
    def ready_state(self):
        """ "opening", "open", "closing" or "closed"."""
        return STATES[self.state]

    @property
    def transport_name(self):
        """The transport in use: "polling" or "websocket"."""
        return "polling" if self.websocket is None else "websocket"

    @property
    def is_jsonp(self):
        """Whether payloads come and go in the scripts and forms of JSONP."""
        return self.polling is not None and self.polling.jsonp

    @property
    def upgrading(self):
        """Whether a WebSocket is being probed."""
        return self.candidate is not None

    @property
    def remote_address(self):
        """The address that the handshake came from, as the socket module gives it."""
        return self.request.remote_address

    def __repr__(self):
        return f"<Socket {self.sid} {self.ready_state} {self.transport_name}>"

    # Beginning

    def open_websocket(self, WebSocketTransport transport not None):
        """Begin with a WebSocket."""
        self.websocket = transport
        transport.owner = self
        self.begin([])

    def open_polling(
        self, Polling polling not None, HttpConnection http not None, list upgrades not None
    ):
        """Begin with a poll, which is answered."""
        self.polling = polling
        self.begin(upgrades)
        self.poll(http, self.request)

    cdef int begin(self, list upgrades) except -1:
        self.state = OPEN
        self.packet(OPEN_PACKET, self.server.encode_handshake(self.sid, upgrades), False)
        initial = self.server.initial_packet
        if initial is not None:
            self.packet(MESSAGE, initial, True)
        if self.protocol == 3:
            # The client sends the pings.
            self.set_heartbeat(self.settings.ping_interval + self.settings.ping_timeout)
        else:
            self.set_heartbeat(self.settings.ping_interval)
        return 0

    # Received

    cdef int received(self, int kind, object data) except -1:
        """A packet from the transport in use."""
        if self.state != OPEN:
            return 0
        if self.awaiting_pong and not self.extended and kind != PONG:
            self.extend()
        if kind == MESSAGE:
            if self.receiver is not None:
                self.receiver.on_message(data)
        elif kind == PONG and self.protocol == 4:
            self.awaiting_pong = False
            self.set_heartbeat(self.settings.ping_interval)
        elif kind == PING and self.protocol == 3:
            self.set_heartbeat(self.settings.ping_interval + self.settings.ping_timeout)
            self.packet(PONG, "", False)
        elif kind == PING or kind == PONG:
            self.end("transport error", TransportError(
                f"heartbeat in the wrong direction (Engine.IO {self.protocol})"
            ))
        # Any other has no meaning here, and is ignored as in Node.
        return 0

    cdef int got_text(self, str packet) except -1:
        """As received(), for a message of text that begins at ``packet[1]``."""
        if self.state != OPEN:
            return 0
        if self.awaiting_pong and not self.extended:
            self.extend()
        if self.receiver is not None:
            self.receiver.on_text(packet)
        return 0

    cdef int from_websocket(self, WebSocketTransport transport, object data) except -1:
        if transport is self.candidate:
            return self.probe(data)
        if self.state != OPEN:
            return 0
        # Nearly all are messages of text.
        if type(data) is str and is_text(<str> data):
            return self.got_text(<str> data)
        if type(data) is bytes and self.protocol == 4:
            return self.received(MESSAGE, data)
        try:
            kind, data = decode_packet(data, protocol=self.protocol)
        except PacketError as exc:
            return self.end("parse error", exc)
        if kind == CLOSE:
            return self.end("transport close", None)
        return self.received(kind, data)

    cdef int websocket_lost(
        self, WebSocketTransport transport, str reason, object description
    ) except -1:
        if transport is self.candidate:
            # The session goes on as before.
            return self.drop_candidate()
        return self.end(reason, description)

    cdef int websocket_drained(self, WebSocketTransport transport) except -1:
        if transport is self.websocket:
            return self.drained()
        return 0

    cdef int poll(self, HttpConnection http, Request request) except -1:
        """A GET: the client waits for packets."""
        if self.polling.http is not None:
            self.end("transport error", TransportError("two polls at once"))
            self.server.reject(http, request)
            return 0
        if http.disconnected:
            http.abort()
            return self.end("transport error", TransportError("poll given up by the client"))
        self.polling.wait(http, request, self.poll_given_up)
        self.flush()
        if self.closing == WITH_POLL and self.polling.http is not None:
            self.polling.answer([(NOOP, "", False), (CLOSE, "", False)])
            self.end("forced close", None)
        return 0

    def poll_given_up(self, http, request):
        """The client has gone away while its poll waited."""
        (<HttpConnection> http).abort()
        if self.polling is not None and self.polling.request is request:
            self.polling.drop()
            self.end("transport error", TransportError("poll given up by the client"))

    cpdef bint announce_post(self, HttpConnection http) except -1:
        """
        A POST comes, or has come; with another one under way it ends the session.

        Returns:
            Whether the session goes on.
        """
        cdef HttpConnection other = self.polling.posting
        self.polling.posting = http
        if other is None or other is http or other.phase != BODY:
            return True
        self.end("transport error", TransportError("two POSTs at once"))
        return False

    cdef object post(self, bytes body, bint binary, object max_http_buffer_size):
        """
        A POST: the client brings packets.

        Returns:
            None, or the error with which the session has ended: the body was malformed, or had a
            packet that the client must not send.
        """
        cdef str payload = None
        try:
            if self.protocol == 4 and not binary and len(body) <= max_http_buffer_size:
                payload = as_text(body)
            if payload is not None:
                self.unpack(payload)
            else:
                for kind, data in decode_payload(
                    body,
                    protocol=self.protocol,
                    binary=binary,
                    max_http_buffer_size=max_http_buffer_size,
                ):
                    if self.from_post(kind, data):
                        break
        except PacketError as exc:
            self.end("parse error", exc)
            return exc
        except Exception as exc:
            logger.exception("exception in the receiver of %r, which ends", self)
            self.end("transport error", exc)
            return exc
        return None

    cdef int unpack(self, str payload) except -1:
        """
        Take the packets of a protocol 4 payload, of which nearly all are messages of text.

        They are those of decode_payload(), which makes a Packet of each; so are the errors.
        """
        cdef Py_ssize_t size = len(payload), start = 0, end, count
        cdef str packet
        for count in range(MOST_PACKETS + 1):
            end = PyUnicode_FindChar(payload, SEPARATOR, start, size, 1)
            packet = payload[start:size if end < 0 else end]
            kind, data = (MESSAGE, None) if is_text(packet) else decode_packet(packet)
            if count == MOST_PACKETS:
                raise PacketError(
                    CloseCode.MESSAGE_TOO_BIG, f"payload of more than {MOST_PACKETS} packets"
                )
            if data is None:
                self.got_text(packet)
            elif self.from_post(kind, data):
                return 0
            if end < 0:
                return 0
            start = end + 1
        return 0

    cdef bint from_post(self, int kind, object data) except -1:
        """A packet from a POST; whether it was the last that counts."""
        if kind != CLOSE:
            self.received(kind, data)
            return False
        if self.polling is not None and self.polling.http is not None:
            self.polling.answer([(NOOP, "", False)])
        self.end("transport close", None)
        return True

    def fail(self, description):
        """The client has used the polling transport against the rules."""
        self.end("transport error", description)

    # Heartbeat

    cdef int set_heartbeat(self, double delay) except -1:
        if self.heartbeat is not None:
            self.heartbeat.cancel()
        self.heartbeat = self.reactor.set_timer(delay, self.beat, (), False)
        return 0

    cdef int extend(self) except -1:
        """Whoever sends something lives: the pong may be behind it, once."""
        self.extended = True
        return self.set_heartbeat(self.settings.ping_timeout)

    def beat(self):
        cdef double late = self.reactor.clock() - self.heartbeat.when
        self.heartbeat = None
        if self.protocol == 4 and not self.awaiting_pong:
            self.awaiting_pong = True
            self.extended = False
            self.packet(PING, "", False)
            self.set_heartbeat(self.settings.ping_timeout - (late if late < TICK else 0))
        elif late > LATE:
            # What the client has sent meanwhile comes first.
            self.set_heartbeat(min(LATE, self.settings.ping_timeout))
        else:
            self.end("ping timeout", None)

    cpdef bint expire(self) except -1:
        """
        End the session if its time is up; return whether that was so.

        Its timer says so too, but after the requests that are seen in the same turn, and a poll
        would still be answered then.
        """
        cdef double late
        if self.heartbeat is None or (self.protocol == 4 and not self.awaiting_pong):
            return False
        late = self.reactor.clock() - self.heartbeat.when
        if late < 0 or late > LATE:
            return False
        self.end("ping timeout", None)
        return True

    # Upgrade

    def upgrade(self, WebSocketTransport transport not None):
        """A WebSocket wants to take over; a session that has one already closes it."""
        if self.state == CLOSED or self.websocket is not None or self.candidate is not None:
            transport.shut_down()
            return
        self.candidate = transport
        transport.owner = self
        self.upgrade_timer = self.reactor.set_timer(
            self.settings.upgrade_timeout, self.upgrade_timed_out, (), False
        )

    cdef int probe(self, object data) except -1:
        """A packet from the candidate."""
        if data == "2probe":
            self.candidate.write_text(DIGIT_3, "probe", "probe", 5)
            if self.check_timer is None:
                self.check_timer = self.reactor.set_timer(
                    CHECK_INTERVAL, self.release_poll, (), False
                )
        elif type(data) is str and data and (<str> data)[0] == u"5":
            self.take_over()
        else:
            self.drop_candidate()
        return 0

    def release_poll(self):
        """Release the poll, for which the client waits before it changes over."""
        self.check_timer = self.reactor.set_timer(CHECK_INTERVAL, self.release_poll, (), False)
        if self.polling.http is not None:
            self.polling.answer([(NOOP, "", False)])

    cdef int take_over(self) except -1:
        """The candidate becomes the transport; what waits for a poll goes out over it."""
        cdef list queue = self.queue
        cdef Polling polling = self.polling
        cdef WebSocketTransport websocket = self.candidate
        self.candidate = None
        self.drop_candidate()
        if polling.http is not None:
            # A client that did not wait for it.
            polling.answer([(NOOP, "", False)])
        self.websocket = websocket
        self.polling = None
        self.queue = None
        self.queued = 0
        if self.awaiting_pong:
            self.set_heartbeat(self.settings.ping_timeout)
        if queue:
            for item in queue:
                if isinstance(item, Prepared):
                    websocket.write_prepared(item, self.protocol, self.supports_binary)
                else:
                    kind, data, _ = item
                    websocket.write_packet(kind, data, self.protocol, self.supports_binary)
        if self.state == CLOSING:
            return self.close_transport(False)
        self.server.upgraded(self)
        self.check_unsent()
        return self.drained()

    cdef int drop_candidate(self) except -1:
        """End the upgrade, if there is one."""
        cdef WebSocketTransport candidate = self.candidate
        self.candidate = None
        if self.upgrade_timer is not None:
            self.upgrade_timer.cancel()
            self.upgrade_timer = None
        if self.check_timer is not None:
            self.check_timer.cancel()
            self.check_timer = None
        if candidate is not None:
            candidate.owner = None
            candidate.shut_down()
        return 0

    def upgrade_timed_out(self):
        logger.info("%r: no upgrade within the time limit", self)
        self.drop_candidate()

    # Closing

    cpdef object close(self, bint discard=False):
        """
        Close the session, once what is queued has been sent; "forced close" is the reason.

        With polling it takes the client's next poll, for 30 seconds at most. Later calls do
        nothing.

        Args:
            discard: Do not wait for anything.
        """
        if discard:
            if self.state == OPEN or self.state == CLOSING:
                self.close_transport(True)
        elif self.state == OPEN:
            self.state = CLOSING
            if self.queue:
                self.closing = AFTER_QUEUE
            else:
                self.close_transport(False)

    cdef int close_transport(self, bint discard) except -1:
        if self.polling is not None and self.polling.http is None and not discard:
            self.closing = WITH_POLL
            self.close_timer = self.reactor.set_timer(
                CLOSE_TIMEOUT, self.end_later, ("forced close", None), False
            )
            return 0
        return self.end("forced close", None)

    cdef int end(self, str reason, object description) except -1:
        """The session is over."""
        cdef Receiver receiver = self.receiver
        cdef Timer timer
        cdef Outcome draining = self.draining
        if self.state == CLOSED:
            return 0
        self.state = CLOSED
        for timer in (self.heartbeat, self.close_timer):
            if timer is not None:
                timer.cancel()
        self.heartbeat = self.close_timer = None
        self.queue = None
        self.queued = 0
        self.drop_candidate()
        if self.websocket is not None:
            self.websocket.owner = None
            self.websocket.shut_down()
        elif self.polling.http is not None:
            self.polling.answer([(CLOSE, "", False)])
        self.server.forget(self)
        self.receiver = None
        self.draining = None
        if draining is not None:
            draining.finish(None, None)
            self.reactor.woke_tasks = True
        if receiver is not None:
            try:
                receiver.on_close(reason, description)
            except Exception:
                logger.exception("exception in the close handler of %r", self)
        return 0

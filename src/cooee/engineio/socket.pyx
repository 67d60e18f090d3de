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

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from cooee.engineio.polling cimport Polling, check
from cooee.engineio.prepared cimport Prepared
from cooee.engineio.transport cimport TransportOwner, WebSocketTransport
from cooee.http.connection cimport BODY, HttpConnection
from cooee.http.request cimport Request
from cooee.reactor.core cimport Reactor
from cooee.websocket.connection cimport MESSAGE_OVERHEAD, Settings
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.engineio.errors import TransportError
from cooee.engineio.packet import PacketError, decode_packet
from cooee.engineio.payload import MAX_PACKETS, decode_payload
from cooee.protocol.close import CloseCode

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    Py_ssize_t PyUnicode_FindChar(
        object text, Py_UCS4 character, Py_ssize_t start, Py_ssize_t end, int direction
    ) except -2

logger = logging.getLogger("cooee.engineio")

# Packet types; the enumeration is cooee.engineio.PacketType.
cdef enum:
    OPEN_PACKET = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6
    DIGIT_3 = c"3"
    DIGIT_4 = c"4"
    # Between the packets of a protocol 4 payload.
    SEPARATOR = 0x1e

# Socket.closing: for the queue to be sent, and then for a poll to carry the CLOSE packet.
cdef enum:
    NOT_CLOSING = 0
    AFTER_QUEUE = 1
    WITH_POLL = 2

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


cdef class Receiver:
    """What a session tells: C-level methods, all of which may be overridden."""

    cdef int on_message(self, object data) except -1:
        """A message: str or bytes."""
        return 0

    cdef int on_text(self, str packet) except -1:
        """A text message that begins at ``packet[1]``."""
        return self.on_message(packet[1:])

    cdef int on_close(self, str reason, object description) except -1:
        """The session is over: the last call."""
        return 0

    cdef int on_drain(self) except -1:
        """What had to wait has been sent."""
        return 0


cdef class PyReceiver(Receiver):
    """Base of receivers written in Python."""

    cdef int on_message(self, object data) except -1:
        self.message_received(data)
        return 0

    cdef int on_close(self, str reason, object description) except -1:
        self.session_closed(reason, description)
        return 0

    cdef int on_drain(self) except -1:
        self.writing_drained()
        return 0

    def message_received(self, data):
        """A message: ``str`` or ``bytes``."""

    def session_closed(self, reason, description):
        """
        The session is over: the last call.

        Args:
            reason: "transport close", "transport error", "ping timeout", "parse error" or
                "forced close".
            description: The exception behind it, or None.
        """

    def writing_drained(self):
        """What had to wait has been sent."""


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


cdef class Socket(TransportOwner):
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
    def buffered_amount(self):
        """Bytes that wait to be sent, with their overhead."""
        return self.unsent()

    @property
    def writable(self):
        """Whether nothing waits to be sent and, with polling, a poll waits."""
        return self.is_writable()

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

    # Sending

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

    def end_later(self, reason, description):
        self.end(reason, description)

    cdef int flush(self) except -1:
        """Answer the waiting poll with what is queued, if both are there."""
        cdef list queue = self.queue
        if self.polling is None or self.polling.http is None or not queue:
            return 0
        self.queue = None
        self.queued = 0
        self.polling.answer(queue)
        if self.closing == AFTER_QUEUE:
            return self.close_transport(False)
        return self.drained()

    cdef int drained(self) except -1:
        cdef Outcome draining = self.draining
        if draining is not None:
            self.draining = None
            draining.finish(None, None)
            self.reactor.woke_tasks = True
        if self.receiver is not None and self.state == OPEN:
            self.receiver.on_drain()
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

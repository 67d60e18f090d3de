"""
The way of a client's messages, where it is short: between a WebSocket and the receiver.

Whatever is rare (opening, polling, the change of transport, heartbeat, the end) is the business of
:class:`cooee.engineio.Client`, which is a :class:`ClientSession`, and of its transports.
"""

import enum
import logging

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from cooee.protocol.frames cimport FIN, TEXT
from cooee.websocket.connection cimport OPEN, Connection, Settings
from cooee.websocket.outcome cimport Outcome

logger = logging.getLogger("cooee.engineio")


class ClientState(enum.Enum):
    """Of a client."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


cdef object IS_OPEN = ClientState.OPEN


cdef class ClientReceiver:
    """
    What a client tells: methods to be overridden.

    After :meth:`closed` nothing is called any more.
    """

    cdef int on_message(self, object data, Py_ssize_t skip) except -1:
        self.received(data, skip)
        return 0

    def opened(self):
        """The session is there."""

    def received(self, data, skip):
        """A message: ``data[skip:]``."""

    def pinged(self):
        """The server's heartbeat."""

    def drained(self):
        """What had to wait has been sent."""

    def upgraded(self, transport):
        """Another transport has taken over."""

    def upgrade_failed(self, exc):
        """The session goes on with the transport that it has."""

    def closed(self, reason, description):
        """
        The session is over, or did not come about: the last call.

        Args:
            reason: "transport close", "transport error", "ping timeout" or "forced close".
            description: The exception behind it, or None.
        """


cdef class ClientSession:
    """
    What messages pass through: the part of a client that is in C.

    Attributes:
        receiver: Who is told.
        state: Its :class:`ClientState`.
    """

    @property
    def receiver(self):
        """Who is told."""
        return self._receiver

    @receiver.setter
    def receiver(self, ClientReceiver receiver not None):
        self._receiver = receiver

    # Sending

    def send(self, data):
        """
        Send a message. Before the session is there it is kept; after its end it is lost.

        Returns:
            None, or where more than ``high_water`` bytes wait, what may be awaited until they are
            sent.

        Raises:
            TypeError: It is neither str nor bytes.
            ValueError: It is text with U+001E, which polling cannot carry.
        """
        return self.send_message(data)

    cdef object send_message(self, object data):
        cdef ClientWebSocket websocket = self._websocket
        cdef bint is_text = isinstance(data, str)
        if not is_text and not isinstance(data, bytes):
            raise TypeError(f"a message is str or bytes, not {type(data).__name__}")
        if websocket is None or self._buffer:
            return self._keep(data)
        if websocket.state != OPEN or self.state is not IS_OPEN:
            return None
        websocket.write_message("4" + data if is_text else data)
        return websocket.pressing()

    cdef object send_text(self, bytes packet):
        cdef ClientWebSocket websocket = self._websocket
        if websocket is None or self._buffer:
            return self._keep(packet[1:].decode())
        if websocket.state != OPEN or self.state is not IS_OPEN:
            return None
        websocket.write_frame(
            TEXT | FIN, packet, PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet)
        )
        return websocket.pressing()

    # From transports

    def _deliver(self, data, Py_ssize_t skip):
        """Hand a message of the session's to the receiver."""
        self.deliver(data, skip)

    cdef int deliver(self, object data, Py_ssize_t skip) except -1:
        # It may be replaced meanwhile.
        cdef ClientReceiver receiver = self._receiver
        try:
            receiver.on_message(data, skip)
        except Exception:
            logger.exception("exception in the receiver of %r", self)
        return 0

    # Back-pressure

    cdef Outcome pressed(self):
        if self.draining is None:
            self.draining = Outcome()
        return self.draining

    cdef int drained(self, object error) except -1:
        cdef Outcome draining = self.draining
        self.draining = None
        return 0 if draining is None else draining.finish(None, error)

    # For the subclass

    def _pressed(self):
        """What a sender may await until less waits."""
        return self.pressed()

    def _relieved(self, error=None):
        """Let those go on who await what they have sent; with an error if it will not arrive."""
        self.drained(error)

    def _use_websocket(self, ClientWebSocket websocket):
        """Let messages pass through a WebSocket at once; None: let them wait for a transport."""
        if self._websocket is not None:
            self._websocket.session = None
        self._websocket = websocket
        if websocket is not None:
            websocket.session = self

    def _keep(self, data):
        """A message that no transport can take yet; returns as :meth:`send`."""
        raise NotImplementedError


cdef class ClientWebSocket(Connection):
    """
    The WebSocket beneath a transport, with a packet in each message.

    Args:
        settings: Its limits.
        transport: Told of packets (all of them until it carries the session, then those that are
            no messages), of a failure, and of the end: ``packet_received(data)``,
            ``websocket_failed(exc)``, ``websocket_closed(code, reason)``.
    """

    def __init__(self, Settings settings not None, transport):
        self.prepare(settings, False)
        self.transport = transport

    def connection_made(self):
        """The opening handshake is over and the stream ours."""
        self.establish()

    def send(self, packet):
        """Queue a packet, str or bytes; does nothing when it is closing or closed."""
        if self.state == OPEN:
            self.write_message(packet)
            self.pressing()

    def close(self):
        """Start the closing handshake, without a code. Idempotent."""
        self.start_closing(None, "")

    cdef object pressing(self):
        """What a sender may await; None while little waits, or when the server takes too little."""
        if self.stream.out.bytes <= self.settings.high_water or self.drop_if_slow():
            return None
        if self.session is None:
            # Nobody awaits packets that are no messages.
            return None
        self.stream.tell_drained = True
        return self.session.pressed()

    # From the connection

    cdef int got_message(self, object data) except -1:
        cdef ClientSession session = self.session
        if session is not None:
            # Nearly all are messages.
            if type(data) is bytes:
                return session.deliver(data, 0)
            if <str> data and (<str> data)[0] == u"4":
                return session.deliver(data, 1)
        self.transport.packet_received(data)
        return 0

    cdef int got_drained(self) except -1:
        return 0 if self.session is None else self.session.drained(None)

    cdef int got_error(self, object exc) except -1:
        self.transport.websocket_failed(exc)
        return 0

    cdef int got_lost(self) except -1:
        transport = self.transport
        # They refer to each other.
        self.transport = None
        transport.websocket_closed(self.code, self.reason)
        return 0

"""
The browser's ``WebSocket`` (WHATWG WebSockets; DOM for its events).

The standard's numbered steps stand above the lines that do them. Where it queues a task, this is
done on the spot, since the reactor calls it from a task already.
"""

import logging

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memmove

from cooee.protocol.frames cimport CLOSE, header_size
from cooee.reactor.stream cimport Stream
from cooee.websocket.connection cimport CLOSED, CLOSING, CONNECTING, OPEN, Connection
from cooee.websocket.events cimport (
    EventListeners,
    Listener,
    close_event,
    error_event,
    message_event,
    plain_event,
)

from cooee._version import __version__
from cooee.protocol import errors
from cooee.protocol.close import MAX_REASON_BYTES, is_application_code
from cooee.protocol.errors import HandshakeError, InvalidAccessError, InvalidStateError
from cooee.protocol.handshake import validate_protocols
from cooee.protocol.headers import format_extensions
from cooee.protocol.text import exact_str, usv_string
from cooee.protocol.urls import parse_websocket_url
from cooee.reactor import get_reactor
from cooee.websocket.blob import Blob
from cooee.websocket.keepalive import Keepalive
from cooee.websocket.opening import Opening, OpeningOptions
from cooee.websocket.options import make_settings

logger = logging.getLogger("cooee.websocket")

# The arguments of the WebSocket that are given by name.
cdef tuple OPTIONS = (
    "protocols", "origin", "headers", "user_agent", "reactor", "open_timeout", "unix"
)

cdef enum:
    # Messages that the record of what is not yet sent begins with room for.
    FIRST_CAPACITY = 32


cdef class WebSocket(Connection):
    """
    The browser's class, with its names in snake_case.

    ::

        ws = WebSocket("ws://localhost:6080/ws")
        ws.onopen = lambda event: ws.send("HelloWorld")
        ws.onmessage = lambda event: (print(event.data), ws.close())
        cooee.run()

    It returns at once, CONNECTING, and works inside a running asyncio loop; in a script that then
    calls ``cooee.run()``; and in a game that calls ``cooee.poll()`` once per frame. Listeners are
    called on that thread, and all methods are for that thread. An open WebSocket stays alive
    without being referred to.

    Events: ``open``; ``message`` (:class:`MessageEvent`); ``error`` (:class:`ErrorEvent`), only
    ever before a ``close``; ``close`` (:class:`CloseEvent`), always the last. A listener is a
    function or a coroutine function, each call of which becomes a task. As in the browser, an
    exception in a listener is logged, on ``cooee.websocket``, and does nothing else: neither other
    listeners nor the connection suffer.

    Differences from the browser, apart from having no page with an origin, a cache or cookies: the
    ``error`` event says what was wrong; there are arguments for what a page may not choose;
    relative URLs are refused; ports are not blocked; other arguments than strings are not turned
    into strings. There are limits: a message of more than ``max_message_size`` bytes, 1 MiB by
    default, fails the connection, as do more than ``max_buffered`` bytes that wait to be sent.

    Args:
        url: ws, wss, http (means ws) or https (means wss), without a fragment; a user and
            password in it become Basic authentication.
        protocols: Subprotocol or subprotocols to offer, best first; the connection fails when the
            server chooses none of them.
        origin: Value of ``Origin``; None, the default, for none.
        headers: Further header fields of the request, not those of the handshake itself.
        user_agent: Value of ``User-Agent``; None for no such field.
        reactor: The :class:`cooee.reactor.Reactor` to use; by default that of the running asyncio
            loop, or else the thread's own.
        open_timeout: Seconds for the connection to be established, not counting the time that it
            waits for others to the same server (RFC 6455 §4.1); None for no limit. Default 10.
        unix: Path of a Unix socket to connect to; the URL then gives the rest.
        settings: Limits, by name: see :class:`cooee.websocket.Settings`; but ``ping_interval`` is 0
            by default, as in browsers, which send no Pings.

    Raises:
        errors.SyntaxError: The URL or a subprotocol is malformed (also a ValueError).
        NotSupportedError: wss, which is not supported yet.
        TypeError: There is no such option, or a setting is no number.
        ValueError: The headers are malformed, or a setting is out of range.
    """

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3

    def __cinit__(self):
        self.protocol_in_use = ""
        self.extensions_in_use = ""
        self.blobs = True
        self.listeners = EventListeners(self)

    def __dealloc__(self):
        PyMem_RawFree(self.messages)

    def __init__(
        self,
        url,
        protocols=None,
        *,
        origin=None,
        headers=None,
        user_agent=f"cooee/{__version__}",
        reactor=None,
        open_timeout=10,
        unix=None,
        **settings,
    ):
        # new WebSocket(url, protocols):
        # 1.-2. Let urlRecord be the result of getting a URL record given url and base URL.
        # Deviation: there is no base URL.
        self.record = parse_websocket_url(str(url))
        self.origin = self.record.origin
        # 3. If protocols is a string, set protocols to a sequence of just that string.
        # 4. If any of them occurs more than once or is no token, throw a "SyntaxError".
        offered = tuple(validate_protocols(protocols))
        # 5. Set this's url to urlRecord. (Above.)
        # 6.-7. In parallel: establish a WebSocket connection given urlRecord, protocols.
        self.prepare(make_settings(WebSocket, {"ping_interval": 0, **settings}, OPTIONS), False)
        self.reactor = get_reactor() if reactor is None else reactor
        self.opening = Opening(
            self.reactor,
            self.record,
            OpeningOptions(
                protocols=offered,
                origin=origin,
                headers=headers,
                user_agent=user_agent,
                open_timeout=open_timeout,
                unix=unix,
                require_protocol=True,
            ),
            self._opened,
        )

    def __repr__(self):
        state = ("CONNECTING", "OPEN", "CLOSING", "CLOSED")[self.state]
        return f"<WebSocket {self.url} {state}>"

    # Attributes

    @property
    def url(self):
        """The URL connected to, serialised."""
        return self.record.href

    @property
    def protocol(self):
        """The subprotocol that the server chose; empty before, and when there is none."""
        return self.protocol_in_use

    @property
    def extensions(self):
        """The extensions in use, as in the header field; empty before, and when there are none."""
        return self.extensions_in_use

    @property
    def buffered_amount(self):
        """
        Bytes of messages, framing not counted, that have not been given to the network.

        What is sent while closing or closed never leaves, and counts for ever. Deviation: driven
        by ``cooee.poll()``, where messages go out at once, it falls at once.
        """
        return self.dropped + self.unsent_payload()

    @property
    def binary_type(self):
        """
        What binary messages are given as: "blob", the default, for :class:`Blob`, or
        "arraybuffer" for ``bytes``. Other values are ignored, as in the browser.
        """
        return "blob" if self.blobs else "arraybuffer"

    @binary_type.setter
    def binary_type(self, value):
        # Web IDL §3.2.15: an attribute of an enumeration ignores what is not one of its values.
        if value == "blob":
            self.blobs = True
        elif value == "arraybuffer":
            self.blobs = False

    # Events

    @property
    def onopen(self):
        """Called with the ``open`` event, or None."""
        return self.handler_of("open")

    @onopen.setter
    def onopen(self, handler):
        self.listeners.set_handler("open", handler)

    @property
    def onmessage(self):
        """Called with each ``message`` event, or None."""
        return self.handler_of("message")

    @onmessage.setter
    def onmessage(self, handler):
        self.listeners.set_handler("message", handler)

    @property
    def onerror(self):
        """Called with the ``error`` event, or None."""
        return self.handler_of("error")

    @onerror.setter
    def onerror(self, handler):
        self.listeners.set_handler("error", handler)

    @property
    def onclose(self):
        """Called with the ``close`` event, or None."""
        return self.handler_of("close")

    @onclose.setter
    def onclose(self, handler):
        self.listeners.set_handler("close", handler)

    cdef object handler_of(self, str type):
        cdef Listener listener = self.listeners.handler(type)
        return None if listener is None else listener.callback

    def add_event_listener(self, type, listener, *, bint once=False):
        """
        Call `listener` with each event of a type, after those added before.

        A listener that is there already is not added again.

        Args:
            once: Only with the next one.

        Raises:
            TypeError: `listener` is not callable (None is ignored), or `type` no ``str``.
        """
        self.listeners.add(exact_str(type, "type"), listener, once, False)

    def remove_event_listener(self, type, listener):
        """Undo :meth:`add_event_listener`; does nothing when it was not added."""
        self.listeners.remove(exact_str(type, "type"), listener)

    def _spawn(self, coro):
        task = self.reactor.spawn(coro)
        task.add_done_callback(log_exception)

    # Methods

    def send(self, data):
        """
        Send a message: ``str`` as text, the others as binary.

        Never waits; ``buffered_amount`` tells what has not gone out. While closing or closed the
        message is dropped silently. Surrogates that make no pair go out as U+FFFD.

        Raises:
            InvalidStateError: Still CONNECTING.
            TypeError: Not ``str``, ``bytes``, ``bytearray``, ``memoryview`` or :class:`Blob`.
        """
        # send(data):
        # 1. If this's ready state is CONNECTING, throw an "InvalidStateError".
        if self.state == CONNECTING:
            raise InvalidStateError("send() while CONNECTING (WHATWG WebSockets, send step 1)")
        # 2. Send a WebSocket message, if the connection is established and the closing handshake
        # has not been started; either way increase bufferedAmount: see write_frame.
        try:
            self.write_message(data)
        except UnicodeEncodeError:
            self.write_message(usv_string(data))
        except TypeError:
            if not isinstance(data, Blob):
                raise
            self.write_message(bytes(data))

    def close(self, code=None, reason=None):
        """
        Close the connection, or give up making it. Later calls do nothing.

        Messages sent before go out first.

        Args:
            code: 1000 or 3000-4999; None for a Close frame without one, which the server sees as
                1005, or 1000 if there is a reason.
            reason: At most 123 bytes as UTF-8.

        Raises:
            InvalidAccessError: The code is not one of those (also a ValueError).
            errors.SyntaxError: The reason is too long (also a ValueError).
        """
        # close(code, reason):
        # 1. If code is present, but is neither 1000 nor in the range 3000 to 4999, throw an
        # "InvalidAccessError".
        if code is not None and not is_application_code(code):
            raise InvalidAccessError(
                f"close code {code}; 1000 and 3000-4999 are allowed (WHATWG WebSockets, close)"
            )
        # 2. If reason is present: if its UTF-8 is longer than 123 bytes, throw a "SyntaxError".
        if reason is not None:
            reason = usv_string(exact_str(reason, "reason"))
            size = len(reason.encode())
            if size > MAX_REASON_BYTES:
                raise errors.SyntaxError(
                    f"close reason of {size} bytes, at most {MAX_REASON_BYTES} (RFC 6455 §5.5)"
                )
        # 3. Run the first matching steps:
        # - If the ready state is CLOSING or CLOSED: do nothing.
        if self.state >= CLOSING:
            return
        # - If the connection is not yet established: fail it and set the ready state to CLOSING.
        if self.state == CONNECTING:
            self.state = CLOSING
            self.error = HandshakeError("closed before the connection was established")
            self.opening.cancel()
            self.reactor.call_soon(self._closed)
            return
        # - If the closing handshake has not been started: start it, and set the ready state to
        # CLOSING. Without code and reason the Close frame has no body.
        if reason and code is None:
            code = 1000
        self.start_closing(code, reason or "")

    # From the opening handshake

    def _opened(self, established, exc):
        self.opening = None
        if established is None:
            # Fail the WebSocket connection.
            self.error = exc
            self._closed()
            return
        established.stream.protocol = self
        self.queued = self.stream.out.sent + self.stream.out.bytes
        # When the WebSocket connection is established:
        # 1. Change the ready state to OPEN.
        self.establish()
        # 2. Change extensions to the extensions in use, if not null.
        if established.extensions:
            self.extensions_in_use = format_extensions(established.extensions)
        # 3. Change protocol to the subprotocol in use, if not null.
        self.protocol_in_use = established.protocol or ""
        if self.settings.ping_interval > 0:
            self.keepalive = Keepalive(self.reactor, self.settings, (self,))
        # 4. Fire an event named open.
        self.listeners.fire(plain_event("open", self))
        if established.rest:
            self.feed(established.rest)

    def _closed(self):
        """When the WebSocket connection is closed, possibly cleanly."""
        # 1. Change the ready state to CLOSED.
        self.state = CLOSED
        # 2. If the connection was failed, or closed after being flagged as full, fire an event
        # named error. A loss is a failure (RFC 6455 §7.2.1), unless this side wanted to close:
        # then the peer only spared itself the answer.
        if self.failed or not self.close_sent:
            error = self.closed_error() if self.error is None else self.error
            if self.listeners.has("error"):
                self.listeners.fire(error_event(self, error))
            elif not self.reactor.closed:
                # Where a browser has its console. A program that ends its loop knows.
                logger.warning("WebSocket %s failed: %s", self.url, error)
        # 3. Fire an event named close: was_clean if closed cleanly, the connection close code and
        # reason.
        self.listeners.fire(
            close_event(self, self.close_received and self.close_sent, self.code, self.reason)
        )

    # From the connection

    cdef int got_message(self, object data) except -1:
        # When a WebSocket message has been received:
        # 1. If the ready state is not OPEN, return.
        if self.state != OPEN:
            return 0
        # 2. Let dataForEvent be: text a string; binary a Blob or an ArrayBuffer by binary type.
        if self.blobs and type(data) is bytes:
            data = Blob.from_bytes(data)
        # 3. Fire an event named message with dataForEvent, and as origin that of the URL.
        if self.listeners.message:
            self.listeners.dispatch(
                self.listeners.message, message_event(self, data, self.origin)
            )
        return 0

    # "When the WebSocket closing handshake is started, change the ready state to CLOSING": the
    # connection does.

    cdef int got_error(self, object exc) except -1:
        # The event waits for the connection to be closed.
        self.error = exc
        return 0

    cdef int got_lost(self) except -1:
        self.dropped += self.unsent_payload()
        self.oldest = self.newest = self.capacity = 0
        self.pending = 0
        PyMem_RawFree(self.messages)
        self.messages = NULL
        if self.keepalive is not None:
            self.keepalive.stop()
            self.keepalive = None
        self._closed()
        return 0

    # What has not been sent

    cdef int write_frame(
        self, uint8_t first, object owner, const void *data, size_t size
    ) except -1:
        cdef Stream stream = self.stream
        if first & 0x0F >= CLOSE:
            if not stream.closing and not stream.ending:
                self.queued += header_size(size, True) + size
            return Connection.write_frame(self, first, owner, data, size)
        if self.state != OPEN or stream.closing:
            self.dropped += size
            return 0
        self.enqueue(header_size(size, True) + size, size)
        Connection.write_frame(self, first, owner, data, size)
        # If the data cannot be sent because the buffer is full, flag the WebSocket as full and
        # close the connection.
        self.drop_if_slow()
        return 0

    cdef int enqueue(self, size_t frame, size_t payload) except -1:
        """Note a message that is about to be given to the stream."""
        cdef sent_t *messages
        cdef Py_ssize_t capacity
        self.queued += frame
        if self.newest == self.capacity:
            self.forget_sent()
            if self.oldest > 0:
                self.newest -= self.oldest
                memmove(self.messages, self.messages + self.oldest, self.newest * sizeof(sent_t))
                self.oldest = 0
            # Half empty, so that moving costs each message next to nothing.
            if self.newest > self.capacity // 2 or self.capacity == 0:
                capacity = max(<Py_ssize_t> FIRST_CAPACITY, 2 * self.capacity)
                messages = <sent_t *> PyMem_RawRealloc(self.messages, capacity * sizeof(sent_t))
                if messages == NULL:
                    raise MemoryError
                self.messages = messages
                self.capacity = capacity
        self.messages[self.newest].end = self.queued
        self.messages[self.newest].payload = payload
        self.newest += 1
        self.pending += payload
        return 0

    cdef int forget_sent(self) noexcept:
        cdef uint64_t sent = self.stream.out.sent
        while self.oldest < self.newest and self.messages[self.oldest].end <= sent:
            self.pending -= self.messages[self.oldest].payload
            self.oldest += 1
        if self.oldest == self.newest:
            self.oldest = self.newest = 0
        return 0

    cdef size_t unsent_payload(self) noexcept:
        """Bytes of payload that the stream has not sent."""
        cdef sent_t *first
        if self.newest == 0:
            return 0
        self.forget_sent()
        if self.newest == 0:
            return 0
        # Of the oldest the header went first, and maybe a part of the payload.
        first = &self.messages[self.oldest]
        return self.pending - first.payload + min(
            <uint64_t> first.payload, first.end - self.stream.out.sent
        )


def log_exception(task):
    """A coroutine listener has ended."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("exception in a listener", exc_info=task.exception())

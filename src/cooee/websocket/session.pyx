"""
Sessions: the established connections that a server hands to its handlers and ``connect`` yields.

One object has both faces. In event style, handlers are registered with :meth:`Session.on` and
called as messages arrive; in coroutine style, messages wait in a queue for :meth:`Session.recv`
or ``async for``. Registering a ``message`` handler chooses the first.
"""

import asyncio
import os
from collections import deque

cimport cython

from cooee.protocol.frames cimport BINARY, PONG, TEXT
from cooee.websocket.connection cimport (
    CLOSED,
    CLOSING,
    HELD_BY_QUEUE,
    HELD_BY_USER,
    MESSAGE_OVERHEAD,
    OPEN,
    Connection,
    Settings,
)
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.protocol.errors import ConcurrencyError, ConnectionClosedOK
from cooee.protocol.frames import build_frame
from cooee.protocol.text import exact_str

cdef extern from *:
    """
    /* "raise StopIteration(value)" without the exception object, as the interpreter itself does for
       values that are neither tuples nor exceptions. */
    static PyObject *cooee_stop_iteration(PyObject *value)
    {
        PyErr_SetObject(PyExc_StopIteration, value);
        return NULL;
    }
    """
    object PyObject_CallOneArg(object callable, object argument)
    object cooee_stop_iteration(object value)

EVENTS = ("message", "close", "error", "ping", "pong", "drain")


@cython.freelist(4)
cdef class Registrar:
    """The decorator that :meth:`Session.on` returns, for a third of what a closure costs."""

    cdef Session session
    cdef str event

    def __call__(self, handler):
        return self.session.register(self.event, handler)


cdef class Once:
    """Calls a handler once and takes it off."""

    cdef object handler
    cdef object event
    cdef Session session

    def __init__(self, handler, event, session):
        self.handler = handler
        self.event = event
        self.session = session

    def __call__(self, *args):
        # Not by the handler, which may be registered for good as well.
        self.session.off(self.event, self)
        return self.handler(*args)


@cython.freelist(8)
cdef class Taken:
    """A message that was waiting: awaiting it takes no turn of the loop, and no coroutine."""

    cdef object message

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        message = self.message
        self.message = None
        return cooee_stop_iteration(message)


@cython.freelist(64)
cdef class Following:
    """
    The next message of a session, when it comes.

    Two coroutines, one in the other, would do the same, and cost a microsecond more.
    """

    cdef Session session
    # Whether the end of the session is the end of an iteration.
    cdef bint iterating
    cdef object future

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        cdef Session session = self.session
        self.leave()
        if session.queue:
            return cooee_stop_iteration(session.take())
        if session.close_received or session.failed or session.state == CLOSED:
            error = session.closed_error()
            if self.iterating and isinstance(error, ConnectionClosedOK):
                raise StopAsyncIteration
            raise error
        if session.receiver is not None:
            raise ConcurrencyError("another task is waiting in recv()")
        if session.on_message is not None:
            raise ConcurrencyError("recv() beside a message handler")
        session.queueing = True
        self.future = session.receiver = asyncio.get_running_loop().create_future()
        # The sign to its task that it is waited for, as in "yield from future".
        self.future._asyncio_future_blocking = True
        return self.future

    def send(self, value):
        return self.__next__()

    def throw(self, kind, value=None, traceback=None):
        self.leave()
        if value is None:
            value = kind
        if isinstance(value, type):
            value = value()
        raise value.with_traceback(traceback or value.__traceback__)

    def close(self):
        self.leave()

    cdef int leave(self) except -1:
        if self.future is not None:
            self.future = None
            self.session.receiver = None
        return 0


cdef class Session(Connection):
    """
    An open WebSocket connection.

    Events, as in Node's ``ws``:

    - ``message(data)``: ``str`` or ``bytes``, as the peer sent it;
    - ``close(code, reason)``: the connection is gone; 1005 when the peer gave no code, 1006 when
      it sent no Close frame;
    - ``error(exc)``: the peer broke the protocol (``ProtocolError``) or the network failed
      (``OSError``); ``close`` follows;
    - ``ping(data)``, ``pong(data)``: a Ping has been answered already;
    - ``drain()``: what had to wait has been sent.

    A handler is a function, or a coroutine function, each call of which becomes a task: such
    handlers run concurrently. An exception in a handler is logged and fails the connection with
    1011.

    Attributes:
        request: The :class:`cooee.http.Request` of the opening handshake; for a client None.
        subprotocol: The negotiated subprotocol, or None.
        owner: The server it belongs to; for a client None.
    """

    def __init__(self, Settings settings not None, *, bint server, request=None, subprotocol=None,
                 owner=None):
        self.prepare(settings, server)
        self.request = request
        self.subprotocol = subprotocol
        self.owner = owner
        self.queueing = True

    def connection_made(self):
        """The opening handshake is over and the stream ours."""
        self.establish()
        if self.owner is not None:
            self.owner.admit(self)

    @property
    def path(self):
        """The request's path, percent-decoded; None for a client."""
        return self.request.path if self.request is not None else None

    @property
    def remote_address(self):
        """The peer's address, as the socket module gives it; None on a Unix socket."""
        return self.stream.peername if self.stream is not None else None

    @property
    def local_address(self):
        """Our address, as the socket module gives it; None once closed."""
        return self.stream.sockname if self.stream is not None else None

    @property
    def close_code(self):
        """The peer's close code: 1005 for none, 1006 for no Close frame; None while open."""
        return self.code if self.close_received or self.state == CLOSED else None

    @property
    def close_reason(self):
        """The peer's reason; None while open."""
        return self.reason if self.close_received or self.state == CLOSED else None

    @property
    def data(self):
        """A dict for the application's own use."""
        if self.state_data is None:
            self.state_data = {}
        return self.state_data

    # Event style

    def on(self, event, handler=None):
        """
        Register a handler; without one, return a decorator.

        Several handlers of one event are called in the order they were registered.

        Raises:
            ValueError: There is no such event.
        """
        cdef Registrar registrar
        if type(event) is not str:
            event = exact_str(event, "event")
        if handler is None:
            registrar = Registrar.__new__(Registrar)
            registrar.session = self
            registrar.event = event
            return registrar
        return self.register(event, handler)

    cdef object register(self, str event, object handler):
        handlers = self.handlers(event)
        if handlers is None:
            self.set_handlers(event, handler)
        else:
            self.set_handlers(event, [*as_list(handlers), handler])
        if event == "message" and self.queueing:
            self.queueing = False
            if self.queue:
                # What came before the handler did.
                self.stream.reactor.call_soon(self.replay)
        return handler

    def once(self, event, handler=None):
        """As :meth:`on`, for the first occurrence only."""
        if handler is None:
            return lambda function: self.once(event, function)
        self.on(event, Once(handler, event, self))
        return handler

    def off(self, event, handler):
        """Unregister a handler; does nothing when it is not registered."""
        event = exact_str(event, "event")
        handlers = [one for one in as_list(self.handlers(event)) if not is_handler(one, handler)]
        self.set_handlers(event, handlers[0] if len(handlers) == 1 else handlers or None)

    cdef object handlers(self, str event):
        if event == "message":
            return self.on_message
        if event == "close":
            return self.on_close
        if event == "error":
            return self.on_error
        if event == "ping":
            return self.on_ping
        if event == "pong":
            return self.on_pong
        if event == "drain":
            return self.on_drain
        raise ValueError(f"a session has no event {event!r}, only {', '.join(EVENTS)}")

    cdef int set_handlers(self, str event, object handlers) except -1:
        if event == "message":
            self.on_message = handlers
        elif event == "close":
            self.on_close = handlers
        elif event == "error":
            self.on_error = handlers
        elif event == "ping":
            self.on_ping = handlers
        elif event == "pong":
            self.on_pong = handlers
        else:
            self.on_drain = handlers
        return 0

    cdef int emit(self, object handler, tuple args) except -1:
        if handler is None:
            return 0
        if type(handler) is not list:
            return self.returned(handler(*args))
        for one in list(handler):
            self.returned(one(*args))
        return 0

    cdef int returned(self, object result) except -1:
        """A handler has returned; what a coroutine function returns goes on as a task."""
        if result is not None and asyncio.iscoroutine(result):
            self.spawn(result)
        return 0

    def spawn(self, coro):
        """Run a coroutine on behalf of this session: its exception fails the connection."""
        if self.stream is None:
            coro.close()
            raise self.not_open()
        task = self.stream.reactor.spawn(coro)
        task.add_done_callback(self.task_done)
        return task

    def task_done(self, task):
        if not task.cancelled() and task.exception() is not None:
            self.handler_raised(task.exception())

    def report(self, exc):
        """A handler on behalf of this session has raised: the connection is failed with 1011."""
        self.handler_raised(exc)

    def replay(self):
        while (
            self.queue
            and self.on_message is not None
            and not self.failed
            and not self.held & HELD_BY_USER
        ):
            try:
                self.emit(self.on_message, (self.take(),))
            except Exception as exc:
                self.handler_raised(exc)

    def stop_queueing(self):
        """Nobody is going to receive: drop messages unless a handler is there."""
        self.queueing = False
        self.queue = None
        self.queued = 0
        self.unhold(HELD_BY_QUEUE)

    # Both

    def send(self, data):
        """
        Send a message: ``str`` as text, bytes-like as binary.

        What is sent within one turn goes out together at its end. The result may be awaited, and
        is done at once unless more than ``high_water`` bytes are waiting; or ignored.

        Raises:
            TypeError: For other types.
            UnicodeEncodeError: For text with lone surrogates, which UTF-8 cannot express.
            ConnectionClosed: The connection is closing or closed.
        """
        if self.state != OPEN:
            raise self.not_open()
        self.write_message(data)
        if self.stream.out.bytes <= self.settings.high_water:
            return DONE
        return self.pressure()

    def ping(self, data=None):
        """
        Send a Ping (RFC 6455 §5.5.2); awaiting the result gives the round-trip time in seconds.

        Args:
            data: ``str`` or bytes-like, at most 125 bytes; by default 4 random ones.

        Raises:
            ValueError: The payload is too long, or a Ping with it is under way.
            ConnectionClosed: The connection is closing or closed; awaiting raises it too, when the
                connection ends before the answer.
        """
        cdef Outcome outcome = Outcome()
        if self.state != OPEN:
            raise self.not_open()
        payload = control_payload(data)
        if self.pings is not None and payload in self.pings:
            raise ValueError("a ping with this payload waits for its answer")
        self.send_ping(payload, outcome)
        return outcome

    def pong(self, data=b""):
        """Send an unsolicited Pong (RFC 6455 §5.5.3), a one-way heartbeat."""
        if self.state != OPEN:
            raise self.not_open()
        self.write_control(PONG, control_payload(data))

    def close(self, code=1000, reason=""):
        """
        Start the closing handshake (RFC 6455 §7.1.2).

        Later calls do nothing. Awaiting the result waits until the connection is gone, at most
        ``close_timeout`` seconds.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999; None for a Close frame without one.
            reason: At most 123 bytes as UTF-8.

        Raises:
            InvalidAccessError: The code may not be sent (also a ValueError).
            errors.SyntaxError: The reason is too long (also a ValueError).
        """
        self.start_closing(code, exact_str(reason, "reason"))
        return self.outcome()

    def wait_closed(self):
        """Awaiting the result waits until the connection is gone."""
        return self.outcome()

    def terminate(self):
        """Cut the connection without a closing handshake; the peer sees 1006."""
        if self.state == OPEN:
            self.state = CLOSING
        if self.stream is not None:
            self.stream.abort()

    def pause(self):
        """Read and deliver nothing more, Ping and Close included, until :meth:`resume`."""
        if self.state == OPEN:
            self.hold(HELD_BY_USER)

    def resume(self):
        """Read again. Messages that had arrived come first."""
        if self.queue and self.on_message is not None:
            self.stream.reactor.call_soon(self.replay)
        self.unhold(HELD_BY_USER)

    @property
    def paused(self):
        """Whether :meth:`pause` is in force."""
        return (self.held & HELD_BY_USER) != 0

    # Coroutine style

    async def recv(self):
        """
        Wait for a message and return it, ``str`` or ``bytes``.

        Cancelling it loses nothing.

        Raises:
            ConnectionClosed: The connection has ended and all messages were taken.
            ConcurrencyError: Another task is waiting in it, or there is a ``message`` handler.
        """
        return await self.following(False)

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef Taken taken
        if self.queue:
            taken = Taken.__new__(Taken)
            taken.message = self.take()
            return taken
        return self.following(True)

    cdef object following(self, bint iterating):
        cdef Following following = Following.__new__(Following)
        following.session = self
        following.iterating = iterating
        return following

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        await self.close()

    cdef object take(self):
        data = self.queue.popleft()
        self.queued -= len(data) + MESSAGE_OVERHEAD
        if self.held and self.queued <= self.settings.max_queue // 4:
            self.unhold(HELD_BY_QUEUE)
        return data

    cdef int wake(self) except -1:
        if self.receiver is not None and not self.receiver.done():
            self.receiver.set_result(None)
            self.stream.reactor.woke_tasks = True
        return 0

    # From the connection

    cdef int got_message(self, object data) except -1:
        cdef object handler = self.on_message
        if handler is not None and not self.queue:
            if type(handler) is list:
                return self.emit(handler, (data,))
            result = PyObject_CallOneArg(handler, data)
            # Most return one of these.
            if result is not None and result is not DONE:
                self.returned(result)
            return 0
        if self.queueing or self.queue:
            if self.queued > self.settings.max_queue and self.state != OPEN:
                # Dropped: the answer to our Close frame comes behind what nobody takes.
                return 0
            if self.queue is None:
                self.queue = deque()
            self.queue.append(data)
            self.queued += len(data) + MESSAGE_OVERHEAD
            if self.queued > self.settings.max_queue and self.state == OPEN:
                self.hold(HELD_BY_QUEUE)
            self.wake()
        return 0

    cdef int got_ping(self, bytes data) except -1:
        return self.emit(self.on_ping, (data,))

    cdef int got_pong(self, bytes data) except -1:
        return self.emit(self.on_pong, (data,))

    cdef int got_close(self) except -1:
        return self.wake()

    cdef int fail(self, int code, str reason) except -1:
        Connection.fail(self, code, reason)
        # Nothing more is received, though the stream lingers.
        return self.wake()

    cdef int got_error(self, object exc) except -1:
        return self.emit(self.on_error, (exc,))

    cdef int got_drained(self) except -1:
        return self.emit(self.on_drain, ())

    cdef int got_lost(self) except -1:
        if self.owner is not None:
            self.owner.forget(self)
        self.wake()
        handler = self.on_close
        # The handlers refer to the session, most of them, and it to them.
        self.on_message = self.on_close = self.on_ping = self.on_pong = None
        self.on_error = self.on_drain = None
        return self.emit(handler, (self.code, self.reason))


cdef inline list as_list(object handlers):
    if handlers is None:
        return []
    return handlers if type(handlers) is list else [handlers]


cdef bint is_handler(object registered, object handler) except -1:
    return registered == handler or (
        isinstance(registered, Once) and (<Once> registered).handler == handler
    )


cdef bytes control_payload(object data):
    """The payload of a Ping or Pong from what the application gave; None for a random one."""
    cdef bytes payload
    if data is None:
        return os.urandom(4)
    payload = data.encode() if isinstance(data, str) else bytes(data)
    if len(payload) > 125:
        raise ValueError(f"control frame of {len(payload)} bytes, at most 125 (RFC 6455 §5.5)")
    return payload


def broadcast(sessions, data):
    """
    Send a message to many server sessions; its frame is built once.

    Those that are not open are passed over; those with more than ``max_buffered`` bytes waiting are
    cut off.

    Args:
        sessions: Any iterable of sessions; it may change while this runs.
        data: As for :meth:`Session.send`.

    Returns:
        The number of sessions it was sent to.
    """
    cdef Session session
    if isinstance(data, memoryview) and not data.c_contiguous:
        data = data.tobytes()
    cdef bytes frame = build_frame(TEXT if isinstance(data, str) else BINARY, data)
    cdef int count = 0
    for item in list(sessions):
        session = item
        if session.state != OPEN:
            continue
        if not session.server:
            raise ValueError("broadcast() to a client's session, which must mask (RFC 6455 §5.3)")
        session.stream.share(frame)
        session.drop_if_slow()
        count += 1
    return count

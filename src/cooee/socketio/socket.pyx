"""
Sockets: what a server sees of a client in one namespace.

Events come in through :meth:`Socket.got_packet` and go out through :meth:`Socket.emit`; between the
two and Engine.IO are only the parser and the client that the sockets of all namespaces share.
"""

import logging

from cooee.socketio.acks cimport (
    AWAITED,
    COLLECTED,
    PLAIN,
    TIMED,
    AckTable,
    check_callback,
)
from cooee.socketio.client cimport Client, Member
from cooee.socketio.packet cimport ACK, CONNECT, DISCONNECT, EVENT, Packet, make_packet
from cooee.socketio.socket_events cimport event_name
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.socketio.adapters.base import BroadcastOptions
from cooee.socketio.broadcast import BroadcastOperator, SocketOperator, check_event
from cooee.socketio.errors import Disconnected

cdef extern from "Python.h":
    bint PyCoro_CheckExact(object value)

logger = logging.getLogger("cooee.socketio")

# Reasons after which a client may come back to its session.
cdef frozenset RECOVERABLE = frozenset({
    "transport error",
    "transport close",
    "forced close",
    "ping timeout",
    "server shutting down",
    "forced server close",
})
# Events that are ours alone, and their keys: no peer can name a tuple.
cdef dict LOCAL = {name: (name,) for name in ("disconnect", "disconnecting", "drain")}


cdef class Ack:
    """
    Acknowledges an event; the last argument of the handlers of an event whose sender asked for it.

    Call it with any arguments, at any time. Calls after the first do nothing, nor do any after the
    socket has disconnected; not to call it is to decline.
    """

    def __call__(self, *args):
        cdef Socket socket = self.socket
        if self.sent:
            return DONE
        if not socket.connected:
            return socket.gone()
        result = socket.client.write(make_packet(ACK, socket.nsp, self.id, args), True)
        self.sent = True
        return result

    def __repr__(self):
        return f"<ack {self.id} of {self.socket!r}>"


cdef class Socket(Member):
    """
    A client in a namespace.

    Events are what the client emits, and besides

    - ``disconnecting(reason, description)``: the connection is over, the rooms are still there;
    - ``disconnect(reason, description)``: it is over, and this the last event;
    - ``error(exc)``: a middleware of :meth:`use` has refused an event, or the client broke the
      protocol; clients can emit it too;
    - ``drain()``: what had to wait has been sent.

    A handler takes the event's arguments and, if the sender asked for an acknowledgement, a
    callable :class:`Ack` as the last. What a handler returns does not matter. Arguments beyond
    those that it takes are left out.

    **Order.** Handlers are functions or coroutine functions. The events of one socket are handled
    in the order in which they came: while a coroutine goes on, later events of this socket wait,
    and so do ``disconnect`` and what comes after a recovery. Acknowledgements do not wait, nor do
    ``disconnecting``, ``drain`` and other sockets. With ``Server(ordered=False)`` nothing waits,
    and each call of a coroutine function goes on by itself.

    **Tasks.** Each call of a coroutine function has a context of its own, but not always a task:
    handlers that end without waiting share one, also with other sockets' handlers. From a
    handler's beginning to its end ``asyncio.current_task()`` is the same, and cancels it alone; a
    task that a handler has kept is not given to others after it. Only the task's name, its done
    callbacks and weak references to it may outlive the handler.

    An exception in a handler is logged and has no other consequence.

    Attributes:
        id: Its id: not a secret, unlike the client's.
        connected: Whether events can be sent.
        recovered: Whether it is the continuation of one that was lost, with its id, rooms and data.
        handshake: How the client came, and its ``auth``.
        client: The client, whose sockets in other namespaces share its connection.
        namespace: The namespace.
        dropped: Volatile events that were not sent, since the client was not ready.
    """

    def __init__(self, namespace, Client client not None, str id not None, handshake, *, pid=None,
                 data=None, bint recovered=False):
        server = namespace.server
        self.nsp = namespace.name
        self.namespace = namespace
        self.client = client
        self.id = id
        self.pid = pid
        self.handshake = handshake
        self.state_data = data
        self.recovered = recovered
        self.prepare(client.engine.reactor, server.ordered, server.limits.max_queue)
        self.recording = server.recovers
        self.reason = "not connected yet"

    def __repr__(self):
        return f"<Socket {self.id} in {self.nsp!r}>"

    @property
    def server(self):
        """The server."""
        return self.namespace.server

    @property
    def data(self):
        """A dict for the application's own use; kept when the socket is recovered."""
        if self.state_data is None:
            self.state_data = {}
        return self.state_data

    @data.setter
    def data(self, dict value not None):
        self.state_data = value

    @property
    def disconnected(self):
        """The opposite of ``connected``."""
        return not self.connected

    @property
    def request(self):
        """The HTTP request that began the client's session."""
        return self.client.request

    @property
    def buffered_amount(self):
        """Bytes that wait to be sent to the client, whatever the namespace."""
        return self.client.engine.unsent()

    @property
    def rooms(self):
        """The rooms it is in, a set of their names."""
        return set(self.namespace.adapter.rooms_of(self.id))

    # Handlers

    def use(self, middleware):
        """
        Register a middleware, called with each event before its handlers.

        It takes the event as a list, its name first, which it may change; what it raises keeps the
        event from its handlers and goes to the handlers of ``error``. It may be a coroutine
        function.
        """
        if not callable(middleware):
            raise TypeError(f"a middleware is called, which {middleware!r} cannot be")
        self.filters = [*(self.filters or ()), middleware]
        return middleware

    cdef object key(self, object event):
        name = event_name(event)
        return LOCAL.get(name, name)

    # Sending

    def emit(self, *args, ack=None):
        """
        Send an event.

        ::

            socket.emit("news", {"number": 1}, b"...")
            socket.emit("question", ack=lambda *answer: print(answer))
            await socket.emit("large", data)

        Awaiting the result waits while more than ``high_water`` bytes wait to be sent, and raises
        :class:`Disconnected` if there is no connection any more. To ignore it is all right: then
        what is sent to a socket that has disconnected is lost without a word.

        Args:
            event: A string other than ``connect``, ``connect_error``, ``disconnect``,
                ``disconnecting``, ``newListener`` and ``removeListener``.
            args: What JSON has, besides bytes-like objects; see :mod:`cooee.socketio.parser`.
            ack: Called with the arguments of the acknowledgement; see also :meth:`timeout`. It may
                be a coroutine function.

        Raises:
            ValueError: The event is reserved.
            TypeError: Something cannot be encoded.
        """
        if ack is None and self.connected and not self.recording:
            return self.send_event(args, None, False, True)
        return self.emit_event(args, ack, False, True, None)

    def send(self, *args, ack=None):
        """Send the event ``message``."""
        return self.emit_event(("message", *args), ack, False, True, None)

    def emit_with_ack(self, *args, timeout=None):
        """
        Send an event, and return its acknowledgement when awaited: None for no argument, the
        argument if there is one, else a list of them.

        Args:
            event: As for :meth:`emit`, as are the others.
            timeout: Seconds; None for as long as the client is there.

        Raises:
            AckTimeout: When awaited: it did not come in time.
            Disconnected: When awaited: the socket has disconnected before it came.
        """
        return self.ask(args, False, True, timeout)

    def emit_event(self, tuple args, ack, bint volatile_, bint compress, timeout):
        """As :meth:`emit`, with everything said; for those who set flags."""
        if not self.connected:
            if ack is not None and timeout is not None:
                self.reactor.call_soon(ack, Disconnected(self.reason))
            return self.gone()
        if ack is not None:
            check_callback(ack)
            id = self.expect(PLAIN if timeout is None else TIMED, ack, timeout)
            return self.send_event(args, id, volatile_, compress)
        if self.recording and not volatile_:
            # So that the client gets it when it comes back.
            check_event(args)
            self.namespace.adapter.broadcast(
                list(args),
                BroadcastOptions(rooms=frozenset((self.id,)), compress=compress),
            )
            return self.client.pressure()
        return self.send_event(args, None, volatile_, compress)

    def ask(self, tuple args, bint volatile_, bint compress, timeout):
        """As :meth:`emit_with_ack`, with everything said."""
        cdef Outcome outcome = Outcome()
        if not self.connected:
            outcome.finish(None, Disconnected(self.reason))
        else:
            self.send_event(args, self.expect(AWAITED, outcome, timeout), volatile_, compress)
        return outcome

    cdef object expect(self, int kind, object callback, object timeout):
        """Wait for an acknowledgement, and return the id that the event gets."""
        id = self.namespace.next_id()
        self.ack_table().expect(id, kind, callback, timeout)
        return id

    cdef AckTable ack_table(self):
        """What the client owes; few sockets ever ask."""
        if self.acks is None:
            self.acks = AckTable.__new__(AckTable, self.reactor, self.server.limits.max_acks)
        return self.acks

    cdef object send_event(self, object payload, object id, bint volatile_, bint compress):
        cdef Client client = self.client
        if volatile_ and not client.engine.is_writable():
            self.dropped += 1
            return DONE
        if self.any_outgoing is not None:
            self.notify_outgoing(payload)
        try:
            return client.write(make_packet(EVENT, self.nsp, id, payload), compress)
        except BaseException:
            if id is not None:
                self.acks.forget(id)
            raise

    cdef object gone(self):
        cdef Outcome outcome = Outcome()
        outcome.finish(None, Disconnected(self.reason))
        return outcome

    def expect_shared(self, id, callback):
        """Wait for an acknowledgement of a broadcast, `callback` taking its arguments as a list."""
        self.ack_table().expect(id, COLLECTED, callback, None)

    def forget_ack(self, id):
        """Stop waiting for an acknowledgement, and tell nobody."""
        if self.acks is not None:
            self.acks.forget(id)

    @property
    def volatile(self):
        """What is emitted with it is dropped, and counted, if the client is not ready."""
        return SocketOperator(self, volatile=True)

    def compress(self, bint compress):
        """Whether what is emitted with the result is compressed, where the transport does."""
        return SocketOperator(self, compress=compress)

    def timeout(self, double seconds):
        """
        Limit the wait for the acknowledgement of what is emitted with the result.

        A callback then takes an error first: None, or an :class:`AckTimeout` or
        :class:`Disconnected`.
        """
        return SocketOperator(self, timeout=seconds)

    @property
    def broadcast(self):
        """To all others of the namespace."""
        return self.operator()

    @property
    def local(self):
        """To all others of the namespace on this server."""
        return self.operator().local

    def to(self, *rooms):
        """To the others in any of these rooms."""
        return self.operator().to(*rooms)

    def in_(self, *rooms):
        """To the others in any of these rooms; the same as :meth:`to`."""
        return self.operator().to(*rooms)

    def except_(self, *rooms):
        """To the others that are in none of these rooms."""
        return self.operator().except_(*rooms)

    def operator(self):
        """Whatever goes to others."""
        return BroadcastOperator(
            self.namespace, BroadcastOptions(except_=frozenset((self.id,)))
        )

    # Rooms

    def join(self, *rooms):
        """
        Join rooms, given by name or as iterables of names.

        Raises:
            LimitExceeded: It is in ``Limits.max_rooms`` rooms.
        """
        # As the reference: who has left does not come back by that.
        if self.leaving and not self.connected:
            return
        self.namespace.let_join(self, rooms)

    def leave(self, str room not None):
        """Leave a room; does nothing when it is not in it."""
        self.namespace.adapter.remove(self.id, room)

    # Life

    def disconnect(self, bint close=False):
        """
        Leave the namespace, or with `close` all namespaces and the connection.

        Does nothing when it is not connected.
        """
        if not self.connected:
            return
        if close:
            self.client.disconnect()
        else:
            self.expel()

    def establish(self):
        """Be connected, and tell the client (called by the namespace)."""
        self.connected = True
        self.reason = None
        self.namespace.adapter.add_all(self.id, (self.id,))
        if self.client.engine.protocol == 3:
            data = None
        elif self.pid is None:
            data = {"sid": self.id}
        else:
            data = {"sid": self.id, "pid": self.pid}
        self.client.write(make_packet(CONNECT, self.nsp, None, data), True)

    def replay(self, list missed):
        """Send what it missed while it was away (called by the namespace)."""
        for payload in missed:
            self.client.write(make_packet(EVENT, self.nsp, None, payload), True)

    cdef int expel(self) except -1:
        self.client.write(make_packet(DISCONNECT, self.nsp, None, None), True)
        self.client.remove(self)
        return self.end("server namespace disconnect", None)

    cdef int lost(self, str reason, object description) except -1:
        return self.end(reason, description)

    cdef int end(self, str reason, object description) except -1:
        # Its handlers may disconnect it, which does nothing twice.
        if not self.connected or self.leaving:
            return 0
        self.leaving = True
        self.fire(["disconnecting", reason, description])
        self.connected = False
        self.reason = reason
        self.namespace.remove(self, self.recording and reason in RECOVERABLE)
        if self.acks is not None:
            self.acks.fail(Disconnected(reason))
        if self.must_wait():
            self.namespace.lingering[self.id] = self
            return self.wait(["disconnect", reason, description], -1)
        return self.handle_local(["disconnect", reason, description])

    def follow(self, Socket lost not None):
        """Handle nothing before what came by the lost connection (called by the namespace)."""
        self.running += 1
        lost.successor = self

    cdef int handle_local(self, list args) except -1:
        cdef Socket successor = self.successor
        # Of our events only this one has to wait.
        self.fire(args)
        # Most handlers refer to the socket, and it to them.
        self.listeners_by_event.clear()
        self.any_listeners = self.any_outgoing = self.filters = None
        if self.namespace.lingering.get(self.id) is self:
            del self.namespace.lingering[self.id]
        self.successor = None
        return 0 if successor is None else successor.finished(0)

    # Receiving

    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1:
        cdef list args
        cdef Ack ack
        if packet.kind == EVENT:
            args = <list> packet.data
            if packet.id is not None:
                ack = Ack.__new__(Ack)
                ack.socket = self
                ack.id = packet.id
                args.append(ack)
            if self.must_wait():
                return self.wait(args, size)
            return self.handle(args, size)
        if packet.kind == ACK:
            return 0 if self.acks is None else self.acks.got(packet.id, packet.data)
        if packet.kind == DISCONNECT:
            self.client.remove(self)
            return self.end("client namespace disconnect", None)
        return 0

    cdef int got_error(self, object exc) except -1:
        return self.fire(["error", exc])

    cdef int got_drain(self) except -1:
        return self.fire(["drain"])

    cdef int dispatch(self, list args, Py_ssize_t size) except -1:
        if self.filters is not None:
            return self.filter(args, size)
        return Member.dispatch(self, args, size)

    # Middlewares

    cdef int filter(self, list args, Py_ssize_t size) except -1:
        cdef Py_ssize_t done = 0
        filters = self.filters
        try:
            for middleware in filters:
                done += 1
                result = middleware(args)
                if result is not None and PyCoro_CheckExact(result):
                    self.start_task(
                        self.filter_on(result, filters[done:], args, size), args[0], size
                    )
                    return 0
        except Exception as exc:
            return self.refused(exc)
        return self.filtered(args, size)

    async def filter_on(self, coro, rest, args, size):
        try:
            await coro
            for middleware in rest:
                result = middleware(args)
                if result is not None and PyCoro_CheckExact(result):
                    await result
        except Exception as exc:
            self.refused(exc)
        else:
            self.filtered(args, size)

    cdef int filtered(self, list args, Py_ssize_t size) except -1:
        # The middlewares may have kept the list, and may have done anything to it.
        args = list(args)
        return Member.dispatch(self, args, size) if args else 0

    cdef int refused(self, object exc) except -1:
        if self.listeners("error"):
            self.fire(["error", exc])
        else:
            logger.info("an event of %r was refused: %s", self, exc)
        return 0

    cdef int overrun(self) except -1:
        if self.connected:
            logger.warning(
                "%r disconnected: more than %d bytes of events wait for its handlers (max_queue)",
                self,
                self.max_waiting,
            )
            self.client.close()
        return 0

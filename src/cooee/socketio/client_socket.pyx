"""
Client sockets: what a client sees of a server in one namespace.

A socket outlives its connections: it is connected anew whenever its manager is, until it or the
server disconnects it. What is emitted meanwhile waits.

::

                  connect()                CONNECT received
    not active ──────────────▶ joining ──────────────────────▶ connected
        ▲                       ▲   │ CONNECT_ERROR             │    │
        │                       │   ▼                           │    │ connection lost
        │◀──────────────────────│───┴───────────────────────────┘    │
        │   disconnect(), DISCONNECT received                        │
        │                       └────────────────────────────────────┘
"""

import inspect
import logging

from cooee.socketio.acks cimport AWAITED, PLAIN, TIMED, AckTable, Pending, check_callback
from cooee.socketio.multiplexer cimport Channel
from cooee.socketio.packet cimport (
    ACK,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Packet,
    is_event_name,
    make_packet,
)
from cooee.socketio.retries cimport NO_ACK, Retries
from cooee.socketio.socket_events cimport EVENT_OVERHEAD, event_name
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.socketio.broadcast import check_event
from cooee.socketio.emit_operator import EmitOperator
from cooee.socketio.errors import ConnectError, Disconnected, LimitExceeded
from cooee.socketio.options import check_auth

logger = logging.getLogger("cooee.socketio")

# Events that are ours alone, and their keys: no peer can name a tuple.
cdef dict LOCAL = {name: (name,) for name in ("connect", "connect_error", "disconnect")}


cdef class ClientAck:
    """
    Acknowledges an event; the last argument of the handlers of an event whose sender asked for it.

    Call it with any arguments, at any time. Calls after the first do nothing, nor do any once the
    connection is lost that the event came by; not to call it is to decline.
    """

    def __call__(self, *args):
        cdef ClientSocket socket = self.socket
        if self.sent:
            return DONE
        if not socket.connected or socket.connection != self.connection:
            return gone("the event came by an earlier connection")
        result = socket.transmit(make_packet(ACK, socket.namespace, self.id, args))
        self.sent = True
        return result

    def __repr__(self):
        return f"<ack {self.id} of {self.socket!r}>"


cdef class Acks(AckTable):
    """Those of a socket, which also knows of events that have not been sent yet."""

    cdef ClientSocket socket

    def timed_out(self, id):
        self.socket.withdraw(id)
        AckTable.timed_out(self, id)


cdef class ClientSocket(Channel):
    """
    A namespace of a server, as its client has it; made by :func:`connect` or
    :meth:`Manager.socket`.

    Events are what the server emits, and besides

    - ``connect()``: it is connected, for the first time or again;
    - ``connect_error(exc)``: the server refuses it (:class:`ConnectError`, with its message and
      data; it is then not ``active``), or cannot be reached, and is tried again;
    - ``disconnect(reason, description)``: the connection is over. If the reason is "io server
      disconnect" or "io client disconnect" it stays so until :meth:`connect`; with "ping timeout",
      "transport close", "transport error" and "parse error" the manager connects again.

    A handler takes the event's arguments and, if the sender asked for an acknowledgement, a
    callable :class:`ClientAck` as the last. What a handler returns does not matter. Arguments
    beyond those that it takes are left out.

    **Order.** Handlers are functions or coroutine functions. The events of one socket are handled
    in the order in which they came: while a coroutine goes on, later events of this socket wait,
    ``disconnect`` among them, but not acknowledgements. The coroutines of ``connect``,
    ``connect_error`` and ``disconnect`` themselves keep nothing waiting. With ``ordered=False``
    nothing waits.

    An exception in a handler is logged and has no other consequence.

    **Without a connection** what is emitted waits, and goes out before ``connect`` is told.

    Inside asyncio, ``await socket`` waits until it is connected, as does ``async with``, which
    disconnects in the end.

    Attributes:
        manager: The :class:`Manager`, whose connection the sockets of all namespaces share.
        namespace: The namespace's name.
        auth: For the server's middlewares; a function or coroutine function is called whenever the
            namespace is joined.
        id: Its id, the one that the server has for it; None while not connected.
        connected: Whether events can be sent.
        active: Whether it is connected or is going to be, as soon as the manager is.
        recovered: Whether it is the continuation of one that was lost: nothing was missed.
        retries: How often to send an event again; see :class:`Manager`.
        ack_timeout: Seconds to wait for acknowledgements.
        dropped: Volatile events that were not sent.
    """

    def __init__(self, manager, str namespace not None, *, auth=None, retries=None,
                 ack_timeout=None):
        check_auth(auth)
        self.prepare(manager.reactor, manager.ordered, manager.max_queue)
        self.manager = manager
        self.namespace = namespace
        self.auth = manager.auth if auth is None else auth
        self.retries = manager.retries if retries is None else retries
        self.ack_timeout = manager.ack_timeout if ack_timeout is None else ack_timeout
        self.send_buffer = []
        self.receive_buffer = []
        self.queue = Retries.__new__(Retries, self)
        self.acks = Acks(manager.reactor, manager.max_acks)
        (<Acks> self.acks).socket = self

    def __repr__(self):
        return f"<ClientSocket {self.id or 'not connected'} in {self.namespace!r}>"

    @property
    def disconnected(self):
        """The opposite of ``connected``."""
        return not self.connected

    @property
    def buffered(self):
        """Events that wait for a connection."""
        return len(self.send_buffer)

    # Life

    def connect(self):
        """Join the namespace, connecting first if need be; does nothing when it is active."""
        if self.active:
            return self
        self.active = True
        self.failure = None
        self.manager.join(self)
        return self

    def disconnect(self):
        """
        Leave the namespace; the last to do so ends the connection.

        What waits is kept for :meth:`connect`. Does nothing when it is not active.
        """
        if not self.active:
            return self
        if self.connected:
            self.transmit(make_packet(DISCONNECT, self.namespace, None, None))
        self.leave()
        self.lost("io client disconnect", None)
        self.settle_joining(Disconnected("io client disconnect"))
        return self

    def wait_connected(self):
        """
        Awaiting the result waits until it is connected; done at once if it is.

        Raises:
            ConnectError: When awaited: the server refuses it.
            Disconnected: When awaited: :meth:`disconnect` came first.
            TransportFailure: When awaited: the server cannot be reached, and is not tried again.
        """
        cdef Outcome outcome
        if self.connected:
            return DONE
        if self.failure is not None:
            outcome = Outcome()
            outcome.finish(None, self.failure)
            return outcome
        if self.joining is None:
            self.joining = Outcome()
        return self.joining

    def __await__(self):
        return self.establish().__await__()

    async def __aenter__(self):
        return await self.establish()

    async def __aexit__(self, *exc_info):
        self.disconnect()
        if self.manager.ready_state == "closed":
            await self.manager.wait_closed()

    async def establish(self):
        """What ``await socket`` does; nothing is left of it when it fails or is cancelled."""
        self.connect()
        try:
            await self.wait_connected()
        except BaseException:
            self.disconnect()
            raise
        return self

    cdef int leave(self) except -1:
        self.active = False
        self.manager.release(self)
        return 0

    cdef int settle_joining(self, object error) except -1:
        cdef Outcome joining = self.joining
        self.joining = None
        self.failure = error
        if joining is not None:
            joining.finish(None, error)
            self.reactor.woke_tasks = True
        return 0

    # Sending

    def emit(self, *args, ack=None):
        """
        Send an event, or keep it until there is a connection.

        ::

            socket.emit("news", {"number": 1}, b"...")
            socket.emit("question", ack=lambda *answer: print(answer))
            await socket.emit("large", data)

        Awaiting the result waits while more than ``high_water`` bytes wait to be sent, and raises
        :class:`Disconnected` if the connection is lost meanwhile; to ignore it is all right.

        Args:
            event: A string other than ``connect``, ``connect_error``, ``disconnect``,
                ``disconnecting``, ``newListener`` and ``removeListener``.
            args: What JSON has, besides bytes-like objects; see
                :class:`cooee.socketio.parser.Encoder`.
            ack: Called with the arguments of the acknowledgement; with :meth:`timeout`,
                ``ack_timeout`` or ``retries``, with an error or None before them. It may be a
                coroutine function.

        Raises:
            ValueError: The event is reserved.
            TypeError: Something cannot be encoded; logged only, if there is no connection.
        """
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
            timeout: Seconds; None for ``ack_timeout``, and without that for as long as the
                connection lasts.

        Raises:
            AckTimeout: When awaited: it did not come in time.
            Disconnected: When awaited: the connection was lost before it came.
        """
        return self.ask(args, False, True, timeout)

    @property
    def volatile(self):
        """What is emitted with it is dropped, and counted, if it cannot leave at once."""
        return EmitOperator(self, volatile=True)

    def timeout(self, double seconds):
        """
        Limit the wait for the acknowledgement of what is emitted with the result.

        A callback then takes an error first: None, or an :class:`AckTimeout` or
        :class:`Disconnected`.
        """
        return EmitOperator(self, timeout=seconds)

    def compress(self, bint compress):
        """Whether to compress what is emitted with the result, where the transport does."""
        return EmitOperator(self, compress=compress)

    def emit_event(self, tuple args, ack, bint volatile_, bint compress, timeout):
        """As :meth:`emit`, with everything said; for those who set flags."""
        if timeout is None:
            timeout = self.ack_timeout
        if ack is None:
            return self.send_event(args, NO_ACK, None, volatile_, timeout)
        check_callback(ack)
        return self.send_event(
            args, PLAIN if timeout is None else TIMED, ack, volatile_, timeout
        )

    def ask(self, tuple args, bint volatile_, bint compress, timeout):
        """As :meth:`emit_with_ack`, with everything said."""
        cdef Outcome outcome = Outcome()
        if timeout is None:
            timeout = self.ack_timeout
        self.send_event(args, AWAITED, outcome, volatile_, timeout)
        return outcome

    cdef object send_event(
        self, tuple args, int kind, object callback, bint volatile_, object timeout
    ):
        cdef Packet packet
        cdef object id = None
        if not args or type(args[0]) is not str or not is_event_name(args[0]):
            # Says what is wrong, if anything is.
            check_event(args)
        if self.retries and not volatile_:
            self.queue.add(args, kind, callback, timeout)
            return DONE
        if kind != NO_ACK:
            id = self.expect(kind, callback, timeout)
        if volatile_ and not (self.connected and self.manager.writable):
            # Its acknowledgement is waited for all the same, as with the reference.
            self.dropped += 1
            return DONE
        packet = make_packet(EVENT, self.namespace, id, args)
        if not self.connected:
            self.send_buffer.append(packet)
            return DONE
        try:
            return self.transmit(packet)
        except BaseException:
            if id is not None:
                self.acks.forget(id)
            raise

    def withdraw(self, id):
        """Do not send an event any more that waits for a connection (called by its ack's timer)."""
        cdef Packet packet
        for index in range(len(self.send_buffer)):
            packet = self.send_buffer[index]
            if packet.id == id:
                del self.send_buffer[index]
                break

    # From the manager

    def transport_opened(self):
        """There is a connection: join the namespace (called by the manager)."""
        self.failure = None
        auth = self.auth
        if not callable(auth):
            self.join(auth)
            return
        try:
            auth = auth()
        except Exception as exc:
            logger.exception("exception in the auth function of %r", self)
            self.auth_failed(exc)
            return
        if inspect.isawaitable(auth):
            self.reactor.spawn(self.join_later(auth, self.manager.engine))
        else:
            self.join(auth)

    async def join_later(self, auth, engine):
        try:
            auth = await auth
        except Exception as exc:
            logger.exception("exception in the auth function of %r", self)
            if self.active and engine is self.manager.engine:
                self.auth_failed(exc)
            return
        # The connection may be another by now.
        if self.active and engine is self.manager.engine and self.manager.ready_state == "open":
            self.join(auth)

    def join(self, auth):
        """Send the CONNECT packet."""
        try:
            check_auth(auth)
            if auth is not None:
                auth = dict(auth)
        except Exception as exc:
            logger.exception("auth of %r cannot be sent", self)
            self.auth_failed(exc)
            return
        if self.pid is not None:
            known = {"pid": self.pid}
            if self.last_offset is not None:
                known["offset"] = self.last_offset
            auth = {**known, **(auth or {})}
        try:
            self.manager.write(make_packet(CONNECT, self.namespace, None, auth))
        except Exception as exc:
            logger.exception("auth of %r cannot be sent", self)
            self.auth_failed(exc)

    cdef int auth_failed(self, object exc) except -1:
        """Without it there is nothing to wait for, until there is another connection."""
        self.settle_joining(exc)
        return self.tell(["connect_error", exc])

    @property
    def hears_failures(self):
        """Whether somebody is told, or waits, when it cannot be connected."""
        return self.joining is not None or bool(self.listeners("connect_error"))

    def transport_failed(self, exc):
        """There is no connection (called by the manager)."""
        if not self.connected:
            self.tell(["connect_error", exc])

    def transport_closed(self, str reason, description):
        """The connection is over (called by the manager)."""
        self.lost(reason, description)

    def given_up(self, exc):
        """The manager will not connect again (called by it)."""
        if not self.connected:
            self.settle_joining(exc)

    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1:
        cdef list args
        cdef ClientAck ack
        if packet.kind == EVENT:
            args = <list> packet.data
            if packet.id is not None:
                ack = ClientAck.__new__(ClientAck)
                ack.socket = self
                ack.id = packet.id
                ack.connection = self.connection + (not self.connected)
                args.append(ack)
            if self.connected:
                return self.got_event(args, size)
            # Of a session that is recovered the server sends first what was missed.
            self.receive_buffer.append((args, size))
            self.received_size += size + EVENT_OVERHEAD
            self.waiting_size += size + EVENT_OVERHEAD
            return self.check_waiting()
        if packet.kind == ACK:
            return self.acks.got(packet.id, packet.data)
        if packet.kind == CONNECT:
            return self.got_connect(packet.data)
        if packet.kind == DISCONNECT:
            self.leave()
            self.lost("io server disconnect", None)
            return self.settle_joining(Disconnected("io server disconnect"))
        if packet.kind == CONNECT_ERROR:
            data = packet.data
            if isinstance(data, dict):
                return self.refused(ConnectError(str(data.get("message", "")), data.get("data")))
            return self.refused(ConnectError(str(data)))
        return 0

    cdef int got_connect(self, object data) except -1:
        if self.connected:
            return 0
        id = data.get("sid") if data is not None else None
        if not isinstance(id, str):
            # Protocol 4 has none.
            return self.refused(
                ConnectError("the server speaks Socket.IO 2, this client 3 and later")
            )
        pid = data.get("pid")
        if not isinstance(pid, str):
            pid = None
        self.id = id
        self.recovered = pid is not None and pid == self.pid
        if not self.recovered:
            self.last_offset = None
        self.pid = pid
        self.connected = True
        self.connection += 1
        received, self.receive_buffer = self.receive_buffer, []
        self.waiting_size -= self.received_size
        self.received_size = 0
        for args, size in received:
            self.got_event(args, size)
        buffered, self.send_buffer = self.send_buffer, []
        for index, packet in enumerate(buffered):
            # Handlers of what had been received, or of what is sent, may disconnect.
            if not self.connected:
                self.send_buffer[:0] = buffered[index:]
                return 0
            self.transmit_buffered(packet)
        self.queue.drain(True)
        if self.connected:
            self.settle_joining(None)
            self.tell(["connect"])
        return 0

    def transmit_buffered(self, Packet packet not None):
        cdef Pending pending
        try:
            self.transmit(packet)
        except Exception as exc:
            logger.exception("the event %r cannot be sent", packet.data[0])
            pending = self.acks.pending.pop(packet.id, None)
            if pending is not None:
                self.acks.settle(pending, None, exc)

    cdef int refused(self, object exc) except -1:
        """The server does not let it join."""
        if not self.hears_failures:
            logger.warning("%s refuses %r: %s", self.manager.url.origin, self, exc)
        self.leave()
        self.lost("io server disconnect", None)
        self.settle_joining(exc)
        return self.tell(["connect_error", exc])

    cdef int lost(self, str reason, object description) except -1:
        """There is no connection any more."""
        self.receive_buffer.clear()
        self.waiting_size -= self.received_size
        self.received_size = 0
        if not self.connected:
            return 0
        self.connected = False
        self.id = None
        self.tell(["disconnect", reason, description])
        return self.forget_acks(Disconnected(reason))

    cdef int forget_acks(self, object error) except -1:
        """No acknowledgement comes any more, but of events that were not sent yet."""
        cdef Pending pending
        cdef Packet packet
        cdef set buffered = set()
        for packet in self.send_buffer:
            buffered.add(packet.id)
        for id in [id for id in self.acks.pending if id not in buffered]:
            pending = self.acks.pending.pop(id, None)
            if pending is not None:
                self.acks.settle(pending, None, error)
        return 0

    # Receiving

    cdef int got_event(self, list args, Py_ssize_t size) except -1:
        # Of a server that recovers sessions it is the last argument.
        if self.pid is not None and type(args[len(args) - 1]) is str:
            self.last_offset = args[len(args) - 1]
        if self.must_wait():
            return self.wait(args, size)
        return self.handle(args, size)

    # Events of our own

    cdef object key(self, object event):
        name = event_name(event)
        return LOCAL.get(name, name)

    cdef int tell(self, list args) except -1:
        """Call the handlers of an event of our own, which waits as the server's do."""
        return self.wait(args, -1) if self.must_wait() else self.fire(args)

    cdef int overrun(self) except -1:
        if self.manager.ready_state == "open":
            self.manager.give_up(
                LimitExceeded(
                    f"more than {self.max_waiting} bytes of events wait for the handlers of "
                    f"{self!r} (max_queue)"
                )
            )
        return 0


cdef object gone(str reason):
    cdef Outcome outcome = Outcome()
    outcome.finish(None, Disconnected(reason))
    return outcome

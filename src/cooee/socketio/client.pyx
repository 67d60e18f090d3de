"""
A client: one Engine.IO session, and the namespaces that it is in.

It reads packets and hands each to the member of its namespace. What is out of turn (an event before
CONNECT, a second CONNECT) closes the session, as with the reference.
"""

import logging

from cooee.engineio.socket cimport Receiver
from cooee.engineio.socket cimport Socket as Engine
from cooee.socketio.codec cimport Codec
from cooee.socketio.packet cimport CONNECT, CONNECT_ERROR, Packet
from cooee.socketio.socket_events cimport SocketEvents
from cooee.websocket.outcome cimport DONE

from cooee.engineio.packet import PacketError

logger = logging.getLogger("cooee.socketio")

cdef enum:
    PROTOCOL_ERROR = 1002


cdef class Member(SocketEvents):
    """What a client is in one namespace: a :class:`cooee.socketio.Socket`."""

    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1:
        return 0

    cdef int got_error(self, object exc) except -1:
        return 0

    cdef int got_drain(self) except -1:
        return 0

    cdef int lost(self, str reason, object description) except -1:
        return 0

    cdef int expel(self) except -1:
        return 0


cdef class Client(Receiver):
    """
    A client.

    Attributes:
        engine: Its Engine.IO session.
        server: The Socket.IO server.
        joining: Names of namespaces that it waits to be let into.
        closed: Whether it is gone.
    """

    def __init__(self, server, Engine engine not None, encoder, decoder):
        self.server = server
        self.engine = engine
        self.codec = Codec(encoder, decoder)
        self.members = {}
        self.joining = set()
        self.high_water = server.high_water
        engine.receiver = self

    @property
    def id(self):
        """The Engine.IO session's id; a secret of the client's."""
        return self.engine.sid

    @property
    def protocol(self):
        """The revision of the Engine.IO protocol, 3 or 4."""
        return self.engine.protocol

    @property
    def request(self):
        """The HTTP request that began the session."""
        return self.engine.request

    @property
    def namespaces(self):
        """Names of the namespaces that it is in."""
        return list(self.members)

    @property
    def count(self):
        """Of namespaces that it is in or waits to be let into."""
        return len(self.members) + len(self.joining)

    def set_connect_timer(self, timer):
        """Keep the timer that ends once the client has joined its first namespace."""
        self.connect_timer = timer

    def add(self, Member member not None):
        """It is in a namespace."""
        self.members[member.nsp] = member
        self.joining.discard(member.nsp)
        if self.left is not None:
            self.left.discard(member.nsp)
        self.stop_timer()

    def remove(self, Member member not None):
        """It is not in a namespace any more."""
        if self.members.get(member.nsp) is member:
            del self.members[member.nsp]
            if self.left is None:
                self.left = set()
            # As many as it can be in, for a client that joins and leaves on and on.
            if len(self.left) < self.server.limits.max_namespaces:
                self.left.add(member.nsp)

    def send(self, Packet packet not None, bint compress=True):
        """Send a packet; awaiting the result waits while more than ``high_water`` bytes wait."""
        return self.write(packet, compress)

    def disconnect(self):
        """Leave all namespaces, telling so, and close the session."""
        cdef Member member
        for member in list(self.members.values()):
            member.expel()
        self.close()

    def close(self, str reason="forced server close"):
        """Close the session; what was sent before still arrives."""
        if not self.closed:
            self.finish(reason, None)
            self.engine.close()

    # From the session

    cdef int on_text(self, str packet) except -1:
        return self.take(packet, 1)

    cdef int on_message(self, object data) except -1:
        return self.take(data, 0)

    cdef int take(self, object data, Py_ssize_t skip) except -1:
        """A message that begins at ``data[skip]``."""
        cdef Packet got
        if self.closed:
            return 0
        try:
            got = self.codec.read(data, skip)
        except (PacketError, UnicodeEncodeError) as exc:
            return self.violated(exc)
        return 0 if got is None else self.got(got)

    cdef int got(self, Packet packet) except -1:
        cdef Member member = <Member> self.members.get(packet.namespace)
        if packet.kind == CONNECT:
            # In protocol 4 the name may have a query; the server takes it apart.
            if packet.namespace in self.joining:
                # Deviation: the JavaScript client sends it again when its application is impatient,
                # which gets it two sockets of the reference.
                return 0
            if member is not None:
                return self.violated(
                    PacketError(PROTOCOL_ERROR, f"second CONNECT to {packet.namespace!r}")
                )
            self.server.got_connect(self, packet.namespace, packet.data)
            return 0
        if member is None and self.engine.protocol == 3:
            member = <Member> self.members.get(packet.namespace.partition("?")[0])
        if member is None or packet.kind == CONNECT_ERROR:
            return self.out_of_turn(packet)
        return member.got_packet(packet, self.codec.size)

    cdef int out_of_turn(self, Packet packet) except -1:
        # Deviation: what was under way when the server put it out of a namespace is no offence, and
        # the other namespaces need not suffer for it.
        if self.left is not None and packet.namespace in self.left:
            return 0
        logger.info("client %s sent %r out of turn", self.engine.request, packet.type)
        self.close()
        return 0

    cdef int violated(self, object exc) except -1:
        """
        The client broke the protocol.

        Deviation: the reference says "forced close" to the application, as for what it did itself.
        """
        cdef Member member
        logger.info("client %s broke the protocol: %s", self.engine.request, exc)
        for member in list(self.members.values()):
            member.got_error(exc)
        if not self.closed:
            self.finish("parse error", exc)
            self.engine.close()
        return 0

    cdef int on_close(self, str reason, object description) except -1:
        return self.finish(reason, description)

    cdef int on_drain(self) except -1:
        cdef Member member
        for member in list(self.members.values()):
            member.got_drain()
        return 0

    cdef int finish(self, str reason, object description) except -1:
        cdef Member member
        if self.closed:
            return 0
        self.closed = True
        self.stop_timer()
        members = list(self.members.values())
        self.members.clear()
        self.joining.clear()
        self.server.forget(self)
        for member in members:
            member.lost(reason, description)
        if self.codec.text_decoder is not None:
            self.codec.destroy()
        return 0

    cdef int stop_timer(self) except -1:
        if self.connect_timer is not None:
            self.connect_timer.cancel()
            self.connect_timer = None
        return 0

    # To the session

    cdef object write(self, Packet packet, bint compress):
        cdef list attachments = []
        data = self.codec.write(packet, "", attachments)
        if not attachments:
            self.put(data, compress)
            return self.pressure()
        # A handler of "drain" must not come between a packet and its attachments.
        self.engine.cork()
        try:
            self.put(data, compress)
            for attachment in attachments:
                self.engine.send(attachment, compress)
        finally:
            self.engine.uncork()
        return self.pressure()

    cdef int put(self, object data, bint compress) except -1:
        """A packet as the parser made it, without attachments."""
        if self.codec.text_encoder is not None:
            self.engine.send_text(<bytes> data, compress)
        else:
            self.engine.send(data, compress)
        return 0

    cdef object pressure(self):
        if self.engine.unsent() <= self.high_water:
            return DONE
        return self.engine.pressure()

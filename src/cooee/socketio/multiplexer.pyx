"""
The packets of several namespaces on one Engine.IO client, to and fro.

It is the part of a :class:`cooee.socketio.Manager` that each packet passes: the manager opens and
loses connections, its sockets hand out what has come.
"""

from cooee.engineio.client_session cimport ClientReceiver, ClientSession
from cooee.socketio.codec cimport Codec
from cooee.socketio.packet cimport EVENT, Packet
from cooee.socketio.socket_events cimport SocketEvents
from cooee.websocket.outcome cimport DONE

from cooee.engineio.packet import PacketError


cdef class Channel(SocketEvents):
    """One of those namespaces: a :class:`cooee.socketio.ClientSocket`."""

    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1:
        """A packet came, of so many bytes with its attachments."""
        return 0

    cdef object transmit(self, Packet packet):
        """Send a packet; the result may be awaited."""
        if packet.kind == EVENT and self.any_outgoing is not None:
            self.notify_outgoing(packet.data)
            if not self.connected:
                # They have ended it: nothing may follow DISCONNECT, or come before CONNECT.
                return DONE
        waits = self.manager.write(packet)
        return DONE if waits is None else waits

    cdef object expect(self, int kind, object callback, object timeout):
        """Wait for an acknowledgement, and return the id that the event gets."""
        id = self.next_id
        self.next_id += 1
        self.acks.expect(id, kind, callback, timeout)
        return id


cdef class Multiplexer:
    """
    What sends and receives packets for the sockets of a manager.

    Attributes:
        engine: The :class:`cooee.engineio.Client` in use, or the last one; None before.
    """

    def _use_parser(self, encoder, decoder):
        """How packets are written and read; to be called first."""
        self.codec = Codec(encoder, decoder)
        self._sockets = {}

    def _forget_partial(self):
        """Of a packet some attachments will not come any more."""
        self.codec.destroy()

    def _malformed(self, exc):
        """What came is no packet."""
        raise NotImplementedError

    cdef object write(self, Packet packet):
        cdef ClientSession engine = self.engine
        cdef list attachments = []
        assert engine is not None
        data = self.codec.write(packet, "4", attachments)
        if self.codec.text_encoder is not None:
            waits = engine.send_text(<bytes> data)
        else:
            waits = engine.send_message(data)
        for attachment in attachments:
            waits = engine.send_message(attachment)
        return waits

    cdef int got_message(self, object data, Py_ssize_t skip) except -1:
        cdef Packet packet
        cdef Channel channel
        try:
            packet = self.codec.read(data, skip)
        except (PacketError, UnicodeEncodeError) as exc:
            self._malformed(exc)
            return 0
        if packet is None:
            return 0
        channel = self._sockets.get(packet.namespace)
        if channel is not None and channel.active:
            channel.got_packet(packet, self.codec.size)
        return 0


cdef class PacketReceiver(ClientReceiver):
    """
    Who is told by one Engine.IO client.

    Attributes:
        manager: Whose connection it is; None when it is over.
    """

    cdef int on_message(self, object data, Py_ssize_t skip) except -1:
        # What comes may cut it off.
        cdef Multiplexer manager = self.manager
        return 0 if manager is None else manager.got_message(data, skip)

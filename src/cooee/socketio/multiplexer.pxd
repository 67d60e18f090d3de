from cooee.engineio.client_session cimport ClientReceiver, ClientSession
from cooee.socketio.acks cimport AckTable
from cooee.socketio.codec cimport Codec
from cooee.socketio.packet cimport Packet
from cooee.socketio.socket_events cimport SocketEvents


cdef class Channel(SocketEvents):
    cdef readonly Multiplexer manager
    cdef readonly str namespace
    cdef readonly bint active
    cdef readonly bint connected
    cdef public object retries
    cdef AckTable acks
    cdef long long next_id

    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1
    cdef object transmit(self, Packet packet)
    cdef object expect(self, int kind, object callback, object timeout)


cdef class Multiplexer:
    cdef public ClientSession engine
    # By namespace.
    cdef readonly dict _sockets
    cdef Codec codec

    # What is returned may be awaited, or is None.
    cdef object write(self, Packet packet)
    cdef int got_message(self, object data, Py_ssize_t skip) except -1


cdef class PacketReceiver(ClientReceiver):
    cdef public Multiplexer manager

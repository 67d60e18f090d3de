from cooee.engineio.socket cimport Receiver
from cooee.engineio.socket cimport Socket as Engine
from cooee.reactor.timers cimport Timer
from cooee.socketio.codec cimport Codec
from cooee.socketio.packet cimport Packet
from cooee.socketio.socket_events cimport SocketEvents


cdef class Member(SocketEvents):
    # The namespace's name.
    cdef str nsp
    # A packet other than CONNECT; `size` in bytes, with attachments.
    cdef int got_packet(self, Packet packet, Py_ssize_t size) except -1
    cdef int got_error(self, object exc) except -1
    cdef int got_drain(self) except -1
    # The client is gone.
    cdef int lost(self, str reason, object description) except -1
    # Leave the namespace, telling the client.
    cdef int expel(self) except -1


cdef class Client(Receiver):
    cdef readonly Engine engine
    cdef readonly object server
    # In which namespaces it is, and those that it waits to be let into.
    cdef dict members
    cdef readonly set joining
    # Those that the server put it out of; None for none yet.
    cdef set left
    cdef readonly bint closed
    cdef Codec codec
    cdef size_t high_water
    cdef Timer connect_timer

    cdef int take(self, object data, Py_ssize_t skip) except -1
    cdef int got(self, Packet packet) except -1
    cdef int out_of_turn(self, Packet packet) except -1
    cdef int violated(self, object exc) except -1
    cdef object write(self, Packet packet, bint compress)
    cdef int put(self, object data, bint compress) except -1
    cdef object pressure(self)
    cdef int finish(self, str reason, object description) except -1
    cdef int stop_timer(self) except -1

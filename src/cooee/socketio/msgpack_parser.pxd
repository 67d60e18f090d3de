from cooee.socketio.packet cimport Packet


cdef class Encoder:
    cdef readonly bint timestamps
    cdef readonly int max_depth
    cdef object enc_hook

    cdef bytes write(self, Packet packet)


cdef class Decoder:
    cdef readonly int max_depth
    cdef readonly Py_ssize_t max_namespace

    cdef Packet take(self, bytes data)

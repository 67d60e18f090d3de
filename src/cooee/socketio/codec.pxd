from cooee.socketio.packet cimport Packet
from cooee.socketio.parser cimport Decoder, Encoder


cdef class Codec:
    cdef object encoder
    cdef object decoder
    # The same, if they are of the usual parser.
    cdef Encoder text_encoder
    cdef Decoder text_decoder
    # Bytes of the packet read last, and of the one that is arriving.
    cdef Py_ssize_t size
    cdef Py_ssize_t arriving

    cdef Packet read(self, object data, Py_ssize_t skip)
    cdef object write(self, Packet packet, str prefix, list attachments)
    cdef int destroy(self) except -1

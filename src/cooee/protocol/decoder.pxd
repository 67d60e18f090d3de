from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t


ctypedef struct decoder_t:
    # The data frame whose payload is arriving.
    uint64_t remaining
    uint8_t key[4]
    uint8_t key_offset
    uint8_t in_payload
    uint8_t fin
    # The message under construction: a bytes object with room to spare, NULL when there is none.
    PyObject *message
    size_t filled
    uint8_t opcode
    uint32_t fragments
    uint32_t utf8
    int nonascii
    # A header, or a control frame, of which only the beginning has arrived.
    unsigned char *stash
    uint8_t stashed
    uint8_t server
    # The peer has sent a Close frame, or broken the protocol: the rest is ignored.
    uint8_t ended
    uint64_t max_size
    # Of the last CLOSE event.
    int close_code


cdef enum:
    NEED_MORE = 0
    # Other events have the value of their opcode: TEXT, BINARY, CLOSE, PING, PONG.


cdef void decoder_init(decoder_t *d, bint server, uint64_t max_size) noexcept
cdef void decoder_free(decoder_t *d) noexcept
cdef int decoder_next(
    decoder_t *d, unsigned char **at, unsigned char *end, PyObject **out
) except -1
cdef Py_ssize_t decoder_room(decoder_t *d, unsigned char **where) except -1
cdef int decoder_filled(decoder_t *d, size_t size) except -1

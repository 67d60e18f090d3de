from libc.stdint cimport uint8_t, uint64_t

cdef extern from "cooee/protocol/_mask.h" nogil:
    void cooee_mask(
        unsigned char *dst,
        const unsigned char *src,
        size_t n,
        const unsigned char *key,
        size_t offset,
    )

cdef enum:
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

cdef enum:
    FIN = 0x80
    RSV1 = 0x40
    MASKED = 0x80
    # The longest header: 2 bytes, a 64-bit length, a masking key.
    MAX_HEADER = 14
    MAX_CONTROL = 125


cdef inline int header_size(uint64_t length, bint masked) noexcept nogil:
    return (2 if length < 126 else 4 if length < 65536 else 10) + (4 if masked else 0)


cdef inline int write_header(
    unsigned char *to, uint8_t first, uint64_t length, const unsigned char *key
) noexcept nogil:
    """Write a frame header, unmasked when `key` is NULL, and return its size (RFC 6455 §5.2)."""
    cdef uint8_t masked = MASKED if key != NULL else 0
    cdef int at, size
    to[0] = first
    if length < 126:
        to[1] = masked | <uint8_t> length
        at = 2
    elif length < 65536:
        to[1] = masked | 126
        to[2] = <uint8_t> (length >> 8)
        to[3] = <uint8_t> length
        at = 4
    else:
        to[1] = masked | 127
        for size in range(8):
            to[2 + size] = <uint8_t> (length >> (56 - 8 * size))
        at = 10
    if key != NULL:
        to[at] = key[0]
        to[at + 1] = key[1]
        to[at + 2] = key[2]
        to[at + 3] = key[3]
        at += 4
    return at

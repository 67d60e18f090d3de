"""
Frames on the way out: headers and masking (RFC 6455 §5.2, §5.3).

The C functions are in ``frames.pxd``; connections write their frames with them straight into the
buffer that is sent.
"""

import enum

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.string cimport memcpy


class Opcode(enum.IntEnum):
    """What a frame carries (RFC 6455 §5.2). The values 3-7 and 11-15 are reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


def build_frame(int opcode, payload, *, mask=None, bint fin=True, bint rsv1=False):
    """
    Build one frame.

    Args:
        opcode: An :class:`Opcode`.
        payload: ``str``, sent as UTF-8, or a bytes-like object.
        mask: The masking key, 4 unpredictable bytes, which a client must use for every frame
            (§5.3); ``None`` for a server, which must not mask.
        fin: Whether this is the last frame of its message.
        rsv1: The first reserved bit, which an extension may define.

    Raises:
        ValueError: For a reserved opcode, a control frame that is fragmented or has more than 125
            bytes of payload (§5.5), or a key that is not 4 bytes long.
    """
    cdef const unsigned char *key = NULL
    cdef const unsigned char[::1] view
    cdef const unsigned char *data = NULL
    cdef Py_ssize_t size
    cdef int header
    cdef bytes frame
    cdef unsigned char *to
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise ValueError(f"opcode {opcode} is reserved (RFC 6455 §5.2)")
    if isinstance(payload, str):
        data = <const unsigned char *> PyUnicode_AsUTF8AndSize(payload, &size)
    else:
        view = payload if isinstance(payload, bytes) else memoryview(payload).cast("B")
        size = view.shape[0]
        if size:
            data = &view[0]
    if opcode >= CLOSE and (size > MAX_CONTROL or not fin):
        raise ValueError(
            f"control frame of {size} bytes, at most 125 in one frame (RFC 6455 §5.5)"
            if fin else "a control frame must not be fragmented (RFC 6455 §5.5)"
        )
    if mask is not None:
        if len(mask) != 4:
            raise ValueError(f"masking key of {len(mask)} bytes, must be 4 (RFC 6455 §5.2)")
        mask = bytes(mask)
        key = <const unsigned char *> <bytes> mask
    header = header_size(size, mask is not None)
    frame = PyBytes_FromStringAndSize(NULL, header + size)
    to = <unsigned char *> frame
    write_header(to, opcode | (FIN if fin else 0) | (RSV1 if rsv1 else 0), size, key)
    if key != NULL:
        cooee_mask(to + header, data, size, key, 0)
    elif size:
        memcpy(to + header, data, size)
    return frame

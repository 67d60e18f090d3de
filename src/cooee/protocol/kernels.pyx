"""
The two kernels of the frame codec, for Python: masking and incremental UTF-8 validation.

The decoder and the frame builder include the same C headers directly. This module is for those who
write a codec of their own, and for the tests.
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t
from libc.string cimport memcpy


cdef extern from "cooee/protocol/_mask.h" nogil:
    void cooee_mask(
        unsigned char *dst, const unsigned char *src, size_t n,
        const unsigned char *key, size_t offset,
    )
    int cooee_mask_level(int level)


cdef extern from "cooee/protocol/_utf8.h" nogil:
    size_t cooee_utf8(uint32_t *state, const unsigned char *p, size_t n, int *nonascii)


cdef int read_key(object key, unsigned char *octets) except -1:
    """Copy a masking key out of a bytes-like object."""
    cdef Py_buffer view
    PyObject_GetBuffer(key, &view, PyBUF_SIMPLE)
    try:
        if view.len != 4:
            raise ValueError(f"masking key of {view.len} bytes, must be 4 (RFC 6455 §5.3)")
        memcpy(octets, view.buf, 4)
    finally:
        PyBuffer_Release(&view)
    return 0


cdef int check_offset(Py_ssize_t offset) except -1:
    if offset < 0:
        raise ValueError(f"offset {offset}, must not be negative")
    return 0


def mask(data, key, Py_ssize_t offset=0):
    """
    Mask or unmask a payload, or a piece of one (RFC 6455 §5.3).

    Args:
        data: Bytes-like object.
        key: Masking key, 4 bytes.
        offset: Bytes of the payload that precede data.

    Raises:
        ValueError: If the key has another length, or the offset is negative.
    """
    cdef Py_buffer view
    cdef unsigned char octets[4]
    cdef bytes result
    check_offset(offset)
    read_key(key, octets)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        result = PyBytes_FromStringAndSize(NULL, view.len)
        cooee_mask(
            <unsigned char *>PyBytes_AS_STRING(result), <const unsigned char *>view.buf,
            <size_t>view.len, octets, <size_t>offset,
        )
    finally:
        PyBuffer_Release(&view)
    return result


def mask_in_place(data, key, Py_ssize_t offset=0):
    """
    Like :func:`mask`, in place: data is writable, such as a bytearray.

    Raises:
        BufferError: If data is read-only.
        ValueError: If the key is not 4 bytes long, or the offset is negative.
    """
    cdef Py_buffer view
    cdef unsigned char octets[4]
    check_offset(offset)
    read_key(key, octets)
    PyObject_GetBuffer(data, &view, PyBUF_WRITABLE)
    try:
        cooee_mask(
            <unsigned char *>view.buf, <const unsigned char *>view.buf,
            <size_t>view.len, octets, <size_t>offset,
        )
    finally:
        PyBuffer_Release(&view)


def utf8_valid_prefix(data, uint32_t state=0):
    """
    Validate the next piece of a text (RFC 3629).

    Args:
        data: Bytes-like object.
        state: What the call for the preceding piece returned; 0 at the start.

    Returns:
        ``(index, state)``. ``index`` is that of the first byte that cannot belong to valid text, or
        ``len(data)``. A ``state`` other than 0 is an unfinished sequence: no valid text ends
        there. After a failure ``state`` means nothing.
    """
    cdef Py_buffer view
    cdef size_t index
    cdef int nonascii = 0
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        index = cooee_utf8(&state, <const unsigned char *>view.buf, <size_t>view.len, &nonascii)
    finally:
        PyBuffer_Release(&view)
    return index, state


def _mask_level(int level=-1):
    """
    Choose the unit that masks long payloads, in this module only; for tests and measurements.

    Args:
        level: 0 for 64-bit words, 1 for SSE2 or NEON, 2 for AVX2, -1 for the best.

    Returns:
        The level now in use, or -1, changing nothing, if this processor or build lacks it.
    """
    return cooee_mask_level(level)

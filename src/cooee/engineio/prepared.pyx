"""
One message for many recipients, encoded once.

A broadcast gives the same :class:`Prepared` to each session: the WebSocket frames are built for the
first recipient of each protocol revision, the others only have them queued.
"""

from binascii import b2a_base64

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from cooee.protocol.frames cimport BINARY, FIN, TEXT, header_size, write_header
from cooee.websocket.connection cimport MESSAGE_OVERHEAD

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    # The packet type MESSAGE, in text and as the first byte of protocol 3's binary packets.
    DIGIT = c"4"
    TYPE = 4


cdef class Prepared:
    """
    A message, and the binary messages that belong to it and follow it at once.

    Args:
        data: Its data: ``str`` for text, ``bytes`` for binary.
        attachments: Further messages, each ``bytes``.
        compress: Whether it may be compressed on its way.

    Raises:
        TypeError: For data of another type.
        UnicodeEncodeError: For text with lone surrogates, which UTF-8 cannot express.
    """

    def __init__(self, data, attachments=(), bint compress=True):
        cdef Py_ssize_t size
        if type(data) is not str and type(data) is not bytes:
            raise TypeError(f"a message is str or bytes, not {type(data).__name__}")
        self.attachments = tuple(attachments)
        for attachment in self.attachments:
            if type(attachment) is not bytes:
                raise TypeError(f"an attachment is bytes, not {type(attachment).__name__}")
            self.size += PyBytes_GET_SIZE(attachment) + MESSAGE_OVERHEAD
        if type(data) is str:
            PyUnicode_AsUTF8AndSize(data, &size)
        else:
            size = PyBytes_GET_SIZE(data)
        self.size += size + MESSAGE_OVERHEAD
        self.data = data
        self.compress = compress

    cdef bytes frames(self, int protocol):
        """The WebSocket frames, one for each message, for a peer that takes binary ones."""
        if protocol == 3:
            if self.frames_3 is None:
                self.frames_3 = self.build(True)
            return self.frames_3
        if self.frames_4 is None:
            self.frames_4 = self.build(False)
        return self.frames_4

    cdef bytes build(self, bint typed):
        cdef list messages = [self.data, *self.attachments]
        cdef Py_ssize_t total = 0, size
        cdef const char *data
        cdef unsigned char *at
        cdef bytes frames
        cdef bint text
        for message in messages:
            contents(message, &data, &size)
            size += type(message) is str or typed
            total += size + header_size(size, False)
        frames = PyBytes_FromStringAndSize(NULL, total)
        at = <unsigned char *> PyBytes_AS_STRING(frames)
        for message in messages:
            contents(message, &data, &size)
            text = type(message) is str
            at += write_header(
                at, (TEXT if text else BINARY) | FIN, size + (text or typed), NULL
            )
            if text or typed:
                at[0] = DIGIT if text else TYPE
                at += 1
            memcpy(at, data, size)
            at += size
        return frames

    cdef str payload_part(self):
        """
        The packets as they stand in a protocol 4 payload, with U+001E between them.

        Raises:
            ValueError: There is a U+001E in the text, where the peer would see the packet's end.
        """
        cdef list parts
        if self.part is None:
            parts = []
            for message in (self.data, *self.attachments):
                if type(message) is str:
                    check_separator(message)
                    parts.append("4" + message)
                else:
                    parts.append("b" + b2a_base64(message, newline=False).decode("ascii"))
            self.part = "\x1e".join(parts)
        return self.part


cdef int contents(object message, const char **data, Py_ssize_t *size) except -1:
    if type(message) is str:
        data[0] = PyUnicode_AsUTF8AndSize(message, size)
    else:
        data[0] = PyBytes_AS_STRING(message)
        size[0] = PyBytes_GET_SIZE(message)
    return 0


cdef int check_separator(str text) except -1:
    if "\x1e" in text:
        raise ValueError("text with U+001E, which ends a packet in a payload (Engine.IO 4)")
    return 0

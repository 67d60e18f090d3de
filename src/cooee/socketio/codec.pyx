"""
A parser at work on one connection: packets from Engine.IO's messages, and to them.

The usual parser is asked in C, and its text is UTF-8 all the way; any other by its methods.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize

from cooee.socketio.packet cimport Packet
from cooee.socketio.parser cimport Decoder, Encoder


cdef class Codec:
    """
    The two halves of a connection's parser.

    Args:
        encoder: May serve other connections too.
        decoder: This connection's own.
    """

    def __init__(self, encoder, decoder):
        self.encoder = encoder
        self.decoder = decoder
        if type(encoder) is Encoder and type(decoder) is Decoder:
            self.text_encoder = encoder
            self.text_decoder = decoder

    cdef Packet read(self, object data, Py_ssize_t skip):
        """
        Take a message, which begins at ``data[skip]``.

        Returns the packet that it completes, of ``size`` bytes; None while attachments are to come.
        Raises PacketError, or UnicodeEncodeError for surrogates by themselves.
        """
        cdef const char *text
        cdef Py_ssize_t size
        cdef Packet packet
        cdef Py_ssize_t before = self.arriving
        self.arriving = 0
        if self.text_decoder is not None and type(data) is str:
            # What is skipped is one digit: a character is a byte there.
            text = PyUnicode_AsUTF8AndSize(data, &size)
            packet = self.text_decoder.take_text(text + skip, size - skip)
        else:
            size = len(data)
            packet = self.decoder.add(data[skip:] if skip else data)
        if packet is None:
            self.arriving = before + size
        else:
            self.size = before + size
        return packet

    cdef object write(self, Packet packet, str prefix, list attachments):
        """
        Return the text with the prefix, in UTF-8; or what a parser other than the usual one makes
        of the packet, without it: str or bytes. Attachments are appended to the list.
        """
        if self.text_encoder is not None:
            return self.text_encoder.write(packet, prefix, attachments, False)
        data, others = self.encoder.encode(packet)
        attachments.extend(others)
        return data

    cdef int destroy(self) except -1:
        """Forget what has come of a packet."""
        self.arriving = 0
        self.decoder.destroy()
        return 0

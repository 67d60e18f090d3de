"""
The polling transport: each GET waits until there is something to send, each POST brings packets.
"""

from cooee.engineio.answers cimport Answers
from cooee.engineio.prepared cimport Prepared, check_separator
from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request

from cooee.engineio.packet import Packet, PacketType, encode_packet
from cooee.engineio.payload import encode_payload

cdef tuple TYPES = tuple(PacketType)
cdef tuple DIGITS = tuple([str(int(kind)) for kind in PacketType])
cdef object MESSAGE = PacketType.MESSAGE


cdef class Polling:
    """
    The waiting poll of one session, if there is one.

    Args:
        answers: What makes the responses.
        sid: The session's id.
        protocol: 3 or 4.
        supports_binary: In protocol 3, whether the client takes payloads of bytes.
        jsonp: Whether payloads are wrapped in calls of JavaScript functions.
    """

    def __init__(
        self, Answers answers not None, str sid, int protocol, bint supports_binary, bint jsonp
    ):
        self.answers = answers
        self.first = sid
        self.protocol = protocol
        self.supports_binary = supports_binary
        self.jsonp = jsonp

    cdef int wait(self, HttpConnection http, Request request, object on_disconnect) except -1:
        """A poll came; there must not be one already."""
        self.http = http
        self.request = request
        http.on_disconnect = on_disconnect
        return 0

    cdef int drop(self) except -1:
        """The poll is gone, with its client."""
        self.http = None
        self.request = None
        return 0

    cdef int answer(self, list packets) except -1:
        """
        Answer the waiting poll.

        Args:
            packets: ``(type, data, compress)`` or Prepared.
        """
        cdef HttpConnection http = self.http
        cdef Request request = self.request
        cdef bint compress = False
        body = self.encode(packets)
        for item in packets:
            if isinstance(item, Prepared):
                compress = compress or (<Prepared> item).compress
            else:
                compress = compress or <bint> (<tuple> item)[2]
        self.http = None
        self.request = None
        first = self.first
        self.first = None
        http.on_disconnect = None
        return self.answers.payload(http, request, body, compress, first, self.jsonp)

    cdef object encode(self, list packets):
        cdef list parts = []
        cdef Prepared message
        if self.protocol == 4:
            for item in packets:
                if isinstance(item, Prepared):
                    parts.append((<Prepared> item).payload_part())
                else:
                    kind, data, _ = item
                    if type(data) is str:
                        parts.append((<str> DIGITS[<int> kind]) + (<str> data))
                    else:
                        parts.append(encode_packet(Packet(MESSAGE, data), supports_binary=False))
            return "\x1e".join(parts)
        for item in packets:
            if isinstance(item, Prepared):
                message = item
                parts.append(Packet(MESSAGE, message.data))
                parts.extend([Packet(MESSAGE, data) for data in message.attachments])
            else:
                kind, data, _ = item
                parts.append(Packet(TYPES[kind], data))
        return encode_payload(parts, protocol=3, supports_binary=self.supports_binary)


cdef int check(object item, int protocol) except -1:
    """Raise for what cannot go into a payload, before it is queued."""
    if protocol == 4:
        if isinstance(item, Prepared):
            (<Prepared> item).payload_part()
        elif type((<tuple> item)[1]) is str:
            check_separator((<tuple> item)[1])
    return 0

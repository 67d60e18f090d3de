"""The requests of sessions that poll: what a server gets most of."""

from cooee.engineio.answers cimport Answers
from cooee.engineio.socket cimport Socket
from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request

from cooee.engineio.errors import TransportError
from cooee.engineio.packet import PacketError
from cooee.engineio.replies import read_jsonp
from cooee.protocol.close import CloseCode

cdef object MESSAGE_TOO_BIG = CloseCode.MESSAGE_TOO_BIG


cdef class Polls:
    """
    Hands polls and POSTs to their sessions.

    Args:
        server: The :class:`cooee.engineio.Server`, which rejects what breaks the rules.
        sessions: Its sessions by their ids.
        answers: What it answers POSTs with.
    """

    cdef object server
    cdef dict sessions
    cdef Answers answers

    def __init__(self, server, dict sessions not None, Answers answers not None):
        self.server = server
        self.sessions = sessions
        self.answers = answers

    def take(self, HttpConnection http not None, Request request not None):
        """
        Answer a GET or POST, now or later, that names a session which polls, and all else right.

        Returns:
            Whether it is one. Others are left to be answered, and so is a GET with which the time
            of a session is up.
        """
        cdef bint poll = request.is_method(b"GET")
        cdef Socket session
        cdef int protocol
        if not (poll or request.is_method(b"POST")):
            return False
        session = self.sessions.get(request.parameter(b"sid"))
        if session is None or session.polling is None:
            return False
        # Protocol 3's clients need not name it.
        protocol = 4 if request.parameter(b"EIO") == "4" else 3
        if session.protocol != protocol or request.parameter(b"transport") != "polling":
            return False
        if not poll:
            self.post(http, request, session)
        elif session.expire():
            return False
        else:
            session.poll(http, request)
        return True

    cdef int post(self, HttpConnection http, Request request, Socket session) except -1:
        cdef bytes body = request.body
        cdef bint binary = request.field(b"content-type", None) == "application/octet-stream"
        if not session.announce_post(http):
            self.server.reject(http, request)
            return 0
        if binary and session.protocol == 4:
            session.fail(TransportError("binary payload, which protocol 4 does not have"))
            self.server.reject(http, request)
            return 0
        if len(body) > self.server.max_http_buffer_size:
            # As in Node, the session lives on.
            self.server.reject(http, request, 413)
            return 0
        if session.polling.jsonp:
            payload = read_jsonp(body)
            if payload is None:
                return self.answers.ok(http, request)
            body = payload.encode()
        error = session.post(body, binary, self.server.max_http_buffer_size)
        if error is None:
            return self.answers.ok(http, request)
        if isinstance(error, PacketError) and error.code == MESSAGE_TOO_BIG:
            self.server.reject(http, request, 413)
        else:
            self.server.reject(http, request)
        return 0

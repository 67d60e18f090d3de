"""What the polling requests of sessions are answered with when nothing is wrong."""

from cooee.http.connection cimport HttpConnection
from cooee.http.request cimport Request
from cooee.http.template cimport Template

from cooee.engineio.replies import compress, content_coding, jsonp_reply
from cooee.http.response import Response


cdef class Answers:
    """
    The answers of one server.

    Args:
        make_headers: Called with a request, a type of content, and the session's id if this is the
            answer to the handshake, else None; returns the headers.
        constant: Whether it returns the same for all requests but the first of a session and those
            of Internet Explorer, as long as there are no listeners.
        listeners: Those that are told of the headers, and may change them; others may come.
        compression_threshold: Bytes from which on answers are compressed; None for never.
    """

    def __init__(
        self, make_headers, *, bint constant, list listeners not None, compression_threshold
    ):
        self.make_headers = make_headers
        self.constant = constant
        self.listeners = listeners
        self.threshold = compression_threshold
        self.templates = {}

    cdef int ok(self, HttpConnection http, Request request) except -1:
        """A POST has been taken."""
        # Not text/plain, which some browsers offered to save.
        return self.send(http, request, "text/html", b"ok", None, None)

    cdef int payload(
        self,
        HttpConnection http,
        Request request,
        object payload,
        bint compressible,
        str first,
        bint jsonp,
    ) except -1:
        """
        A poll gets packets.

        Args:
            payload: ``str`` or ``bytes``.
            compressible: Whether a packet in it may be compressed.
            first: The session's id in the answer to the handshake, else None.
            jsonp: Whether it is to be a script.
        """
        cdef str content_type = "application/octet-stream"
        cdef str coding = None
        cdef bytes body
        if type(payload) is str:
            content_type = "text/plain; charset=UTF-8"
            if jsonp:
                payload = jsonp_reply(payload, request.query.get("j", ""))
            body = (<str> payload).encode()
        else:
            body = payload
        if compressible and self.threshold is not None and len(body) >= self.threshold:
            coding = content_coding(request.field(b"accept-encoding"))
            if coding is not None:
                body = compress(body, coding)
        return self.send(http, request, content_type, body, first, coding)

    cdef int send(
        self,
        HttpConnection http,
        Request request,
        str content_type,
        bytes body,
        str first,
        str coding,
    ) except -1:
        cdef Template template
        if (
            self.constant
            and first is None
            and coding is None
            and not self.listeners
            and not is_internet_explorer(request)
        ):
            # As nearly all.
            template = self.templates.get(content_type)
            if template is None:
                headers = self.make_headers(request, content_type, None)
                template = self.templates[content_type] = Template(Response(200, None, headers))
            http.respond_with(request, template, body)
            return 0
        headers = self.make_headers(request, content_type, first)
        if coding is not None:
            headers["Content-Encoding"] = coding
        http.respond(request, Response(200, body, headers))
        return 0


cpdef bint is_internet_explorer(Request request):
    """Whether the client is one that takes some payloads for an attack on the page."""
    cdef str agent = request.field(b"user-agent", None)
    return agent is not None and (";MSIE" in agent or "Trident/" in agent)

"""Responses, and how they go over the wire (RFC 9112 §4 to §6)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from cooee.http.template import date_field
from cooee.protocol.headers import Headers, has_token

__all__ = ["Response", "reason_phrase"]

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
# RFC 9112 §4: tab, space, visible characters and obs-text.
_is_reason: Final = re.compile("[\t\x20-\x7e\x80-\xff]*").fullmatch
# RFC 9110 §15.3.5, §15.3.6, §15.4.5
_WITHOUT_CONTENT: Final = frozenset({204, 205, 304})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# What a URL may have unencoded (RFC 3986 §2), "%" included since it may be encoded already.
_URL_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"


def reason_phrase(status: int) -> str:
    """Return the usual phrase for a status, "" for one that is not registered."""
    return _PHRASES.get(status, "")


class Response:
    """
    An HTTP response.

    The connection adds ``Content-Length``, ``Connection`` when it matters, ``Date``, and
    ``Server`` if the server has a name to give; the last two unless they are here already.

    Args:
        status: 200 to 599.
        body: The content. Text goes as UTF-8, by default with the Content-Type
            ``text/plain; charset=utf-8``; bytes go as they are, without a Content-Type of their
            own. A response to HEAD is given the content that GET would have: only its length
            is sent.
        headers: A mapping or pairs. ``Connection: close`` ends the connection after this response.
        reason: The reason phrase; by default the usual one.

    Raises:
        ValueError: If the status is out of range or has no content but one is given
            (204, 205, 304); if a header is malformed or one by which messages are delimited
            (Content-Length, Transfer-Encoding); if the reason has a control character.
    """

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | bytearray | memoryview | str | None = None,
        headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"status {status}, a final one is 200 to 599 (RFC 9110 §15)")
        if reason is None:
            reason = reason_phrase(status)
        elif _is_reason(reason) is None:
            raise ValueError(f"reason {reason!r} has a control character (RFC 9112 §4)")
        self.status = int(status)
        self.reason = reason
        self.headers = Headers(headers)
        _check_framing(self.headers)
        if isinstance(body, str):
            self.headers.setdefault("Content-Type", "text/plain; charset=utf-8")
            self.body = body.encode()
        elif body is None:
            self.body = b""
        else:
            self.body = bytes(body)
        if self.body and status in _WITHOUT_CONTENT:
            raise ValueError(f"status {status} has no content (RFC 9110 §15)")

    @classmethod
    def json(
        cls,
        value: Any,
        status: int = 200,
        headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> Response:
        """
        Return a response with a value as JSON.

        Raises:
            TypeError: If the value has no form in JSON.
            ValueError: Likewise (NaN, a cycle).
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        response = cls(status, text.encode(), headers)
        response.headers.setdefault("Content-Type", "application/json")
        return response

    @classmethod
    def redirect(
        cls,
        location: str,
        status: int = 302,
        headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> Response:
        """
        Return a response that sends the client elsewhere.

        Args:
            location: A URL or a relative reference; what a URL cannot have is percent-encoded.
            status: 301, 302, 303, 307 or 308.
        """
        if status not in _REDIRECTS:
            raise ValueError(f"status {status} is none of {sorted(_REDIRECTS)}")
        response = cls(status, None, headers)
        response.headers["Location"] = quote(location, safe=_URL_SAFE)
        return response

    @property
    def closes(self) -> bool:
        """Whether the connection is to end after this response (``Connection: close``)."""
        headers = self.headers
        return "connection" in headers.index() and has_token(
            headers.get_combined("connection") or "", "close"
        )

    def serialize_head(self, *, connection: str = "", server: str | None = None) -> bytes:
        """
        Return status line and header fields, with the empty line.

        Args:
            connection: An option to add to ``Connection``: "close" or "keep-alive".
            server: Value of ``Server``, if the response does not have one.

        Raises:
            ValueError: If a header by which messages are delimited was added since.
        """
        begin, rest = self.outline(connection=connection, server=server)
        date = b"" if "date" in self.headers.index() else date_field(int(time.time()))
        # RFC 9110 §8.6: none with 204; with 304 it would be that of a 200.
        if self.status != 204 and self.status != 304:
            rest += b"Content-Length: %d\r\n" % len(self.body)
        return b"%b%b%b\r\n" % (begin, date, rest)

    def outline(self, *, connection: str = "", server: str | None = None) -> tuple[bytes, bytes]:
        """
        Return the parts of the head between which the connection's Date goes.

        That is the status line, and all fields but the Content-Length. Arguments and errors are
        those of :meth:`serialize_head`.
        """
        headers = self.headers
        _check_framing(headers)
        if connection:
            options = headers.get_combined("connection")
            if options is None or not has_token(options, connection):
                headers = headers.copy()
                headers["Connection"] = f"{options}, {connection}" if options else connection
        fields = headers.serialize()
        if server is not None and "server" not in headers.index():
            fields += b"Server: %b\r\n" % server.encode("latin-1")
        return b"HTTP/1.1 %d %b\r\n" % (self.status, self.reason.encode("latin-1")), fields

    def copy(self, body: bytes) -> Response:
        """Return another response of the same status and fields with this body."""
        return Response(self.status, body, self.headers, reason=self.reason)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}, {len(self.body)} bytes>"


def _check_framing(headers: Headers) -> None:
    present = headers.index()
    if "content-length" in present or "transfer-encoding" in present:
        raise ValueError(
            "headers content-length and transfer-encoding are set by the connection (RFC 9112 §6)"
        )

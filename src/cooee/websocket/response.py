"""
A server's answer to the opening handshake, from bytes to status, headers and the body's beginning.

llhttp, strict, decides what is HTTP; the limits are kept here.
"""

from __future__ import annotations

from typing import Final

import httptools

from cooee.protocol.errors import HandshakeError
from cooee.protocol.headers import Headers

__all__ = ["MAX_BODY", "MAX_HEAD", "ResponseReader"]

MAX_HEAD: Final = 64 * 1024
"""
Bytes of the head, interim responses included; also of the fields, each counted with 32 bytes of
overhead (as RFC 9113 §6.5.2 does). Others: Node 16 KiB, websockets 128 fields of 8 KiB.
"""

MAX_BODY: Final = 4096
"""Bytes of the body that are kept: enough for the sentence in which a server says why."""


class ResponseReader:
    """
    Reads one final response. Interim ones (RFC 9110 §15.2) are skipped.

    Attributes:
        status: Status code; None until the head of the final response is there.
        reason: Reason phrase, possibly empty.
        http_version: As "1.1".
        headers: Of the final response.
        body: Its first MAX_BODY bytes, less while it is not complete.
        rest: After a 101, what came behind the head: the first frames.
        complete: Whether there is nothing left to read that would matter: after the head of a 101
            or of a redirect, else after MAX_BODY bytes or the end of the body.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.reason = ""
        self.http_version = ""
        self.headers = Headers()
        self.body = b""
        self.rest = b""
        self.complete = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._size = 0
        self._fields_size = 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return self._size > 0

    def feed(self, data: bytes) -> None:
        """
        Take bytes from the stream. Do not call it again once ``complete``.

        Raises:
            HandshakeError: They are not HTTP, or the head is too large.
        """
        headless = self.status is None
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self.rest = data[exc.args[0] :]
        except httptools.HttpParserError as exc:
            # After a 101 that does not announce the upgrade, or after the body: it is over anyway.
            if self.status is None or not self.complete:
                raise HandshakeError(
                    f"answer is not HTTP/1.1: {exc}: {data[:40]!r} (RFC 9112)"
                ) from None
        # What came in the same piece as the end of the head is not its.
        size = self._size if self.status is None else 0
        if headless and max(size, self._fields_size) > MAX_HEAD:
            raise HandshakeError(f"head of the answer too large, at most {MAX_HEAD} bytes")

    # Called by the parser

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        # A field in the trailer of a chunked body is of no interest.
        if self.status is None:
            self._fields_size += len(name) + len(value) + 32
            if self._fields_size <= MAX_HEAD:
                self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 101 and 100 <= status < 200:
            self._fields.clear()
            self._reason = b""
            return
        self.status = status
        self.reason = self._reason.decode("latin-1")
        self.http_version = self._parser.get_http_version()
        self.headers = Headers.from_wire(self._fields)
        self.complete = status == 101 or 300 <= status < 400

    def on_body(self, data: bytes) -> None:
        self.body += data[: MAX_BODY - len(self.body)]
        if len(self.body) == MAX_BODY:
            self.complete = True

    def on_message_complete(self) -> None:
        if self.status is not None:
            self.complete = True

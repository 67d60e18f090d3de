"""
The exceptions that cooee raises on purpose.

::

    CooeeError
    ├── ProtocolError              the peer broke the WebSocket protocol
    ├── HandshakeError             the opening handshake failed
    ├── ConnectionClosed           the connection is closed (or closing)
    │   ├── ConnectionClosedOK         1000, 1001, or a Close frame without a code (1005)
    │   └── ConnectionClosedError      every other code
    ├── ConcurrencyError           the application did two things at once that exclude each other
    └── DOMException               the application misused the browser API
        ├── SyntaxError                (also ValueError) bad URL, subprotocol, or close reason
        ├── InvalidAccessError         (also ValueError) bad close code
        ├── InvalidStateError          wrong moment: still CONNECTING
        └── NotSupportedError          a feature that this build leaves out

``engineio`` and ``socketio`` hang theirs under the same root; see their ``errors.py``.

Messages give the fact, the limit and the clause. All of them survive pickling.

``SyntaxError`` has the name that the WHATWG gives it, and is *not* Python's builtin of that name.
Refer to it as ``errors.SyntaxError``; it is kept out of ``__all__`` so that a star import never
replaces the builtin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "CooeeError",
    "DOMException",
    "HandshakeError",
    "InvalidAccessError",
    "InvalidStateError",
    "NotSupportedError",
    "ProtocolError",
]


class CooeeError(Exception):
    """Root of the tree."""


class ProtocolError(CooeeError):
    """
    The peer broke the protocol; the connection must be failed (RFC 6455 §7.1.7).

    Args:
        code: Close code to fail the connection with: 1002, 1003, 1007, 1009, ...
        reason: What was wrong, fit for a Close frame; it is also the text of the exception.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class HandshakeError(CooeeError):
    """
    The opening handshake failed (RFC 6455 §4).

    Args:
        reason: What was wrong; it is also the text of the exception.
        status: For a server, the HTTP status to answer. For a client, the status received, or
            None if the failure is not about an HTTP response.
        headers: For a server, header fields that the answer must carry (``Allow``, ``Upgrade``,
            ``Sec-WebSocket-Version``). For a client, those received.
        body: For a client, the beginning of the body that came with the status.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(reason, status, headers, body)
        self.reason = reason
        self.status = status
        self.headers = headers
        self.body = body

    def __str__(self) -> str:
        return self.reason


class ConnectionClosed(CooeeError):
    """
    The connection is closed, or its closing handshake has begun.

    ``ConnectionClosed.make(...)`` chooses the subclass that suits the code.

    Args:
        code: Close code received; 1005 if the Close frame had none, 1006 if there was no Close
            frame (RFC 6455 §7.1.5).
        reason: Close reason, possibly empty.
        was_clean: Whether the closing handshake was completed.
        sent: Whether this side's Close frame came first, so that code and reason are its own.
    """

    def __init__(
        self, code: int, reason: str = "", was_clean: bool = False, sent: bool = False
    ) -> None:
        super().__init__(code, reason, was_clean, sent)
        self.code = code
        self.reason = reason
        self.was_clean = was_clean
        self.sent = sent

    @staticmethod
    def make(
        code: int, reason: str = "", was_clean: bool = False, sent: bool = False
    ) -> ConnectionClosed:
        """Return a ConnectionClosedOK for 1000, 1001 and 1005, else a ConnectionClosedError."""
        # 1005 counts as OK: it is what a browser's `ws.close()` without arguments gives.
        if code in (1000, 1001, 1005):
            return ConnectionClosedOK(code, reason, was_clean, sent)
        return ConnectionClosedError(code, reason, was_clean, sent)

    def __str__(self) -> str:
        from cooee.protocol.close import describe_close  # close.py imports this module

        text = describe_close(self.code, self.reason)
        if self.code == 1006:
            return f"connection lost without a Close frame: {text}"
        text = f"{'sent' if self.sent else 'received'} {text}"
        return text if self.was_clean else f"{text}; closing handshake not completed"


class ConnectionClosedOK(ConnectionClosed):
    """The connection ended as intended: 1000, 1001, or a Close frame without a code."""


class ConnectionClosedError(ConnectionClosed):
    """The connection ended for any other cause."""


class ConcurrencyError(CooeeError):
    """Two calls that exclude each other were made at once, such as two ``recv()``."""


class DOMException(CooeeError):
    """
    An exception of the browser API (WebIDL §DOMException).

    Args:
        message: What was wrong.
        name: The WHATWG name of the error. Each subclass has its own as default.

    Attributes:
        code: Legacy number of the name, 0 if it has none. Not a close code.
    """

    default_name: ClassVar[str] = "Error"
    code: ClassVar[int] = 0

    def __init__(self, message: str = "", name: str | None = None) -> None:
        super().__init__(message, name)
        self.message = message
        self.name = self.default_name if name is None else name

    def __str__(self) -> str:
        return self.message


class SyntaxError(DOMException, ValueError):
    """A string does not match the expected pattern: URL, subprotocol, close reason."""

    default_name = "SyntaxError"
    code = 12


class InvalidAccessError(DOMException, ValueError):
    """A value is not allowed: a close code that the caller may not send."""

    default_name = "InvalidAccessError"
    code = 15


class InvalidStateError(DOMException):
    """The object is in the wrong state: ``send()`` while CONNECTING."""

    default_name = "InvalidStateError"
    code = 11


class NotSupportedError(DOMException):
    """The operation is not supported here."""

    default_name = "NotSupportedError"
    code = 9

"""
What goes wrong between an application and its Socket.IO peers.

::

    CooeeError
    ├── ConnectError       a middleware refuses a client
    ├── AckTimeout         (also TimeoutError) an acknowledgement did not come in time
    ├── Disconnected       the socket is not connected any more
    └── LimitExceeded      a limit of this server
"""

from __future__ import annotations

from typing import Any

from cooee.protocol.errors import CooeeError

__all__ = ["AckTimeout", "ConnectError", "Disconnected", "LimitExceeded"]


class ConnectError(CooeeError):
    """
    Raised by a middleware to keep a client out of a namespace.

    The client gets a CONNECT_ERROR with both, which is its event ``connect_error``.

    Args:
        message: Shown to the client.
        data: Details, anything that the parser can write; None for none.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message, data)
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return self.message


class AckTimeout(CooeeError, TimeoutError):
    """
    An acknowledgement did not come in time.

    Attributes:
        responses: Of a broadcast, those that did come.
    """

    def __init__(
        self, message: str = "operation has timed out", responses: list[Any] | None = None
    ) -> None:
        super().__init__(message, responses)
        self.responses = [] if responses is None else responses

    def __str__(self) -> str:
        return str(self.args[0])


class Disconnected(CooeeError):
    """
    The socket is not connected any more.

    Attributes:
        reason: Why, as the event ``disconnect`` has it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"socket has been disconnected: {self.reason}"


class LimitExceeded(CooeeError):
    """A count that a client can drive up has reached its limit: see :class:`Limits`."""

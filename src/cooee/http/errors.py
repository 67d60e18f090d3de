"""
The reason for which a request is rejected.

Never escapes to the application: the connection answers it, logs it and closes.
"""

from __future__ import annotations

from cooee.protocol.errors import CooeeError

__all__ = ["RequestRejected"]


class RequestRejected(CooeeError):
    """
    The peer's bytes are no request that this server takes.

    Args:
        status: HTTP status to answer.
        reason: Fact, limit and clause; also the body of the answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return self.reason

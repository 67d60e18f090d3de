"""What a server can be given besides its own sessions."""

from __future__ import annotations

from typing import Protocol

from cooee.http import HttpConnection, Request
from cooee.websocket.outcome import Outcome

__all__ = ["Application"]


class Application(Protocol):
    """What answers the requests below a path by itself, as an Engine.IO server does."""

    @property
    def max_body_size(self) -> int:
        """Bytes that the body of a request to it may have."""

    def announce(self, http: HttpConnection, request: Request) -> None:
        """
        See a request whose body is still to come; ``handle`` gets it later, unless the client
        gives up. Not called for those that come in one piece.
        """

    def handle(self, http: HttpConnection, request: Request) -> None:
        """Answer with ``http.respond()`` or ``http.switch()``, now or later."""

    def close(self) -> Outcome:
        """End what goes on; the result is finished when nothing is left of it."""

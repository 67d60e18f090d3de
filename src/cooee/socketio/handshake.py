"""What a socket knows of how its client came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Handshake", "make_handshake"]


@dataclass(slots=True)
class Handshake:
    """
    How a client came.

    Attributes:
        headers: Of the HTTP request that began the Engine.IO session, case-insensitive.
        query: Parameters of its URL.
        url: Its target as sent.
        address: The client's address; None on a Unix socket.
        auth: What the client gave to join this namespace; ``{}`` for nothing.
        secure: Whether it came by TLS.
        xdomain: Whether it gave an ``Origin``, as browsers do across origins.
        issued: Seconds since the epoch.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    url: str
    address: Any
    auth: dict[str, Any]
    secure: bool
    xdomain: bool
    issued: float

    @property
    def time(self) -> str:
        """``issued`` as text, in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.issued))


def make_handshake(request: Any, auth: dict[str, Any]) -> Handshake:
    """
    Describe how a client came.

    Args:
        request: The :class:`cooee.http.Request` that began the Engine.IO session; or None.
        auth: Its payload for the namespace.
    """
    if request is None:
        return Handshake({}, {}, "", None, auth, False, False, time.time())
    return Handshake(
        headers=request.headers,
        query=request.query,
        url=request.target,
        address=request.remote_address,
        auth=auth,
        secure=bool(getattr(request, "secure", False)),
        xdomain="origin" in request.headers,
        issued=time.time(),
    )

"""What a socket knows of how its client came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

__all__ = ["Handshake"]


class Handshake:
    """
    How a client came.

    Args:
        request: The :class:`cooee.http.Request` that began the Engine.IO session; or None.
        auth: What the client gave to join the namespace.

    Attributes:
        auth: The same; ``{}`` for nothing.
        issued: Seconds since the epoch.
    """

    # What the request says is asked for rarely, and would cost each idle client some kilobytes.
    __slots__ = ("_request", "auth", "issued")

    def __init__(self, request: Any, auth: dict[str, Any]) -> None:
        self._request = request
        self.auth = auth
        self.issued = time.time()

    def __repr__(self) -> str:
        return f"<Handshake of {self.address} {self.url}>"

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP request that began the Engine.IO session, case-insensitive."""
        return {} if self._request is None else self._request.headers

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of its URL."""
        return {} if self._request is None else self._request.query

    @property
    def url(self) -> str:
        """Its target as sent."""
        return "" if self._request is None else self._request.target

    @property
    def address(self) -> Any:
        """The client's address; None on a Unix socket."""
        return None if self._request is None else self._request.remote_address

    @property
    def secure(self) -> bool:
        """Whether it came by TLS."""
        return bool(getattr(self._request, "secure", False))

    @property
    def xdomain(self) -> bool:
        """Whether it gave an ``Origin``, as browsers do across origins."""
        return "origin" in self.headers

    @property
    def time(self) -> str:
        """``issued`` as text, in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.issued))

    def as_dict(self) -> dict[str, Any]:
        """All of it, for other servers."""
        return {
            "headers": dict(self.headers),
            "query": dict(self.query),
            "url": self.url,
            "address": self.address,
            "auth": self.auth,
            "secure": self.secure,
            "xdomain": self.xdomain,
            "issued": self.issued,
        }

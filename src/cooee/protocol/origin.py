"""
Which pages may open a connection: checking ``Origin`` (RFC 6455 §4.2.2 item 4 and §10.2).

The same-origin rule of browsers does not hold for WebSocket: any page may connect to any server,
with the user's cookies. Only the server can refuse. Clients other than browsers send whatever
``Origin`` they like, or none; this check is no authentication.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Literal, TypeAlias

__all__ = ["SAME_ORIGIN", "OriginPolicy", "origin_allowed"]

SAME_ORIGIN: Final = "same-origin"
"""Policy: the page came from the host and port that it now connects to."""

OriginPolicy: TypeAlias = (
    Literal["same-origin", "*"]
    | Collection[str | re.Pattern[str] | None]
    | Callable[[str | None], bool]
)
"""
``SAME_ORIGIN``, ``"*"`` for all, a callable that is given the origin, or a list of origins such
as ``"https://example.com"``, compiled regular expressions that must match all of one, and None
to let in clients that send none.
"""

_DEFAULT_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443"}
# Host and optional port; brackets hold an IPv6 address.
_host_port: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]*))?").fullmatch


def origin_allowed(
    origin: str | None, host: str | None, policy: OriginPolicy = SAME_ORIGIN
) -> bool:
    """
    Tell whether the policy lets in a request with this ``Origin`` and this ``Host``.

    A missing origin passes, except under a list without None and a callable that says no: all
    browsers send one. Origins compare case-insensitively, default ports count as absent, and
    http equals ws as https equals wss. The opaque origin ``null`` passes only where named.

    Behind a proxy that rewrites ``Host``, give the list of origins instead of SAME_ORIGIN.

    Raises:
        ValueError: If the policy is a string other than these two, such as a single origin.
    """
    if isinstance(policy, str):
        if policy == SAME_ORIGIN:
            return origin is None or (host is not None and _same_origin(origin, host))
        if policy == "*":
            return True
        raise ValueError(f"origin policy {policy!r}; 'same-origin', '*', or a list of origins")
    if callable(policy):
        return policy(origin)
    if origin is None:
        return any(entry is None for entry in policy)
    normalised = _normalise(origin)
    for entry in policy:
        if isinstance(entry, str):
            if _normalise(entry) == normalised:
                return True
        elif entry is not None and entry.fullmatch(origin):
            return True
    return False


def _same_origin(origin: str, host: str) -> bool:
    scheme, separator, authority = origin.lower().partition("://")
    default_port = _DEFAULT_PORTS.get(scheme)
    if not separator or default_port is None:  # "null", "file://", "chrome-extension://..."
        return False
    host = host.lower()
    if authority == host:  # the common case
        return host != ""
    # Whether the connection came over TLS is unknown here, behind a proxy even to the server.
    # So the origin's scheme says which port a Host without one means.
    ours = _split(host, default_port)
    return ours is not None and ours == _split(authority, default_port)


def _split(authority: str, default_port: str) -> tuple[str, str] | None:
    match = _host_port(authority)
    return None if match is None else (match[1], match[2] or default_port)


def _normalise(origin: str) -> str:
    scheme, separator, authority = origin.lower().rstrip("/").partition("://")
    default_port = _DEFAULT_PORTS.get(scheme)
    if separator and default_port is not None:
        scheme = "http" if default_port == "80" else "https"
        authority = authority.removesuffix(f":{default_port}")
    return f"{scheme}{separator}{authority}"

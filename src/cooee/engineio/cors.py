"""Cross-origin resource sharing: which pages may read the answers (Fetch Standard §3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cooee.http import Request
from cooee.protocol.headers import Headers

__all__ = ["AllowedOrigins", "Cors"]

AllowedOrigins: TypeAlias = (
    bool | str | re.Pattern[str] | Iterable[str | re.Pattern[str]] | Callable[[str | None], bool]
)
"""
``"*"`` for all; True for all, each by its name; one origin; a compiled pattern that is searched for
in the origin; several of these; or a function of the origin, None when there is none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """
    What browsers are told about pages of other origins; as the npm package ``cors`` does it.

    It keeps no client from connecting by WebSocket, which browsers allow to all pages: see
    ``allow_request`` for that.

    Args:
        origin: Which origins may read answers.
        methods: What a preflight request is told, default those of npm's ``cors``.
        allowed_headers: Headers that requests may have; by default those that they ask for.
        exposed_headers: Headers of answers that pages may read.
        credentials: Whether requests may come with cookies. An origin of ``"*"`` is then answered
            with the name of the one that asks, since browsers do not take ``*`` with credentials.
        max_age: Seconds for which the answer to a preflight request holds.
    """

    origin: AllowedOrigins = "*"
    methods: str | Iterable[str] = "GET,HEAD,PUT,PATCH,POST,DELETE"
    allowed_headers: str | Iterable[str] | None = None
    exposed_headers: str | Iterable[str] | None = None
    credentials: bool = False
    max_age: int | None = None

    def __post_init__(self) -> None:
        allowed = self.origin
        if isinstance(allowed, Mapping) or not (
            isinstance(allowed, (bool, re.Pattern, Iterable)) or callable(allowed)
        ):
            raise TypeError(f"origin is {allowed!r}, must be of the types of AllowedOrigins")

    @property
    def constant(self) -> bool:
        """Whether all answers get the same headers, whoever asks."""
        return isinstance(self.origin, str) and (self.origin != "*" or not self.credentials)

    def apply(self, headers: Headers, request: Request) -> None:
        """Add the headers of an answer."""
        origin = request.headers.get("origin")
        if self.origin == "*" and not self.credentials:
            headers["Access-Control-Allow-Origin"] = "*"
        elif isinstance(self.origin, str) and self.origin != "*":
            headers["Access-Control-Allow-Origin"] = self.origin
            _vary(headers, "Origin")
        else:
            if origin is not None and (self.origin == "*" or _matches(origin, self.origin)):
                headers["Access-Control-Allow-Origin"] = origin
            _vary(headers, "Origin")
        if self.credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if self.exposed_headers:
            headers["Access-Control-Expose-Headers"] = _joined(self.exposed_headers)

    def apply_preflight(self, headers: Headers, request: Request) -> None:
        """Add the headers of the answer to a preflight request."""
        self.apply(headers, request)
        headers["Access-Control-Allow-Methods"] = _joined(self.methods)
        allowed = self.allowed_headers
        if allowed is None:
            allowed = request.headers.get_combined("access-control-request-headers")
            _vary(headers, "Access-Control-Request-Headers")
        if allowed:
            headers["Access-Control-Allow-Headers"] = _joined(allowed)
        if self.max_age is not None:
            headers["Access-Control-Max-Age"] = str(self.max_age)


def _joined(names: str | Iterable[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)


def _vary(headers: Headers, name: str) -> None:
    present = headers.get_combined("vary")
    headers["Vary"] = f"{present}, {name}" if present else name


def _matches(origin: str, allowed: AllowedOrigins) -> bool:
    if isinstance(allowed, bool):
        return allowed
    if isinstance(allowed, str):
        return origin == allowed
    if isinstance(allowed, re.Pattern):
        return allowed.search(origin) is not None
    if callable(allowed):
        return bool(allowed(origin))
    return any(_matches(origin, entry) for entry in allowed)

"""Cookies that a client sends back: load balancers tell by them where a session lives."""

from __future__ import annotations

import re
from typing import Final

from cooee.protocol.headers import Headers

__all__ = ["CookieJar"]

MAX_COOKIES: Final = 50
"""Cookies that are kept; RFC 6265 §6.1 asks for as many of each domain. Later ones are ignored."""

_pair: Final = re.compile(
    r"\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=([^\x00-\x20;,\x7f]*)\s*(?:;|$)"
).match
_removal: Final = re.compile(r";\s*max-age\s*=\s*(?:0|-\d+)\s*(?:;|$)", re.I).search


class CookieJar:
    """
    The cookies of one server, by name (RFC 6265).

    They are kept for as long as the client is, and sent with each request to that server: path and
    expiry, which are for browsers that go to many places for a long time, count for nothing here,
    except that ``Max-Age`` of 0 removes one.
    """

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def take(self, headers: Headers) -> None:
        """Keep what a response sets."""
        for field in headers.get_all("Set-Cookie"):
            found = _pair(field)
            if found is None:
                continue
            name, value = found.groups()
            if _removal(field):
                self._cookies.pop(name, None)
            elif name in self._cookies or len(self._cookies) < MAX_COOKIES:
                self._cookies[name] = value

    def header(self) -> str | None:
        """The value of a request's ``Cookie`` field; None for no cookie."""
        return "; ".join([f"{name}={value}" for name, value in self._cookies.items()]) or None

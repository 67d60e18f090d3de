"""Answers to polling requests: their headers, compression, cookies and scripts."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, quote

__all__ = ["Cookie", "compress", "content_coding", "jsonp_reply", "read_jsonp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """
    A cookie with the session's id, for load balancers; the server itself does not read it.

    Args:
        name: Its name.
        path: Where it is sent; None to leave the field out.
        domain: To which hosts; None for this one only.
        max_age: Seconds that it is kept; None for as long as the browser runs.
        http_only: Whether scripts cannot read it.
        secure: Whether it is sent over TLS only.
        same_site: Whether it goes with requests from other sites.
    """

    name: str = "io"
    path: str | None = "/"
    domain: str | None = None
    max_age: int | None = None
    http_only: bool = True
    secure: bool = False
    same_site: Literal["strict", "lax", "none"] | None = "lax"

    def serialize(self, value: str) -> str:
        """Return the value of ``Set-Cookie`` (RFC 6265 §4.1)."""
        parts = [f"{self.name}={quote(value, safe='')}"]
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self.path is not None:
            parts.append(f"Path={self.path}")
        if self.http_only:
            parts.append("HttpOnly")
        if self.secure:
            parts.append("Secure")
        if self.same_site is not None:
            parts.append(f"SameSite={self.same_site.capitalize()}")
        return "; ".join(parts)


_CODINGS: Final = ("gzip", "deflate")


def content_coding(accepted: str | None) -> str | None:
    """
    Choose between gzip and deflate by a request's ``Accept-Encoding`` (RFC 9110 §12.5.3).

    >>> content_coding("deflate, gzip;q=0.5"), content_coding("br, *"), content_coding("gzip;q=0")
    ('deflate', 'gzip', None)
    """
    if not accepted:
        return None
    # By weight, then in the client's order.
    ranks: dict[str, tuple[float, int]] = {}
    for place, entry in enumerate(accepted.split(",")):
        name, _, parameters = entry.partition(";")
        ranks[name.strip().lower()] = (_weight(parameters), -place)
    rest = ranks.get("*", (0.0, 0))
    best = max(_CODINGS, key=lambda coding: ranks.get(coding, rest))
    return best if ranks.get(best, rest)[0] > 0 else None


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def compress(body: bytes, coding: str) -> bytes:
    """Compress a body as gzip or, in zlib's format, as deflate (RFC 9110 §8.4.1)."""
    # 16 more than the window's bits makes it gzip.
    compressor = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return compressor.compress(body) + compressor.flush()


def jsonp_reply(payload: str, index: str) -> str:
    """Wrap a payload in a call of the function that a page has for it (``j`` in the query)."""
    digits = re.sub("[^0-9]", "", index)
    # JSON is a subset of JavaScript but for these two (before ECMAScript 2019).
    text = json.dumps(payload, ensure_ascii=False)
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"___eio[{digits}]({text});"


def read_jsonp(body: bytes) -> str | None:
    """
    Read a payload from a form with the one field ``d``; None when there is none.

    Forms turn newlines into CR LF, so that clients escape them: a newline in the payload comes as
    a backslash and an n, these two as two backslashes and an n.
    """
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        if name == "d":
            value = re.sub(r"(\\)?\\n", lambda match: match[0] if match[1] else "\n", value)
            return value.replace("\\\\n", "\\n")
    return None

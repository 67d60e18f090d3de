"""The Cookie field of a request."""

from __future__ import annotations

__all__ = ["parse_cookies"]


def parse_cookies(text: str) -> dict[str, str]:
    """
    Parse a Cookie field (RFC 6265 §4.2.1) leniently: pairs that make no sense are skipped.

    Values are as they came, without surrounding double quotes. Of several cookies of one name
    the first counts: user agents send the one with the most specific path first (§5.4).

    >>> parse_cookies('a=1; b="2 3"; a=4; =; c')
    {'a': '1', 'b': '2 3'}
    """
    cookies: dict[str, str] = {}
    for pair in text.split(";"):
        name, separator, value = pair.partition("=")
        name = name.strip(" \t")
        if separator and name:
            value = value.strip(" \t")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            cookies.setdefault(name, value)
    return cookies

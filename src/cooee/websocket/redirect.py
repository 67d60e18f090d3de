"""
Where a server's answer to the opening handshake sends its client (RFC 6455 §4.1; RFC 9110 §15.4).

Only ``connect`` follows: a browser must not, lest a page that may talk to one host be sent on to
any (WHATWG WebSockets, "opening handshake").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from cooee.protocol.errors import DOMException, HandshakeError
from cooee.protocol.urls import URL, parse_url, parse_websocket_url
from cooee.websocket.opening import OpeningOptions

__all__ = ["follow"]

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


def follow(
    url: URL, options: OpeningOptions, answer: HandshakeError
) -> tuple[URL, OpeningOptions] | None:
    """
    Return where to try next and how, or None if the answer is no redirect.

    To another origin go neither the caller's headers nor the URL's credentials: they were meant
    for the first.

    Raises:
        HandshakeError: The redirect may not be followed: no valid URL, from wss to ws, or away
            from the socket that the caller named.
    """
    location = next((value for name, value in answer.headers if name.lower() == "location"), None)
    if answer.status not in _REDIRECTS or location is None:
        return None

    def refuse(why: str) -> HandshakeError:
        return HandshakeError(
            f"redirect to {location[:200]!r} not followed: {why}",
            answer.status,
            answer.headers,
            answer.body,
        )

    if options.sock is not None:
        raise refuse("the socket given cannot connect again")
    try:
        # A fragment is for the client alone (RFC 9110 §10.2.2), and a WebSocket has no use for it.
        there = replace(parse_url(urljoin(url.href, location)), fragment=None)
        there = parse_websocket_url(there.href)
    except (DOMException, ValueError) as exc:
        raise refuse(str(exc)) from None
    if url.secure and not there.secure:
        raise refuse("from wss to ws")
    if there.origin != url.origin:
        if options.unix is not None:
            raise refuse("another origin, and a Unix socket was given")
        return there, replace(options, headers=None)
    if not there.username and not there.password:
        there = replace(there, username=url.username, password=url.password)
    return there, options

"""
The opening handshake, both roles (RFC 6455 §4): what to send, and what to refuse.

Server: ``check_request``, then ``offered_protocols`` and ``offered_extensions`` as needed, then
``build_response``. Client: ``make_key`` from 16 random bytes that the caller brings,
``build_request``, ``check_response``.

Refusals are HandshakeError. A server's carry the HTTP status to answer with and the header fields
that the answer must have; a client's carry what was received.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

from cooee.protocol import errors
from cooee.protocol.authorization import build_basic_auth
from cooee.protocol.headers import (
    Extension,
    Headers,
    format_extensions,
    has_token,
    is_token,
    parse_extensions,
    parse_tokens,
)
from cooee.protocol.urls import URL

__all__ = [
    "Negotiated",
    "accept_key",
    "build_request",
    "build_response",
    "check_request",
    "check_response",
    "make_key",
    "offered_extensions",
    "offered_protocols",
    "select_protocol",
    "validate_protocols",
]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_sha1 = hashlib.sha1
_b2a_base64 = binascii.b2a_base64
_a2b_base64 = binascii.a2b_base64

_UPGRADE: Final = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_VERSION: Final = (("Sec-WebSocket-Version", "13"),)
# RFC 3986 §3.2: what a host and port are made of. An empty Host is valid (RFC 9112 §3.2).
_is_host: Final = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*").fullmatch
_RESERVED: Final = frozenset(
    ("host", "upgrade", "connection", "content-length", "transfer-encoding")
)


class Negotiated(NamedTuple):
    """What a server's answer settles: a subprotocol, or None, and extensions in order."""

    protocol: str | None
    extensions: list[Extension]


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key`` (§4.2.2)."""
    return _accept(key).decode("ascii")


def _accept(key: str) -> bytes:
    digest = _sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return _b2a_base64(digest, newline=False)


# --- server ---------------------------------------------------------------------------------


def check_request(method: str, http_version: str, headers: Headers) -> str:
    """
    Check a client's opening handshake (§4.2.1) and return its key.

    Origin, subprotocols and extensions are left to the caller.

    Args:
        method: Of the request line.
        http_version: Of the request line, as "1.1".
        headers: Of the request.

    Raises:
        HandshakeError: 405 for a method other than GET; 426 for HTTP/1.0, for a request that
            does not ask for the upgrade, and for a version other than 13; 400 otherwise.
    """
    get = headers.index().get
    if method != "GET":
        raise errors.HandshakeError(
            f"method {method[:20]}, GET needed (RFC 6455 §4.1)", 405, (("Allow", "GET"),)
        )
    if http_version != "1.1" and http_version < "1.1":
        # RFC 9110 §7.8: Upgrade in an HTTP/1.0 request does not count.
        raise errors.HandshakeError(
            f"HTTP/{http_version}, at least HTTP/1.1 (RFC 6455 §4.1)", 426, _UPGRADE
        )

    # The two comparisons ahead of has_token() save a microsecond for every usual client.
    value = get("upgrade")
    if value != "websocket" and not _list_has(value, "websocket"):
        raise errors.HandshakeError(_no_token("Upgrade", "websocket", value), 426, _UPGRADE)
    value = get("connection")
    if value != "Upgrade" and not _list_has(value, "upgrade"):
        raise errors.HandshakeError(_no_token("Connection", "Upgrade", value), 426, _UPGRADE)

    value = get("host")
    if type(value) is not str or _is_host(value) is None:
        raise errors.HandshakeError(
            _not_single("Host", value) or f"Host {value!r} is malformed (RFC 9112 §3.2)", 400
        )
    value = get("sec-websocket-version")
    if value != "13":
        fault = _not_single("Sec-WebSocket-Version", value)
        if fault is not None:
            raise errors.HandshakeError(fault, 400, _VERSION)
        raise errors.HandshakeError(
            f"Sec-WebSocket-Version {value!r}, 13 needed (RFC 6455 §4.4)",
            426,
            _UPGRADE + _VERSION,
        )
    key = get("sec-websocket-key")
    if type(key) is not str:
        raise errors.HandshakeError(str(_not_single("Sec-WebSocket-Key", key)), 400)
    try:
        size = len(_a2b_base64(key, strict_mode=True))
    except ValueError:  # not base64, or not ASCII
        size = -1
    if size != 16:
        raise errors.HandshakeError(
            f"Sec-WebSocket-Key {key[:40]!r} is not base64 of 16 bytes (RFC 6455 §4.2.1)", 400
        )
    if type(get("origin")) is list:
        raise errors.HandshakeError("Origin given more than once (RFC 6454 §7.3)", 400)
    return key


def _list_has(value: str | list[str] | None, token: str) -> bool:
    if isinstance(value, list):
        value = ",".join(value)
    return value is not None and has_token(value, token)


def _no_token(name: str, token: str, value: str | list[str] | None) -> str:
    if value is None:
        return f"{name} is missing, {token!r} needed (RFC 6455 §4.2.1)"
    return f"{name} {value!r} lacks {token!r} (RFC 6455 §4.2.1)"


def _not_single(name: str, value: str | list[str] | None) -> str | None:
    if value is None:
        return f"{name} is missing (RFC 6455 §4.2.1)"
    if isinstance(value, list):
        return f"{name} given {len(value)} times, once needed (RFC 6455 §4.2.1)"
    return None


def offered_protocols(headers: Headers) -> list[str]:
    """
    Return the subprotocols that a client offers, best first; none if it names none.

    Raises:
        HandshakeError: 400 if the list is malformed or has one of them twice (§4.1 item 10).
    """
    value = headers.get_combined("Sec-WebSocket-Protocol")
    if value is None:
        return []
    try:
        protocols = parse_tokens(value)
    except ValueError as exc:
        raise errors.HandshakeError(f"Sec-WebSocket-Protocol: {exc}", 400) from None
    if len(set(protocols)) != len(protocols):
        raise errors.HandshakeError(
            f"Sec-WebSocket-Protocol {value[:100]!r} repeats a subprotocol (RFC 6455 §4.1)", 400
        )
    return protocols


def offered_extensions(headers: Headers) -> list[Extension]:
    """
    Return the extensions that a client offers, in its order; none if it names none.

    Raises:
        HandshakeError: 400 if the list is malformed (§9.1).
    """
    value = headers.get_combined("Sec-WebSocket-Extensions")
    if value is None:
        return []
    try:
        return parse_extensions(value)
    except ValueError as exc:
        raise errors.HandshakeError(f"Sec-WebSocket-Extensions: {exc}", 400) from None


def select_protocol(offered: Iterable[str], supported: Iterable[str]) -> str | None:
    """Return the first subprotocol offered that is supported: the client's order counts."""
    supported = frozenset(supported)
    return next((protocol for protocol in offered if protocol in supported), None)


_RESPONSE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)


def build_response(
    key: str,
    *,
    protocol: str | None = None,
    extensions: Sequence[Extension] = (),
    headers: bytes | Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
) -> bytes:
    """
    Return a server's answer that completes the opening handshake (§4.2.2).

    Args:
        key: As ``check_request`` returned it.
        protocol: The subprotocol chosen among those offered.
        extensions: Those accepted.
        headers: Further fields. As bytes they are lines ending in CRLF, taken as they are: a
            server's constant fields, serialised once.

    Raises:
        ValueError: If protocol, extensions or headers are malformed, or headers have a field
            that belongs to the handshake.
    """
    lines = _accept(key)
    if protocol is not None:
        if not is_token(protocol):
            raise ValueError(f"subprotocol {protocol!r} is not a token (RFC 6455 §4.2.2)")
        lines += b"\r\nSec-WebSocket-Protocol: " + protocol.encode("ascii")
    if extensions:
        lines += b"\r\nSec-WebSocket-Extensions: " + format_extensions(extensions).encode("ascii")
    if headers:
        if not isinstance(headers, bytes):
            headers = _checked(headers).serialize()
        return b"%b%b\r\n%b\r\n" % (_RESPONSE, lines, headers)
    return b"%b%b\r\n\r\n" % (_RESPONSE, lines)


# --- client ---------------------------------------------------------------------------------


def make_key(nonce: bytes) -> str:
    """
    Return the ``Sec-WebSocket-Key`` for 16 random bytes, fresh for each connection (§4.1).

    Raises:
        ValueError: If there are not 16 bytes.
    """
    if len(nonce) != 16:
        raise ValueError(f"nonce of {len(nonce)} bytes, 16 needed (RFC 6455 §4.1)")
    return base64.b64encode(nonce).decode("ascii")


def validate_protocols(protocols: str | Iterable[str] | None) -> list[str]:
    """
    Return the subprotocols to offer as a list; a string is a list of one.

    Raises:
        SyntaxError: If one is not a token or occurs twice; case matters
            (``errors.SyntaxError``, WHATWG WebSockets, RFC 6455 §4.1 item 10).
    """
    protocols = [protocols] if isinstance(protocols, str) else list(protocols or ())
    for protocol in protocols:
        if not is_token(protocol):
            raise errors.SyntaxError(
                f"subprotocol {protocol!r} is not a token (RFC 6455 §4.1 item 10)"
            )
    if len(set(protocols)) != len(protocols):
        raise errors.SyntaxError(f"subprotocols {protocols!r} repeat one (RFC 6455 §4.1 item 10)")
    return protocols


def build_request(
    url: URL,
    key: str,
    *,
    protocols: str | Iterable[str] | None = None,
    extensions: Sequence[Extension] = (),
    origin: str | None = None,
    headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
) -> bytes:
    """
    Return a client's opening handshake (§4.1).

    Args:
        url: Where to. A username or password in it becomes Basic authentication, unless headers
            have an ``Authorization`` of their own.
        key: From ``make_key``.
        protocols: Subprotocols to offer, best first.
        extensions: Those to offer, best first.
        origin: What a browser would send as ``Origin``; none by default.
        headers: Further fields.

    Raises:
        SyntaxError: If protocols are malformed (``errors.SyntaxError``).
        ValueError: If extensions or headers are malformed, headers have a field that belongs to
            the handshake, or the URL's username has a colon.
    """
    fields = _checked(headers)
    request = Headers(
        {
            "Host": url.host_header,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
    )
    if origin is not None:
        if "Origin" in fields:
            raise ValueError("Origin is given as an argument and as a header")
        request.add("Origin", origin)
    protocols = validate_protocols(protocols)
    if protocols:
        request.add("Sec-WebSocket-Protocol", ", ".join(protocols))
    if extensions:
        request.add("Sec-WebSocket-Extensions", format_extensions(extensions))
    if (url.username or url.password) and "Authorization" not in fields:
        username = unquote(url.username, errors="surrogateescape")
        password = unquote(url.password, errors="surrogateescape")
        request.add("Authorization", build_basic_auth(username, password))
    request.extend(fields)
    line = f"GET {url.request_target} HTTP/1.1\r\n"
    return line.encode("ascii") + request.serialize() + b"\r\n"


def check_response(
    status: int,
    headers: Headers,
    key: str,
    offered_protocols: Sequence[str] = (),
    offered_extensions: Sequence[Extension] = (),
    *,
    require_protocol: bool = False,
) -> Negotiated:
    """
    Check a server's answer (§4.1) and return what it settles.

    Parameters of extensions are for the extension to check.

    Args:
        status: Of the status line.
        headers: Of the response.
        key: As it was sent.
        offered_protocols: As they were sent.
        offered_extensions: As they were sent.
        require_protocol: Also refuse an answer that chooses none of the subprotocols offered, as
            browsers do (WHATWG WebSockets, "establish a WebSocket connection").

    Raises:
        HandshakeError: If the answer does not complete the handshake.
    """

    def refuse(reason: str) -> errors.HandshakeError:
        return errors.HandshakeError(reason, status, headers.items())

    if status != 101:
        raise refuse(f"HTTP status {status}, 101 needed (RFC 6455 §4.1)")
    index = headers.index()
    # "Upgrade: websocket", and nothing beside it, unlike in a request.
    upgrade = index.get("upgrade")
    if not isinstance(upgrade, str) or upgrade.lower() != "websocket":
        raise refuse(f"Upgrade {upgrade!r}, 'websocket' needed (RFC 6455 §4.1)")
    connection = index.get("connection")
    if not _list_has(connection, "upgrade"):
        raise refuse(f"Connection {connection!r} lacks 'Upgrade' (RFC 6455 §4.1)")
    accept = index.get("sec-websocket-accept")
    if not isinstance(accept, str) or accept.strip(" \t") != accept_key(key):
        raise refuse(f"Sec-WebSocket-Accept {accept!r}, {accept_key(key)!r} needed (RFC 6455 §4.1)")

    protocol = index.get("sec-websocket-protocol")
    if isinstance(protocol, list):
        raise refuse("Sec-WebSocket-Protocol given more than once (RFC 6455 §11.3.4)")
    if protocol is not None and protocol not in offered_protocols:
        raise refuse(f"subprotocol {protocol!r} was not offered (RFC 6455 §4.1)")
    if protocol is None and offered_protocols and require_protocol:
        raise refuse(f"none of the subprotocols {list(offered_protocols)!r} chosen (WHATWG)")

    value = index.get("sec-websocket-extensions")
    extensions: list[Extension] = []
    if isinstance(value, list):
        raise refuse("Sec-WebSocket-Extensions given more than once (RFC 6455 §11.3.2)")
    if value is not None:
        try:
            extensions = parse_extensions(value)
        except ValueError as exc:
            raise refuse(f"Sec-WebSocket-Extensions: {exc}") from None
    offered = {name for name, _ in offered_extensions}
    for name, _ in extensions:
        if name not in offered:
            raise refuse(f"extension {name!r} was not offered, or is chosen twice (RFC 6455 §4.1)")
        offered.remove(name)
    return Negotiated(protocol, extensions)


def _checked(
    headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None,
) -> Headers:
    """Return further fields, none of which belongs to the handshake."""
    fields = headers if isinstance(headers, Headers) else Headers(headers)
    for name in fields.index():
        if name in _RESERVED or name.startswith("sec-websocket-"):
            raise ValueError(f"header {name} belongs to the handshake and cannot be given (§4)")
    return fields

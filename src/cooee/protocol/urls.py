"""
URLs of the schemes ws, wss, http and https, parsed as browsers do (WHATWG URL §4.4).

Differences from the standard, both on purpose: there is no base URL, so relative ones fail, and
of the other schemes none is known. Addresses, domains and percent-encoding follow it to the
letter, so that ``href`` is what ``new URL(...).href`` gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from cooee.protocol import errors
from cooee.protocol.hosts import parse_host
from cooee.protocol.text import usv_string

__all__ = ["URL", "parse_url", "parse_websocket_url"]

_DEFAULT_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_WEBSOCKET_SCHEMES: Final = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}

_C0_CONTROL_OR_SPACE: Final = "".join(map(chr, range(0x21)))
_tab_or_newline: Final = re.compile("[\t\n\r]+").sub
_scheme: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):").match
_authority: Final = re.compile(r"[/\\]*([^/\\]*)").match
_slash: Final = re.compile(r"[/\\]").split
_is_port: Final = re.compile(r"[0-9]*").fullmatch

# WHATWG URL §1.3: percent-encode sets, each with C0 controls and all above U+007E.
_userinfo_set: Final = re.compile(r"""[^!$%&'()*+,\-.0-9A-Z_a-z~]+""").sub
_path_set: Final = re.compile(r"""[^!$%&'()*+,\-./0-9:;=@A-Z\[\\\]_a-z|~]+""").sub
_special_query_set: Final = re.compile(r"""[^!$%&()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]+""").sub
_fragment_set: Final = re.compile(r"""[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\\\]^_a-z{|}~]+""").sub

_SINGLE_DOT: Final = frozenset((".", "%2e"))
_DOUBLE_DOT: Final = frozenset(("..", ".%2e", "%2e.", "%2e%2e"))


@dataclass(frozen=True, slots=True)
class URL:
    """
    A parsed URL. All strings are ASCII and percent-encoded; make one with ``parse_url``.

    Attributes:
        scheme: "ws", "wss", "http" or "https".
        username: Percent-encoded; empty if there is none.
        password: Percent-encoded; empty if there is none. Left out of ``repr``.
        host: Domain, IPv4 address, or IPv6 address without brackets: fit for name resolution
            and TLS.
        port: The port to connect to, whether the URL names it or not.
        path: Begins with a slash.
        query: Without "?"; None if the URL has none.
        fragment: Without "#"; None if the URL has none.
    """

    scheme: str
    username: str
    password: str = field(repr=False)
    host: str
    port: int
    path: str
    query: str | None
    fragment: str | None

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme in ("wss", "https")

    @property
    def host_header(self) -> str:
        """Value of ``Host``: IPv6 in brackets, the scheme's default port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Serialisation of the origin (WHATWG HTML, "serialization of an origin")."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def request_target(self) -> str:
        """Path and query for the request line; an empty query is left out (RFC 6455 §3)."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def href(self) -> str:
        """Serialisation of the whole URL, credentials included (WHATWG URL §4.5)."""
        userinfo = self.username
        if self.password:
            userinfo += f":{self.password}"
        if userinfo:
            userinfo += "@"
        query = "" if self.query is None else f"?{self.query}"
        fragment = "" if self.fragment is None else f"#{self.fragment}"
        return f"{self.scheme}://{userinfo}{self.host_header}{self.path}{query}{fragment}"

    def __str__(self) -> str:
        return self.href


def parse_url(text: str) -> URL:
    """
    Parse a ws, wss, http or https URL (WHATWG URL §4.4, "basic URL parser", without a base).

    Raises:
        SyntaxError: If the text is no such URL (``errors.SyntaxError``, also a ValueError).
        NotSupportedError: If the host is not ASCII and the ``idna`` package is missing.
    """
    rest = text if text.isascii() else usv_string(text)
    rest = _tab_or_newline("", rest.strip(_C0_CONTROL_OR_SPACE))

    match = _scheme(rest)
    if match is None:
        raise _bad_url(text, "no scheme such as ws://, and no base URL to be relative to")
    scheme = match[1].lower()
    default_port = _DEFAULT_PORTS.get(scheme)
    if default_port is None:
        raise _bad_url(text, f"scheme {scheme[:20]!r}; ws, wss, http or https needed")

    rest, hash_mark, fragment = rest[match.end() :].partition("#")
    rest, question_mark, query = rest.partition("?")
    match = _authority(rest)  # any number of slashes ahead of it, none included
    assert match is not None  # it also matches nothing at all
    userinfo, _, host_and_port = match[1].rpartition("@")
    username, _, password = userinfo.partition(":")

    colon = host_and_port.find(":", host_and_port.rfind("]") + 1)
    host = host_and_port if colon < 0 else host_and_port[:colon]
    if not host:
        raise _bad_url(text, "no host")
    port = default_port
    if colon >= 0:
        digits = host_and_port[colon + 1 :]
        if _is_port(digits) is None:
            raise _bad_url(text, f"port {digits[:20]!r} is not a number")
        if digits:
            digits = digits.lstrip("0")
            port = int(digits or "0") if len(digits) <= 5 else 65536
            if port > 65535:
                raise _bad_url(text, f"port {digits[:20]}, at most 65535")

    return URL(
        scheme=scheme,
        username=_userinfo_set(_percent_encode, username),
        password=_userinfo_set(_percent_encode, password),
        host=parse_host(host),
        port=port,
        path=_path_set(_percent_encode, _remove_dot_segments(rest[match.end() :])),
        query=_special_query_set(_percent_encode, query) if question_mark else None,
        fragment=_fragment_set(_percent_encode, fragment) if hash_mark else None,
    )


def parse_websocket_url(text: str) -> URL:
    """
    Parse the URL of a WebSocket (WHATWG WebSockets, "obtain a WebSocket URL").

    http becomes ws, https becomes wss.

    Raises:
        SyntaxError: If the text is no URL, has another scheme or a fragment, even an empty one
            (``errors.SyntaxError``, also a ValueError).
        NotSupportedError: If the host is not ASCII and the ``idna`` package is missing.
    """
    url = parse_url(text)
    if url.fragment is not None:
        raise _bad_url(text, "a WebSocket URL has no fragment", "WHATWG WebSockets; RFC 6455 §3")
    return replace(url, scheme=_WEBSOCKET_SCHEMES[url.scheme])


def _bad_url(text: str, fact: str, clause: str = "WHATWG URL §4.4") -> errors.SyntaxError:
    return errors.SyntaxError(f"URL {text[:100]!r}: {fact} ({clause})")


def _percent_encode(match: re.Match[str]) -> str:
    return "".join([f"%{byte:02X}" for byte in match[0].encode()])


def _remove_dot_segments(path: str) -> str:
    """Return the path with slashes for backslashes and without its "." and ".." segments."""
    kept: list[str] = []
    dots = ""
    for segment in _slash(path[1:]):
        # Dots take six characters at most, "%2e%2e"; lower-casing anything longer is waste.
        dots = segment.lower() if len(segment) <= 6 else ""
        if dots in _DOUBLE_DOT:
            del kept[-1:]
        elif dots not in _SINGLE_DOT:
            kept.append(segment)
    if dots in _DOUBLE_DOT or dots in _SINGLE_DOT:
        kept.append("")
    return "/" + "/".join(kept)

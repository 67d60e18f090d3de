"""
HTTP header fields: a case-insensitive multi-dict, and the list syntaxes of the handshake.

``Headers`` is on the path of every accepted connection: a list of (name, value) pairs, plus one
dict by lower-case name that is only built when something is looked up. Names that occur in most
handshakes are shared strings, so that a connection's headers cost little more than their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

__all__ = [
    "Extension",
    "Headers",
    "format_extensions",
    "has_token",
    "is_token",
    "parse_extensions",
    "parse_tokens",
]

Extension: TypeAlias = tuple[str, list[tuple[str, str | None]]]
"""An extension's name and its parameters in order, the value None if a parameter has none."""

# RFC 9110 §5.6.2
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_is_token: Final = re.compile(_TOKEN).fullmatch
# RFC 9110 §5.5: visible characters, space, tab and obs-text; other controls are invalid.
_is_value: Final = re.compile("[\t\x20-\x7e\x80-\xff]*").fullmatch

_COMMON_NAMES: Final = """
    Accept Accept-Encoding Accept-Language Authorization Cache-Control Connection Content-Length
    Content-Type Cookie DNT Date Forwarded Host Location Origin Pragma Referer
    Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site
    Sec-GPC Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key
    Sec-WebSocket-Protocol Sec-WebSocket-Version Server Set-Cookie Transfer-Encoding Upgrade
    User-Agent X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Real-IP
"""
# A dict lookup takes half the time of decoding or lower-casing, and makes no new string.
_LOWER: Final[dict[str, str]] = {
    form: name.lower() for name in _COMMON_NAMES.split() for form in (name, name.lower())
}
_DECODED: Final[dict[bytes, str]] = {form.encode(): form for form in _LOWER}


class Headers:
    """
    Header fields in the order and case they came in; names compare case-insensitively.

    As a mapping it has one entry for each distinct name, and the first value counts; ``get_all``
    and ``items`` give every value. Values are text: ISO 8859-1 on the wire (RFC 9110 §5.5).

    Args:
        fields: A mapping or pairs of name and value.

    Raises:
        ValueError: From whatever adds a field, if the name is not a token (RFC 9110 §5.6.2) or
            the value has a control character (§5.5) or one above U+00FF.
    """

    __slots__ = ("_fields", "_index")

    def __init__(
        self, fields: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> None:
        self._fields: list[tuple[str, str]]
        self._index: dict[str, str | list[str]] | None = None
        if isinstance(fields, Headers):
            self._fields = fields._fields.copy()
            return
        self._fields = []
        if fields is not None:
            for name, value in fields.items() if isinstance(fields, Mapping) else fields:
                self.add(name, value)

    @classmethod
    def from_wire(cls, fields: Iterable[tuple[bytes, bytes]]) -> Headers:
        """
        Return the fields that an HTTP parser has found, and therefore has validated.

        Whitespace after a value, which llhttp leaves there, is dropped (RFC 9110 §5.5).
        """
        decoded = _DECODED.get
        self = cls.__new__(cls)
        self._fields = [
            (decoded(name) or name.decode("latin-1"), value.rstrip(b" \t").decode("latin-1"))
            for name, value in fields
        ]
        self._index = None
        return self

    def index(self) -> Mapping[str, str | list[str]]:
        """
        Return each lower-case name's value, a list of values where the name occurs repeatedly.

        It is the lookup table itself, for callers in a hurry: read it, and do not keep it past
        the next change.
        """
        if self._index is None:
            lower = _LOWER.get
            fields = self._fields
            index: dict[str, str | list[str]] = {
                lower(name) or name.lower(): value for name, value in fields
            }
            if len(index) != len(fields):  # some name is repeated
                index.clear()
                for name, value in fields:
                    key = name.lower()
                    present = index.get(key)
                    if present is None:
                        index[key] = value
                    elif isinstance(present, list):
                        present.append(value)
                    else:
                        index[key] = [present, value]
            self._index = index
        return self._index

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of the name, else the default."""
        value = self.index().get(name.lower(), default)
        return value[0] if isinstance(value, list) else value

    def get_all(self, name: str) -> list[str]:
        """Return every value of the name, in order."""
        value = self.index().get(name.lower())
        if value is None:
            return []
        return value.copy() if isinstance(value, list) else [value]

    def get_combined(self, name: str) -> str | None:
        """
        Return the values joined by ", ", or None if there are none (RFC 9110 §5.3).

        Right for fields that are lists; wrong for ``Set-Cookie``.
        """
        value = self.index().get(name.lower())
        return ", ".join(value) if isinstance(value, list) else value

    def add(self, name: str, value: str) -> None:
        """Add a field after those of the same name."""
        _validate(name, value)
        self._fields.append((name, value))
        self._index = None

    def extend(self, fields: Headers | Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Add several fields."""
        if not isinstance(fields, Headers):
            fields = Headers(fields)
        self._fields += fields._fields
        self._index = None

    def items(self) -> list[tuple[str, str]]:
        """Return every field as name and value, in order and in its original case."""
        return self._fields.copy()

    def keys(self) -> list[str]:
        """Return each distinct name once, in the case of its first field."""
        names: dict[str, str] = {}
        for name, _ in self._fields:
            names.setdefault(name.lower(), name)
        return list(names.values())

    def values(self) -> list[str]:
        """Return every value, in order."""
        return [value for _, value in self._fields]

    def copy(self) -> Headers:
        """Return an independent copy."""
        return Headers(self)

    def serialize(self) -> bytes:
        """Return the fields as they go over the wire, each line with its CRLF."""
        return "".join([f"{name}: {value}\r\n" for name, value in self._fields]).encode("latin-1")

    def __getitem__(self, name: str) -> str:
        value = self.index()[name.lower()]
        return value[0] if isinstance(value, list) else value

    def __setitem__(self, name: str, value: str) -> None:
        """Put one field in the place of the first of that name, and drop the others."""
        _validate(name, value)
        key = name.lower()
        places = [i for i, field in enumerate(self._fields) if field[0].lower() == key]
        for i in reversed(places[1:]):
            del self._fields[i]
        if places:
            self._fields[places[0]] = (name, value)
        else:
            self._fields.append((name, value))
        self._index = None

    def __delitem__(self, name: str) -> None:
        """Drop every field of that name."""
        key = name.lower()
        if key not in self.index():
            raise KeyError(name)
        self._fields = [field for field in self._fields if field[0].lower() != key]
        self._index = None

    def setdefault(self, name: str, default: str) -> str:
        """Return the first value of the name; add the default if there is none."""
        value = self.get(name)
        if value is None:
            self.add(name, default)
            return default
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.index()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        """Return the number of distinct names."""
        return len(self.index())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self.index() == other.index()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


def _validate(name: str, value: str) -> None:
    if _is_token(name) is None:
        raise ValueError(f"header name {name!r} is not a token (RFC 9110 §5.6.2)")
    if _is_value(value) is None:
        raise ValueError(
            f"value of header {name} has a control character or one above U+00FF: "
            f"{value[:100]!r} (RFC 9110 §5.5)"
        )


def is_token(text: str) -> bool:
    """Tell whether the text is a token: one or more of the characters of RFC 9110 §5.6.2."""
    return _is_token(text) is not None


def has_token(value: str, token: str) -> bool:
    """
    Tell whether a comma-separated list has the lower-case token, in any case.

    For ``Connection`` and ``Upgrade``; other elements are not looked at.
    """
    value = value.lower()
    return value == token or any(element.strip(" \t") == token for element in value.split(","))


def parse_tokens(value: str) -> list[str]:
    """
    Parse a comma-separated list of tokens, such as ``Sec-WebSocket-Protocol``.

    Empty elements are skipped (RFC 9110 §5.6.1.2), yet one element is needed.

    Raises:
        ValueError: If an element is not a token, or there is none.
    """
    tokens = [token for token in (part.strip(" \t") for part in value.split(",")) if token]
    for token in tokens:
        if _is_token(token) is None:
            raise ValueError(f"{token[:100]!r} is not a token (RFC 9110 §5.6.2)")
    if not tokens:
        raise ValueError("empty list, at least one token (RFC 9110 §5.6.1)")
    return tokens


_separators: Final = re.compile(r"[ \t,]*").match
_extension_name: Final = re.compile(rf"({_TOKEN})[ \t]*").match
_extension_parameter: Final = re.compile(
    rf';[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*)?'
).match
_quoted_pair: Final = re.compile(r"\\(.)").sub


def parse_extensions(value: str) -> list[Extension]:
    """
    Parse ``Sec-WebSocket-Extensions`` (RFC 6455 §9.1).

    A quoted value counts as what it says without the quotes, which must be a token again.

    >>> parse_extensions('permessage-deflate; client_max_window_bits; x="10", other')
    [('permessage-deflate', [('client_max_window_bits', None), ('x', '10')]), ('other', [])]

    Raises:
        ValueError: If the list does not match the grammar, or is empty.
    """
    extensions: list[Extension] = []
    position = _end(_separators(value, 0))
    while position < len(value):
        match = _extension_name(value, position)
        if match is None:
            raise _bad_extensions(value, position)
        parameters: list[tuple[str, str | None]] = []
        extensions.append((match[1], parameters))
        position = match.end()
        while (match := _extension_parameter(value, position)) is not None:
            text = match[2]
            if match[3] is not None:
                text = _quoted_pair(r"\1", match[3])
                if _is_token(text) is None:
                    raise _bad_extensions(value, match.start(3))
            parameters.append((match[1], text))
            position = match.end()
        if position < len(value) and value[position] != ",":
            raise _bad_extensions(value, position)
        position = _end(_separators(value, position))
    if not extensions:
        raise ValueError("empty list of extensions, at least one (RFC 6455 §9.1)")
    return extensions


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern also matches nothing at all
    return match.end()


def _bad_extensions(value: str, position: int) -> ValueError:
    return ValueError(
        f"list of extensions is malformed at {value[position : position + 40]!r} (RFC 6455 §9.1)"
    )


def format_extensions(extensions: Sequence[Extension]) -> str:
    """
    Return the value of a ``Sec-WebSocket-Extensions`` field; the inverse of parse_extensions.

    Raises:
        ValueError: If a name or a value is not a token.
    """
    elements = []
    for name, parameters in extensions:
        parts = [name]
        tokens = [name]
        for parameter, value in parameters:
            tokens.append(parameter)
            if value is None:
                parts.append(parameter)
            else:
                tokens.append(value)
                parts.append(f"{parameter}={value}")
        for token in tokens:
            if _is_token(token) is None:
                raise ValueError(f"{token!r} in extension {name!r} is not a token (RFC 6455 §9.1)")
        elements.append("; ".join(parts))
    return ", ".join(elements)

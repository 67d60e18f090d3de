"""Request targets: path and query (RFC 9112 §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar, overload
from urllib.parse import unquote

__all__ = ["Query", "decode_path", "split_target"]

_Default = TypeVar("_Default")


def split_target(target: str) -> tuple[str, str]:
    """
    Return the path and the query of a request target of any form, both still encoded.

    >>> split_target("/chat?room=1"), split_target("http://example.com?a"), split_target("*")
    (('/chat', 'room=1'), ('/', 'a'), ('*', ''))
    >>> split_target("example.com:443")
    ('', '')
    """
    # A fragment has no place in a target; llhttp lets it pass.
    path, _, query = target.partition("#")[0].partition("?")
    if path.startswith("/") or path == "*":
        return path, query
    _, separator, rest = path.partition("://")
    if not separator:
        return "", query
    return rest[rest.index("/") :] if "/" in rest else "/", query


def decode_path(path: str) -> str:
    """
    Percent-decode a path and read the result as UTF-8.

    What is not UTF-8 becomes U+FFFD, as in browsers (WHATWG URL, "percent-decode" then "UTF-8
    decode without BOM"): a lossless surrogate would later raise in a log, a terminal or JSON. The
    bytes themselves are still in ``Request.target``.
    """
    return unquote(path, "utf-8", "replace") if "%" in path else path


def decode_form(text: str) -> str:
    """Decode a name or value as application/x-www-form-urlencoded (WHATWG URL §5.1)."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text, "utf-8", "replace") if "%" in text else text


class Query(Mapping[str, str]):
    """
    The query as a mapping: a name to its first value.

    Names are case-sensitive. ``?a`` and ``?a=`` both give ``a`` an empty value; empty pairs, as in
    ``?&a=1&&``, do not count.

    Args:
        text: The part of the target after the ``?``, still encoded.
    """

    __slots__ = ("_values",)

    def __init__(self, text: str = "") -> None:
        values: dict[str, list[str]] = {}
        for pair in text.split("&"):
            if pair:
                name, _, value = pair.partition("=")
                values.setdefault(decode_form(name), []).append(decode_form(value))
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: _Default) -> str | _Default: ...
    def get(self, name: str, /, default: object = None) -> object:
        """The first value of a name, or the default."""
        # The one of Mapping raises and catches an exception for what is not there.
        values = self._values.get(name)
        return default if values is None else values[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Query({self._values!r})"

    def get_all(self, name: str) -> list[str]:
        """Every value of a name, in order; empty when there is none."""
        return list(self._values.get(name, ()))

    def lists(self) -> dict[str, list[str]]:
        """Every name with every value."""
        return {name: list(values) for name, values in self._values.items()}

"""
Values of Socket.IO events as one types and reads them: JSON, and ``0x00ff`` for bytes.

Bytes may stand wherever JSON has a value: ``{"name": "a.png", "data": 0x89504e47}``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from cooee.apps.readable import readable

__all__ = ["parse_json", "parse_values", "shown", "written_event", "written_value"]

# What may look like bytes but is in a string comes first. Python's numbers that JSON has not are
# found too, for one of them stands for bytes while the decoder is at work.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![\w.])0x\w*|NaN|-?Infinity', re.ASCII)
_BYTES = "-Infinity"
_SPACE = re.compile(r"[ \t\r\n]*")
# An event's name that needs no quotes.
_WORD = re.compile(r'[^\s"]+')


def parse_json(text: str) -> Any:
    """
    Return the value that a JSON text stands for.

    Raises:
        ValueError: It is none; ``NaN`` and the infinities are none either.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_values(text: str) -> list[Any]:
    """
    Return the values that a text stands for, one after another with space between.

    Raises:
        ValueError: One is neither JSON nor bytes such as ``0x00ff``.
    """
    found: list[bytes] = []

    def replace(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith('"'):
            return token
        if not token.startswith("0x"):
            _refuse(token)
        try:
            found.append(bytes.fromhex(token[2:]))
        except ValueError:
            raise ValueError(f"0x takes pairs of hexadecimal digits, not {token[2:]!r}") from None
        return _BYTES

    source = _TOKEN.sub(replace, text)
    # The decoder asks for them in the order in which they stand there.
    following = iter(found)
    decoder = json.JSONDecoder(parse_constant=lambda _: next(following))
    values = []
    index = _after_space(source, 0)
    while index < len(source):
        try:
            value, end = decoder.raw_decode(source, index)
        except json.JSONDecodeError as exc:
            raise ValueError(
                f"{text!r} is not JSON ({exc.msg}); text takes quotes, bytes are 0x00ff"
            ) from None
        except RecursionError:
            raise ValueError("nested too deeply") from None
        index = _after_space(source, end)
        if index == end < len(source):
            raise ValueError(f"{text!r} lacks a space between two values, or is not JSON")
        values.append(value)
    return values


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _after_space(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    assert match is not None
    return match.end()


def written_value(
    value: Any, binary: Callable[[bytes], str] = lambda data: f"0x{data.hex()}"
) -> str:
    """Return a value of an event on one line, such that ``parse_values`` gives it back."""
    if isinstance(value, bytes):
        return binary(value)
    if isinstance(value, dict):
        members = (f"{_text(key)}:{written_value(one, binary)}" for key, one in value.items())
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(written_value(one, binary) for one in value)}]"
    if isinstance(value, float) and math.isinf(value):
        # As it came: JSON has no other way to say it.
        return "1e999" if value > 0 else "-1e999"
    return _text(value)


def _text(value: Any) -> str:
    # Of other types, such as the dates of MessagePack, Python's own words.
    return json.dumps(value, ensure_ascii=False, default=str)


def written_event(command: str, event: str, args: Iterable[Any]) -> str:
    """Return the line that has a command, an event's name and its arguments."""
    name = event if _WORD.fullmatch(event) else _text(event)
    return " ".join([command, name, *map(written_value, args)])


def shown(value: Any) -> str:
    """Return a value of an event for people to read, on one line that does no harm."""
    return readable(written_value(value, readable))

"""Values on a line: JSON and bytes, and what is written can be typed again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.apps.notation import parse_json, parse_values, shown, written_event, written_value

pytestmark = pytest.mark.once

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=100),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \t", []),
        ('1 "two" [3, 4] {"five": null}  true', [1, "two", [3, 4], {"five": None}, True]),
        ("0x00ff", [b"\x00\xff"]),
        ("0x", [b""]),
        ("0xAbCd 0x01", [b"\xab\xcd", b"\x01"]),
        ('{"a": [0x01, "0x02", 0x03]}', [{"a": [b"\x01", "0x02", b"\x03"]}]),
        (r'"a \"0x01\" \\" 0x02', ['a "0x01" \\', b"\x02"]),
        ('"NaN" "-Infinity" 0x01', ["NaN", "-Infinity", b"\x01"]),
        ("1e999", [float("inf")]),
    ],
)
def test_values(text: str, found: list[Any]) -> None:
    assert parse_values(text) == found


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("HelloWorld", "quotes"),
        ('{"a": 1', "not JSON"),
        ('"open', "not JSON"),
        ('"open 0x01', "not JSON"),
        ("1,2", "space"),
        ('"a""b"', "space"),
        ("10x5", "space"),
        ("0x1", "'1'"),
        ("0xfg", "'fg'"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[" * 100_000, "deeply"),
    ],
)
def test_no_values(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        parse_values(text)


@pytest.mark.parametrize(
    "text", ["", "HelloWorld", "NaN", "Infinity", "0x00", "1 2", "[" * 100_000]
)
def test_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


@given(st.lists(values, max_size=4))
def test_what_is_written_can_be_typed(args: list[Any]) -> None:
    line = " ".join(map(written_value, args))
    assert len(line.split("\n")) == 1
    assert parse_values(line) == args


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ("news", "/emit news 1 0x02"),
        ("my event", '/emit "my event" 1 0x02'),
        ("", '/emit "" 1 0x02'),
        ('a"b', '/emit "a\\"b" 1 0x02'),
        ("é/世", "/emit é/世 1 0x02"),
    ],
)
def test_events(event: str, line: str) -> None:
    assert written_event("/emit", event, [1, b"\x02"]) == line


def test_people_read_what_does_no_harm() -> None:
    value = {"a": b"Hi", "b": ["\x1b[2J\u202e", 1.5]}
    assert shown(value) == r'{"a":<2 bytes: 48 69 |Hi|>,"b":["\u001b[2J\u202e",1.5]}'
    assert shown("x" * 5000).endswith("… (5002 characters)")

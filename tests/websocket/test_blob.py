"""The Blob of the File API."""

import asyncio
from typing import Any

import pytest

from cooee import Blob

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([], b""),
        (["text"], b"text"),
        ([b"bytes", bytearray(b"array"), memoryview(b"view")], b"bytesarrayview"),
        (["☃", Blob([b"blob"]), ""], "☃blob".encode()),
        (["a\ud83d", "\ude00"], "a\ufffd\ufffd".encode()),
        (["\ud83d\ude00"], "😀".encode()),
        ((str(number) for number in range(3)), b"012"),
        ([memoryview(b"abcdef")[::2]], b"ace"),
    ],
)
def test_parts_are_joined(parts: Any, content: bytes) -> None:
    blob = Blob(parts)
    assert bytes(blob) == content
    assert blob.size == len(content)
    assert blob.type == ""


@pytest.mark.parametrize("parts", ["text", b"bytes", bytearray(), memoryview(b""), Blob()])
def test_one_part_is_no_sequence(parts: Any) -> None:
    with pytest.raises(TypeError, match="sequence"):
        Blob(parts)


@pytest.mark.parametrize("part", [1, None, 1.5, ["nested"]])
def test_wrong_parts(part: Any) -> None:
    with pytest.raises(TypeError):
        Blob([part])


@pytest.mark.parametrize(
    ("given", "type"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/Plain; Charset=x", "text/plain; charset=x"),
        ("text/☃", ""),
        ("text\n", ""),
        (" ~", " ~"),
    ],
)
def test_type(given: str, type: str) -> None:
    assert Blob(type=given).type == type
    assert Blob([b"abc"]).slice(0, 1, given).type == type


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        ((), b"0123456789"),
        ((3,), b"3456789"),
        ((3, 5), b"34"),
        ((-3,), b"789"),
        ((-5, -2), b"567"),
        ((5, 3), b""),
        ((0, 100), b"0123456789"),
        ((-100, 2), b"01"),
        ((100,), b""),
    ],
)
def test_slice(arguments: tuple[int, ...], content: bytes) -> None:
    blob = Blob([b"0123456789"], type="text/plain")
    part = blob.slice(*arguments)
    assert bytes(part) == content
    assert part.type == ""
    assert blob.size == 10


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        ("Grüße ☃ 😀".encode(), "Grüße ☃ 😀"),
        (b"\xef\xbb\xbfabc", "abc"),
        (b"a\xffb\xe2\x98c", "a\ufffdb\ufffdc"),
    ],
)
def test_text(content: bytes, text: str) -> None:
    assert asyncio.run(Blob([content]).text()) == text


def test_array_buffer() -> None:
    assert asyncio.run(Blob([b"\0\1"]).array_buffer()) == b"\0\1"


def test_what_it_was_made_of_may_change() -> None:
    array = bytearray(b"abc")
    blob = Blob([array])
    array[:] = b"xyz"
    assert bytes(blob) == b"abc"


def test_is_immutable() -> None:
    blob = Blob([b"abc"])
    with pytest.raises(AttributeError):
        blob.size = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        blob.type = "x"  # type: ignore[misc]


def test_repr() -> None:
    assert repr(Blob([b"abc"], type="a/b")) == "<Blob size=3 type='a/b'>"

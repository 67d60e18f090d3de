"""Lone surrogates, which a Python string can have and no text on the wire; and classes of text."""

import enum

import pytest

from cooee.protocol.text import exact_str, usv_string

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "usv"),
    [
        ("", ""),
        ("Grüße 🦘", "Grüße 🦘"),
        ("\ud83e\udd98", "🦘"),
        ("a\ud83eb", "a�b"),
        ("\udd98\ud83e", "��"),
    ],
)
def test_usv_string(text: str, usv: str) -> None:
    assert usv_string(text) == usv


class Plain(enum.StrEnum):
    BYE = "bye"


class Mixed(str, enum.Enum):  # noqa: UP042 - its str() is not its text
    BYE = "bye"


@pytest.mark.parametrize("text", ["bye", Plain.BYE, Mixed.BYE])
def test_exact_str(text: str) -> None:
    exact = exact_str(text, "reason")
    assert (type(exact), exact) == (str, "bye")


@pytest.mark.parametrize("value", [None, b"bye", 5])
def test_what_is_no_str(value: object) -> None:
    with pytest.raises(TypeError, match=f"reason is {value!r}, must be a str"):
        exact_str(value, "reason")

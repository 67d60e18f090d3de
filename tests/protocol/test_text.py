"""Lone surrogates, which a Python string can have and no text on the wire."""

import pytest

from cooee.protocol.text import usv_string

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

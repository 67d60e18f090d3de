"""Messages as lines: nothing that a peer sends reaches the terminal as a command."""

import pytest

from cooee.apps.readable import readable, readable_text

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("HelloWorld", "HelloWorld"),
        ("", ""),
        ("grüße, 世界 🎉", "grüße, 世界 🎉"),
        ("two\nlines\r\n", r"two\nlines\r\n"),
        ("\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202edef", r"abc\u202edef"),
        (b"", "<0 bytes:  ||>"),
        (b"a", "<1 byte: 61 |a|>"),
        (b"Hello\x00\x1b\xff", "<8 bytes: 48 65 6c 6c 6f 00 1b ff |Hello...|>"),
    ],
)
def test_one_printable_line(data: str | bytes, line: str) -> None:
    assert readable(data) == line
    assert readable(data).isprintable()


def test_cuts_long_messages_short() -> None:
    assert readable("x" * 1000) == "x" * 1000
    assert readable("x" * 1001) == "x" * 1000 + "… (1001 characters)"
    assert readable(b"x" * 33) == "<33 bytes: " + "78 " * 32 + "… |" + "x" * 32 + "|>"


def test_text_is_not_cut() -> None:
    assert readable_text("\t" * 2000) == r"\t" * 2000

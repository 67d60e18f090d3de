"""What is typed: each line does what it says, and what is written can be typed again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.apps.typed import Close, Help, Line, Ping, Send, SendFile, parse_line, written

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("HelloWorld", Send("HelloWorld")),
        ("", Send("")),
        ("  spaces stay ", Send("  spaces stay ")),
        ("//slash", Send("/slash")),
        ("///", Send("//")),
        ("/hex 48 65 6c6c 6F", Send(b"Hello")),
        ("/hex", Send(b"")),
        ("/file a name.png", SendFile(Path("a name.png"))),
        ("/file ~/picture.png", SendFile(Path("~/picture.png").expanduser())),
        ("/ping", Ping(None)),
        ("/ping are you there", Ping("are you there")),
        ("/ping " + "x" * 125, Ping("x" * 125)),
        ("/close", Close(1000, "")),
        ("/close 4001", Close(4001, "")),
        ("/close 4001  had enough ", Close(4001, "had enough")),
        ("/close 1011 broken", Close(1011, "broken")),
        ("/help", Help()),
    ],
)
def test_lines(text: str, line: Line) -> None:
    assert parse_line(text) == line


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("/", "no command '/'"),
        ("/nonsense", "no command '/nonsense'"),
        ("/hex 4", "hexadecimal"),
        ("/hex zz", "'zz'"),
        ("/file", "path"),
        ("/ping " + "x" * 126, "125 bytes"),
        ("/ping " + "ü" * 63, "125 bytes"),
        ("/close bye", "'bye'"),
        ("/close 999", "'999'"),
        ("/close ١٠٠٠", "close code"),
        ("/close 1005", "1005"),
        ("/close 1006", "1006"),
        ("/close 2999", "2999"),
        ("/close 5000", "5000"),
        ("/close 1000 " + "x" * 124, "123"),
    ],
)
def test_mistakes(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        parse_line(text)


@pytest.mark.parametrize("text", ["/hex 48", "//", "/close", "text"])
def test_raw_lines_are_text(text: str) -> None:
    assert parse_line(text, raw=True) == Send(text)
    assert written(text, raw=True) == text


@given(st.text(alphabet=st.characters(exclude_characters="\n", codec="utf-8")) | st.binary())
def test_what_is_written_can_be_typed(data: str | bytes) -> None:
    assert parse_line(written(data)) == Send(data)

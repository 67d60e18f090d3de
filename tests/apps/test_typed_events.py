"""What is typed to a Socket.IO server: each line does what it says."""

from pathlib import Path

import pytest

from cooee.apps.typed import Help, SendFile
from cooee.apps.typed_events import (
    Ask,
    Disconnect,
    Emit,
    EventLine,
    Reply,
    help_text,
    parse_event_line,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("HelloWorld", Emit("message", ["HelloWorld"])),
        ("", Emit("message", [""])),
        ("  spaces stay ", Emit("message", ["  spaces stay "])),
        ('"quoted"', Emit("message", ["quoted"])),
        (" 12 ", Emit("message", [12])),
        ('{"a": [1, null]}', Emit("message", [{"a": [1, None]}])),
        ('{"a": ', Emit("message", ['{"a": '])),
        ("NaN", Emit("message", ["NaN"])),
        ("0x00", Emit("message", ["0x00"])),
        ("//slash", Emit("message", ["/slash"])),
        ("/emit news", Emit("news", [])),
        ('/emit news 1 "two" 0x03', Emit("news", [1, "two", b"\x03"])),
        ('/emit "my \\"event\\"" 1', Emit('my "event"', [1])),
        ("/ack question", Ask("question", [])),
        ("/ack question [1, 2]", Ask("question", [[1, 2]])),
        ("/reply", Reply([])),
        ('/reply "yes" 1', Reply(["yes", 1])),
        ("/hex 48 69", Emit("message", [b"Hi"])),
        ("/file a name.png", SendFile(Path("a name.png"))),
        ("/close", Disconnect()),
        ("/help", Help()),
    ],
)
def test_lines(text: str, line: EventLine) -> None:
    parsed = parse_event_line(text, "message")
    assert parsed == line
    assert type(parsed) is type(line)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("/nonsense", "no command '/nonsense'"),
        ("/ping", "no command '/ping'"),
        ("/emit", "name of an event"),
        ('/emit "open 1', "name of an event"),
        ('/emit "a"1', "name of an event"),
        ("/emit news HelloWorld", "quotes"),
        ("/ack", "name of an event"),
        ("/reply HelloWorld", "quotes"),
        ("/hex 4", "hexadecimal"),
        ("/file", "path"),
        ("/close 1000", "no close codes"),
        # What the terminal makes of bytes that are not UTF-8.
        ("\udcff", "surrogates"),
        ('/emit news "\udcff"', "surrogates"),
    ],
)
def test_mistakes(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=fact):
        parse_event_line(text, "message")


def test_raw_lines_are_arguments() -> None:
    assert parse_event_line("/close", "message", raw=True) == Emit("message", ["/close"])
    assert parse_event_line("//", "message", raw=True) == Emit("message", ["//"])


def test_help_names_the_event_and_the_commands() -> None:
    text = help_text("your_echo")
    assert "'your_echo'" in text
    for command in ("/emit", "/ack", "/reply", "/hex", "/file", "/close", "/help", "//TEXT"):
        assert f"  {command}" in text

"""
What is typed to ``cooee connect --socketio``.

A line is a JSON value, or else text: the argument of the event that was chosen. But for those that
begin with a slash::

    /emit news {"number": 1} "two" 0x00ff      emit an event with these arguments
    /ack question "ready?"                     emit it, show the acknowledgement and time it
    /reply "yes"                               acknowledge the oldest event that asks for it
    /hex 48 65 6c 6c 6f                        these bytes as the argument
    /file picture.png                          a file's bytes as the argument
    /close                                     disconnect
    /help                                      list these
    //etc                                      "/etc" as the argument

Arguments are JSON values with space between; bytes are written ``0x00ff`` and may stand wherever a
value does. An event's name takes quotes if it has spaces.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from cooee.apps.notation import parse_json, parse_values
from cooee.apps.typed import Help, SendFile, no_command, parse_file, parse_hex

__all__ = ["Ask", "Disconnect", "Emit", "EventLine", "Reply", "help_text", "parse_event_line"]

_NAME = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s|$)|[^\s"]+(?=\s|$)')


@dataclass(frozen=True)
class Emit:
    """Emit an event."""

    event: str
    args: list[Any]


@dataclass(frozen=True)
class Ask(Emit):
    """Emit an event and wait for its acknowledgement."""


@dataclass(frozen=True)
class Reply:
    """Acknowledge the oldest event that asks for it."""

    args: list[Any]


@dataclass(frozen=True)
class Disconnect:
    """Leave the namespace."""


EventLine = Emit | SendFile | Reply | Disconnect | Help


def help_text(event: str) -> str:
    """What can be typed, when lines are sent as that event."""
    return f"""\
A line is sent as the argument of {event!r}: a JSON value if it is one, text otherwise.
One that begins with a slash is a command:
  /emit EVENT [JSON...]   emit an event; 0x00ff is bytes, "my event" a name with a space
  /ack EVENT [JSON...]    emit it, show the acknowledgement and time it
  /reply [JSON...]        acknowledge the oldest event that asks for it
  /hex 48 65 6c           send these bytes
  /file PATH              send a file's bytes
  /close
  /help
  //TEXT                  send what begins with a slash"""


def parse_event_line(text: str, event: str, *, raw: bool = False) -> EventLine:
    """
    Return what a line without its end asks for.

    Args:
        text: The line.
        event: What a line is sent as that does not name its event.
        raw: Whether no line is a command.

    Raises:
        ValueError: It begins with a slash and is no command, or one that cannot be carried out.
    """
    if raw or not text.startswith("/"):
        return Emit(event, [_value(text)])
    if text.startswith("//"):
        return Emit(event, [_value(text[1:])])
    command, _, rest = text.partition(" ")
    rest = rest.strip()
    match command:
        case "/emit":
            return Emit(*_event(command, rest))
        case "/ack":
            return Ask(*_event(command, rest))
        case "/reply":
            return Reply(parse_values(rest))
        case "/hex":
            return Emit(event, [parse_hex(rest)])
        case "/file":
            return parse_file(rest)
        case "/close":
            if rest:
                raise ValueError("/close takes nothing: Socket.IO has no close codes")
            return Disconnect()
        case "/help":
            return Help()
    raise no_command(command)


def _value(text: str) -> Any:
    # A lone surrogate stands for what was not UTF-8.
    text.encode()
    try:
        return parse_json(text)
    except ValueError:
        return text


def _event(command: str, rest: str) -> tuple[str, list[Any]]:
    match = _NAME.match(rest)
    if match is None:
        raise ValueError(f"{command} takes the name of an event, and JSON values")
    rest.encode()
    name = match[0]
    return json.loads(name) if name.startswith('"') else name, parse_values(rest[match.end() :])

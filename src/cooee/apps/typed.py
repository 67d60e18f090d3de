"""
What is typed to ``cooee connect``, and how messages are written where a program reads them.

A line is sent as text, but for those that begin with a slash::

    /hex 48 65 6c 6c 6f     send these bytes
    /file picture.png       send a file's bytes
    /ping                   send a Ping and time the answer; any payload may follow
    /close 4001 had enough  close; by default with 1000 and no reason
    /help                   list these
    //etc                   send "/etc"

A message is written as one would type it, so that what one ``cooee connect`` writes another reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cooee.protocol.close import build_close_payload

__all__ = [
    "HELP",
    "Close",
    "Help",
    "Line",
    "Ping",
    "Send",
    "SendFile",
    "no_command",
    "parse_file",
    "parse_hex",
    "parse_line",
    "written",
]

HELP = """\
A line is sent as text; one that begins with a slash is a command:
  /hex 48 65 6c     send these bytes
  /file PATH        send a file's bytes
  /ping [TEXT]      send a Ping and time the answer
  /close [CODE [REASON]]
  /help
  //TEXT            send text that begins with a slash"""


@dataclass(frozen=True)
class Send:
    """Send a message."""

    data: str | bytes


@dataclass(frozen=True)
class SendFile:
    """Send what a file holds, as a binary message."""

    path: Path


@dataclass(frozen=True)
class Ping:
    """Send a Ping; without a payload of one's own, None."""

    payload: str | None


@dataclass(frozen=True)
class Close:
    """Start the closing handshake."""

    code: int
    reason: str


@dataclass(frozen=True)
class Help:
    """Say what can be typed."""


Line = Send | SendFile | Ping | Close | Help


def parse_line(text: str, *, raw: bool = False) -> Line:
    """
    Return what a line without its end asks for.

    Args:
        raw: Whether every line is text to be sent.

    Raises:
        ValueError: It begins with a slash and is no command, or one that cannot be carried out.
    """
    if raw or not text.startswith("/"):
        return Send(text)
    if text.startswith("//"):
        return Send(text[1:])
    command, _, rest = text.partition(" ")
    rest = rest.strip()
    match command:
        case "/hex":
            return Send(parse_hex(rest))
        case "/file":
            return parse_file(rest)
        case "/ping":
            if len(rest.encode(errors="surrogateescape")) > 125:
                raise ValueError("/ping takes at most 125 bytes (RFC 6455 §5.5)")
            return Ping(rest or None)
        case "/close":
            return _close(rest)
        case "/help":
            return Help()
    raise no_command(command)


def parse_hex(rest: str) -> bytes:
    """
    Return the bytes that are to be sent.

    Raises:
        ValueError: They are not given as hexadecimal digits.
    """
    try:
        return bytes.fromhex(rest)
    except ValueError:
        raise ValueError(f"/hex takes pairs of hexadecimal digits, not {rest!r}") from None


def parse_file(rest: str) -> SendFile:
    """
    Return which file is to be sent.

    Raises:
        ValueError: None is named.
    """
    if not rest:
        raise ValueError("/file takes the path of a file")
    return SendFile(Path(rest).expanduser())


def no_command(command: str) -> ValueError:
    """The error of a line that begins with a slash and is no command."""
    return ValueError(f"no command {command!r}; /help lists them, //… sends text with a slash")


def _close(rest: str) -> Close:
    digits, _, reason = rest.partition(" ")
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) == 4):
        raise ValueError(f"/close takes a close code, such as 1000 or 4001, not {digits!r}")
    code = int(digits or 1000)
    build_close_payload(code, reason.strip())  # raises what may not be sent
    return Close(code, reason.strip())


def written(data: str | bytes, *, raw: bool = False) -> str:
    """Return the line that stands for a message, such that ``parse_line`` gives it back."""
    if isinstance(data, bytes):
        return f"/hex {data.hex()}"
    return f"/{data}" if data.startswith("/") and not raw else data

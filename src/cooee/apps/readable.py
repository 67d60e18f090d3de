"""Messages as one line of a terminal or a log: whatever a peer sends, it can do no harm there."""

from __future__ import annotations

__all__ = ["readable", "readable_text"]

# Characters of text, and bytes of binary, that are shown of a message.
TEXT_LIMIT = 1000
BINARY_LIMIT = 32


def readable(data: str | bytes) -> str:
    """
    Return a message as one printable line.

    Text is itself; binary is ``<5 bytes: 48 65 6c 6c 6f |Hello|>``. What is long is cut short.
    """
    if isinstance(data, str):
        shown = readable_text(data[:TEXT_LIMIT])
        return shown if len(data) <= TEXT_LIMIT else f"{shown}… ({len(data)} characters)"
    head = data[:BINARY_LIMIT]
    letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in head)
    more = "" if len(data) <= BINARY_LIMIT else " …"
    plural = "" if len(data) == 1 else "s"
    return f"<{len(data)} byte{plural}: {head.hex(' ')}{more} |{letters}|>"


def readable_text(text: str) -> str:
    """
    Return text with an escape for every character that does not print.

    Among them are those that move a terminal's cursor or turn the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )

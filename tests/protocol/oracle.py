"""
A naive codec of WebSocket frames, which the native one is compared with.

Written to be believed on sight, not to be fast: the decoder is a generator that is sent one byte
after another and follows the order of RFC 6455 §5.2. Where it raises is the earliest byte at which
the violation is certain.
"""

from __future__ import annotations

import codecs
from collections.abc import Generator
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# ("message", str | bytes), ("ping", bytes), ("pong", bytes), ("close", code, reason)
Event = tuple[str, str | bytes] | tuple[str, int, str]


class Violation(Exception):
    """The connection must be failed with a close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Outcome(NamedTuple):
    """
    What came of a stream.

    Attributes:
        events: Those completed, in order.
        code: Close code of the violation, None if there was none.
        consumed: Bytes up to and including the one that ended the stream; all, if none did.
    """

    events: list[Event]
    code: int | None
    consumed: int


def build(
    opcode: int,
    payload: bytes = b"",
    *,
    mask: bytes | None = None,
    fin: bool = True,
    rsv: int = 0,
    length_form: int | None = None,
    length: int | None = None,
) -> bytes:
    """
    Build a frame, which need not be a valid one.

    Args:
        rsv: The three reserved bits, RSV1 being 4.
        length_form: Bytes of the extended length: 0, 2 or 8. The shortest that will do by default.
        length: The length to announce, when it is not that of the payload.
    """
    if length is None:
        length = len(payload)
    if length_form is None:
        length_form = 0 if length <= 125 else 2 if length <= 65535 else 8
    first = fin << 7 | rsv << 4 | opcode
    second = (mask is not None) << 7 | {0: length, 2: 126, 8: 127}[length_form]
    header = bytes([first, second])
    if length_form:
        header += length.to_bytes(length_form, "big")
    if mask is None:
        return header + payload
    return header + mask + bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))


def first_utf8_error(data: bytes) -> tuple[int, bool]:
    """Return the index of the first byte in error, and whether the text ends in a character."""
    try:
        _, consumed = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError as exc:
        # CPython reports the sequence up to the culprit, unless that is the first byte itself.
        return (exc.start if exc.reason == "invalid start byte" else exc.end), False
    # CPython leaves a surrogate's second byte to be judged with the third, for "surrogatepass".
    if data[consumed : consumed + 1] == b"\xed" and data[consumed + 1 :] >= b"\xa0":
        return consumed + 1, False
    return len(data), consumed < len(data)


def parse_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a Close frame (§5.5.1, §7.4)."""
    if len(payload) == 0:
        return 1005, ""
    if len(payload) == 1:
        raise Violation(1002)
    code = int.from_bytes(payload[:2], "big")
    allowed = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
    if code not in allowed and not 3000 <= code <= 4999:
        raise Violation(1002)
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(1007) from None


def decoding(
    events: list[Event], *, masked: bool, max_message_size: int | None
) -> Generator[None, int, None]:
    """Receive one byte at each yield, append to the events, return after a Close frame."""
    message_opcode = None
    message = bytearray()
    character = bytearray()  # of a text, while it is unfinished
    while True:
        first = yield
        fin, rsv, opcode = first >> 7, first >> 4 & 7, first & 15
        if rsv:
            raise Violation(1002)
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(1002)
        if opcode in (CLOSE, PING, PONG) and not fin:
            raise Violation(1002)
        if opcode == CONTINUATION and message_opcode is None:
            raise Violation(1002)
        if opcode in (TEXT, BINARY) and message_opcode is not None:
            raise Violation(1002)

        second = yield
        if (second >> 7) != masked:
            raise Violation(1002)
        length = second & 127
        if opcode in (CLOSE, PING, PONG) and length > 125:
            raise Violation(1002)
        if length == 126:
            length = 0
            for _ in range(2):
                length = length << 8 | (yield)
            if length < 126:
                raise Violation(1002)
        elif length == 127:
            length = 0
            for index in range(8):
                length = length << 8 | (yield)
                if index == 0 and length > 127:
                    raise Violation(1002)
            if length < 65536:
                raise Violation(1002)

        key = bytearray(4)
        if masked:
            for index in range(4):
                key[index] = yield

        if opcode in (CLOSE, PING, PONG):
            payload = bytearray()
            for index in range(length):
                payload.append((yield) ^ key[index % 4])
            if opcode == PING:
                events.append(("ping", bytes(payload)))
            elif opcode == PONG:
                events.append(("pong", bytes(payload)))
            else:
                events.append(("close", *parse_close(bytes(payload))))
                return
            continue

        if opcode != CONTINUATION:
            message_opcode = opcode
        if max_message_size is not None and len(message) + length > max_message_size:
            raise Violation(1009)
        for index in range(length):
            byte = (yield) ^ key[index % 4]
            message.append(byte)
            if message_opcode == TEXT:
                character.append(byte)
                valid, unfinished = first_utf8_error(bytes(character))
                if valid < len(character):
                    raise Violation(1007)
                if not unfinished:
                    character.clear()
        if fin:
            if message_opcode == TEXT:
                if character:
                    raise Violation(1007)
                events.append(("message", message.decode()))
            else:
                events.append(("message", bytes(message)))
            message_opcode = None
            message = bytearray()


def decode(stream: bytes, role: str, max_message_size: int | None = 1024 * 1024) -> Outcome:
    """Decode a whole stream as a server or client receives it."""
    events: list[Event] = []
    decoder = decoding(events, masked=role == "server", max_message_size=max_message_size)
    next(decoder)
    for index, byte in enumerate(stream):
        try:
            decoder.send(byte)
        except Violation as violation:
            return Outcome(events, violation.code, index + 1)
        except StopIteration:
            return Outcome(events, None, index + 1)
    return Outcome(events, None, len(stream))

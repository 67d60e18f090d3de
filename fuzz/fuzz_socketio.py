"""
Socket.IO packets, as text and as MessagePack, both ways: the text decoder against its oracle, on
messages that are right, damaged, or noise; the encoders through the decoders; and payloads of
whatever Python has, which are sent or refused for a reason documented.

Usage: python fuzz/fuzz_socketio.py [seconds [seed]]
"""

import sys
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz import harness  # noqa: E402

with harness.instrumented():
    from tests.socketio import values

from cooee.socketio import Packet, PacketError, msgpack_parser, parser  # noqa: E402

MIDDLE = ['"', "\\", "[", "{", "}", "]", ",", ":", "\\u", "d800", "e", ".", "-", "0", "1", "t", " "]


def decode(rng: Random) -> None:
    """Decoder and oracle agree, whatever the limits."""
    protocol = rng.choice([4, 5])
    if rng.random() < 0.7:
        messages = values.make_messages(rng, protocol)
    else:
        middle = "".join(rng.choices(MIDDLE, k=rng.randrange(20)))
        messages = [
            rng.choice(["2[", '2["a",', "0{", "51-[", "3", "4"]) + middle + rng.choice("]}")
        ]
        messages.append(b"x")
    options: dict[str, int] = {}
    if rng.random() < 0.3:
        options["max_attachments"] = rng.randrange(4)
        options["max_depth"] = rng.randrange(6)
        options["max_namespace"] = rng.randrange(8)
    try:
        values.compare(messages, protocol=protocol, **options)
    except Exception as exc:
        exc.add_note(f"protocol {protocol}, {options}: {messages!r:.1000}")
        raise


def encode(rng: Random) -> None:
    """What is sent arrives, by both parsers."""
    protocol = rng.choice([4, 5])
    packet = values.make_packet(rng, protocol=protocol)
    text, attachments = parser.Encoder(protocol=protocol).encode(packet, "4")
    decoder = parser.Decoder(protocol=protocol)
    received = decoder.add(text, 1)
    for attachment in attachments:
        assert received is None
        received = decoder.add(attachment)
    assert received == packet
    data, none = msgpack_parser.Encoder(timestamps=rng.random() < 0.5).encode(packet)
    assert none == []
    assert msgpack_parser.Decoder().add(data) == packet


def damage_msgpack(rng: Random) -> None:
    """A packet with wrong bytes in it is refused, or is one that can be sent again."""
    data = bytearray(msgpack_parser.Encoder().encode(values.make_packet(rng))[0])
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        data[at : at + rng.choice([0, 1, 1])] = rng.choice(
            [
                rng.randbytes(1),
                b"\xd4\0\0",
                b"\xd7\0" + rng.randbytes(8),
                b"\xc7\x08\0",
                b"\x91" * 9,
            ]
        )
    depth = rng.choice([2, 5, 256])
    try:
        packet = msgpack_parser.Decoder(max_depth=depth).add(data)
    except PacketError as exc:
        if exc.code not in (1002, 1009):
            raise
        return
    encoder = msgpack_parser.Encoder(max_depth=depth)
    try:
        again, _ = encoder.encode(packet)
    except TypeError as exc:
        if "keys" not in str(exc):
            raise
        return
    assert encoder.encode(msgpack_parser.Decoder(max_depth=depth).add(again)) == (again, [])


def make_anything(rng: Random, depth: int = 4) -> Any:
    """A payload of types that JSON has not, and of some that nothing can send."""
    if depth and rng.random() < 0.5:
        items = [make_anything(rng, depth - 1) for _ in range(rng.randrange(4))]
        dice = rng.randrange(6)
        if dice == 0:
            return tuple(items)
        if dice == 1:
            return OrderedDict((str(i), item) for i, item in enumerate(items))
        if dice == 2:
            return {rng.choice(["a", 1, 2.5, "\ud800"]): item for item in items}
        if dice == 3:
            items.append(items)
        return items
    return rng.choice(
        [
            *(rng.randbytes(3), bytearray(b"ab"), memoryview(b"abcd")[::2], "\udc00", "é", 2**70),
            *(float("nan"), float("-inf"), 10**400, {1, 2}, frozenset(), Decimal("1.5"), 1j, ...),
            *(object(), int, datetime(2026, 1, 2, tzinfo=UTC), datetime(1, 1, 1), date(1, 2, 3)),
            *(timedelta(1), {None: 1}, {(1,): 2}, range(3), Exception(), True, None, -(2**63) - 1),
        ]
    )


def encode_anything(rng: Random) -> None:
    """It is sent, in a form that can be read, or refused."""
    packet = Packet(rng.choice([2, 3]), data=["a", *[make_anything(rng) for _ in range(3)]])
    before = repr(packet)
    try:
        text, attachments = parser.Encoder().encode(packet)
    except (TypeError, ValueError) as exc:
        if not str(exc):
            raise
    else:
        decoder = parser.Decoder(max_attachments=1000)
        received = decoder.add(text)
        for attachment in attachments:
            received = decoder.add(attachment)
        assert received is not None
        assert received.type == packet.type
    try:
        data, _ = msgpack_parser.Encoder(timestamps=rng.random() < 0.5).encode(packet)
    except (TypeError, ValueError, OverflowError) as exc:
        if not str(exc):
            raise
    else:
        assert msgpack_parser.Decoder().add(data).type == packet.type
    assert repr(packet) == before


def target(rng: Random) -> None:
    """One of them."""
    rng.choice([decode, decode, encode, damage_msgpack, encode_anything])(rng)


if __name__ == "__main__":
    harness.main(target)

"""
Random payloads and packets, valid and damaged, and the comparison of the decoder with the oracle.

Everything random comes from a `random.Random`, which a property test, a fuzzer and a failure being
reproduced each bring in their own way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.socketio.oracle import RESERVED, Oracle, Violation

from cooee.engineio import PacketError
from cooee.socketio import Packet, PacketType
from cooee.socketio.parser import Decoder

CHARACTERS = ["a", "b", '"', "\\", "/", "\0", "\n", "\x1e", "\x7f", "é", "\u2028", "你", "🦘"]
CHARACTERS += ["[", "{", "}", "]", ",", ":", "1", "-", " "]
NUMBERS = [0, 1, -1, 7, 127, 128, 255, 256, 2**31, 2**32, 2**53 - 1, -(2**53) + 1, -(2**31)]
FLOATS = [0.5, -0.25, 1e-7, 1e300, 5e-324, 123456.789, -1.5e21]
# Names that mean something to JavaScript, or to the parser.
KEYS = ["a", "b", "key", "", "constructor", "toString", "hasOwnProperty", "length", "num"]
KEYS += ["_placeholder", "é🦘", "a b", '"']
NAMES = ["your_echo", "message", "a", "", "🦘", "connected", "Connect", "toString", "message-back"]
NAMESPACES = ["/", "/", "/", "/admin", "/a/b", "/é", "/x?token=abc&b=1", "//", "/{", '/"']


def make_text(rng: Random) -> str:
    """A text, short as a rule."""
    size = rng.choice([0, 1, 2, 5, 20, 64, 300])
    if rng.random() < 0.5:
        return "x" * size
    return "".join(rng.choices(CHARACTERS, k=size))


def make_binary(rng: Random) -> bytes:
    """An attachment."""
    return rng.randbytes(rng.choice([0, 1, 2, 8, 64]))


def make_value(rng: Random, depth: int = 3, binary: bool = True) -> Any:
    """Anything that a payload can contain, with what JavaScript makes of it the same."""
    dice = rng.randrange(12)
    if dice < 3 and depth:
        return [make_value(rng, depth - 1, binary) for _ in range(rng.randrange(4))]
    if dice < 6 and depth:
        keys = rng.sample(KEYS, rng.randrange(4))
        return {key: make_value(rng, depth - 1, binary) for key in keys}
    if dice < 8 and binary:
        return make_binary(rng)
    return rng.choice(
        [
            make_text(rng),
            rng.choice(NUMBERS),
            rng.choice(FLOATS),
            rng.randrange(-(2**53), 2**53),
            True,
            False,
            None,
        ]
    )


def is_placeholder(value: Any) -> bool:
    """Whether it is, or contains, what the parser itself would put there."""
    if isinstance(value, dict):
        return value.get("_placeholder") is True or any(map(is_placeholder, value.values()))
    return isinstance(value, list) and any(map(is_placeholder, value))


def count_binary(value: Any) -> int:
    """How many attachments it makes."""
    if isinstance(value, dict):
        return sum(map(count_binary, value.values()))
    if isinstance(value, list):
        return sum(map(count_binary, value))
    return isinstance(value, bytes)


def make_packet(rng: Random, binary: bool = True, protocol: int = 5) -> Packet:
    """A packet that arrives as it was sent."""
    kind = rng.choice([0, 1, 2, 2, 2, 2, 3, 3, 4])
    namespace = rng.choice(NAMESPACES)
    identifier = rng.choice([None, 0, 1, 9, 10, 123456789, 2**53 - 1]) if kind in (2, 3) else None
    data: Any = None
    if kind in (2, 3):
        data = [make_value(rng, 3, binary) for _ in range(rng.randrange(4))]
        if kind == 2:
            data.insert(0, rng.choice([*NAMES, make_text(rng), 0, 1.5, -3]))
        if is_placeholder(data) or count_binary(data) > 10:
            return make_packet(rng, binary, protocol)
    elif kind == 0 and protocol == 5:
        data = rng.choice([None, {}, {"token": make_text(rng)}, {"sid": "a", "pid": None}])
    elif kind == 4:
        data = make_text(rng)
        if protocol == 5 and rng.random() < 0.7:
            data = {"message": data, "data": make_value(rng, 2, False)}
    return Packet(kind, namespace, identifier, data)


# What is put into a text, or in the place of something, to damage it.
DAMAGE = [
    *('"', "\\", "[", "]", "{", "}", ",", ":", "-", "/", "0", "1", "9", " ", "\n", "\0", ".", "e"),
    *("null", "true", "1e400", "-0", "NaN", "Infinity", "\\ud800", "\\udc00", "\\u0000", "\\x"),
    *("51-", "62-", "99999999999999999999", "9007199254740992", "[[[[", "]]]]", "🦘", "\ufeff"),
    *('{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":1}', '{"_placeholder":1}'),
    *('{"_placeholder":true}', '{"_placeholder":true,"num":-1}', '"_placeholder"', '"num":0.5'),
    *('{"_placeholder":true,"num":1.0}', '{"_placeholder":true,"num":true}', '"__proto__":{}'),
    *('"connect"', '"disconnect"', "[]", "{}", '["a"]', "0", "1", "2", "3", "4", "5", "6", "7"),
]


def damage(rng: Random, text: str) -> str:
    """A text with some mistakes."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at = rng.randint(0, min(len(text), rng.choice([3, 3, 12, 10_000])))
        end = at + rng.choice([0, 0, 1, 1, 2, 8])
        text = text[:at] + rng.choice([*DAMAGE, "", ""]) + text[end:]
    return text


def write_naively(packet: Packet) -> list[str | bytes]:
    """The messages of a packet, without the encoder."""
    attachments: list[bytes] = []

    def strip(value: Any) -> Any:
        if isinstance(value, bytes):
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items()}
        if isinstance(value, list):
            return [strip(item) for item in value]
        return value

    data = strip(packet.data)
    text = str(packet.type + 3 if attachments else int(packet.type))
    text += f"{len(attachments)}-" if attachments else ""
    text += f"{packet.namespace}," if packet.namespace != "/" else ""
    text += "" if packet.id is None else str(packet.id)
    # As JSON.stringify has it: no spaces, and nothing escaped that need not be.
    if data is not None:
        text += json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return [text, *attachments]


def make_messages(rng: Random, protocol: int = 5) -> list[str | bytes]:
    """Messages as a peer may send them, mostly with something wrong."""
    messages = write_naively(make_packet(rng, protocol=protocol))
    if rng.random() < 0.8:
        messages[0] = damage(rng, str(messages[0]))
    if rng.random() < 0.2:
        at = rng.randint(0, len(messages))
        messages.insert(at, rng.choice([b"", b"x", str(messages[0]), '2["a"]']))
    if rng.random() < 0.1:
        del messages[rng.randrange(len(messages))]
    return messages


# What came of messages: the packets, and whether the last message was refused.
Outcome = tuple[list[tuple[int, str, int | None, Any]], bool]


def decode(messages: Sequence[str | bytes], **options: Any) -> Outcome:
    """What the decoder makes of messages."""
    decoder = Decoder(**options)
    packets = []
    for message in messages:
        error = None
        try:
            packet = decoder.add(message)
        except PacketError as exc:
            error = exc
        if error is not None:
            assert error.code in (1002, 1009)
            assert not decoder.reconstructing
            return packets, True
        if packet is not None:
            assert type(packet.type) is PacketType
            packets.append((int(packet.type), packet.namespace, packet.id, packet.data))
    return packets, False


def decode_naively(messages: Sequence[str | bytes], **options: Any) -> Outcome:
    """What the oracle makes of messages."""
    oracle = Oracle(**options)
    packets = []
    for message in messages:
        try:
            packet = oracle.add(message)
        except Violation:
            return packets, True
        if packet is not None:
            packets.append(packet)
    return packets, False


def compare(messages: Sequence[str | bytes], **options: Any) -> Outcome:
    """Decoder and oracle must agree; return what they say."""
    outcome = decode(messages, **options)
    assert repr(outcome) == repr(decode_naively(messages, **options))
    return outcome


__all__ = ["RESERVED", "compare", "damage", "decode", "make_messages", "make_packet", "make_value"]

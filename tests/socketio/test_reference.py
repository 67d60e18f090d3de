"""The same as socket.io-parser, versions 4 (protocol 5) and 3 (protocol 4), and its msgpack kin."""

import math
import re
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.engineio.reference import UNDEFINED, ArrayBuffer, Reference
from tests.socketio import test_malformed, values
from tests.socketio.test_parser import VECTORS

from cooee.socketio import Packet, PacketError, msgpack_parser
from cooee.socketio.parser import Decoder, Encoder

pytestmark = pytest.mark.once

Protocol = Literal[4, 5]
QUIET = settings(suppress_health_check=[HealthCheck.too_slow])
RANDOM = st.randoms(use_true_random=False)


def to_reference(packet: Packet, protocol: int = 5) -> dict[str, Any]:
    kind = int(packet.type)
    if protocol == 4 and kind in (2, 3) and values.count_binary(packet.data):
        # Version 3 of the parser leaves it to the caller to find out.
        kind += 3
    sent = {"type": kind, "nsp": packet.namespace}
    if packet.id is not None:
        sent["id"] = packet.id
    if packet.data is not None:
        sent["data"] = packet.data
    return sent


def same_number(value: Any) -> Any:
    """A value as JavaScript has it: numbers are doubles."""
    if isinstance(value, dict):
        return {key: same_number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [same_number(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.copysign(math.inf, value)
    return value


def from_reference(packet: dict[str, Any], protocol: int = 5) -> tuple[Any, ...]:
    kind = packet["type"]
    if protocol == 4 and kind >= 5:
        kind -= 3
    identifier = packet.get("id")
    return (kind, packet["nsp"], identifier, same_number(packet.get("data")))


def from_ours(packet: Packet | None) -> tuple[Any, ...]:
    assert packet is not None
    return (int(packet.type), packet.namespace, packet.id, same_number(packet.data))


@pytest.mark.parametrize(("protocol", "packet", "text", "attachments"), VECTORS)
def test_vectors_are_the_references(
    reference: Reference, protocol: Protocol, packet: Packet, text: str, attachments: list[bytes]
) -> None:
    sent = to_reference(packet, protocol)
    if packet.data != ["a", {"__proto__": {"b": 1}}]:
        assert reference(f"sio{protocol}_encode", sent) == [text, *attachments]
    (received,) = reference(f"sio{protocol}_decode", [text, *attachments])
    assert from_reference(received, protocol) == from_ours(packet)


@QUIET
@given(rng=RANDOM, protocol=st.sampled_from([4, 5]))
def test_they_read_what_we_write(reference: Reference, rng: Random, protocol: Protocol) -> None:
    packet = values.make_packet(rng, protocol=protocol)
    text, attachments = Encoder(protocol=protocol).encode(packet)
    (received,) = reference(f"sio{protocol}_decode", [text, *attachments])
    assert from_reference(received, protocol) == from_ours(packet)


@QUIET
@given(rng=RANDOM, protocol=st.sampled_from([4, 5]))
def test_we_read_what_they_write(reference: Reference, rng: Random, protocol: Protocol) -> None:
    packet = values.make_packet(rng, protocol=protocol)
    text, *attachments = reference(f"sio{protocol}_encode", to_reference(packet, protocol))
    decoder = Decoder(protocol=protocol)
    received = decoder.add(text)
    for attachment in attachments:
        assert received is None
        received = decoder.add(attachment)
    assert from_ours(received) == from_ours(packet)


@QUIET
@given(
    data=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        # Surrogates by themselves too.
        | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text('abcxyzé"\\'), inner),
    )
)
def test_text_is_the_same_to_the_byte(reference: Reference, data: Any) -> None:
    packet = Packet(2, data=["a", data])
    (theirs,) = reference("sio5_encode", to_reference(packet))
    ours, _ = Encoder().encode(packet)
    if "\\ud" in theirs:
        # Written by Python's json, which escapes more.
        assert Decoder().add(ours) == Decoder().add(theirs) == packet
    else:
        assert ours == theirs


# What JavaScript's Number() makes a number of, besides digits: "+1.0e1", " ", "0x1f", "Infinity".
SPACE = "[\\s\ufeff]"
STRICTER = re.compile(
    "|".join(
        [
            # An empty type, or a space for it, is 0.
            rf"({SPACE}|\Z)",
            # The number of attachments is whatever Number() takes.
            r"[56](?![1-9][0-9]*-)",
            # No payload where one is needed, which passes unchecked. No comma either.
            r"([2-4]|[56][1-9][0-9]*-)(/[^,]*(,|\Z))?[0-9]*\Z",
            # Space is part of the id.
            rf"([0-4]|[56][1-9][0-9]*-)(/[^,]*,)?[0-9]*{SPACE}",
            # An id beyond 2**53 - 1
            r"([0-4]|[56][1-9][0-9]*-)(/[^,]*,)?0*[1-9][0-9]{15,}",
            # The number of a placeholder is in range, but not whole: undefined.
            r".*\"num\":\s*[0-9]+(\.[0-9]*|[eE])",
        ]
    ),
    re.DOTALL,
)


def check_messages(reference: Reference, messages: list[str | bytes], protocol: int) -> None:
    if not messages:
        return
    for end in range(1, len(messages) + 1):
        ours, refused = values.decode(messages[:end], protocol=protocol)
        if refused:
            break
    # Up to what we refuse, beyond which the reference may go on.
    theirs = reference(f"sio{protocol}_decode", messages[:end])
    they_refused = bool(theirs) and "error" in theirs[-1]
    if they_refused:
        theirs.pop()
    # Version 3 of the parser makes a packet of one error, and goes on.
    for i, packet in enumerate(theirs):
        if str(packet.get("data")).startswith("parser error: unknown packet type"):
            they_refused = True
            del theirs[i:]
            break
    if refused and not they_refused:
        assert any(isinstance(text, str) and STRICTER.match(text) for text in messages), messages
        return
    assert refused == they_refused, messages
    for received, other in zip(ours, theirs, strict=True):
        assert (*received[:3], same_number(received[3])) == from_reference(other, protocol)


@QUIET
@given(rng=RANDOM, protocol=st.sampled_from([4, 5]))
def test_damaged_messages(reference: Reference, rng: Random, protocol: int) -> None:
    check_messages(reference, values.make_messages(rng, protocol), protocol)


@QUIET
@given(text=st.text() | st.text('[]{}",:\\ue1-0tf5_/2 '))
@example("é")
def test_any_text(reference: Reference, text: str) -> None:
    for message in (text, "2" + text, "2[" + text, '2["a",' + text + "]"):
        check_messages(reference, [message], 5)


@pytest.mark.parametrize("case", test_malformed.CASES, ids=test_malformed.name_of)
def test_refusals(reference: Reference, case: test_malformed.Case) -> None:
    """Each violation is one for the reference too, or one of those where we are stricter."""
    text = str(case.messages[0])
    if case.code == 1009 and "attachments" not in case.says:
        return
    if case.options.keys() - {"protocol"}:
        return
    protocol = case.options.get("protocol", 5)
    theirs = reference(f"sio{protocol}_decode", case.messages)
    if (theirs and "error" in theirs[-1]) or "parser error" in str(theirs):
        return
    assert STRICTER.match(text) or "surrogates" in case.says


# MessagePack


@QUIET
@given(rng=RANDOM)
def test_msgpack_both_ways(reference: Reference, rng: Random) -> None:
    packet = values.make_packet(rng)
    encoder, decoder = msgpack_parser.Encoder(), msgpack_parser.Decoder()
    encoded, _ = encoder.encode(packet)
    (received,) = reference("msgpack_decode", [encoded])
    assert from_reference(received) == from_ours(packet)
    if "e+" in repr(packet.data):
        # Of whole numbers beyond 64 bits notepack.io writes the lowest.
        return
    (encoded,) = reference("msgpack_encode", to_reference(packet))
    assert from_ours(decoder.add(encoded)) == from_ours(packet)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS = st.integers(-62135596800000, 253402300799999)


@QUIET
@given(milliseconds=MILLISECONDS)
@example(0)
@example(-1)
@example(2**32)
@example(-(2**32))
@example(-(2**32) - 1)
def test_msgpack_dates(reference: Reference, milliseconds: int) -> None:
    date = EPOCH + timedelta(milliseconds=milliseconds)
    packet = Packet(2, data=["a", date, [{"b": date}]])
    encoded, _ = msgpack_parser.Encoder().encode(packet)
    (received,) = reference("msgpack_decode", [encoded])
    assert received["data"] == packet.data
    (theirs,) = reference("msgpack_encode", to_reference(packet))
    assert msgpack_parser.Decoder().add(theirs) == packet


@pytest.mark.parametrize("size", [0, 1, 2, 4, 8, 12, 16, 255, 256, 65_535, 65_536])
def test_msgpack_array_buffers(reference: Reference, size: int) -> None:
    """Their header tells them from `undefined` and dates, whose type is the same."""
    data = ["a", ArrayBuffer(size), UNDEFINED, EPOCH, bytes(size)]
    (encoded,) = reference("msgpack_encode", {"type": 2, "nsp": "/", "data": data})
    packet = msgpack_parser.Decoder().add(encoded)
    assert packet.data == ["a", bytes(size), None, EPOCH, bytes(size)]


def test_msgpack_undefined(reference: Reference) -> None:
    sent = {
        "type": 0,
        "nsp": "/",
        "data": UNDEFINED,
        "id": UNDEFINED,
        "options": {"compress": True},
    }
    (encoded,) = reference("msgpack_encode", sent)
    assert b"\xd4\0\0" in encoded
    assert msgpack_parser.Decoder().add(encoded) == Packet(0)


@QUIET
@given(rng=RANDOM)
def test_msgpack_damage(reference: Reference, rng: Random) -> None:
    """What we take of damaged packets, they take for the same, but for what numbers cannot say."""
    encoded = bytearray(msgpack_parser.Encoder().encode(values.make_packet(rng))[0])
    for _ in range(rng.randint(1, 3)):
        encoded[rng.randrange(len(encoded))] = rng.randrange(256)
    try:
        packet = msgpack_parser.Decoder().add(encoded)
    except PacketError:
        return
    (theirs,) = reference("msgpack_decode", [bytes(encoded)])
    assert "error" not in theirs
    assert theirs["type"] == packet.type
    assert theirs["nsp"] == packet.namespace

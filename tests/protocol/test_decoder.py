"""Received bytes to events: whole and in pieces, at the limits, and at random against an oracle."""

import gc
import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol import oracle, streams
from tests.protocol.oracle import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

from cooee.protocol.decoder import Decoder
from cooee.protocol.errors import ProtocolError

pytestmark = pytest.mark.once

KEY = bytes.fromhex("37fa213d")

# The forms of the length (RFC 6455 §5.2), the room first given to a message, and beyond.
BOUNDARIES = [0, 1, 2, 125, 126, 127, 128, 129, 65_535, 65_536, 65_537, 131_072, 200_000]


@pytest.fixture(params=streams.ROLES)
def role(request: pytest.FixtureRequest) -> str:
    """Which end receives."""
    value: str = request.param
    return value


def frame(role: str, opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame that this role accepts."""
    return oracle.build(opcode, payload, fin=fin, mask=KEY if role == "server" else None)


# RFC 6455 §5.7
EXAMPLES = {
    "unmasked text": ("client", "8105 48656c6c6f", [("message", "Hello")]),
    "masked text": ("server", "8185 37fa213d 7f9f4d5158", [("message", "Hello")]),
    "fragmented text": ("client", "0103 48656c 8002 6c6f", [("message", "Hello")]),
    "unmasked ping": ("client", "8905 48656c6c6f", [("ping", b"Hello")]),
    "masked pong": ("server", "8a85 37fa213d 7f9f4d5158", [("pong", b"Hello")]),
    "256 bytes": ("client", "827e0100" + "ab" * 256, [("message", b"\xab" * 256)]),
    "64 KiB": (
        "client",
        "827f0000000000010000" + "cd" * 65_536,
        [("message", b"\xcd" * 65_536)],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_specification(name: str) -> None:
    role, stream, events = EXAMPLES[name]
    data = bytes.fromhex(stream)
    assert streams.run([data], role) == (events, None, len(data))
    half = len(data) // 2
    assert streams.run([data[:half], data[half:]], role).events == events


@pytest.mark.parametrize("size", BOUNDARIES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_sizes(role: str, opcode: int, size: int) -> None:
    payload = b"x" * size
    event = ("message", payload.decode() if opcode == TEXT else payload)
    # Another message behind it shows that no byte was lost or taken twice.
    stream = frame(role, opcode, payload) + frame(role, PING, b"next")
    expected = [event, ("ping", b"next")]
    assert streams.run([stream], role).events == expected
    for length in (1, 2, 6, 14, 15, 4096, 16_384, 65_535, 65_536):
        if length >= 4096 or size < 1000:
            pieces = [stream[at : at + length] for at in range(0, len(stream), length)]
            assert streams.run(pieces, role).events == expected
            assert streams.run(pieces, role, direct=True).events == expected


def test_cut_anywhere(role: str) -> None:
    """Every cut of a stream that has each kind of frame."""
    stream = (
        frame(role, TEXT, "Grüße 🦘".encode())
        + frame(role, BINARY, b"one", fin=False)
        + frame(role, PING, b"between")
        + frame(role, CONTINUATION, b"", fin=False)
        + frame(role, CONTINUATION, b"two" * 50)
        + frame(role, PONG)
        + frame(role, TEXT)
        + frame(role, CLOSE, b"\x03\xe8bye")
    )
    expected = [
        ("message", "Grüße 🦘"),
        ("ping", b"between"),
        ("message", b"one" + b"two" * 50),
        ("pong", b""),
        ("message", ""),
        ("close", 1000, "bye"),
    ]
    assert streams.compare([stream], role).events == expected
    assert streams.compare([bytes([byte]) for byte in stream], role).events == expected
    for at in range(len(stream)):
        assert streams.run([stream[:at], stream[at:]], role).events == expected


def test_message_in_many_fragments(role: str) -> None:
    text = "你好，世界🌏" * 20
    data = text.encode()
    for size in (1, 2, 3, 4, 5, 7):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        stream = b"".join(
            frame(role, TEXT if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1)
            + frame(role, PING, b"%d" % at)
            for at, piece in enumerate(pieces)
        )
        events = streams.run([stream], role).events
        messages = [event for event in events if event[0] == "message"]
        assert messages == [("message", text)]
        assert events[-2] == ("message", text)
        assert len(events) == len(pieces) + 1


def test_fragments_of_growing_size(role: str) -> None:
    """An empty first fragment, then ever more: the message grows past each of its rooms."""
    pieces = [b"", b"a", *(bytes([at]) * (3**at) for at in range(11)), b"", b"z"]
    stream = b"".join(
        frame(role, BINARY if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1)
        for at, piece in enumerate(pieces)
    )
    expected = [("message", b"".join(pieces))]
    assert streams.run([stream], role).events == expected
    cuts = [stream[at : at + 777] for at in range(0, len(stream), 777)]
    assert streams.run(cuts, role).events == expected
    assert streams.run(cuts, role, direct=True).events == expected


def test_masking_key_of_each_frame_is_its_own() -> None:
    keys = [b"\0\0\0\0", KEY, b"\xff\0\xff\0", b"\1\2\3\4"]
    pieces = [b"a", b"bcdef", b"ghi" * 30, b"jk"]
    stream = b"".join(
        oracle.build(BINARY if at == 0 else CONTINUATION, pieces[at], mask=keys[at], fin=at == 3)
        for at in range(4)
    )
    for size in (1, 2, 3, 5, 1000):
        cuts = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert streams.run(cuts, "server").events == [("message", b"".join(pieces))]


def test_binary_need_not_be_text(role: str) -> None:
    payload = bytes(range(256)) * 3
    assert streams.run([frame(role, BINARY, payload)], role).events == [("message", payload)]
    assert streams.run([frame(role, PING, payload[100:225])], role).events == [
        ("ping", payload[100:225])
    ]


def test_text_is_str(role: str) -> None:
    """Each kind of string that CPython has, in one piece and in two."""
    for text in ("", "ascii", "Grüße", "你好", "🦘", "\0", "\U0010ffff", "﻿mark"):
        data = frame(role, TEXT, text.encode())
        assert streams.run([data], role).events == [("message", text)]
        assert streams.run([data[:-1], data[-1:]], role).events == [("message", text)]


def test_text_after_text_with_other_characters(role: str) -> None:
    """Nothing of one message's text is remembered for the next."""
    texts = ["é" * 100, "plain" * 20, "🦘", "plain"]
    for size in (1, 3, 50, 10_000):
        stream = b"".join(frame(role, TEXT, text.encode()) for text in texts)
        cuts = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [event[1] for event in streams.run(cuts, role).events] == texts


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"", ("close", 1005, "")),
        (b"\x03\xe8", ("close", 1000, "")),
        (b"\x03\xe9going", ("close", 1001, "going")),
        (b"\x0b\xb8" + b"x" * 123, ("close", 3000, "x" * 123)),
        (b"\x13\x87" + "你好".encode(), ("close", 4999, "你好")),
    ],
)
def test_close(role: str, payload: bytes, event: oracle.Event) -> None:
    stream = frame(role, CLOSE, payload)
    decoder = Decoder(role)  # type: ignore[arg-type]
    assert not decoder.ended
    # RFC 6455 §5.5.1: nothing follows a Close frame, so what does is ignored.
    assert decoder.feed(stream + frame(role, TEXT, b"late")) == [event]
    assert decoder.ended
    assert decoder.feed(frame(role, TEXT, b"later")) == []
    assert decoder.feed(b"\xff\xff\xff") == []


def test_close_ends_an_unfinished_message(role: str) -> None:
    stream = frame(role, TEXT, b"begun", fin=False) + frame(role, CLOSE, b"\x03\xe8")
    assert streams.compare([stream], role).events == [("close", 1000, "")]


def test_nothing_from_nothing(role: str) -> None:
    decoder = Decoder(role)  # type: ignore[arg-type]
    assert decoder.feed(b"") == []
    assert decoder.feed(frame(role, TEXT, b"x")[:1]) == []
    assert decoder.feed(b"") == []
    assert not decoder.ended


def test_input_is_left_alone() -> None:
    """Unmasking in place happens in the decoder's own copy."""
    data = frame("server", TEXT, b"Hello") + frame("server", PING, b"Hello")
    for kind in (bytes, bytearray, memoryview):
        given_data = kind(bytearray(data))
        assert Decoder("server").feed(given_data) == [("message", "Hello"), ("ping", b"Hello")]
        assert bytes(given_data) == data


def test_refuses_what_is_not_bytes_like(role: str) -> None:
    decoder = Decoder(role)  # type: ignore[arg-type]
    for wrong in ("text", 3, None, [1, 2]):
        with pytest.raises(TypeError):
            decoder.feed(wrong)  # type: ignore[arg-type]
    assert decoder.feed(frame(role, TEXT, b"x")) == [("message", "x")]


@pytest.mark.parametrize("wrong", ["", "Server", "peer"])
def test_refuses_other_roles(wrong: str) -> None:
    with pytest.raises(ValueError, match=repr(wrong)):
        Decoder(wrong)  # type: ignore[arg-type]


def test_refuses_negative_limits() -> None:
    with pytest.raises((ValueError, OverflowError)):
        Decoder("server", max_message_size=-1)


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1, 125, 126, 1000, 65_536, 70_000])
def test_message_size_limit(role: str, limit: int) -> None:
    fits = frame(role, BINARY, b"x" * limit)
    assert streams.run([fits], role, limit) == ([("message", b"x" * limit)], None, len(fits))
    # The header alone decides: not a byte of the payload is awaited.
    payload = b"x" * (limit + 1)
    header = frame(role, BINARY, payload)[: -len(payload)]
    assert streams.run([fits + header], role, limit).code == 1009
    assert streams.run([fits, header], role, limit).events == [("message", b"x" * limit)]


@pytest.mark.parametrize("limit", [0, 1, 10, 65_536])
def test_message_size_limit_counts_all_fragments(role: str, limit: int) -> None:
    most = b"x" * limit
    begun = frame(role, BINARY, most, fin=False)
    ended = frame(role, CONTINUATION)
    assert streams.run([begun + ended], role, limit).events == [("message", most)]
    # "0 bytes left" is not "unlimited": one byte more is too much, in any later fragment.
    for between in (b"", frame(role, CONTINUATION, fin=False) * 3, frame(role, PING, b"ping")):
        outcome = streams.compare([begun + between + frame(role, CONTINUATION, b"y")], role, limit)
        assert outcome.code == 1009
    # The limit is each message's own.
    assert len(streams.run([(begun + ended) * 3], role, limit).events) == 3


def test_message_size_limit_spares_control_frames(role: str) -> None:
    stream = frame(role, PING, b"x" * 125) + frame(role, CLOSE, b"\x03\xe8" + b"x" * 123)
    assert [event[0] for event in streams.run([stream], role, 0).events] == ["ping", "close"]


def test_message_size_is_1_mib_by_default(role: str) -> None:
    decoder = Decoder(role)  # type: ignore[arg-type]
    fits = frame(role, BINARY, bytes(2**20))
    assert decoder.feed(fits) == [("message", bytes(2**20))]
    with pytest.raises(ProtocolError, match="1048576") as failure:
        decoder.feed(frame(role, BINARY, bytes(2**20 + 1))[:14])
    assert failure.value.code == 1009


def test_no_message_size_limit(role: str) -> None:
    size = 3 * 2**20
    data = frame("client", BINARY, bytes(size))
    if role == "server":
        data = bytes([data[0], data[1] | 0x80]) + data[2:10] + bytes(4) + data[10:]
    pieces = [data[at : at + 250_000] for at in range(0, len(data), 250_000)]
    assert streams.run(pieces, role, None).events == [("message", bytes(size))]


@pytest.mark.parametrize("length", [2**31, 2**32, 2**62, 2**63 - 1])
def test_announced_size_is_not_allocated(role: str, length: int) -> None:
    header = oracle.build(
        BINARY, mask=KEY if role == "server" else None, length_form=8, length=length
    )
    tracemalloc.start()
    try:
        decoder = Decoder(role, max_message_size=None)  # type: ignore[arg-type]
        assert decoder.feed(header) == []
        assert decoder.feed(bytes(100_000)) == []
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 500_000


def test_room_for_a_message_stays_in_proportion(role: str) -> None:
    """Memory held for a message is at most about twice what has arrived of it."""
    piece = frame(role, CONTINUATION, bytes(1000), fin=False)
    tracemalloc.start()
    try:
        decoder = Decoder(role, max_message_size=None)  # type: ignore[arg-type]
        decoder.feed(frame(role, BINARY, bytes(1000), fin=False))
        for count in range(2, 300):
            decoder.feed(piece, direct=count % 2 == 0)
            used, _ = tracemalloc.get_traced_memory()
            assert used < 2 * 1000 * count + 150_000
    finally:
        tracemalloc.stop()


def test_number_of_fragments_is_limited(role: str) -> None:
    begun = frame(role, BINARY, b"x", fin=False)
    empty = frame(role, CONTINUATION, fin=False)
    assert streams.run([begun + empty * 4000], role).code is None
    for limit in (1, 2**20, None):
        outcome = streams.run([begun + empty * 140_000], role, limit)
        assert (outcome.events, outcome.code) == ([], 1009)


def test_fragments_of_several_messages_are_not_added_up(role: str) -> None:
    message = (
        frame(role, BINARY, fin=False)
        + frame(role, CONTINUATION, fin=False) * 998
        + frame(role, CONTINUATION)
    )
    assert streams.run([message] * 200, role).events == [("message", b"")] * 200


LEAVING = {
    "messages": [(TEXT, "Grüße".encode(), True), (BINARY, bytes(3000), True), (PING, b"x", True)],
    "fragments": [(TEXT, b"a" * 3000, False), (CONTINUATION, "ü".encode(), True)],
    "unfinished": [(BINARY, bytes(3000), False), (CONTINUATION, bytes(3000), False)],
    "close": [(TEXT, bytes(3000), False), (CLOSE, b"\x03\xe8reason", True)],
    "violation": [(TEXT, bytes(3000), False), (15, b"", True)],
    "not UTF-8": [(TEXT, b"x" * 3000 + b"\xff", True)],
    "late not UTF-8": [(TEXT, b"x" * 3000, False), (CONTINUATION, b"\xc3", True)],
    "close not UTF-8": [(TEXT, bytes(3000), False), (CLOSE, b"\x03\xe8\xff", True)],
    "too big": [(BINARY, bytes(3000), False), (CONTINUATION, bytes(2**20), True)],
}


@pytest.mark.parametrize("name", LEAVING)
@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_nothing_is_left_behind(role: str, name: str, size: int) -> None:
    """Whatever ends a decoder, what it held is freed with it."""
    stream = b"".join(
        frame(role, opcode, payload, fin=fin) for opcode, payload, fin in LEAVING[name]
    )
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    tracemalloc.start()
    try:
        for direct in (False, True) * 5:
            streams.run(pieces, role, direct=direct)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for direct in (False, True) * 20:
            streams.run(pieces, role, direct=direct)
        gc.collect()  # exceptions and the frames in their tracebacks refer to each other
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One object kept each time would be 40 of them.
    assert after - before < 1500


# --- random streams ------------------------------------------------------------------------------

RANDOM = st.randoms(use_true_random=False)


@given(RANDOM)
def test_valid_streams_whole(rng: Random) -> None:
    role = rng.choice(streams.ROLES)
    stream = b"".join(map(bytes, streams.make_frames(rng, role)))
    assert streams.compare([stream], role).code is None


@given(RANDOM)
def test_valid_streams_by_the_byte(rng: Random) -> None:
    role = rng.choice(streams.ROLES)
    stream = b"".join(map(bytes, streams.make_frames(rng, role)))
    assert streams.compare([bytes([byte]) for byte in stream], role).code is None


@given(RANDOM)
def test_valid_streams_in_pieces(rng: Random) -> None:
    role = rng.choice(streams.ROLES)
    stream = b"".join(map(bytes, streams.make_frames(rng, role)))
    assert streams.compare(streams.split(rng, stream), role).code is None


@given(RANDOM)
def test_broken_streams(rng: Random) -> None:
    role = rng.choice(streams.ROLES)
    stream = streams.make_stream(rng, role)
    limit = rng.choice([0, 5, 125, 1000, 65_536, 2**20, None])
    streams.compare(streams.split(rng, stream), role, limit)


@given(RANDOM)
def test_broken_streams_by_the_byte(rng: Random) -> None:
    """The violation is found at the very byte that makes it certain."""
    role = rng.choice(streams.ROLES)
    stream = streams.make_stream(rng, role)
    streams.compare([bytes([byte]) for byte in stream], role)


@given(st.sampled_from(streams.ROLES), st.binary(max_size=60), RANDOM)
def test_noise(role: str, stream: bytes, rng: Random) -> None:
    streams.compare(streams.split(rng, stream), role)

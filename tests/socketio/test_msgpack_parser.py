"""Packets as MessagePack: vectors both ways, both dialects, everything malformed, depth."""

import struct
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.socketio import values
from tests.socketio.test_parser import Bytes, Float, Int, Opaque, Place, Point, Record, Text
from tests.socketio.test_payload import itself, nested

from cooee.socketio import RESERVED_EVENTS, Packet, PacketError, PacketType
from cooee.socketio.msgpack_parser import Decoder, Encoder

pytestmark = pytest.mark.once

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, _, _ = PacketType

TYPE, DATA, NSP, ID = (
    b"%c%b" % (0xA0 + len(name), name) for name in (b"type", b"data", b"nsp", b"id")
)
ROOT = NSP + b"\xa1/"

# Packet, and what notepack.io writes for {type, data, nsp, id}.
VECTORS: list[tuple[Packet, bytes]] = [
    (Packet(CONNECT), b"\x82" + TYPE + b"\0" + ROOT),
    (
        Packet(CONNECT, "/admin", data={"token": "a"}),
        b"\x83" + TYPE + b"\0" + DATA + b"\x81\xa5token\xa1a" + NSP + b"\xa6/admin",
    ),
    (Packet(DISCONNECT), b"\x82" + TYPE + b"\1" + ROOT),
    (Packet(EVENT, data=["foo"]), b"\x83" + TYPE + b"\2" + DATA + b"\x91\xa3foo" + ROOT),
    (
        Packet(EVENT, "/é", 7, ["a", b"\1\2", None, True, -1, 1.5]),
        b"\x84"
        + TYPE
        + b"\2"
        + DATA
        + b"\x96\xa1a\xc4\2\1\2\xc0\xc3\xff\xcb\x3f\xf8\0\0\0\0\0\0"
        + NSP
        + b"\xa3/\xc3\xa9"
        + ID
        + b"\7",
    ),
    (
        Packet(ACK, id=2**53 - 1, data=[]),
        b"\x84" + TYPE + b"\3" + DATA + b"\x90" + ROOT + ID + b"\xcf\0\x1f" + b"\xff" * 6,
    ),
    (
        Packet(CONNECT_ERROR, data={"message": "no"}),
        b"\x83" + TYPE + b"\4" + DATA + b"\x81\xa7message\xa2no" + ROOT,
    ),
    (Packet(CONNECT_ERROR, data="no"), b"\x83" + TYPE + b"\4" + DATA + b"\xa2no" + ROOT),
    (Packet(EVENT, data=[1]), b"\x83" + TYPE + b"\2" + DATA + b"\x91\1" + ROOT),
]


@pytest.mark.parametrize(("packet", "encoded"), VECTORS)
def test_vectors(packet: Packet, encoded: bytes) -> None:
    for encoder in (Encoder(), Encoder(timestamps=True)):
        assert encoder.encode(packet) == (encoded, [])
        assert encoder.encode(packet, "4") == (encoded, [])
    decoder = Decoder()
    for kind in (bytes, bytearray, memoryview):
        assert decoder.add(kind(encoded)) == packet
        assert decoder.add(kind(b"\4" + encoded), 1) == packet
    assert not decoder.reconstructing
    decoder.destroy()


def event(argument: bytes) -> bytes:
    """A packet with one argument as given."""
    return b"\x83" + TYPE + b"\2" + DATA + b"\x92\xa1a" + argument + ROOT


def received(argument: bytes, **options: Any) -> Any:
    """What arrives for an argument."""
    packet = Decoder(**options).add(event(argument))
    assert packet.data[0] == "a"
    return packet.data[1]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        # notepack.io: undefined, Date, ArrayBuffer
        ("d4 00 00", None),
        ("d4 00 ff", None),
        ("d7 00 0000000000000000", EPOCH),
        ("d7 00 0000000000000001", EPOCH + timedelta(milliseconds=1)),
        ("d7 00 ffffffffffffffff", EPOCH - timedelta(milliseconds=1)),
        ("d7 00 0000019b7ca98e86", datetime(2026, 1, 2, 3, 4, 5, 510_000, UTC)),
        ("d7 00 ffffc77cedd32800", datetime(1, 1, 1, tzinfo=UTC)),
        ("d7 00 0000e677d21fdbff", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ("c7 00 00", b""),
        ("c7 01 00 00", b"\0"),
        ("c7 02 00 0102", b"\1\2"),
        ("c7 08 00 0000000000000000", bytes(8)),
        ("c8 0001 00 00", b"\0"),
        ("c8 0008 00 0000000000000000", bytes(8)),
        ("c9 00000001 00 00", b"\0"),
        ("c9 00000008 00 0000000000000000", bytes(8)),
        ("d5 00 0102", b"\1\2"),
        ("d6 00 01020304", b"\1\2\3\4"),
        ("d8 00" + "01" * 16, b"\1" * 16),
        # Timestamps: 32, 64 and 96 bits
        ("d6 ff 00000001", EPOCH + timedelta(seconds=1)),
        ("d7 ff 003d090000000001", EPOCH + timedelta(seconds=1, milliseconds=1)),
        ("c7 0c ff 000f4240 ffffffffffffffff", EPOCH + timedelta(seconds=-1, milliseconds=1)),
        # Everything else
        ("c0", None),
        ("c2", False),
        ("7f", 127),
        ("e0", -32),
        ("cf ffffffffffffffff", 2**64 - 1),
        ("d3 8000000000000000", -(2**63)),
        ("ca 3fc00000", 1.5),
        ("c4 00", b""),
        ("c5 0001 61", b"a"),
        ("c6 00000001 61", b"a"),
        ("d9 01 61", "a"),
        ("da 0001 61", "a"),
        ("db 00000001 61", "a"),
        ("dc 0001 90", [[]]),
        ("dd 00000001 90", [[]]),
        ("de 0001 a161 80", {"a": {}}),
        ("df 00000001 a161 80", {"a": {}}),
        ("82 a161 01 a161 02", {"a": 2}),
        ("81 a9 5f5f70726f746f5f5f 01", {"__proto__": 1}),
        ("81 01 02", {1: 2}),
    ],
)
def test_reads(argument: str, value: Any) -> None:
    got = received(bytes.fromhex(argument))
    assert got == value
    assert type(got) is type(value)
    assert not isinstance(value, datetime) or got.tzinfo is UTC


def test_unknown_extensions_are_handed_out() -> None:
    got = received(bytes.fromhex("d5 05 0102"))
    assert isinstance(got, msgspec.msgpack.Ext)
    assert (got.code, bytes(got.data)) == (5, b"\1\2")
    text, _ = Encoder().encode(Packet(EVENT, data=["a", got]))
    assert text == event(bytes.fromhex("d5 05 0102"))


def test_undefined_counts_as_absent() -> None:
    undefined = b"\xd4\0\0"
    for absent in (undefined, b"\xc0"):
        encoded = b"\x84" + TYPE + b"\0" + DATA + absent + ROOT + ID + absent
        assert Decoder().add(encoded) == Packet(CONNECT)
        encoded = b"\x84" + TYPE + b"\2" + DATA + b"\x92\xa1a" + absent + ROOT + ID + absent
        assert Decoder().add(encoded) == Packet(EVENT, data=["a", None])


def test_other_fields_do_not_count() -> None:
    options = b"\xa7options\x81\xa8compress\xc3"
    encoded = b"\x84" + options + ROOT + DATA + b"\x91\xa1a" + TYPE + b"\2"
    assert Decoder().add(encoded) == Packet(EVENT, data=["a"])
    encoded = b"\x84" + ROOT + DATA + b"\x91\xa1a" + TYPE + b"\2" + b"\xa1x\xd4\0\0"
    assert Decoder().add(encoded) == Packet(EVENT, data=["a"])


DATES = [
    EPOCH,
    EPOCH + timedelta(milliseconds=1),
    EPOCH - timedelta(milliseconds=1),
    datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]


@pytest.mark.parametrize("date", DATES)
def test_dates(date: datetime) -> None:
    packet = Packet(EVENT, data=["a", date])
    encoded, _ = Encoder().encode(packet)
    milliseconds = (date - EPOCH) // timedelta(milliseconds=1)
    assert encoded == event(b"\xd7\0" + struct.pack(">q", milliseconds))
    assert Decoder().add(encoded) == packet
    standard, _ = Encoder(timestamps=True).encode(packet)
    assert b"\xd7\0" not in standard
    assert Decoder().add(standard) == packet


def test_dates_anywhere() -> None:
    data = ["a", {"b": [EPOCH, (EPOCH,), b"x"]}, Record(1, EPOCH)]
    encoded, _ = Encoder().encode(Packet(EVENT, data=data))
    assert encoded.count(b"\xd7\0" + bytes(8)) == 3
    packet = Decoder().add(encoded)
    assert packet.data == ["a", {"b": [EPOCH, [EPOCH], b"x"]}, {"x": 1, "raw": EPOCH}]
    assert data[1] == {"b": [EPOCH, (EPOCH,), b"x"]}


def test_dates_lose_what_javascript_has_not() -> None:
    date = datetime(2026, 1, 2, 3, 4, 5, 678_999, UTC)
    encoded, _ = Encoder().encode(Packet(EVENT, data=["a", date]))
    assert Decoder().add(encoded).data[1] == date.replace(microsecond=678_000)
    encoded, _ = Encoder(timestamps=True).encode(Packet(EVENT, data=["a", date]))
    assert Decoder().add(encoded).data[1] == date
    # Without a time zone it is no moment in time.
    encoded, _ = Encoder().encode(Packet(EVENT, data=["a", date.replace(tzinfo=None)]))
    assert Decoder().add(encoded).data[1] == "2026-01-02T03:04:05.678999"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        (Point(1, b"raw"), {"x": 1, "raw": b"raw"}),
        (Place(1, b"raw"), [1, b"raw"]),
        (bytearray(b"raw"), b"raw"),
        (memoryview(b"raw"), b"raw"),
        (memoryview(b"r-a-w-")[::2], b"raw"),
        ([{1}, memoryview(b"r-a-w-")[::2]], [[1], b"raw"]),
        (Text("é"), "é"),
        (Int(5), 5),
        (Float(0.5), 0.5),
        (Bytes(b"raw"), b"raw"),
        (float("inf"), float("inf")),
        (2**64 - 1, 2**64 - 1),
    ],
)
def test_encodes_what_msgspec_knows(value: Any, expected: Any) -> None:
    encoded, _ = Encoder().encode(Packet(EVENT, data=["a", value]))
    assert Decoder().add(encoded).data == ["a", expected]


def test_enc_hook() -> None:
    encoder = Encoder(enc_hook=lambda value: {"at": EPOCH})
    encoded, _ = encoder.encode(Packet(EVENT, data=["a", Opaque()]))
    assert Decoder().add(encoded).data == ["a", {"at": EPOCH}]
    with pytest.raises(TypeError, match="Opaque"):
        Encoder().encode(Packet(EVENT, data=["a", Opaque()]))


def test_connect_may_have_binary() -> None:
    packet = Packet(CONNECT, data={"key": b"\0\xff"})
    assert Decoder().add(Encoder().encode(packet)[0]) == packet


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (["a", 2**64], OverflowError),
        (["a", -(2**63) - 1], OverflowError),
        (["a", "\ud800"], ValueError),
        (["a", object()], TypeError),
        (None, ValueError),
        ([], ValueError),
        ({}, ValueError),
        ([None], ValueError),
        ([True], ValueError),
        (["connect"], ValueError),
    ],
)
def test_refuses_to_encode(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Encoder().encode(Packet(EVENT, data=data))


@pytest.mark.parametrize(
    "value",
    [
        *(itself(list), itself(dict), nested(100_000, list), nested(100_000, dict)),
        *([EPOCH, itself(list)], [EPOCH, itself(dict)], [{1}, nested(100_000, list)]),
    ],
    ids=range(7),
)
def test_endless_data_is_refused(value: Any) -> None:
    for encoder in (Encoder(), Encoder(timestamps=True)):
        with pytest.raises(ValueError, match="nested too deep"):
            encoder.encode(Packet(EVENT, data=["a", value]))


def packed(**fields: Any) -> bytes:
    return msgspec.msgpack.encode({"type": 2, "nsp": "/", "data": ["a"], **fields})


MALFORMED: list[tuple[str | bytes, str]] = [
    ("", "text, where packets are MessagePack"),
    ('2["a"]', "text, where packets are MessagePack"),
    (b"", "not MessagePack"),
    (b"\xc1", "not MessagePack"),
    (b"\x90", "not MessagePack"),
    (b"\xc0", "not MessagePack"),
    (b"2", "not MessagePack"),
    (b"\x81", "not MessagePack"),
    (event(b"\1")[:-1], "not MessagePack"),
    (event(b"\1") + b"\0", "not MessagePack"),
    (event(b"\xc1"), "not MessagePack"),
    (event(b"\xa1\xff"), "not MessagePack"),
    (event(b"\xa3\xed\xa0\x80"), "not MessagePack"),
    (event(b"\x81\x80\1"), "not MessagePack"),
    (event(b"\xd7\xff" + b"\xff" * 8), "not MessagePack"),
    (event(b"\xc7\x05\xff" + b"\0" * 5), "not MessagePack"),
    (event(b"\xc7\x0c\xff\0\0\0\0\x7f" + b"\xff" * 7), "not MessagePack"),
    (event(b"\xd7\0\x7f" + b"\xff" * 7), "must be in the years 1 to 9999"),
    (event(b"\xd7\0\x80" + b"\0" * 7), "must be in the years 1 to 9999"),
    (event(bytes.fromhex("d7 00 ffffc77cedd327ff")), "must be in the years 1 to 9999"),
    (event(bytes.fromhex("d7 00 0000e677d21fdc00")), "must be in the years 1 to 9999"),
    (event(b"\xdd\xff\xff\xff\xff"), "not MessagePack"),
    (event(b"\xdf\xff\xff\xff\xff"), "not MessagePack"),
    (event(b"\xc6\xff\xff\xff\xff"), "not MessagePack"),
    (event(b"\xdb\xff\xff\xff\xff"), "not MessagePack"),
    (event(b"\xc9\xff\xff\xff\xff\0"), "not MessagePack"),
    (event(b"\xdd\x0f\xff\xff\xff" * 100), "not MessagePack"),
    *[(packed(type=kind), "invalid packet type") for kind in (5, 6, -1, 2.0, "2", None, True, [])],
    *[(packed(nsp=name), "invalid namespace") for name in ("", "a", "/a,b", None, 1, b"/", [])],
    *[(packed(id=n), "invalid packet id") for n in (-1, 2**53, 2**64 - 1, 1.0, "1", True, [], b"")],
    *[(packed(data=data), "invalid payload: EVENT") for data in (None, [], {}, "a", b"a", 1)],
    *[(packed(data=[name]), "invalid payload: EVENT") for name in (None, True, b"a", [], {})],
    *[(packed(data=[name]), "invalid payload: EVENT") for name in sorted(RESERVED_EVENTS)],
    *[(packed(type=0, data=data), "invalid payload: CONNECT ") for data in ([], "a", 1, False)],
    *[(packed(type=1, data=data), "invalid payload: DISCONNECT") for data in ([], {}, "", 0)],
    *[(packed(type=3, data=data), "invalid payload: ACK") for data in (None, {}, "a", 0)],
    *[(packed(type=4, data=data), "invalid payload: CONNECT_ERROR") for data in (None, [], 0)],
    (b"\x82" + DATA + b"\x91\xa1a" + ROOT, "invalid packet type None"),
    (b"\x82" + TYPE + b"\2" + DATA + b"\x91\xa1a", "invalid namespace"),
    (b"\x82" + TYPE + b"\2" + ROOT, "invalid payload: EVENT"),
]


@pytest.mark.parametrize(("message", "says"), MALFORMED)
def test_refuses(message: str | bytes, says: str) -> None:
    with pytest.raises(PacketError) as caught:
        Decoder().add(message)
    assert says in caught.value.reason
    assert caught.value.code == 1002
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_other_messages_are_a_mistake() -> None:
    for message in (None, 1, ["a"]):
        with pytest.raises(TypeError):
            Decoder().add(message)  # type: ignore[arg-type]


def test_namespace_is_limited() -> None:
    packet = Packet(EVENT, "/éé", data=["a"])
    encoded, _ = Encoder().encode(packet)
    assert Decoder(max_namespace=3).add(encoded) == packet
    with pytest.raises(PacketError, match="3 characters, at most 2") as caught:
        Decoder(max_namespace=2).add(encoded)
    assert caught.value.code == 1009
    with pytest.raises(PacketError, match="at most 4096"):
        Decoder().add(packed(nsp="/" + "a" * 4096))


# Headers of a list or map with one item, in each form.
OPENINGS = [b"\x91", b"\xdc\0\1", b"\xdd\0\0\0\1", b"\x81\1", b"\xde\0\1\1", b"\xdf\0\0\0\1\1"]
# Other values: they must be skipped to find what comes after them.
FILLERS = [
    *(b"\0", b"\x7f", b"\xe0", b"\xc0", b"\xc2", b"\xc3", b"\xca" + bytes(4), b"\xcb" + bytes(8)),
    *(b"\xcc\0", b"\xcd\0\0", b"\xce" + bytes(4), b"\xcf" + bytes(8), b"\xd0\0", b"\xd1\0\0"),
    *(b"\xd2" + bytes(4), b"\xd3" + bytes(8), b"\xd4\5\0", b"\xd5\5\0\0", b"\xd6\5" + bytes(4)),
    *(b"\xd7\5" + bytes(8), b"\xd8\5" + bytes(16), b"\xc7\3\5\0\0\0", b"\xc8\0\3\5\0\0\0"),
    *(b"\xc9\0\0\0\3\5\0\0\0", b"\xc4\3\x91\x91\x91", b"\xc5\0\3\x91\x91\x91"),
    *(b"\xc6\0\0\0\3\x91\x91\x91", b"\xa3[[[", b"\xbf" + b"[" * 31, b"\xd9\3[[[", b"\xda\0\3[[["),
    *(b"\xdb\0\0\0\3[[[", b"\x90", b"\x80", b"\x92\1\2", b"\x82\1\2\3\4", b"\xdc\0\2\1\2"),
]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("limit", [2, 5, 256, 400])
def test_depth_is_limited(opening: bytes, limit: int) -> None:
    encoder, decoder = Encoder(max_depth=limit), Decoder(max_depth=limit)
    encoded = event(b"\x9f" + b"\0" * 14 + opening * (limit - 2) + b"\1")
    packet = decoder.add(encoded)
    assert decoder.add(encoder.encode(packet)[0]) == packet
    encoded = event(b"\x9f" + b"\0" * 14 + opening * (limit - 1) + b"\1")
    with pytest.raises(PacketError, match="too deep") as caught:
        decoder.add(encoded)
    assert caught.value.code == 1009
    packet = Decoder(max_depth=limit + 1).add(encoded)
    with pytest.raises(ValueError, match="too deep"):
        encoder.encode(packet)


@pytest.mark.parametrize("filler", FILLERS)
def test_depth_is_found_behind_other_values(filler: bytes) -> None:
    head = b"\xdc\0\x21" + filler * 32
    assert received(head + b"\x91" * 6 + b"\1", max_depth=8)[32] == [[[[[[1]]]]]]
    with pytest.raises(PacketError, match="too deep"):
        received(head + b"\x91" * 7 + b"\1", max_depth=8)


@pytest.mark.parametrize(
    "opening", [*OPENINGS, b"\x92", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff\1"]
)
def test_great_depth(opening: bytes) -> None:
    for message in (event(opening * 300_000), opening * 300_000, b"\x81\xa1x" + opening * 300_000):
        with pytest.raises(PacketError, match="too deep") as caught:
            Decoder().add(message)
        assert caught.value.code == 1009


@given(st.binary() | st.lists(st.sampled_from([*OPENINGS, *FILLERS, b"\xd7\0"])).map(b"".join))
def test_only_its_own_error_escapes(argument: bytes) -> None:
    for message in (argument, event(argument)):
        try:
            packet = Decoder(max_depth=4).add(message)
        except PacketError:
            continue
        try:
            encoded, _ = Encoder(max_depth=4).encode(packet)
        except TypeError as exc:
            # Keys are not what these tests are about.
            assert "keys" in str(exc)  # noqa: PT017
            continue
        # Not the packets: NaN is not itself.
        again = Decoder(max_depth=4).add(encoded)
        assert Encoder(max_depth=4).encode(again) == (encoded, [])


@given(st.randoms(use_true_random=False), st.booleans())
def test_round_trip(rng: Random, timestamps: bool) -> None:
    packet = values.make_packet(rng)
    encoded, attachments = Encoder(timestamps=timestamps).encode(packet)
    assert attachments == []
    assert Decoder().add(encoded) == packet


@given(st.randoms(use_true_random=False))
def test_damage(rng: Random) -> None:
    encoded = bytearray(Encoder().encode(values.make_packet(rng))[0])
    for _ in range(rng.randint(1, 4)):
        encoded[rng.randrange(len(encoded))] = rng.randrange(256)
    try:
        Decoder().add(encoded)
    except PacketError as exc:
        assert exc.reason  # noqa: PT017

"""Packets as text: vectors both ways, what can be sent, how attachments arrive."""

import dataclasses
import enum
import gc
import uuid
import weakref
from collections import OrderedDict, deque
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec
import pytest

from cooee.socketio import RESERVED_EVENTS, Packet, PacketError, PacketType
from cooee.socketio.parser import Decoder, Encoder

pytestmark = pytest.mark.once

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, _, _ = PacketType
Protocol = Literal[4, 5]


def placeholder(num: int) -> str:
    return f'{{"_placeholder":true,"num":{num}}}'


# Packet, its text, its attachments; the same in both protocols.
COMMON: list[tuple[Packet, str, list[bytes]]] = [
    (Packet(CONNECT), "0", []),
    (Packet(CONNECT, "/admin"), "0/admin,", []),
    (Packet(DISCONNECT), "1", []),
    (Packet(DISCONNECT, "/admin"), "1/admin,", []),
    (Packet(EVENT, data=["foo"]), '2["foo"]', []),
    (Packet(EVENT, "/admin", data=["bar"]), '2/admin,["bar"]', []),
    (Packet(EVENT, id=12, data=["foo"]), '212["foo"]', []),
    (Packet(EVENT, id=0, data=["foo"]), '20["foo"]', []),
    (Packet(EVENT, "/a", 2**53 - 1, ["b"]), '2/a,9007199254740991["b"]', []),
    (Packet(EVENT, data=["a", 1, -2, 2.5, True, None]), '2["a",1,-2,2.5,true,null]', []),
    (Packet(EVENT, data=["a", {"b": [{"c": []}]}]), '2["a",{"b":[{"c":[]}]}]', []),
    (Packet(EVENT, data=[""]), '2[""]', []),
    (Packet(EVENT, data=[1, "a"]), '2[1,"a"]', []),
    (Packet(EVENT, data=[-1.5]), "2[-1.5]", []),
    (Packet(EVENT, data=["é", "你好", "🦘", "\u2028"]), '2["é","你好","🦘","\u2028"]', []),
    (
        Packet(EVENT, data=["a", '"\\/\n\t\0\x1e\x7f']),
        '2["a","\\"\\\\/\\n\\t\\u0000\\u001e\x7f"]',
        [],
    ),
    (Packet(EVENT, "/é🦘", data=["a"]), '2/é🦘,["a"]', []),
    (Packet(EVENT, '/["x"]', data=["a"]), '2/["x"],["a"]', []),
    (Packet(EVENT, "/1", 1, ["a"]), '2/1,1["a"]', []),
    (Packet(EVENT, data=["a", {"_placeholder": True, "num": 0}]), f'2["a",{placeholder(0)}]', []),
    (Packet(EVENT, data=["a", {"__proto__": {"b": 1}}]), '2["a",{"__proto__":{"b":1}}]', []),
    (Packet(EVENT, data=["a", {"constructor": None}]), '2["a",{"constructor":null}]', []),
    (Packet(ACK, id=7, data=[]), "37[]", []),
    (Packet(ACK, "/admin", 13, ["bar"]), '3/admin,13["bar"]', []),
    (Packet(ACK, id=1, data=[None]), "31[null]", []),
    (Packet(CONNECT_ERROR, data="Not authorized"), '4"Not authorized"', []),
    (Packet(CONNECT_ERROR, "/admin", data=""), '4/admin,""', []),
    (Packet(EVENT, data=["baz", b"\1\2\3\4"]), f'51-["baz",{placeholder(0)}]', [b"\1\2\3\4"]),
    (
        Packet(EVENT, "/admin", 456, ["p", b"\1", [b"", {"x": b"\3"}]]),
        f'53-/admin,456["p",{placeholder(0)},[{placeholder(1)},{{"x":{placeholder(2)}}}]]',
        [b"\1", b"", b"\3"],
    ),
    (Packet(ACK, "/admin", 456, [b"\3"]), f"61-/admin,456[{placeholder(0)}]", [b"\3"]),
    (
        Packet(EVENT, data=["a", *[bytes([i]) for i in range(10)]]),
        '510-["a",' + ",".join(placeholder(i) for i in range(10)) + "]",
        [bytes([i]) for i in range(10)],
    ),
]
ONLY_5: list[tuple[Packet, str, list[bytes]]] = [
    (Packet(CONNECT, data={"sid": "a"}), '0{"sid":"a"}', []),
    (Packet(CONNECT, "/admin", data={}), "0/admin,{}", []),
    (Packet(CONNECT_ERROR, data={"message": "no"}), '4{"message":"no"}', []),
    (
        Packet(CONNECT_ERROR, "/a", data={"message": "no", "data": {"b": 1}}),
        '4/a,{"message":"no","data":{"b":1}}',
        [],
    ),
]
ONLY_4: list[tuple[Packet, str, list[bytes]]] = [
    (Packet(CONNECT, "/admin?token=a&b=/%2C"), "0/admin?token=a&b=/%2C,", []),
    (Packet(CONNECT_ERROR, data={"code": 1}), '4{"code":1}', []),
]
VECTORS: list[tuple[Protocol, Packet, str, list[bytes]]] = [
    *[(5, *vector) for vector in COMMON + ONLY_5],
    *[(4, *vector) for vector in COMMON + ONLY_4],
]


@pytest.mark.parametrize(("protocol", "packet", "text", "attachments"), VECTORS)
def test_encodes(protocol: Protocol, packet: Packet, text: str, attachments: list[bytes]) -> None:
    encoder = Encoder(protocol=protocol)
    assert encoder.encode(packet) == (text, attachments)
    assert encoder.encode(packet, "4") == ("4" + text, attachments)
    assert encoder.encode(packet, prefix="é") == ("é" + text, attachments)


@pytest.mark.parametrize(("protocol", "packet", "text", "attachments"), VECTORS)
def test_decodes(protocol: Protocol, packet: Packet, text: str, attachments: list[bytes]) -> None:
    decoder = Decoder(protocol=protocol)
    for prefix in ("", "4", "abc"):
        received = decoder.add(prefix + text, len(prefix))
        for i, attachment in enumerate(attachments):
            assert received is None
            assert decoder.reconstructing
            kind = (bytes, bytearray, memoryview)[i % 3]
            received = decoder.add(kind(attachment))
        assert received == packet
        assert not decoder.reconstructing


# Texts that the encoder does not write.
@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0/", Packet(CONNECT)),
        ("0/,", Packet(CONNECT)),
        ("0/admin", Packet(CONNECT, "/admin")),
        ("1/admin", Packet(DISCONNECT, "/admin")),
        ('2/,["a"]', Packet(EVENT, data=["a"])),
        ("0/a,{}", Packet(CONNECT, "/a", data={})),
        ("05{}", Packet(CONNECT, id=5, data={})),
        ("19", Packet(DISCONNECT, id=9)),
        ('2007["a"]', Packet(EVENT, id=7, data=["a"])),
        ('2["a", 1 ,\n2\t]\r\n ', Packet(EVENT, data=["a", 1, 2])),
        ('2["\\u0061\\/\\b\\f"]', Packet(EVENT, data=["a/\b\f"])),
        ('2["\\ud83e\\udd98"]', Packet(EVENT, data=["🦘"])),
        ('2["a",{"b":1,"b":2}]', Packet(EVENT, data=["a", {"b": 2}])),
        ('2["a",1E2,-0.0e-1,-0]', Packet(EVENT, data=["a", 100.0, 0.0, 0])),
        ('3["no id"]', Packet(ACK, data=["no id"])),
    ],
)
def test_decodes_other_forms(text: str, packet: Packet) -> None:
    assert Decoder().add(text) == packet


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_protocol_4_has_no_reserved_events(name: str) -> None:
    assert Decoder(protocol=4).add(f'2["{name}"]') == Packet(EVENT, data=[name])


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0[]", Packet(CONNECT, data=[])),
        ("0{}", Packet(CONNECT, data={})),
        ("0null", Packet(CONNECT)),
        ("4[1]", Packet(CONNECT_ERROR, data=[1])),
        ("4null", Packet(CONNECT_ERROR)),
    ],
)
def test_protocol_4_takes_what_its_reference_takes(text: str, packet: Packet) -> None:
    assert Decoder(protocol=4).add(text) == packet


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (Packet(CONNECT, data={"sid": "a"}), "0"),
        (Packet(CONNECT, "/a", data={"sid": "a"}), "0/a,"),
        (Packet(CONNECT_ERROR, data={"message": "no"}), '4"no"'),
        (Packet(CONNECT_ERROR, data={"message": "no", "data": None}), '4"no"'),
        (Packet(CONNECT_ERROR, data={"message": "no", "data": {"a": 1}}), '4{"a":1}'),
        (Packet(CONNECT_ERROR, data={"message": "no", "data": "why"}), '4"why"'),
    ],
)
def test_protocol_4_sends_what_its_clients_expect(packet: Packet, text: str) -> None:
    assert Encoder(protocol=4).encode(packet) == (text, [])


def test_protocol_must_be_known() -> None:
    for protocol in (3, 6):
        with pytest.raises(ValueError, match="must be 4 or 5"):
            Encoder(protocol=protocol)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be 4 or 5"):
            Decoder(protocol=protocol)  # type: ignore[arg-type]


def test_settings_can_be_read() -> None:
    encoder = Encoder(protocol=4, max_depth=7)
    assert (encoder.protocol, encoder.max_depth) == (4, 7)
    decoder = Decoder(protocol=4, max_attachments=1, max_depth=2, max_namespace=3)
    assert (decoder.protocol, decoder.max_attachments) == (4, 1)
    assert (decoder.max_depth, decoder.max_namespace) == (2, 3)


# What can be sent


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Label(enum.StrEnum):
    A = "a"


@dataclasses.dataclass
class Point:
    x: int
    raw: Any = None


class Place(NamedTuple):
    x: int
    raw: Any = None


class Record(msgspec.Struct):
    x: int
    raw: Any = None


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "other"


class Int(int):
    def __str__(self) -> str:
        return "other"


class Float(float):
    def __repr__(self) -> str:
        return "other"


class Bytes(bytes):
    def __bytes__(self) -> bytes:
        return b"other"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, (2, 3)), "[1,[2,3]]"),
        ({1: {2.5: 0}}, '{"1":{"2.5":0}}'),
        (OrderedDict(a=1), '{"a":1}'),
        ({7}, "[7]"),
        (frozenset([7]), "[7]"),
        (Colour.RED, '"red"'),
        (Number.ONE, "1"),
        (Label.A, '"a"'),
        (Point(1), '{"x":1,"raw":null}'),
        (Place(1), "[1,null]"),
        (Record(1), '{"x":1,"raw":null}'),
        (Text("a"), '"a"'),
        (Int(5), "5"),
        (Float(0.5), "0.5"),
        ([Text("é"), {"a": Int(1)}], '["é",{"a":1}]'),
        (datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), '"2026-01-02T03:04:05.678000Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (Decimal("1.10"), '"1.10"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (msgspec.Raw(b'{"done":1}'), '{"done":1}'),
        ([{1}, msgspec.Raw(b'{"done":1}')], '[[1],{"done":1}]'),
        (2**64, "18446744073709551616"),
        (-(2**70), "-1180591620717411303424"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        ([{"a": float("-inf")}], '[{"a":null}]'),
        (1e300, "1e300"),
        (1.0, "1.0"),
    ],
)
def test_encodes_what_msgspec_knows(value: Any, text: str) -> None:
    packet = Packet(EVENT, data=["a", value])
    assert Encoder().encode(packet) == (f'2["a",{text}]', [])


@pytest.mark.parametrize(
    "value",
    [
        Point(1, b"raw"),
        Record(1, b"raw"),
        Place(1, b"raw"),
        [Point(1, {"a": [b"raw"]})],
        OrderedDict(a=b"raw"),
        frozenset([b"raw"]),
        Bytes(b"raw"),
        (b"raw",),
    ],
)
def test_finds_binary_wherever_it_is(value: Any) -> None:
    text, attachments = Encoder().encode(Packet(EVENT, data=["a", value]))
    assert text.startswith('51-["a",')
    assert text.count('{"_placeholder":true,"num":0}') == 1
    assert attachments == [b"raw"]
    assert type(attachments[0]) is bytes


def test_attachments_are_numbered_in_order() -> None:
    data = ["a", {"x": b"0", "y": [b"1", (b"2",)]}, bytearray(b"3"), memoryview(b"4")]
    text, attachments = Encoder().encode(Packet(EVENT, data=data))
    assert attachments == [b"0", b"1", b"2", b"3", b"4"]
    assert [text.index(placeholder(i)) for i in range(5)] == sorted(
        text.index(placeholder(i)) for i in range(5)
    )


def test_attachments_do_not_change_later() -> None:
    buffer = bytearray(b"abcd")
    data = ["a", buffer, memoryview(buffer), memoryview(buffer)[::2], b"bytes"]
    _, attachments = Encoder().encode(Packet(EVENT, data=data))
    buffer[:] = b"zzzz"
    assert attachments == [b"abcd", b"abcd", b"ac", b"bytes"]
    assert attachments[3] is data[4]


def test_packet_is_not_changed() -> None:
    data = ["a", b"x", {"b": [b"y", float("nan")]}, (b"z",)]
    before = repr(data)
    Encoder().encode(Packet(EVENT, data=data))
    assert repr(data) == before


def test_tuples_are_lists() -> None:
    assert Encoder().encode(Packet(EVENT, data=("a", 1))) == ('2["a",1]', [])
    assert Encoder().encode(Packet(ACK, id=1, data=())) == ("31[]", [])
    text, attachments = Encoder().encode(Packet(EVENT, data=("a", b"x")))
    assert (text, attachments) == (f'51-["a",{placeholder(0)}]', [b"x"])


def test_finite_floats_beside_binary_stay() -> None:
    text, _ = Encoder().encode(Packet(EVENT, data=["a", b"", 1.5, float("inf")]))
    assert text == f'51-["a",{placeholder(0)},1.5,null]'


def test_surrogates_by_themselves_are_escaped() -> None:
    # As JSON.stringify has it since ECMAScript 2019.
    data = ["a", "\ud800", {"\udfff": [1.5, float("nan"), "é"]}]
    text, attachments = Encoder().encode(Packet(EVENT, data=data))
    assert text == '2["a","\\ud800",{"\\udfff":[1.5,null,"\\u00e9"]}]'
    assert attachments == []
    assert Decoder().add(text) == Packet(EVENT, data=["a", "\ud800", {"\udfff": [1.5, None, "é"]}])
    text, attachments = Encoder().encode(Packet(EVENT, data=["\ud800", b"x"]))
    assert (text, attachments) == (f'51-["\\ud800",{placeholder(0)}]', [b"x"])
    with pytest.raises(ValueError, match="surrogates"):
        Encoder().encode(Packet(EVENT, "/\ud800", data=["a"]))
    with pytest.raises(ValueError, match="surrogates"):
        Encoder().encode(Packet(EVENT, data=["a"]), "\ud800")


class Opaque:
    pass


def test_enc_hook() -> None:
    def hook(value: Any) -> Any:
        if isinstance(value, deque):
            return list(value)
        if isinstance(value, Opaque):
            return {"raw": b"opaque"}
        raise NotImplementedError

    encoder = Encoder(enc_hook=hook)
    packet = Packet(EVENT, data=["a", deque([Opaque(), Text("b")])])
    assert encoder.encode(packet) == (f'51-["a",[{{"raw":{placeholder(0)}}},"b"]]', [b"opaque"])
    with pytest.raises(TypeError):
        encoder.encode(Packet(EVENT, data=["a", object()]))


def test_enc_hook_may_use_the_encoder() -> None:
    def hook(value: Any) -> Any:
        return [encoder.encode(Packet(EVENT, data=["inner", b"i"]))[0], b"o"]

    encoder = Encoder(enc_hook=hook)
    text, attachments = encoder.encode(Packet(EVENT, data=["outer", Opaque()]))
    assert attachments == [b"o"]
    assert "inner" in text


@pytest.mark.parametrize(
    "value", [object(), Opaque(), 1j, range(3), {None: 1}, {(1, 2): 3}, [Opaque], ...]
)
def test_refuses_what_cannot_be_encoded(value: Any) -> None:
    for data in (["a", value], ["a", value, b"binary"]):
        with pytest.raises(TypeError):
            Encoder().encode(Packet(EVENT, data=data))


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (EVENT, None, "EVENT with a payload of type NoneType"),
        (EVENT, [], "EVENT with a payload that is empty"),
        (EVENT, (), "EVENT with a payload that is empty"),
        (EVENT, "a", "of type str"),
        (EVENT, {"a": 1}, "of type dict"),
        (EVENT, [None], "begins with None"),
        (EVENT, [True], "begins with True"),
        (EVENT, [["a"]], "begins with"),
        (EVENT, (b"a",), "begins with b'a'"),
        *[(EVENT, [name], f"begins with '{name}'") for name in sorted(RESERVED_EVENTS)],
        (ACK, None, "must have an array"),
        (ACK, {}, "must have an array"),
        (CONNECT, [], "must have an object or none"),
        (CONNECT, "a", "must have an object or none"),
        (CONNECT, 0, "must have an object or none"),
        (DISCONNECT, {}, "must have none"),
        (DISCONNECT, False, "must have none"),
        (CONNECT_ERROR, None, "must have an object or a string"),
        (CONNECT_ERROR, ["a"], "must have an object or a string"),
    ],
)
def test_refuses_payloads_of_other_types(kind: PacketType, data: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Encoder().encode(Packet(kind, data=data))


@pytest.mark.parametrize(
    ("kind", "data"), [(CONNECT, {"a": b""}), (CONNECT_ERROR, {"message": "a", "data": [b""]})]
)
def test_refuses_binary_where_there_are_no_attachments(kind: PacketType, data: Any) -> None:
    with pytest.raises(TypeError, match=f"{kind.name} with binary data"):
        Encoder().encode(Packet(kind, data=data))


def test_refuses_what_is_no_packet() -> None:
    for packet in (None, ["a"], "2[]"):
        with pytest.raises(TypeError):
            Encoder().encode(packet)  # type: ignore[arg-type]


# How attachments arrive


def test_text_between_attachments() -> None:
    decoder = Decoder()
    assert decoder.add(f'52-["a",{placeholder(0)},{placeholder(1)}]') is None
    assert decoder.add(b"0") is None
    with pytest.raises(PacketError, match="plaintext data when reconstructing a packet: 1 of 2"):
        decoder.add('2["b"]')
    assert not decoder.reconstructing
    assert decoder.add('2["b"]') == Packet(EVENT, data=["b"])


def test_attachment_of_nothing() -> None:
    decoder = Decoder()
    with pytest.raises(PacketError, match="got binary data when not reconstructing a packet"):
        decoder.add(b"0")
    assert decoder.add('2["b"]') is not None
    with pytest.raises(PacketError, match="got binary data"):
        decoder.add(b"0")


def test_destroy_forgets() -> None:
    decoder = Decoder()
    decoder.add(f'52-["a",{placeholder(0)}]')
    decoder.add(b"0")
    decoder.destroy()
    decoder.destroy()
    assert not decoder.reconstructing
    assert decoder.add('2["b"]') == Packet(EVENT, data=["b"])


def test_placeholders_may_be_anywhere() -> None:
    decoder = Decoder()
    one, two = placeholder(0), placeholder(1)
    decoder.add(f'52-["a",{two},[{{"x":{one},"y":[{one}]}}],{{"_placeholder":false,"num":9}},2]')
    assert decoder.add(b"one") is None
    packet = decoder.add(b"two")
    assert packet is not None
    assert packet.data == [
        *("a", b"two", [{"x": b"one", "y": [b"one"]}]),
        {"_placeholder": False, "num": 9},
        2,
    ]
    # Whatever else stands beside it does not count.
    decoder.add('61-7[{"a":1,"_placeholder":true,"num":0.0,"b":{"_placeholder":true}}]')
    assert decoder.add(b"x") == Packet(ACK, id=7, data=[b"x"])


def test_attachments_need_no_placeholder() -> None:
    decoder = Decoder()
    decoder.add('52-["a"]')
    assert decoder.add(b"0") is None
    assert decoder.add(b"1") == Packet(EVENT, data=["a"])


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_received_attachments_do_not_change_later(
    kind: type[bytearray] | type[memoryview],
) -> None:
    buffer = bytearray(b"abc")
    decoder = Decoder()
    decoder.add(f'51-["a",{placeholder(0)}]')
    packet = decoder.add(kind(buffer))
    buffer[:] = b"zzz"
    assert packet is not None
    assert packet.data[1] == b"abc"
    assert type(packet.data[1]) is bytes


def test_attachments_are_let_go() -> None:
    class Attachment(bytearray):
        pass

    decoder = Decoder()
    attachment = Attachment(b"abc")
    gone = weakref.ref(attachment)
    decoder.add(f'52-["a",{placeholder(0)}]')
    decoder.add(attachment)
    del attachment
    gc.collect()
    assert gone() is None


def test_only_messages_are_taken() -> None:
    decoder = Decoder()
    for message in (None, 1, ["a"]):
        with pytest.raises(TypeError):
            decoder.add(message)  # type: ignore[arg-type]
    for skip in (-1, 4):
        with pytest.raises(ValueError, match="skip of"):
            decoder.add("123", skip)
    with pytest.raises(ValueError, match="not ASCII"):
        decoder.add('é2["a"]', 1)


def test_namespaces_are_told_apart() -> None:
    decoder = Decoder()
    for namespace in ("/a", "/a", "/b", "/", "/b", "/ab", "/a", "/é", "/é"):
        packet = decoder.add(f'2{namespace},["x"]')
        assert packet is not None
        assert packet.namespace == namespace

"""Payloads at the edges: what JSON.parse takes, depth, and recursion that must end."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.socketio import Packet, PacketError, PacketType
from cooee.socketio.parser import Decoder, Encoder

pytestmark = pytest.mark.once

EVENT = PacketType.EVENT


def received(text: str, **options: Any) -> Any:
    """What arrives for one argument."""
    packet = Decoder(**options).add(f'2["a",{text}]')
    assert packet is not None
    return packet.data[1]


# What JSON.parse takes and some parsers do not.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud800"', "\ud800"),
        ('"\\udc00\\ud800"', "\udc00\ud800"),
        ('"\\ud800\\ud83e\\udd98"', "\ud800🦘"),
        ('{"\\ud800":["\\udfff",1.5,10]}', {"\ud800": ["\udfff", 1.5, 10]}),
        ("1e400", float("inf")),
        ("[-1e400,1]", [float("-inf"), 1]),
        ("1e-400", 0.0),
        ("1" + "0" * 400, 10**400),
        ("1" * 4400, float("inf")),
        ("-" + "1" * 4400, float("-inf")),
        ("9007199254740993", 9007199254740993),
        ("18446744073709551616", 2**64),
        ("0.1000000000000000055511151231257827", 0.1),
        ('"\x7f\x80\u2028\u2029\ufeff"', "\x7f\x80\u2028\u2029\ufeff"),
        ('"\\u0000"', "\0"),
        ('{"":0}', {"": 0}),
        (
            '{"__proto__":1,"constructor":{"prototype":2},"toString":3}',
            {"__proto__": 1, "constructor": {"prototype": 2}, "toString": 3},
        ),
        ('{"a":1,"a":{"b":2}}', {"a": {"b": 2}}),
        (" [ ] ", []),
    ],
)
def test_reads_what_javascript_reads(text: str, value: Any) -> None:
    assert received(text) == value
    assert type(received(text)) is type(value)


def test_numbers_keep_their_type() -> None:
    assert [type(number) for number in received("[1,1.0,1e2,-0,-0.0]")] == [
        *(int, float, float, int, float),
    ]


def test_placeholders_beside_what_only_json_reads() -> None:
    decoder = Decoder()
    decoder.add('51-["a","\\ud800",{"_placeholder":true,"num":0},1e400]')
    packet = decoder.add(b"x")
    assert packet is not None
    assert packet.data == ["a", "\ud800", b"x", float("inf")]


def nested(depth: int, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("limit", [1, 2, 5, 256, 400])
def test_depth_is_the_same_both_ways(
    kind: type[list[Any]] | type[dict[str, Any]], limit: int
) -> None:
    encoder, decoder = Encoder(max_depth=limit), Decoder(max_depth=limit)
    # The list of arguments is one level itself.
    packet = Packet(EVENT, data=["a", nested(limit - 1, kind), "[" * 1000])
    text, _ = encoder.encode(packet)
    assert decoder.add(text) == packet
    packet = Packet(EVENT, data=["a", nested(limit, kind)])
    with pytest.raises(ValueError, match="nested too deep"):
        encoder.encode(packet)
    text, _ = Encoder(max_depth=limit + 1).encode(packet)
    with pytest.raises(PacketError, match=f"deeper than {limit} "):
        decoder.add(text)


def depth_of(text: str) -> int:
    """The greatest depth of brackets outside of strings, byte by byte."""
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == '"':
            quoted = not quoted
        elif quoted:
            escaped = character == "\\"
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


@given(
    parts=st.lists(st.sampled_from(["[", "{", "]", "}", '"', "\\", "a", "é", "[[[[[[[[", '"b"'])),
    repeat=st.integers(1, 20),
    limit=st.integers(0, 60),
)
def test_depth_is_found_whatever_the_text(parts: list[str], repeat: int, limit: int) -> None:
    text = "[" + "".join(parts) * repeat
    try:
        Decoder(max_depth=limit).add("2" + text)
        code = None
    except PacketError as exc:
        code = exc.code
    assert (code == 1009) is (depth_of(text) > limit)


@pytest.mark.parametrize("kind", [list, dict])
def test_depth_counts_beside_binary(kind: type[list[Any]] | type[dict[str, Any]]) -> None:
    encoder, decoder = Encoder(), Decoder()
    packet = Packet(EVENT, data=["a", nested(255, kind), b"x"])
    text, attachments = encoder.encode(packet)
    assert decoder.add(text) is None
    assert decoder.add(attachments[0]) == packet
    for data in (["a", nested(256, kind), b"x"], ["a", b"x", nested(256, kind)]):
        with pytest.raises(ValueError, match="nested too deep"):
            encoder.encode(Packet(EVENT, data=data))


@pytest.mark.parametrize("brackets", ["[", "{", "[{", '\\"[', "\\\\[", "]["])
def test_brackets_in_strings_do_not_count(brackets: str) -> None:
    text = brackets * 1000
    assert received(f'"{text}"') == json.loads(f'"{text}"')
    assert received(f'[{{"{text}":[]}}]') == [{json.loads(f'"{text}"'): []}]


def test_many_brackets_side_by_side() -> None:
    assert received("[" + "[],{}," * 10_000 + "1]") == [*[[], {}] * 10_000, 1]


def test_deep_data_near_the_end_of_the_stack() -> None:
    def call(count: int) -> str:
        if count:
            return call(count - 1)
        try:
            Decoder().add('2["a",' + "[" * 200 + "]" * 200 + "]")
        except PacketError as exc:
            return exc.reason
        return ""

    # Fails before ours, or works, or is refused; nothing else escapes.
    limit = sys.getrecursionlimit()
    outcomes = set()
    for count in range(0, limit, 25):
        try:
            outcomes.add(call(count))
        except RecursionError:
            break
    assert outcomes <= {"", "payload nested deeper than the stack allows (max_depth)"}
    assert "" in outcomes


def itself(kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    value: Any = kind()
    if isinstance(value, list):
        value.append(value)
    else:
        value["a"] = value
    return value


@pytest.mark.parametrize(
    "value",
    [
        itself(list),
        itself(dict),
        nested(100_000, list),
        nested(100_000, dict),
        [b"x", itself(list)],
        [{1}, itself(list)],
        [{1}, itself(dict)],
        [{1}, nested(100_000, list)],
        [b"x", nested(100_000, dict)],
        ["\ud800", itself(list)],
    ],
    ids=range(10),
)
def test_endless_data_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        Encoder().encode(Packet(EVENT, data=["a", value]))


def test_same_object_twice_is_no_cycle() -> None:
    shared = [b"x"]
    text, attachments = Encoder().encode(Packet(EVENT, data=["a", shared, {"b": shared}]))
    assert text.startswith("52-")
    assert attachments == [b"x", b"x"]


def test_a_million_characters() -> None:
    # Time must not grow faster than they do: the test's own time limit decides.
    for text in ('"' + "é" * 1_000_000 + '"', '"' + "\\ud800" * 200_000 + '"', "1" * 1_000_000):
        assert received(text) is not None
    for text in ('"' + "\\" * 999_999 + '"', "[" + "1," * 500_000, "1." + "9" * 1_000_000 + "x"):
        with pytest.raises(PacketError):
            received(text)
    assert len(received("[" + "[]," * 300_000 + "{}]")) == 300_001

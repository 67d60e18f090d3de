"""Frames on the way out: byte vectors of RFC 6455 §5.7, the forms of the length, and refusals."""

import array
import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol import oracle, streams

from cooee.protocol.frames import Opcode, build_frame

pytestmark = pytest.mark.once

KEY = bytes.fromhex("37fa213d")
OPCODES = [0, 1, 2, 8, 9, 10]


def test_opcodes_of_the_specification() -> None:
    # RFC 6455 §5.2
    assert {opcode.name: opcode.value for opcode in Opcode} == {
        "CONTINUATION": 0x0,
        "TEXT": 0x1,
        "BINARY": 0x2,
        "CLOSE": 0x8,
        "PING": 0x9,
        "PONG": 0xA,
    }
    assert issubclass(Opcode, enum.IntEnum)


# RFC 6455 §5.7
@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (build_frame(Opcode.TEXT, "Hello"), "8105 48656c6c6f"),
        (build_frame(Opcode.TEXT, "Hello", mask=KEY), "8185 37fa213d 7f9f4d5158"),
        (build_frame(Opcode.TEXT, "Hel", fin=False), "0103 48656c"),
        (build_frame(Opcode.CONTINUATION, "lo"), "8002 6c6f"),
        (build_frame(Opcode.PING, b"Hello"), "8905 48656c6c6f"),
        (build_frame(Opcode.PONG, b"Hello", mask=KEY), "8a85 37fa213d 7f9f4d5158"),
        (build_frame(Opcode.BINARY, b"\xab" * 256), "827e0100" + "ab" * 256),
        (build_frame(Opcode.BINARY, b"\xcd" * 65_536), "827f0000000000010000" + "cd" * 65_536),
    ],
    ids=["text", "masked", "fragment", "last", "ping", "masked pong", "256 bytes", "64 KiB"],
)
def test_examples_of_the_specification(frame: bytes, expected: str) -> None:
    assert frame == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "8200"),
        (1, "8201"),
        (125, "827d"),
        (126, "827e007e"),
        (127, "827e007f"),
        (65_535, "827effff"),
        (65_536, "827f0000000000010000"),
        (16_777_216, "827f0000000001000000"),
    ],
)
def test_shortest_form_of_the_length(size: int, header: str) -> None:
    frame = build_frame(Opcode.BINARY, bytes(size))
    assert frame == bytes.fromhex(header) + bytes(size)
    # The bit says that a key follows; zeros masked are the key, repeated.
    masked = build_frame(Opcode.BINARY, bytes(size), mask=KEY)
    start = bytearray(bytes.fromhex(header))
    start[1] |= 0x80
    assert masked == bytes(start) + KEY + (KEY * (size // 4 + 1))[:size]


@pytest.mark.parametrize("opcode", OPCODES)
@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("rsv1", [True, False])
def test_first_byte(opcode: int, fin: bool, rsv1: bool) -> None:
    if opcode >= 8 and not fin:
        return
    frame = build_frame(opcode, b"", fin=fin, rsv1=rsv1)
    assert frame == bytes([fin << 7 | rsv1 << 6 | opcode, 0])


@pytest.mark.parametrize("text", ["", "ascii", "Grüße", "你好，世界", "🦘", "\0", "x" * 200])
def test_text_is_sent_as_utf8(text: str) -> None:
    for mask in (None, KEY):
        expected = oracle.build(oracle.TEXT, text.encode(), mask=mask)
        assert build_frame(Opcode.TEXT, text, mask=mask) == expected
        assert build_frame(Opcode.TEXT, text.encode(), mask=mask) == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"payload",
        bytearray(b"payload"),
        memoryview(b"payload"),
        memoryview(b"[payload]")[1:-1],
        memoryview(bytearray(b"payload")),
        array.array("b", b"payload"),
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_takes_bytes_like_objects(payload: bytes) -> None:
    assert build_frame(Opcode.BINARY, payload) == b"\x82\x07payload"
    assert build_frame(Opcode.BINARY, payload, mask=KEY) == oracle.build(2, b"payload", mask=KEY)


@pytest.mark.parametrize(
    "payload", [bytearray(), memoryview(b""), array.array("d"), memoryview(array.array("H"))]
)
def test_takes_empty_bytes_like_objects(payload: bytes) -> None:
    assert build_frame(Opcode.BINARY, payload) == b"\x82\x00"
    assert build_frame(Opcode.BINARY, payload, mask=KEY) == b"\x82\x80" + KEY


def test_takes_items_of_more_than_a_byte() -> None:
    items = array.array("H", [1, 2, 3])
    assert build_frame(Opcode.BINARY, items) == b"\x82\x06" + items.tobytes()
    table = memoryview(bytes(range(6))).cast("B", (2, 3))
    assert build_frame(Opcode.BINARY, table) == b"\x82\x06" + bytes(range(6))


def test_leaves_the_payload_alone() -> None:
    payload = bytearray(b"payload" * 100)
    build_frame(Opcode.BINARY, payload, mask=KEY)
    assert payload == b"payload" * 100
    payload.append(0)  # no view of it is held


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, -1, 255])
def test_refuses_reserved_opcodes(opcode: int) -> None:
    with pytest.raises(ValueError, match=rf"opcode {opcode} .*\(RFC 6455 §5\.2\)"):
        build_frame(opcode, b"")


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_refuses_long_and_fragmented_control_frames(opcode: int) -> None:
    assert len(build_frame(opcode, b"x" * 125)) == 127
    with pytest.raises(ValueError, match=r"126 bytes, at most 125.*\(RFC 6455 §5\.5\)"):
        build_frame(opcode, b"x" * 126)
    with pytest.raises(ValueError, match=r"fragmented \(RFC 6455 §5\.5\)"):
        build_frame(opcode, b"", fin=False)


@pytest.mark.parametrize("mask", [b"", b"123", b"12345"])
def test_refuses_keys_of_other_lengths(mask: bytes) -> None:
    with pytest.raises(ValueError, match=rf"key of {len(mask)} bytes, must be 4 \(RFC 6455 §5\.\d"):
        build_frame(Opcode.BINARY, b"data", mask=mask)


def test_refuses_what_is_no_payload() -> None:
    for wrong in (None, 3, ["x"]):
        with pytest.raises(TypeError):
            build_frame(Opcode.BINARY, wrong)  # type: ignore[arg-type]
    with pytest.raises((ValueError, BufferError, TypeError)):
        build_frame(Opcode.BINARY, memoryview(b"abcdef")[::2])
    with pytest.raises(TypeError):
        build_frame(Opcode.BINARY, b"data", mask="1234")  # type: ignore[arg-type]


def test_refuses_lone_surrogates() -> None:
    """They have no UTF-8 (RFC 3629 §3); UnicodeEncodeError is a ValueError."""
    with pytest.raises(UnicodeEncodeError):
        build_frame(Opcode.TEXT, "\ud800")


@given(
    st.sampled_from(OPCODES),
    st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(bytes)),
    st.none() | st.binary(min_size=4, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_builds_what_the_oracle_builds(
    opcode: int, payload: bytes, mask: bytes | None, fin: bool, rsv1: bool
) -> None:
    if opcode >= 8:
        payload, fin = payload[:125], True
    expected = oracle.build(opcode, payload, mask=mask, fin=fin, rsv=4 * rsv1)
    assert build_frame(opcode, payload, mask=mask, fin=fin, rsv1=rsv1) == expected


@given(st.text(), st.binary(min_size=4, max_size=4))
def test_decoder_returns_what_was_built(text: str, mask: bytes) -> None:
    frame = build_frame(Opcode.TEXT, text, mask=mask)
    assert streams.run([frame], "server").events == [("message", text)]
    assert streams.run([build_frame(Opcode.TEXT, text)], "client").events == [("message", text)]

"""Payloads: vectors both ways, everything malformed, limits, round trips."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engineio.test_packet import PACKETS_3, PACKETS_4

from cooee.engineio import (
    MAX_HTTP_BUFFER_SIZE,
    MAX_PACKETS,
    Packet,
    PacketError,
    PacketType,
    decode_payload,
    encode_payload,
    fitting_packets,
)

pytestmark = pytest.mark.once

Protocol = Literal[3, 4]

CLOSE, PING, MESSAGE, NOOP = (
    PacketType.CLOSE,
    PacketType.PING,
    PacketType.MESSAGE,
    PacketType.NOOP,
)

VECTORS_4: list[tuple[list[Packet], str]] = [
    ([Packet(MESSAGE, "hello"), Packet(PING), Packet(MESSAGE, "world")], "4hello\x1e2\x1e4world"),
    ([Packet(MESSAGE, "hello"), Packet(MESSAGE, b"\1\2\3\4")], "4hello\x1ebAQIDBA=="),
    ([Packet(MESSAGE, "€"), Packet(MESSAGE, "🦘")], "4€\x1e4🦘"),
    ([Packet(MESSAGE, "")], "4"),
    ([Packet(NOOP)], "6"),
    ([Packet(MESSAGE, b"")], "b"),
]
# Payload as text, and in the binary form if that differs.
VECTORS_3: list[tuple[list[Packet], str, bytes | None]] = [
    ([Packet(MESSAGE, "hello"), Packet(PING)], "6:4hello1:2", None),
    ([Packet(MESSAGE, "€")], "2:4€", None),
    # U+1F998 has two UTF-16 code units.
    ([Packet(MESSAGE, "🦘🦘"), Packet(CLOSE)], "5:4🦘🦘1:1", None),
    ([Packet(MESSAGE, "a:1"), Packet(MESSAGE, ":")], "4:4a:12:4:", None),
    ([Packet(MESSAGE, "x" * 99)], "100:4" + "x" * 99, None),
    ([], "0:", None),
    ([Packet(MESSAGE, b"\1\2\3\4")], "10:b4AQIDBA==", b"\1\5\xff\4\1\2\3\4"),
    ([Packet(MESSAGE, b"")], "2:b4", b"\1\1\xff\4"),
    (
        [Packet(MESSAGE, "€"), Packet(MESSAGE, b"\1\2\3\4")],
        "2:4€10:b4AQIDBA==",
        b"\0\4\xff4\xe2\x82\xac\1\5\xff\4\1\2\3\4",
    ),
    (
        [Packet(MESSAGE, b"x" * 99), Packet(PING, "probe")],
        "134:b4" + "eHh4" * 33 + "6:2probe",
        b"\1\1\0\0\xff\4" + b"x" * 99 + b"\0\6\xff2probe",
    ),
]


@pytest.mark.parametrize(("packets", "text"), VECTORS_4)
def test_protocol_4(packets: list[Packet], text: str) -> None:
    assert encode_payload(packets) == text
    assert encode_payload(iter(packets), supports_binary=True) == text
    assert list(decode_payload(text.encode())) == packets
    assert list(decode_payload(memoryview(text.encode()))) == packets


@pytest.mark.parametrize(("packets", "text", "binary"), VECTORS_3)
def test_protocol_3(packets: list[Packet], text: str, binary: bytes | None) -> None:
    assert encode_payload(packets, protocol=3) == text
    assert list(decode_payload(text.encode(), protocol=3)) == packets
    # Without bytes among the packets the binary form is not used.
    encoded = encode_payload(iter(packets), protocol=3, supports_binary=True)
    assert encoded == (text if binary is None else binary)
    if binary is not None:
        assert list(decode_payload(bytearray(binary), protocol=3, binary=True)) == packets


def test_protocol_3_reads_text_in_binary_form() -> None:
    body = b"\0\6\xff4hello\0\4\xffb4AA\1\1\xff\2"
    with pytest.raises(PacketError, match="base64"):
        list(decode_payload(body, protocol=3, binary=True))
    body = b"\0\6\xff4hello\0\6\xffb4AA==\1\1\xff\2"
    assert list(decode_payload(body, protocol=3, binary=True)) == [
        Packet(MESSAGE, "hello"),
        Packet(MESSAGE, b"\0"),
        Packet(PING, b""),
    ]


def test_protocol_3_empty_packets_do_not_count() -> None:
    assert list(decode_payload(b"0:1:20:", protocol=3, max_packets=1)) == [Packet(PING)]
    assert list(decode_payload(b"", protocol=3, binary=True)) == []


def test_protocol_4_refuses_to_send_its_separator() -> None:
    for packets in (
        [Packet(MESSAGE, "a\x1eb")],
        [Packet(MESSAGE, "a"), Packet(MESSAGE, "\x1e")],
    ):
        with pytest.raises(ValueError, match=r"U\+001E"):
            encode_payload(packets)
    # Protocol 3 has lengths.
    assert encode_payload([Packet(MESSAGE, "a\x1eb")], protocol=3) == "4:4a\x1eb"


# Body, protocol, whether it is binary; the packets before the error, its code and what it says.
MALFORMED: list[tuple[bytes, Protocol, bool, int, int, str]] = [
    (b"", 4, False, 0, 1002, "empty packet"),
    (b"\x1e", 4, False, 0, 1002, "empty packet"),
    (b"4a\x1e", 4, False, 1, 1002, "empty packet"),
    (b"4a\x1e\x1e4b", 4, False, 1, 1002, "empty packet"),
    (b"4a\x1e4b\x1eabc\x1e4c", 4, False, 2, 1002, "packet type 'a'"),
    (b"4a\x1ebAAA", 4, False, 1, 1002, "base64"),
    (b"abc", 4, False, 0, 1002, "packet type 'a'"),
    (b"4\xff", 4, False, 0, 1007, "not UTF-8 from byte 1 on"),
    (b"4a\x1e4\xed\xa0\x80", 4, False, 0, 1007, "not UTF-8 from byte 4 on"),
    (b"\1\2\3", 4, True, 0, 1002, "binary payload"),
    (b"", 3, False, 0, 1002, "empty payload"),
    (b"1", 3, False, 0, 1002, "length"),
    (b":", 3, False, 0, 1002, "length"),
    (b":4", 3, False, 0, 1002, "length"),
    (b"4hello", 3, False, 0, 1002, "length"),
    (b"a:4", 3, False, 0, 1002, "length"),
    (b" 1:4", 3, False, 0, 1002, "length"),
    (b"+1:4", 3, False, 0, 1002, "length"),
    (b"-1:4", 3, False, 0, 1002, "length"),
    (b"1.0:4", 3, False, 0, 1002, "length"),
    (b"1e0:4", 3, False, 0, 1002, "length"),
    (b"0x1:4", 3, False, 0, 1002, "length"),
    (b"1_0:4", 3, False, 0, 1002, "length"),
    ("١:4".encode(), 3, False, 0, 1002, "length"),
    ("²:4".encode(), 3, False, 0, 1002, "length"),
    ("🦘:4".encode(), 3, False, 0, 1002, "length"),
    (b"2:4", 3, False, 0, 1002, "exceeds the 1 that follow"),
    (b"1:", 3, False, 0, 1002, "exceeds the 0 that follow"),
    (b"1:4x:", 3, False, 1, 1002, "length"),
    (b"1:41", 3, False, 1, 1002, "length"),
    (b"1:43:4", 3, False, 1, 1002, "exceeds"),
    (b"1:9", 3, False, 0, 1002, "packet type '9'"),
    (b"1:4" + b"0" * 16 + b"1:4", 3, False, 1, 1002, "length"),
    (b"9" * 16 + b":4", 3, False, 0, 1002, "exceeds"),
    (b"9" * 5000 + b":4", 3, False, 0, 1002, "length"),
    (b"6:4hell\xff", 3, False, 0, 1007, "not UTF-8 from byte 7 on"),
    # The length of bytes, where code units are meant; and one that ends within a character.
    ("4:4€".encode(), 3, False, 0, 1002, "exceeds the 2 that follow"),
    ("2:4🦘1:2".encode(), 3, False, 0, 1002, "surrogate pair"),
    (b"\2\1\xff4", 3, True, 0, 1002, "binary header"),
    (b"\xff", 3, True, 0, 1002, "binary header"),
    (b"\0", 3, True, 0, 1002, "binary header"),
    (b"\0\1", 3, True, 0, 1002, "binary header"),
    (b"\0\xff4", 3, True, 0, 1002, "binary header"),
    (b"\0\x0a\xff4", 3, True, 0, 1002, "binary header"),
    (b"\0\x31\xff4", 3, True, 0, 1002, "binary header"),
    (b"\0" + b"\0" * 16 + b"\1\xff4", 3, True, 0, 1002, "binary header"),
    (b"\0\2\xff4", 3, True, 0, 1002, "exceeds the 1 that follow"),
    (b"\1\1\xff\4\1\2\xff\4", 3, True, 1, 1002, "exceeds"),
    (b"\0\0\xff", 3, True, 0, 1002, "empty packet"),
    (b"\1\0\xff", 3, True, 0, 1002, "empty packet"),
    (b"\1\1\xff4", 3, True, 0, 1002, "packet type b'4'"),
    (b"\0\2\xff4\xff", 3, True, 0, 1007, "not UTF-8 from byte 4 on"),
]


@pytest.mark.parametrize(("body", "protocol", "binary", "before", "code", "says"), MALFORMED)
def test_refuses(
    body: bytes, protocol: Protocol, binary: bool, before: int, code: int, says: str
) -> None:
    packets: list[Packet] = []
    with pytest.raises(PacketError) as caught:
        packets.extend(decode_payload(body, protocol=protocol, binary=binary))
    assert caught.value.code == code
    assert says in caught.value.reason


@pytest.mark.parametrize(
    ("body", "protocol", "binary", "before"),
    [(body, protocol, binary, before) for body, protocol, binary, before, *_ in MALFORMED],
)
def test_delivers_what_comes_before(
    body: bytes, protocol: Protocol, binary: bool, before: int
) -> None:
    packets = []
    try:
        for packet in decode_payload(body, protocol=protocol, binary=binary):
            packets.append(packet)  # noqa: PERF402
    except PacketError:
        pass
    assert len(packets) == before


def test_size_is_limited() -> None:
    assert MAX_HTTP_BUFFER_SIZE == 1_000_000
    body = "4€".encode()
    assert list(decode_payload(body, max_http_buffer_size=4)) == [Packet(MESSAGE, "€")]
    for limit in (0, 3):
        with pytest.raises(PacketError, match=f"4 bytes, at most {limit} ") as caught:
            decode_payload(body, max_http_buffer_size=limit)
        assert caught.value.code == 1009
    with pytest.raises(PacketError, match="at most 1000000 "):
        decode_payload(b"4" * 1_000_001)


@pytest.mark.parametrize(
    ("body", "protocol", "binary"),
    [(b"4a\x1e4b\x1e4c", 4, False), (b"1:41:41:4", 3, False), (b"\1\1\xff\4" * 3, 3, True)],
)
def test_number_of_packets_is_limited(body: bytes, protocol: Protocol, binary: bool) -> None:
    assert len(list(decode_payload(body, protocol=protocol, binary=binary, max_packets=3))) == 3
    for limit in (0, 1, 2):
        packets = decode_payload(body, protocol=protocol, binary=binary, max_packets=limit)
        for _ in range(limit):
            next(packets)
        with pytest.raises(PacketError, match=f"more than {limit} packets") as caught:
            next(packets)
        assert caught.value.code == 1009


def test_default_limits_take_whatever_a_client_buffered() -> None:
    # The shortest event there is, as often as a payload holds it.
    event = b'42["a"]'
    count = (MAX_HTTP_BUFFER_SIZE + 1) // (len(event) + 1)
    assert count < MAX_PACKETS
    assert sum(1 for _ in decode_payload(b"\x1e".join([event] * count))) == count
    with pytest.raises(PacketError, match="more than 131072 packets"):
        for _ in decode_payload(b"2\x1e" * MAX_PACKETS + b"2"):
            pass


def test_packets_are_read_one_by_one() -> None:
    packets = decode_payload(b"4a\x1e" * 100_000 + b"4")
    assert next(packets) == Packet(MESSAGE, "a")
    assert next(packets) == Packet(MESSAGE, "a")


@given(st.lists(PACKETS_4, min_size=1))
def test_round_trip(packets: list[Packet]) -> None:
    packets = [
        packet
        if isinstance(packet.data, bytes)
        else packet._replace(data=packet.data.replace("\x1e", ""))
        for packet in packets
    ]
    assert list(decode_payload(encode_payload(packets).encode())) == packets


@given(st.lists(PACKETS_3), st.booleans())
def test_round_trip_in_protocol_3(packets: list[Packet], supports_binary: bool) -> None:
    encoded = encode_payload(packets, protocol=3, supports_binary=supports_binary)
    if isinstance(encoded, str):
        assert list(decode_payload(encoded.encode(), protocol=3)) == packets
    else:
        assert list(decode_payload(encoded, protocol=3, binary=True)) == packets


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.text("0123456789:4é🦘b\x1e").map(str.encode)
    | st.lists(st.sampled_from([0, 1, 2, 3, 4, 9, 52, 98, 255])).map(bytes),
    st.sampled_from([3, 4]),
    st.booleans(),
)
def test_only_its_own_error_escapes(body: bytes, protocol: Protocol, binary: bool) -> None:
    try:
        packets = list(decode_payload(body, protocol=protocol, binary=binary))
    except PacketError:
        return
    encoded = encode_payload(packets, protocol=protocol, supports_binary=binary)
    again = decode_payload(
        encoded if isinstance(encoded, bytes) else encoded.encode(),
        protocol=protocol,
        binary=isinstance(encoded, bytes),
    )
    assert list(again) == packets


@pytest.mark.parametrize(
    ("packets", "limit", "expected"),
    [
        ([], 10, 0),
        ([Packet(MESSAGE, "a")], 2, 1),
        # Always one: its size is for the peer to refuse.
        ([Packet(MESSAGE, "a" * 100)], 2, 1),
        ([Packet(MESSAGE, "a" * 100), Packet(PING)], 2, 1),
        ([Packet(MESSAGE, "a"), Packet(MESSAGE, "b"), Packet(MESSAGE, "c")], 4, 1),
        ([Packet(MESSAGE, "a"), Packet(MESSAGE, "b"), Packet(MESSAGE, "c")], 5, 2),
        ([Packet(MESSAGE, "a"), Packet(MESSAGE, "b"), Packet(MESSAGE, "c")], 7, 2),
        ([Packet(MESSAGE, "a"), Packet(MESSAGE, "b"), Packet(MESSAGE, "c")], 8, 3),
        ([Packet(MESSAGE, "€"), Packet(MESSAGE, "€")], 8, 1),
        ([Packet(MESSAGE, "€"), Packet(MESSAGE, "€")], 9, 2),
        ([Packet(MESSAGE, b"abcd"), Packet(PING)], 10, 1),
        ([Packet(MESSAGE, b"abcd"), Packet(PING)], 11, 2),
    ],
)
def test_fitting_packets(packets: list[Packet], limit: int, expected: int) -> None:
    assert fitting_packets(packets, limit) == expected


@given(st.lists(PACKETS_4, min_size=1), st.integers(0, 200))
def test_fitting_packets_fit(packets: list[Packet], limit: int) -> None:
    packets = [
        packet if isinstance(packet.data, bytes) else Packet(packet.type, "é" * len(packet.data))
        for packet in packets
    ]
    count = fitting_packets(packets, limit)
    assert 1 <= count <= len(packets)
    assert count == 1 or len(encode_payload(packets[:count]).encode()) <= limit
    if count < len(packets):
        assert len(encode_payload(packets[: count + 1]).encode()) > limit

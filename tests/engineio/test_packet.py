"""Single packets: vectors both ways, everything malformed, round trips."""

import pickle
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.engineio import Packet, PacketError, PacketType, decode_packet, encode_packet
from cooee.protocol.errors import ProtocolError

pytestmark = pytest.mark.once

Protocol = Literal[3, 4]

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = PacketType

# Packet, and how it is written: as such, and where there is but text.
VECTORS_4: list[tuple[Packet, str | bytes, str]] = [
    (Packet(OPEN, '{"sid":"a"}'), '0{"sid":"a"}', '0{"sid":"a"}'),
    (Packet(CLOSE), "1", "1"),
    (Packet(PING), "2", "2"),
    (Packet(PING, "probe"), "2probe", "2probe"),
    (Packet(PONG, "probe"), "3probe", "3probe"),
    (Packet(MESSAGE, "hello"), "4hello", "4hello"),
    (Packet(MESSAGE, "€"), "4€", "4€"),
    (Packet(MESSAGE, ""), "4", "4"),
    (Packet(MESSAGE, "bAQID"), "4bAQID", "4bAQID"),
    (Packet(MESSAGE, "\x1e\0\n"), "4\x1e\0\n", "4\x1e\0\n"),
    (Packet(UPGRADE), "5", "5"),
    (Packet(NOOP), "6", "6"),
    (Packet(MESSAGE, b"\1\2\3\4"), b"\1\2\3\4", "bAQIDBA=="),
    (Packet(MESSAGE, b"4hello"), b"4hello", "bNGhlbGxv"),
    (Packet(MESSAGE, b"\xff\xfb\xf0"), b"\xff\xfb\xf0", "b//vw"),
    (Packet(MESSAGE, b""), b"", "b"),
]
VECTORS_3: list[tuple[Packet, str | bytes, str]] = [
    *[vector for vector in VECTORS_4 if isinstance(vector[0].data, str)],
    (Packet(MESSAGE, b"\1\2\3\4"), b"\4\1\2\3\4", "b4AQIDBA=="),
    (Packet(MESSAGE, b""), b"\4", "b4"),
    (Packet(PING, b"probe"), b"\2probe", "b2cHJvYmU="),
    (Packet(NOOP, b"\0"), b"\6\0", "b6AA=="),
]
VECTORS: list[tuple[Protocol, Packet, str | bytes, str]] = [
    *[(4, *vector) for vector in VECTORS_4],
    *[(3, *vector) for vector in VECTORS_3],
]


@pytest.mark.parametrize(("protocol", "packet", "encoded", "text"), VECTORS)
def test_encodes(protocol: Protocol, packet: Packet, encoded: str | bytes, text: str) -> None:
    assert encode_packet(packet, protocol=protocol) == encoded
    assert encode_packet(packet, protocol=protocol, supports_binary=False) == text


@pytest.mark.parametrize(("protocol", "packet", "encoded", "text"), VECTORS)
def test_decodes(protocol: Protocol, packet: Packet, encoded: str | bytes, text: str) -> None:
    for form in (encoded, text):
        decoded = decode_packet(form, protocol=protocol)
        assert decoded == packet
        assert type(decoded.type) is PacketType
        assert type(decoded.data) is type(packet.data)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_decodes_any_bytes(kind: type[bytearray] | type[memoryview]) -> None:
    assert decode_packet(kind(b"\4a")) == Packet(MESSAGE, b"\4a")
    assert decode_packet(kind(b"\4a"), protocol=3) == Packet(MESSAGE, b"a")


@pytest.mark.parametrize("kind", [kind for kind in PacketType if kind != MESSAGE])
def test_only_messages_have_bytes_in_protocol_4(kind: PacketType) -> None:
    for supports_binary in (True, False):
        with pytest.raises(ValueError, match=f"{kind.name} with bytes"):
            encode_packet(Packet(kind, b"a"), supports_binary=supports_binary)


# Of both protocols unless one is named; what is wrong with it.
MALFORMED: list[tuple[str | bytes, Protocol | None, str]] = [
    ("", None, "empty packet"),
    ("7", None, "packet type '7'"),
    ("8hello", None, "packet type '8'"),
    ("9", None, "packet type '9'"),
    ("a", None, "packet type 'a'"),
    ("B", None, "packet type 'B'"),
    (" 4hello", None, "packet type ' '"),
    ("-4", None, "packet type '-'"),
    ("\n", None, "packet type '\\n'"),
    ("\0004", None, "packet type '\\x00'"),
    ("٤hello", None, "packet type '٤'"),
    ("🦘", None, "packet type '🦘'"),
    ("b", 3, "empty packet"),
    ("b7AAAA", 3, "packet type '7'"),
    ("bAAAA", 3, "packet type 'A'"),
    ("b 4", 3, "packet type ' '"),
    ("bA", 4, "base64"),
    ("bAA", 4, "base64"),
    ("bAAA", 4, "base64"),
    ("bAAAA=", 4, "base64"),
    ("bAAAA====", 4, "base64"),
    ("b====", 4, "base64"),
    ("bAA===", 4, "base64"),
    ("bAA==AA", 4, "base64"),
    ("bAA=A", 4, "base64"),
    ("b=", 4, "base64"),
    ("b=AAA", 4, "base64"),
    ("b@@@@", 4, "base64"),
    ("bAA AA", 4, "base64"),
    ("bAAAA\n", 4, "base64"),
    ("b__-_", 4, "base64"),
    ("bAAAé", 4, "base64"),
    ("b4A", 3, "base64"),
    ("b4AAA", 3, "base64"),
    ("b4AAAA\n", 3, "base64"),
    ("b4AAAé", 3, "base64"),
    (b"", 3, "empty packet"),
    (b"\7", 3, "packet type b'\\x07'"),
    (b"\xff", 3, "packet type b'\\xff'"),
    (b"4hello", 3, "packet type b'4'"),
]


@pytest.mark.parametrize(
    ("data", "protocol", "says"),
    [
        (data, protocol, says)
        for data, only, says in MALFORMED
        for protocol in (3, 4)
        if only in (None, protocol)
    ],
)
def test_refuses(data: str | bytes, protocol: Protocol, says: str) -> None:
    with pytest.raises(PacketError) as caught:
        decode_packet(data, protocol=protocol)
    assert caught.value.code == 1002
    assert says in caught.value.reason
    assert str(caught.value) == caught.value.reason
    assert "Engine.IO" in caught.value.reason or "RFC 4648" in caught.value.reason


def test_error_is_the_peers_and_survives_pickling() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_packet("x")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is PacketError
    assert (copy.code, copy.reason) == (caught.value.code, caught.value.reason)


PACKETS_3 = st.builds(Packet, st.sampled_from(PacketType), st.text() | st.binary())
PACKETS_4 = st.builds(Packet, st.sampled_from(PacketType), st.text()) | st.builds(
    Packet, st.just(MESSAGE), st.binary()
)


@given(PACKETS_4, st.booleans())
def test_round_trip(packet: Packet, supports_binary: bool) -> None:
    encoded = encode_packet(packet, supports_binary=supports_binary)
    assert isinstance(encoded, str) or supports_binary
    assert decode_packet(encoded) == packet


@given(PACKETS_3, st.booleans())
def test_round_trip_in_protocol_3(packet: Packet, supports_binary: bool) -> None:
    encoded = encode_packet(packet, protocol=3, supports_binary=supports_binary)
    assert isinstance(encoded, str) or supports_binary
    assert decode_packet(encoded, protocol=3) == packet


@given(st.text() | st.binary() | st.from_regex(r"\Ab?[0-9]?[A-Za-z0-9+/=]*\Z"))
def test_only_its_own_error_escapes(data: str | bytes) -> None:
    for protocol in (3, 4):
        try:
            packet = decode_packet(data, protocol=protocol)
        except PacketError:
            continue
        again = encode_packet(
            packet, protocol=protocol, supports_binary=not str(data).startswith("b")
        )
        assert decode_packet(again, protocol=protocol) == packet

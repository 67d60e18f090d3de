"""The same as engine.io-parser, versions 5 (protocol 4) and 2 (protocol 3)."""

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engineio.reference import Reference
from tests.engineio.test_packet import MALFORMED, PACKETS_3, PACKETS_4, VECTORS
from tests.engineio.test_payload import VECTORS_3, VECTORS_4

from cooee.engineio import (
    Packet,
    PacketError,
    PacketType,
    decode_packet,
    decode_payload,
    encode_packet,
    encode_payload,
)

pytestmark = pytest.mark.once

Protocol = Literal[3, 4]
ERROR = {"type": "error", "data": "parser error"}


def to_reference(packet: Packet) -> dict[str, Any]:
    return {"type": packet.type.name.lower(), "data": packet.data}


def from_reference(packet: dict[str, Any]) -> Packet:
    return Packet(PacketType[packet["type"].upper()], packet.get("data", ""))


@pytest.mark.parametrize(("protocol", "packet", "encoded", "text"), VECTORS)
def test_vectors_are_the_references(
    reference: Reference, protocol: Protocol, packet: Packet, encoded: str | bytes, text: str
) -> None:
    sent = to_reference(packet)
    assert reference(f"eio{protocol}_encode", sent, True) == [encoded]
    assert reference(f"eio{protocol}_encode", sent, False) == [text]
    for form in (encoded, text):
        assert [from_reference(p) for p in reference(f"eio{protocol}_decode", form)] == [packet]


@pytest.mark.parametrize(("packets", "text"), VECTORS_4)
def test_payload_vectors(reference: Reference, packets: list[Packet], text: str) -> None:
    sent = [to_reference(packet) for packet in packets]
    assert reference("eio4_encode_payload", sent) == [text]
    assert [from_reference(p) for p in reference("eio4_decode_payload", text)] == packets


@pytest.mark.parametrize(("packets", "text", "binary"), VECTORS_3)
def test_payload_vectors_of_protocol_3(
    reference: Reference, packets: list[Packet], text: str, binary: bytes | None
) -> None:
    sent = [to_reference(packet) for packet in packets]
    assert reference("eio3_encode_payload", sent, False) == [text]
    assert reference("eio3_encode_payload", sent, True) == [text if binary is None else binary]
    for payload in (text, binary):
        if payload is not None:
            received = reference("eio3_decode_payload", payload)
            assert [from_reference(p) for p in received] == packets


@pytest.mark.parametrize(
    ("data", "protocol"), [(data, protocol) for data, protocol, _ in MALFORMED]
)
def test_reference_is_not_stricter(
    reference: Reference, data: str | bytes, protocol: Protocol | None
) -> None:
    """What Node takes and we do not is base64 that is damaged, and types that it does not know."""
    for version in (3, 4) if protocol is None else (protocol,):
        (packet,) = reference(f"eio{version}_decode", data)
        if packet == ERROR:
            continue
        assert "type" not in packet or str(data).startswith("b")


QUIET = settings(suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(packet=PACKETS_4)
def test_packets(reference: Reference, packet: Packet) -> None:
    sent = to_reference(packet)
    for supports_binary in (True, False):
        encoded = encode_packet(packet, supports_binary=supports_binary)
        assert reference("eio4_encode", sent, supports_binary) == [encoded]
        assert [from_reference(p) for p in reference("eio4_decode", encoded)] == [packet]


@QUIET
@given(packet=PACKETS_3)
def test_packets_of_protocol_3(reference: Reference, packet: Packet) -> None:
    sent = to_reference(packet)
    for supports_binary in (True, False):
        encoded = encode_packet(packet, protocol=3, supports_binary=supports_binary)
        assert reference("eio3_encode", sent, supports_binary) == [encoded]
        assert [from_reference(p) for p in reference("eio3_decode", encoded)] == [packet]


@QUIET
@given(packets=st.lists(PACKETS_3, min_size=1, max_size=5))
def test_payloads_of_protocol_3(reference: Reference, packets: list[Packet]) -> None:
    sent = [to_reference(packet) for packet in packets]
    for supports_binary in (True, False):
        encoded = encode_payload(packets, protocol=3, supports_binary=supports_binary)
        (theirs,) = reference("eio3_encode_payload", sent, supports_binary)
        assert theirs == encoded
        received = reference("eio3_decode_payload", encoded)
        assert [from_reference(p) for p in received] == packets


@QUIET
@given(text=st.text() | st.text("0123456789:4é🦘b\x1e"))
def test_text_payloads(reference: Reference, text: str) -> None:
    """What we take, Node takes; what Node takes and we do not, it has to guess at."""
    for protocol in (3, 4):
        theirs = reference(f"eio{protocol}_decode_payload", text)
        try:
            packets = list(decode_payload(text.encode(), protocol=protocol))
        except PacketError:
            if protocol == 4 and "b" not in text:
                assert theirs[-1] == ERROR
            continue
        assert [from_reference(p) for p in theirs] == packets


@QUIET
@given(data=st.text())
def test_texts(reference: Reference, data: str) -> None:
    for protocol in (3, 4):
        (theirs,) = reference(f"eio{protocol}_decode", data)
        try:
            packet = decode_packet(data, protocol=protocol)
        except PacketError:
            assert theirs == ERROR or data.startswith("b")
        else:
            assert from_reference(theirs) == packet

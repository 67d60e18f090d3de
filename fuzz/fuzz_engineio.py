"""
Engine.IO packets and payloads, both protocols: what is written can be read; anything else is
refused with a PacketError, or what is read of it can be written again.

Usage: python fuzz/fuzz_engineio.py [seconds [seed]]
"""

import sys
from pathlib import Path
from random import Random
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz import harness  # noqa: E402

with harness.instrumented():
    from cooee.engineio import (
        Handshake,
        Packet,
        PacketError,
        PacketType,
        decode_packet,
        decode_payload,
        encode_packet,
        encode_payload,
        fitting_packets,
    )

PROTOCOLS: tuple[Literal[3], Literal[4]] = (3, 4)
CHARACTERS = ["a", "4", "b", ":", "1", "\0", "\x1f", "\x7f", "\xff", "é", "你", "\ue000", "🦘"]
PIECES = [
    *(b"4hello", b"2", b"b", b"bAQID", b"b4AQID", b"b4AA==", b"\x1e", b":", b"0:", b"1:4", b"5:"),
    *(
        b"\xff",
        b"\0",
        b"\1",
        b"\0\1\xff4",
        b"\1\2\xff\4a",
        b"\x09",
        b"\xf0\x9f\xa6\x98",
        b"\xe2\x82",
    ),
    *(b"9", b"99999999999999999", b"=", b"\n", b"-1:", b"\xed\xa0\x80", b'0{"sid":"a"}'),
]


def make_packet(rng: Random, protocol: int) -> Packet:
    """A packet that can be sent, by polling too."""
    size = rng.choice([0, 0, 1, 2, 3, 9, 10, 99, 100, 1000])
    kind = rng.choice(list(PacketType))
    if rng.random() < 0.4:
        return Packet(kind if protocol == 3 else PacketType.MESSAGE, rng.randbytes(size))
    return Packet(kind, "".join(rng.choices(CHARACTERS, k=size)))


def round_trip(rng: Random) -> None:
    """Packets, and payloads of them, arrive as they were sent."""
    protocol = rng.choice(PROTOCOLS)
    packets = [make_packet(rng, protocol) for _ in range(rng.choice([1, 1, 2, 5, 40]))]
    for packet in packets:
        for supports_binary in (True, False):
            encoded = encode_packet(packet, protocol=protocol, supports_binary=supports_binary)
            assert decode_packet(encoded, protocol=protocol) == packet
    payload = encode_payload(packets, protocol=protocol, supports_binary=rng.random() < 0.5)
    binary = isinstance(payload, bytes)
    body = payload if isinstance(payload, bytes) else payload.encode()
    assert list(decode_payload(body, protocol=protocol, binary=binary)) == packets
    limit = rng.randrange(300)
    count = fitting_packets(packets, limit)
    assert 1 <= count <= len(packets)
    if protocol == 4 and count > 1:
        assert len(encode_payload(packets[:count]).encode()) <= limit


def noise(rng: Random) -> None:
    """Anything else is refused, or means something that can be sent again."""
    protocol = rng.choice(PROTOCOLS)
    body = bytearray(b"".join(rng.choices(PIECES, k=rng.randrange(8))))
    for _ in range(rng.choice([0, 0, 1, 3])):
        if body:
            body[rng.randrange(len(body))] = rng.randrange(256)
    binary = rng.random() < 0.4
    limit = rng.choice([1, 3, 1000])
    try:
        packets = list(decode_payload(body, protocol=protocol, binary=binary, max_packets=limit))
    except PacketError as exc:
        if exc.code not in (1002, 1007, 1009):
            raise
    else:
        assert len(packets) <= limit
        again = encode_payload(packets, protocol=protocol, supports_binary=binary)
        other = isinstance(again, bytes)
        whole = again if isinstance(again, bytes) else again.encode()
        assert list(decode_payload(whole, protocol=protocol, binary=other)) == packets
    for message in (bytes(body), body.decode("latin-1"), body.decode(errors="replace")):
        try:
            decode_packet(message, protocol=protocol)
        except PacketError as exc:
            if exc.code != 1002:
                raise
        try:
            Handshake.decode(message)
        except PacketError as exc:
            if exc.code != 1002:
                raise


def target(rng: Random) -> None:
    """One of them."""
    rng.choice([round_trip, noise])(rng)


if __name__ == "__main__":
    harness.main(target)

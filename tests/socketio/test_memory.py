"""Nothing stays in memory: neither of packets nor of what is refused."""

import contextlib
import gc
import tracemalloc
from collections.abc import Callable

import pytest
from tests.socketio import test_malformed, test_msgpack_parser, test_parser, test_payload

from cooee.socketio import Packet, PacketError, msgpack_parser, parser

pytestmark = pytest.mark.once

CASES = [case for case in test_malformed.CASES if sum(map(len, case.messages)) < 3000]
REFUSED = [
    *(["a", object()], ["a", {1}, b"x"], ["a", {(1,): 2}], ["a", 2**70, 1j], ["connect"], None),
    *(["a", test_parser.Opaque()], ["a", test_payload.itself(list)]),
]


def refuse_messages() -> None:
    decoder = parser.Decoder()
    for case in CASES:
        for message in case.messages:
            with contextlib.suppress(PacketError):
                decoder.add(message)
    for binary, _ in test_msgpack_parser.MALFORMED:
        with contextlib.suppress(PacketError):
            msgpack_parser.Decoder().add(binary)


def take_messages() -> None:
    for protocol, packet, text, attachments in test_parser.VECTORS:
        parser.Encoder(protocol=protocol).encode(packet)
        decoder = parser.Decoder(protocol=protocol)
        decoder.add(text)
        for attachment in attachments:
            decoder.add(attachment)
        # What has been received of a packet when its connection is lost.
        decoder.add('52-["a",{"_placeholder":true,"num":0}]')
        decoder.add(b"x" * 1000)
    for packet, binary in test_msgpack_parser.VECTORS:
        msgpack_parser.Encoder().encode(packet)
        msgpack_parser.Decoder().add(binary)


def refuse_payloads() -> None:
    for encoder in (parser.Encoder(), msgpack_parser.Encoder()):
        for data in REFUSED:
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                encoder.encode(Packet(2, data=data))


@pytest.mark.parametrize("work", [refuse_messages, take_messages, refuse_payloads])
def test_nothing_is_left(work: Callable[[], None]) -> None:
    work()
    gc.collect()
    tracemalloc.start()
    try:
        work()
        # One object kept each time would be more. What others keep in this process, once, is not
        # ours: a leak shows every time.
        assert min(growth(work) for _ in range(3)) < 1000
    finally:
        tracemalloc.stop()


def growth(work: Callable[[], None]) -> int:
    """Bytes that are left of doing it twenty times."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20):
        work()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    return after - before

"""The data of an OPEN packet, both ways."""

import pytest

from cooee.engineio import Handshake, PacketError
from cooee.engineio.handshake import MAX_SID

pytestmark = pytest.mark.once

HANDSHAKE = Handshake(
    sid="lv_VI97HAXpY6yYWAAAB",
    upgrades=["websocket"],
    ping_interval=25000,
    ping_timeout=20000,
    max_payload=1000000,
)
TEXT = (
    '{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"pingInterval":25000,'
    '"pingTimeout":20000,"maxPayload":1000000}'
)
OLD_TEXT = '{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'


def test_encodes() -> None:
    assert HANDSHAKE.encode() == TEXT
    old = Handshake(sid="a", upgrades=[], ping_interval=25000, ping_timeout=5000)
    assert old.encode() == OLD_TEXT


def test_decodes() -> None:
    assert Handshake.decode(TEXT) == HANDSHAKE
    assert Handshake.decode(TEXT.encode()) == HANDSHAKE
    assert Handshake.decode(OLD_TEXT).max_payload is None
    assert Handshake.decode(TEXT.replace('{"sid"', '{"later":[{}],"sid"')) == HANDSHAKE


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{}",
        "[]",
        "null",
        "probe",
        TEXT[:-1],
        TEXT + "}",
        TEXT.replace("sid", "id"),
        TEXT.replace("25000", '"25000"'),
        TEXT.replace("25000", "2.5"),
        TEXT.replace("25000", "-1"),
        TEXT.replace("25000", "1" + "0" * 400),
        TEXT.replace("1000000", "-1"),
        TEXT.replace("1000000", str(2**53)),
        TEXT.replace("lv_VI97HAXpY6yYWAAAB", ""),
        TEXT.replace("lv_VI97HAXpY6yYWAAAB", "a" * (MAX_SID + 1)),
        TEXT.replace('["websocket"]', '"websocket"'),
        TEXT.replace('"lv_VI97HAXpY6yYWAAAB"', "1"),
        TEXT.replace("lv_", "\ud800"),
        TEXT.encode().replace(b"lv_", b"\xff"),
        '{"x":' + "[" * 100_000,
    ],
)
def test_refuses(data: str | bytes) -> None:
    with pytest.raises(PacketError, match="handshake malformed") as caught:
        Handshake.decode(data)
    assert caught.value.code == 1002

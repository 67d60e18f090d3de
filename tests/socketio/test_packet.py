"""What a packet is, apart from how it is written."""

import pickle
from typing import Any

import pytest

from cooee.socketio import RESERVED_EVENTS, Packet, PacketType

pytestmark = pytest.mark.once


def test_types_have_the_values_of_the_protocol() -> None:
    assert [kind.name for kind in PacketType] == [
        *("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR"),
        *("BINARY_EVENT", "BINARY_ACK"),
    ]
    assert [int(kind) for kind in PacketType] == list(range(7))


def test_reserved_events() -> None:
    assert {"connect", "connect_error", "disconnect", "disconnecting"} < RESERVED_EVENTS
    assert {"newListener", "removeListener"} < RESERVED_EVENTS


def test_attributes() -> None:
    packet = Packet(2, "/admin", 7, ["a", b"b"])
    assert packet.type is PacketType.EVENT
    assert (packet.namespace, packet.id, packet.data) == ("/admin", 7, ["a", b"b"])
    packet = Packet(PacketType.CONNECT)
    assert packet.type is PacketType.CONNECT
    assert (packet.namespace, packet.id, packet.data) == ("/", None, None)
    for name in ("type", "namespace", "id", "data", "other"):
        with pytest.raises(AttributeError):
            setattr(packet, name, None)


def test_equality() -> None:
    packet = Packet(2, "/a", 1, ["x"])
    assert packet == Packet(PacketType.EVENT, "/a", 1, ["x"])
    for other in (
        Packet(3, "/a", 1, ["x"]),
        Packet(2, "/b", 1, ["x"]),
        Packet(2, "/a", None, ["x"]),
        Packet(2, "/a", 1, ["y"]),
        (2, "/a", 1, ["x"]),
    ):
        assert packet != other
    with pytest.raises(TypeError):
        hash(packet)


def test_repr() -> None:
    assert repr(Packet(0)) == "Packet(CONNECT, '/')"
    assert repr(Packet(2, "/a", 0, ["x"])) == "Packet(EVENT, '/a', id=0, data=['x'])"


def test_survives_pickling() -> None:
    packet = Packet(2, "/a", 1, ["x", b"y"])
    assert pickle.loads(pickle.dumps(packet)) == packet


@pytest.mark.parametrize(
    ("args", "error", "says"),
    [
        ((5,), ValueError, "BINARY_EVENT is chosen by the parser, use EVENT"),
        ((6,), ValueError, "BINARY_ACK is chosen by the parser, use ACK"),
        ((7,), ValueError, "packet type 7, must be 0 to 4"),
        ((-1,), ValueError, "packet type -1"),
        ((2**70,), ValueError, "packet type"),
        ((2, ""), ValueError, "must begin with /"),
        ((2, "admin"), ValueError, "must begin with /"),
        ((2, "/a,b"), ValueError, "no comma"),
        ((2, None), TypeError, "must be str"),
        ((2, b"/"), TypeError, "must be str"),
        ((2, "/", -1), ValueError, r"0 to 2\*\*53"),
        ((2, "/", 2**53), ValueError, r"0 to 2\*\*53"),
        ((2, "/", 2**64), ValueError, r"0 to 2\*\*53"),
        ((2, "/", "a"), ValueError, "invalid literal"),
    ],
)
def test_refuses(args: tuple[Any, ...], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Packet(*args)

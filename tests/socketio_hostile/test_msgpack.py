"""Packets as MessagePack that no client sends: who is cut off for what, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import msgspec
import pytest
from tests.leaks import grows_less
from tests.socketio_hostile.serving import Hostility, Message, Session

from cooee.socketio import Packet, PacketType, msgpack_parser

Start = Callable[..., Hostility]

# The transports beneath are tested on both reactors with the other parser.
pytestmark = [
    pytest.mark.once,
    pytest.mark.parametrize("driver", ["asyncio"], indirect=True),
]

MEGABYTE = 1024 * 1024
encode = msgspec.msgpack.encode
# An event, before its data; and the same before the event's arguments.
HEAD = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"
EVENT = HEAD + b"\x92\xa7ignored"


def packet(**fields: object) -> bytes:
    """A packet with some fields that are not what they should be."""
    return encode({"type": 2, "nsp": "/", "data": ["ignored"]} | fields)


def repeated(opening: bytes, count: int = 200_000) -> bytes:
    """Something nested, never closed."""
    return EVENT + opening * count


ENDS: dict[str, Message] = {
    # What is no MessagePack
    "nothing": b"",
    "one byte": b"\xc1",
    "text": '2["ignored"]',
    "a byte that means nothing": EVENT + b"\xc1",
    "an end too early": EVENT,
    "something behind": packet() + b"\0",
    "a second packet behind": packet() * 2,
    # Lengths that lie
    "a list of 2^32-1": EVENT + b"\xdd\xff\xff\xff\xff",
    "a map of 2^32-1": EVENT + b"\xdf\xff\xff\xff\xff",
    "text of 2^32-1": EVENT + b"\xdb\xff\xff\xff\xff",
    "binary of 2^32-1": EVENT + b"\xc6\xff\xff\xff\xff",
    "an extension of 2^32-1": EVENT + b"\xc9\xff\xff\xff\xff\0",
    "a packet of 2^32-1 fields": b"\xdf\xff\xff\xff\xff\xa4type\x02",
    "data of 2^32-1": HEAD + b"\xdd\xff\xff\xff\xff\xa7ignored",
    "binary longer by one": EVENT + b"\xc4\x03ab",
    "a list longer by one": HEAD + b"\x93\xa7ignored\0",
    # Depth
    "lists without end": repeated(b"\x91"),
    "maps without end": repeated(b"\x81\xa1a"),
    "maps in keys without end": repeated(b"\x81"),
    "lists of 2^32-1 without end": repeated(b"\xdd\xff\xff\xff\xff", 50_000),
    "lists of 300": EVENT + b"\x91" * 300 + b"\0",
    # Text
    "no UTF-8": EVENT + b"\xa1\xff",
    "half a surrogate pair": EVENT + b"\xa3\xed\xa0\x80",
    # Extensions
    "a date of two bytes": EVENT + b"\xd5\xff\0\0",
    "a date beyond all years": EVENT + b"\xd7\0" + b"\x43" * 8,
    # Fields
    "a list": encode([2, "/", ["ignored"]]),
    "a number": encode(2),
    "no type": encode({"nsp": "/", "data": ["ignored"]}),
    "no namespace": encode({"type": 2, "data": ["ignored"]}),
    "a type that is text": packet(type="2"),
    "a type that is a fraction": packet(type=2.5),
    "a type that is true": packet(type=True),
    "a type beyond": packet(type=7),
    "a type of 2^63": packet(type=2**63),
    "a negative type": packet(type=-1),
    "a namespace that is a number": packet(nsp=1),
    "a namespace that is binary": packet(nsp=b"/"),
    "a namespace of 5,000 bytes": packet(nsp="/" + "a" * 5000),
    "a namespace without /": packet(nsp="a"),
    "a namespace with a comma": packet(nsp="/a,b"),
    "data that is text": packet(data="ignored"),
    "data that is a map": packet(data={"0": "ignored"}),
    "data of nothing": packet(data=[]),
    "an event named by a list": packet(data=[["ignored"]]),
    "an event named null": packet(data=[None]),
    "a reserved event": packet(data=["disconnect"]),
    "an id that is text": packet(id="1"),
    "an id that is a fraction": packet(id=1.5),
    "a negative id": packet(id=-1),
    "an id of 2^64-1": packet(id=2**64 - 1),
    "a second CONNECT": encode({"type": 0, "nsp": "/"}),
}
GOES_ON: dict[str, bytes] = {
    "extensions of any type": EVENT + b"\xd4\x07\0",
    "an extension of nothing": EVENT + b"\xc7\0\x7f",
    "NaN and infinities": packet(data=["ignored", float("nan"), float("inf"), -float("inf")]),
    "equal keys": EVENT + b"\x83\xa1a\1\xa1a\2\xa1a\3",
    "fields twice": b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa7ignored\xa4type\x02",
    "fields that mean nothing": packet(**{"__proto__": {"type": 0}, "attachments": 10**9}),
    "a NUL": packet(data=["ignored", "\0"]),
    "names that mean something elsewhere": packet(data=["__proto__", {"constructor": 1}]),
    "an acknowledgement that nobody asked for": packet(type=3, id=7, data=[]),
    "a thousand binaries": packet(data=["ignored", *[b"x"] * 1000]),
}


def join(server: Hostility, transport: str = "websocket") -> Session:
    """A session that is in the namespace ``/``."""
    session = server.session(transport)
    session.send(encode({"type": 0, "nsp": "/"}))
    assert take(session).type is PacketType.CONNECT
    server.sockets.take()
    return session


def take(session: Session) -> Packet:
    """The next packet."""
    got = msgpack_parser.Decoder().add(session.take())
    assert got is not None
    return got


def check(session: Session) -> None:
    """The session goes on."""
    word = os.urandom(4).hex()
    session.send(packet(data=["echo", word]))
    while take(session).data != ["echo", word]:
        pass


@pytest.fixture
def server(serving: Start) -> Hostility:
    """A server of this parser."""
    return serving(parser=msgpack_parser)


@pytest.fixture
def bystander(server: Hostility) -> Iterator[Session]:
    """A client that keeps the rules."""
    session = join(server)
    yield session
    check(session)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("name", ENDS)
def test_ends(server: Hostility, bystander: Session, transport: str, name: str) -> None:
    session = join(server, transport)
    # Nothing is set aside for what a length promises.
    with grows_less(32 * MEGABYTE):
        session.send(ENDS[name])
        session.wait_ended()
        assert server.ends.take() == ("/", "parse error")
        assert server.events.empty()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("name", GOES_ON)
def test_goes_on(server: Hostility, bystander: Session, transport: str, name: str) -> None:
    session = join(server, transport)
    session.send(GOES_ON[name])
    check(session)
    assert server.ends.empty()


@pytest.mark.parametrize("name", sorted({*ENDS, "an event"} - {"a second CONNECT"}))
def test_before_connect(server: Hostility, bystander: Session, name: str) -> None:
    session = server.session()
    session.send(ENDS.get(name, packet()))
    session.wait_ended()
    assert server.sockets.empty()
    assert server.events.empty()

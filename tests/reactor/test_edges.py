"""Streams at their edges: without a protocol, ending while full, replaced from within a call."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.rawclient import frame

from cooee.reactor import DefaultReactor, PyProtocol, Reactor, Stream, adopt
from cooee.websocket import Session, Settings

pytestmark = pytest.mark.once

Pair = Callable[..., tuple[Stream, socket.socket]]


class Told(PyProtocol):
    """Puts down what it is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)

    def eof_received(self) -> None:
        self.calls.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append(exc)

    def writing_drained(self) -> None:
        self.calls.append("drained")


@pytest.fixture(params=["default", "portable"])
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    if request.param == "portable":
        from cooee.reactor.portable import PortableReactor

        reactor: Reactor = PortableReactor()
    else:
        reactor = DefaultReactor()
    yield reactor
    reactor.close()


@pytest.fixture
def pair(reactor: Reactor) -> Iterator[Pair]:
    """A stream and the socket at its other end."""
    sockets: list[socket.socket] = []

    def pair() -> tuple[Stream, socket.socket]:
        ours, theirs = socket.socketpair()
        sockets.append(theirs)
        theirs.setblocking(False)
        return adopt(reactor, ours), theirs

    yield pair
    for sock in sockets:
        sock.close()


def fill(stream: Stream) -> None:
    """Write until the system takes no more."""
    while stream.buffered_amount == 0:
        stream.write(bytes(1_000_000))


def test_data_before_a_protocol_waits_for_it(reactor: Reactor, pair: Pair) -> None:
    stream, peer = pair()
    peer.send(b"early")
    reactor.poll()
    assert reactor.poll() == 0
    stream.protocol = told = Told()
    reactor.poll()
    assert told.calls == [b"early"]


def test_the_end_before_a_protocol_waits_for_it(reactor: Reactor, pair: Pair) -> None:
    stream, peer = pair()
    peer.send(b"early")
    peer.close()
    reactor.poll()
    assert reactor.poll() == 0
    stream.protocol = told = Told()
    reactor.poll()
    reactor.poll()
    assert told.calls == [b"early", "eof"]


def test_drained_without_a_protocol(reactor: Reactor, pair: Pair) -> None:
    stream, peer = pair()
    fill(stream)
    while stream.buffered_amount:
        peer.recv(1 << 20)
        reactor.poll()
    stream.protocol = told = Told()
    peer.send(b"x")
    reactor.poll()
    assert told.calls == [b"x"]


def test_closing_while_full_reports_no_input(reactor: Reactor, pair: Pair) -> None:
    """What arrives is not read any more, and not to be looked at again and again."""
    stream, peer = pair()
    stream.protocol = Told()
    fill(stream)
    reactor.poll()
    stream.close()
    peer.send(b"more")
    assert reactor.poll() == 0
    assert not stream.closed


def test_the_end_of_both_halves_is_told_once(reactor: Reactor, pair: Pair) -> None:
    stream, peer = pair()
    stream.protocol = told = Told()
    stream.shutdown_write()
    reactor.poll()
    peer.close()
    for _ in range(5):
        reactor.poll()
    assert told.calls == ["eof"]
    assert reactor.poll() == 0
    stream.close()
    reactor.poll()
    assert told.calls == ["eof", None]


def test_sending_fails_after_the_end(reactor: Reactor, pair: Pair) -> None:
    """Nothing else would tell the protocol."""
    stream, peer = pair()
    stream.protocol = told = Told()
    peer.shutdown(socket.SHUT_WR)
    reactor.poll()
    assert told.calls == ["eof"]
    peer.close()
    for _ in range(3):
        stream.write(b"x")
        reactor.poll()
    assert told.calls[0] == "eof"
    assert isinstance(told.calls[1], OSError)
    assert len(told.calls) == 2


def test_a_session_replaced_by_its_own_handler(reactor: Reactor, pair: Pair) -> None:
    """The stream held the only reference: it lives until its messages are dealt with."""
    stream, peer = pair()
    told = Told()
    messages: list[Any] = []

    def begin() -> None:
        session = Session(Settings(), server=True)
        stream.protocol = session
        session.connection_made()

        def message(data: str | bytes) -> None:
            messages.append(data)
            stream.protocol = told

        session.on("message", message)

    begin()
    peer.send(frame(1, b"a") + frame(2, b"b") + frame(9, b"c"))
    reactor.poll()
    assert messages == ["a", b"b"]
    peer.send(b"d")
    reactor.poll()
    assert told.calls == [b"d"]


def test_a_finalizer_that_aborts_while_its_text_is_forgotten(reactor: Reactor, pair: Pair) -> None:
    stream, peer = pair()
    finalized: list[bool] = []

    class Text(str):
        def __del__(self) -> None:
            finalized.append(True)
            stream.abort()

    session = Session(Settings(), server=True)
    stream.protocol = session
    session.connection_made()

    def send() -> None:
        session.send(Text("x" * 5000))
        session.send(b"y" * 5000)

    reactor.call_soon(send)
    reactor.poll()
    assert finalized == [True]
    assert stream.closed
    assert len(peer.recv(20_000)) == 10_008

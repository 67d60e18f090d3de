"""Streams: what protocols are told, what is sent, how connections end."""

import contextlib
import gc
import logging
import socket
import threading
import weakref

import pytest
from tests.drivers import PATIENCE, Driver
from tests.reactor.conftest import Listen
from tests.reactor.streams import Listening, Recorder, read_to_end, reset

from cooee.reactor import PyProtocol, Stream, adopt

# Several times what the system takes for a peer of `accept_slow()` that does not read.
LARGE = 5_000_000


def ended(sock: socket.socket) -> bool:
    """Whether the peer has closed or reset, with nothing else before it."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


# Receiving


def test_what_a_protocol_is_told(listening: Listen) -> None:
    sock, protocol = listening().accept()
    protocol.expect("made")
    sock.sendall(b"one")
    protocol.expect(b"one")
    sock.sendall(b"two")
    protocol.expect(b"two")
    sock.shutdown(socket.SHUT_WR)
    protocol.expect("eof")
    sock.close()


def test_data_is_bytes_of_its_own(listening: Listen) -> None:
    sock, protocol = listening().accept()
    protocol.expect("made")
    kept = []
    for n in range(20):
        sock.sendall(bytes([n]) * 1000)
        _, data = protocol.take()
        while len(data) < 1000:
            data += protocol.take()[1]
        kept.append(data)
    assert kept == [bytes([n]) * 1000 for n in range(20)]
    assert type(kept[0]) is bytes


def test_much_at_once(listening: Listen) -> None:
    sock, protocol = listening().accept()
    protocol.expect("made")
    data = bytes(range(256)) * 20_000
    sender = threading.Thread(target=sock.sendall, args=(data,))
    sender.start()
    protocol.expect(data)
    sender.join()


def test_pause_and_resume(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    other, other_protocol = serving.accept()
    serving.call(protocol.stream.pause_reading)
    serving.call(protocol.stream.pause_reading)
    sock.sendall(b"later")
    sock.shutdown(socket.SHUT_WR)
    for _ in range(5):
        other.sendall(b"now")
        other_protocol.expect(*(["made"] if _ == 0 else []), b"now")
    protocol.expect("made")
    assert protocol.calls.empty()
    serving.call(protocol.stream.resume_reading)
    serving.call(protocol.stream.resume_reading)
    protocol.expect(b"later", "eof")


def test_a_reset(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    protocol.expect("made")
    reset(sock)
    name, exc = protocol.take()
    assert (name, type(exc)) == ("lost", ConnectionResetError)
    assert serving.call(lambda: protocol.stream.closed)
    assert protocol.calls.empty()


def test_both_directions_after_the_peer_s_eof(listening: Listen) -> None:
    """Nothing is closed by itself: what is written still arrives."""
    serving = listening(lambda: Recorder(eof=lambda self: self.stream.write(b"answer")))
    sock, protocol = serving.accept()
    sock.sendall(b"request")
    sock.shutdown(socket.SHUT_WR)
    protocol.expect("made", b"request", "eof")
    assert sock.recv(100) == b"answer"
    serving.call(protocol.stream.write, b" and more")
    assert sock.recv(100) == b" and more"
    serving.call(protocol.stream.close)
    assert sock.recv(100) == b""
    protocol.expect("lost")


# Sending


def test_writes_arrive_in_order(listening: Listen) -> None:
    pieces = [b"a", bytes(5000), b"", b"b" * 4096, bytes(100_000), b"c" * 4097, b"end"]

    def write(self: Recorder) -> None:
        for piece in pieces:
            self.stream.write(piece)

    serving = listening(lambda: Recorder(made=write, data=lambda self, data: write(self)))
    sock, protocol = serving.accept()
    expected = b"".join(pieces)

    def received() -> bytes:
        data = b""
        while len(data) < len(expected):
            data += sock.recv(1 << 16)
        return data

    assert received() == expected
    sock.sendall(b"again")
    assert received() == expected
    serving.call(write, protocol)
    assert received() == expected


def test_what_may_be_written(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    for data in (b"x", bytearray(b"x"), memoryview(b"yx")[1:]):
        serving.call(protocol.stream.write, data)
        assert sock.recv(10) == b"x"
    with pytest.raises(TypeError):
        serving.call(protocol.stream.write, "text")


def test_much_is_sent_as_the_peer_reads(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept_slow()
    data = bytes(range(256)) * (LARGE // 256)

    def write() -> None:
        # In many pieces, more than one call can take.
        for at in range(0, len(data), 50_000):
            protocol.stream.write(data[at : at + 50_000])

    serving.call(write)
    protocol.expect("made")
    serving.driver.until(lambda: 0 < protocol.stream.buffered_amount < len(data))
    assert protocol.calls.empty()
    received = bytearray()
    while len(received) < len(data):
        received += sock.recv(1 << 18)
    assert received == data
    protocol.expect("drained")
    assert serving.call(lambda: protocol.stream.buffered_amount) == 0


def test_nothing_is_drained_that_did_not_have_to_wait(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    serving.call(protocol.stream.write, b"x")
    assert sock.recv(10) == b"x"
    sock.close()
    protocol.expect("made", "eof")


def test_writing_from_the_drained_callback(listening: Listen) -> None:
    rounds = iter(range(2))

    def more(self: Recorder) -> None:
        if next(rounds, None) is not None:
            self.stream.write(bytes(LARGE))
        else:
            self.stream.close()

    serving = listening(lambda: Recorder(drained=more))
    sock, protocol = serving.accept_slow()
    serving.call(protocol.stream.write, bytes(LARGE))
    protocol.expect("made")
    received = 0
    for _ in range(3):
        # A reader that keeps up with the sender would never let it wait.
        serving.driver.until(lambda: protocol.stream.buffered_amount > 0)
        while protocol.calls.empty():
            received += len(sock.recv(1 << 16))
        protocol.expect("drained")
    assert received + len(read_to_end(sock)) == 3 * LARGE
    protocol.expect("lost")


# Ends


def test_close_sends_what_is_buffered(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept_slow()

    def write_and_close() -> None:
        protocol.stream.write(bytes(LARGE))
        protocol.stream.close()
        protocol.stream.close()
        assert protocol.stream.closing
        protocol.stream.write(b"too late")

    serving.call(write_and_close)
    assert read_to_end(sock) == bytes(LARGE)
    protocol.expect("made")
    while (call := protocol.take())[0] == "drained":
        pass
    assert call == ("lost", None)
    assert serving.call(lambda: protocol.stream.closed)


def test_abort_drops_what_is_buffered(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept_slow()

    def write_and_abort() -> None:
        protocol.stream.write(bytes(LARGE))
        protocol.stream.abort()
        protocol.stream.abort()
        protocol.stream.close()
        protocol.stream.write(b"too late")
        assert protocol.stream.buffered_amount == 0

    serving.call(write_and_abort)
    assert len(read_to_end(sock)) < LARGE
    protocol.expect("made")
    assert protocol.take() == ("lost", None)


def test_half_closing(listening: Listen) -> None:
    """FIN after what is buffered; receiving goes on."""
    serving = listening()
    sock, protocol = serving.accept_slow()

    def write_and_end() -> None:
        protocol.stream.write(bytes(LARGE))
        protocol.stream.shutdown_write()
        protocol.stream.shutdown_write()
        protocol.stream.write(b"too late")
        assert not protocol.stream.closing

    serving.call(write_and_end)
    assert read_to_end(sock) == bytes(LARGE)
    sock.sendall(b"still there?")
    protocol.expect("made")
    while (call := protocol.take())[0] == "drained":
        pass
    assert call == ("data", b"still there?")
    sock.close()
    protocol.expect("eof")
    serving.call(protocol.stream.close)
    assert protocol.take() == ("lost", None)


def test_half_closing_with_nothing_buffered(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    serving.call(protocol.stream.shutdown_write)
    assert sock.recv(1) == b""
    sock.sendall(b"x")
    protocol.expect("made", b"x")


def test_writing_to_a_peer_that_is_gone(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    protocol.expect("made")
    serving.call(protocol.stream.pause_reading)
    sock.close()

    def write() -> bool:
        protocol.stream.write(bytes(100_000))
        return protocol.stream.closed

    # Reading is paused, so that only writing can tell.
    serving.driver.until(write)
    assert protocol.take()[0] == "lost"


def test_closing_in_callbacks(listening: Listen) -> None:
    """connection_lost comes afterwards, once, whatever was called where."""
    for method in ("close", "abort"):
        for where in ("made", "data", "eof"):
            end = lambda self, *args, method=method: getattr(self.stream, method)()  # noqa: E731
            serving = listening(lambda where=where, end=end: Recorder(**{where: end}))
            sock, protocol = serving.accept()
            with contextlib.suppress(OSError):  # It may be faster.
                sock.sendall(b"x")
                sock.shutdown(socket.SHUT_WR)
            calls = []
            while not calls or calls[-1] != "lost":
                calls.append(protocol.take()[0])
            assert calls == ["made", "data", "eof"][: calls.index(where) + 1] + ["lost"]
            assert ended(sock)


def test_after_the_end(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    name = sock.getsockname()
    sock.close()
    protocol.expect("made", "eof")
    serving.call(protocol.stream.close)
    protocol.expect("lost")

    def use() -> None:
        stream = protocol.stream
        stream.write(b"x")
        stream.pause_reading()
        stream.resume_reading()
        stream.shutdown_write()
        stream.close()
        stream.abort()
        assert stream.closed
        assert stream.closing
        assert stream.fileno() == -1
        assert stream.buffered_amount == 0
        assert stream.peername == name
        assert stream.sockname is None
        assert stream.protocol is None

    serving.call(use)
    serving.call(lambda: None)
    assert protocol.calls.empty()


def test_names(listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    assert serving.call(lambda: protocol.stream.peername) == sock.getsockname()
    assert serving.call(lambda: protocol.stream.sockname) == sock.getpeername()
    assert serving.call(lambda: protocol.stream.fileno()) > 0
    assert serving.call(lambda: protocol.stream.reactor) is serving.driver.reactor
    assert serving.listener.sockname == sock.getpeername()


# Exceptions


def broken(*args: object) -> None:
    raise RuntimeError("no such luck")


@pytest.mark.parametrize("where", ["made", "data", "eof", "drained"])
def test_callbacks_that_raise(
    listening: Listen, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is aborted, and told so; others notice nothing."""
    healthy = listening()
    other, other_protocol = healthy.accept()
    serving = listening(lambda: Recorder(**{where: broken}))
    sock, protocol = serving.accept_slow() if where == "drained" else serving.accept()
    if where == "drained":
        serving.call(protocol.stream.write, bytes(LARGE))
        # A reader that keeps up with the sender would never let it wait.
        serving.driver.until(lambda: protocol.stream.buffered_amount > 0)
    elif where != "made":
        sock.sendall(b"x")
        sock.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):
        read_to_end(sock)
    calls = []
    while not calls or calls[-1] != "lost":
        calls.append(protocol.take()[0])
    assert calls[-2:] == [where, "lost"]
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert "exception in a protocol; connection with" in record.getMessage()
    assert "no such luck" in caplog.text
    other.sendall(b"x")
    other_protocol.expect("made", b"x")


def test_a_last_callback_that_raises(listening: Listen, caplog: pytest.LogCaptureFixture) -> None:
    serving = listening(lambda: Recorder(lost=broken))
    _, protocol = serving.accept()
    _, other_protocol = serving.accept()

    def abort_both() -> None:
        protocol.stream.abort()
        other_protocol.stream.abort()

    serving.call(abort_both)
    for one in (protocol, other_protocol):
        one.expect("made", "lost")
    serving.driver.until(lambda: caplog.text.count("RuntimeError: no such luck") == 2)


def test_a_factory_that_raises(listening: Listen, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([True, False])

    def factory() -> PyProtocol:
        if next(failures):
            raise RuntimeError("no such luck")
        return Recorder()

    serving = listening(factory)
    assert ended(serving.connect())
    serving.driver.until(lambda: "no such luck" in caplog.text)
    sock, protocol = serving.accept()
    sock.sendall(b"x")
    protocol.expect("made", b"x")


def test_a_factory_that_makes_something_else(
    listening: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    serving = listening(lambda: object())
    assert ended(serving.connect())
    serving.driver.until(lambda: "TypeError" in caplog.text)


# Protocols


def test_switching_protocols(listening: Listen) -> None:
    """In the middle of what has been read: the rest is the new one's, if it is given it."""
    second = Recorder()

    def switch(self: Recorder, data: bytes) -> None:
        self.stream.protocol = second
        assert second.stream is self.stream
        assert self.stream.protocol is second
        second.data_received(data[4:])

    serving = listening(lambda: Recorder(data=switch))
    sock, first = serving.accept()
    first.expect("made")
    sock.sendall(b"headrest")
    assert first.take()[0] == "data"
    second.expect(b"rest")
    sock.sendall(b"more")
    second.expect(b"more")
    sock.close()
    second.expect("eof")
    serving.call(second.stream.close)
    second.expect("lost")
    assert first.calls.empty()


def test_a_protocol_must_be_one(listening: Listen) -> None:
    serving = listening()
    _, protocol = serving.accept()
    for wrong in (None, object()):
        with pytest.raises(TypeError):
            serving.call(setattr, protocol.stream, "protocol", wrong)


def test_adopting_a_socket(driver: Driver) -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    protocol = Recorder()

    def take_over() -> Stream:
        stream = adopt(driver.reactor, ours)
        stream.protocol = protocol
        stream.write(b"hello")
        return stream

    stream = driver.call(take_over)
    assert theirs.recv(10) == b"hello"
    theirs.sendall(b"there")
    protocol.expect(b"there")
    driver.call(stream.close)
    assert theirs.recv(10) == b""
    protocol.expect("lost")
    theirs.close()


# Many


def test_many_streams(listening: Listen) -> None:
    serving = listening(lambda: Recorder(data=lambda self, data: self.stream.write(data)))
    socks = [serving.connect() for _ in range(300)]
    for round_ in range(3):
        for n, sock in enumerate(socks):
            sock.sendall(b"%d %d" % (round_, n))
        for n, sock in enumerate(socks):
            assert sock.recv(100) == b"%d %d" % (round_, n)
    for sock in socks:
        sock.close()
    for _ in socks:
        protocol = serving.protocols.get(timeout=PATIENCE)
        serving.call(protocol.stream.close)


def test_streams_and_protocols_are_freed_without_the_collector(listening: Listen) -> None:
    serving: Listening = listening()
    refs = []
    gc.disable()
    try:
        for end in (lambda sock, protocol: reset(sock),
                    lambda sock, protocol: serving.call(protocol.stream.close),
                    lambda sock, protocol: serving.call(protocol.stream.abort)):  # fmt: skip
            sock, protocol = serving.accept()
            refs.append(weakref.ref(protocol))
            protocol.expect("made")
            end(sock, protocol)
            protocol.expect("lost")
            del protocol
        serving.driver.until(lambda: [ref() for ref in refs] == [None] * 3)
    finally:
        gc.enable()

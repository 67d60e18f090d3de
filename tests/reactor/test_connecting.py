"""Connecting one socket to one address; hosts with several are ``test_dial.py``'s."""

import errno
import socket
from typing import Any

import pytest
from tests.drivers import Driver
from tests.rawserver import unused_port
from tests.reactor.conftest import Listen
from tests.reactor.streams import Recorder

from cooee.reactor import Attempt, Stream, connect


class Outcome:
    """Puts down what the callback is called with, and gives the stream a protocol."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.calls: list[tuple[Stream | None, OSError | None]] = []
        self.protocol = Recorder()
        self.starting = False

    def __call__(self, stream: Stream | None, exc: OSError | None) -> None:
        assert not self.starting, "called before connect() has returned"
        self.calls.append((stream, exc))
        if stream is not None:
            stream.protocol = self.protocol

    def connect(self, address: Any, family: int = socket.AF_INET) -> Attempt:
        """Begin."""
        sock = socket.socket(family)
        sock.setblocking(False)

        def begin() -> Attempt:
            self.starting = True
            try:
                return connect(self.driver.reactor, sock, address, self)
            finally:
                self.starting = False

        return self.driver.call(begin)

    def wait(self) -> tuple[Stream | None, OSError | None]:
        """Wait for the outcome."""
        self.driver.until(lambda: self.calls)
        (call,) = self.calls
        return call


def unused_address() -> tuple[str, int]:
    """Where nobody listens."""
    return "127.0.0.1", unused_port()


def test_connecting(driver: Driver, listening: Listen) -> None:
    serving = listening(lambda: Recorder(data=lambda self, data: self.stream.write(data.upper())))
    outcome = Outcome(driver)
    attempt = outcome.connect(serving.address)
    stream, exc = outcome.wait()
    assert exc is None
    assert stream is not None
    assert driver.call(lambda: stream.peername) == serving.address
    driver.call(stream.write, b"hello")
    outcome.protocol.expect(b"HELLO")
    assert attempt.closed
    driver.call(attempt.cancel)  # Too late, and harmless.
    driver.call(stream.close)
    outcome.protocol.expect("lost")


def test_nobody_listens(driver: Driver) -> None:
    outcome = Outcome(driver)
    outcome.connect(unused_address())
    stream, exc = outcome.wait()
    assert stream is None
    assert isinstance(exc, ConnectionRefusedError)
    assert exc.errno == errno.ECONNREFUSED


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_no_such_path(driver: Driver) -> None:
    """It fails at once, and is told later all the same."""
    outcome = Outcome(driver)
    outcome.connect("/nowhere/at/all", socket.AF_UNIX)
    stream, exc = outcome.wait()
    assert stream is None
    assert isinstance(exc, FileNotFoundError)


def test_cancelling(driver: Driver, listening: Listen) -> None:
    for address in (listening().address, unused_address()):
        outcome = Outcome(driver)

        def begin_and_cancel(outcome: Outcome = outcome, address: Any = address) -> None:
            sock = socket.socket()
            sock.setblocking(False)
            attempt = connect(driver.reactor, sock, address, outcome)
            attempt.cancel()
            attempt.cancel()
            assert attempt.closed

        driver.call(begin_and_cancel)
        for _ in range(5):
            driver.call(lambda: None)
        assert outcome.calls == []


def test_a_callback_that_raises(
    driver: Driver, listening: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(stream: Stream | None, exc: OSError | None) -> None:
        if stream is not None:
            stream.abort()
        raise RuntimeError("no such luck")

    for n, address in enumerate((listening().address, unused_address()), 1):
        sock = socket.socket()
        sock.setblocking(False)
        driver.call(connect, driver.reactor, sock, address, broken)
        driver.until(lambda n=n: caplog.text.count("RuntimeError: no such luck") == n)


def test_a_listener_that_closes_leaves_its_streams(driver: Driver, listening: Listen) -> None:
    serving = listening()
    sock, protocol = serving.accept()
    driver.call(serving.listener.close)
    driver.call(serving.listener.close)
    assert serving.listener.closed
    sock.sendall(b"still here")
    protocol.expect("made", b"still here")
    with pytest.raises(ConnectionRefusedError):
        serving.connect()

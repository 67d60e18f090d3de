"""Connections to hosts of several addresses (RFC 8305)."""

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver, driver  # noqa: F401
from tests.rawserver import BlackHole, RawServer, random_path, unused_port

from cooee.reactor import (
    Address,
    DefaultReactor,
    Dial,
    PyProtocol,
    Reactor,
    Stream,
    dial,
    dial_unix,
    get_reactor,
)
from cooee.reactor.dial import interleave


def has_ipv6() -> bool:
    """Whether ::1 can be listened on."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
needs_black_hole = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a full queue refuses"
)


class Result:
    """What the callback was called with; closes the stream."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, OSError | None]] = []

    def __call__(self, stream: Stream | None, exc: OSError | None) -> None:
        if stream is None:
            self.calls.append((None, exc))
        else:
            self.calls.append((stream.peername, exc))
            stream.protocol = PyProtocol()
            stream.close()

    @property
    def connected(self) -> Any:
        """The address it was connected to."""
        ((peername, exc),) = self.calls
        assert exc is None, exc
        return peername

    @property
    def error(self) -> OSError:
        """What went wrong."""
        ((peername, exc),) = self.calls
        assert peername is None
        assert exc is not None
        return exc


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What getaddrinfo finds for any name: hosts and ports."""
    found: list[tuple[str, int]] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        return [
            (socket.AF_INET6, 1, 6, "", (*one, 0, 0))
            if ":" in one[0]
            else (socket.AF_INET, 1, 6, "", one)
            for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


def no_such_name(*args: Any, **options: Any) -> Any:
    """In the place of getaddrinfo, which asks a name server, or for many seconds none."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Listens on 127.0.0.1."""
    with RawServer() as server:
        yield server


def run(host: str, port: int, **options: Any) -> Result:
    """Dial on this thread's reactor, which runs until nothing is left to do."""
    result = Result()
    reactor = get_reactor()
    dial(reactor, host, port, result, **options)
    assert result.calls == []
    reactor.run()
    return result


def test_address(server: RawServer) -> None:
    assert run("127.0.0.1", server.port).connected == ("127.0.0.1", server.port)


def test_name(server: RawServer) -> None:
    assert run("localhost", server.port, family=socket.AF_INET).connected[0] == "127.0.0.1"


def test_every_driver(driver: Driver, server: RawServer) -> None:  # noqa: F811
    result = Result()
    driver.call(lambda: dial(driver.reactor, "localhost", server.port, result))
    driver.until(lambda: result.calls)
    assert result.connected == ("127.0.0.1", server.port)


def test_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = run("name.invalid", 80).error
    assert isinstance(error, socket.gaierror)
    assert "name.invalid: " in str(error)


def test_refused() -> None:
    port = unused_port()
    error = run("127.0.0.1", port).error
    assert isinstance(error, ConnectionRefusedError)
    assert error.strerror == f"cannot connect to 127.0.0.1 port {port}: Connection refused"


@needs_ipv6
def test_next_address_after_a_refusal(addresses: list[tuple[str, int]], server: RawServer) -> None:
    addresses += [("::1", unused_port("::1")), ("127.0.0.1", server.port)]
    # The delay would be longer than the test may take.
    result = run("name.test", 80, happy_eyeballs_delay=1e6)
    assert result.connected == ("127.0.0.1", server.port)


@needs_ipv6
def test_all_refused(addresses: list[tuple[str, int]]) -> None:
    ports = unused_port("::1"), unused_port()
    addresses += [("::1", ports[0]), ("127.0.0.1", ports[1])]
    error = run("name.test", 80).error
    assert isinstance(error, ConnectionRefusedError)
    assert error.strerror == (
        f"cannot connect to name.test port 80; ::1 port {ports[0]}: Connection refused; "
        f"127.0.0.1 port {ports[1]}: Connection refused"
    )


def test_socket_that_cannot_be_made(
    addresses: list[tuple[str, int]], server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for IPv6 addresses on a system without IPv6."""
    addresses += [("::1", 80), ("127.0.0.1", server.port)]
    original = socket.socket

    def no_ipv6(family: int = -1, *args: Any, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return original(family, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", no_ipv6)
        assert run("name.test", 80).connected == ("127.0.0.1", server.port)
        addresses[1:] = []
        assert run("name.test", 80).error.errno == errno.EAFNOSUPPORT


def test_no_address(addresses: list[tuple[str, int]]) -> None:
    error = run("name.test", 80).error
    assert error.errno == errno.EADDRNOTAVAIL
    assert "name.test port 80" in str(error)


@needs_black_hole
def test_next_address_beside_one_that_does_not_answer(
    addresses: list[tuple[str, int]], server: RawServer
) -> None:
    with BlackHole() as hole:
        addresses += [hole.address, ("127.0.0.1", server.port)]
        result = run("name.test", 80, happy_eyeballs_delay=0.01)
        assert result.connected == ("127.0.0.1", server.port)
        # And so that the first may still win:
        addresses.reverse()
        assert run("name.test", 80).connected == ("127.0.0.1", server.port)


@needs_black_hole
def test_refusal_beside_one_that_does_not_answer(addresses: list[tuple[str, int]]) -> None:
    """An address fails while another is waited for: that one still has its time."""
    port = unused_port()
    result = Result()
    reactor = get_reactor()
    with BlackHole() as hole:
        addresses += [hole.address, ("127.0.0.1", port)]
        one = dial(reactor, "name.test", 80, result, happy_eyeballs_delay=0.001, timeout=1e6)
        reactor.run(until=lambda: one._errors)
        assert result.calls == []
        # The time is up, after the refusal however slow this machine is.
        one._timed_out()
    error = result.error
    assert isinstance(error, TimeoutError)
    assert error.errno == errno.ETIMEDOUT
    assert error.strerror == (
        f"no connection with name.test port 80 in time; 127.0.0.1 port {port}: "
        f"Connection refused; 127.0.0.1 port {hole.port}: no answer"
    )


@needs_black_hole
def test_timeout() -> None:
    with BlackHole() as hole:
        error = run("127.0.0.1", hole.port, timeout=0.01).error
    assert isinstance(error, TimeoutError)


def test_timeout_of_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: go.wait(PATIENCE) and [])
    error = run("name.test", 80, timeout=0.01).error
    assert str(error) == f"[Errno {errno.ETIMEDOUT}] no connection with name.test port 80 in time"
    go.set()


def test_time_that_remains(server: RawServer) -> None:
    reactor = get_reactor()
    one = dial(reactor, "127.0.0.1", server.port, Result(), timeout=100)
    reactor.run()
    assert one.remaining is not None
    assert 0 < one.remaining < 100
    another = dial(reactor, "127.0.0.1", server.port, Result())
    reactor.run()
    assert another.remaining is None


class Gate:
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self.proceed: Callable[[], None] = lambda: None

    def __call__(self, addresses: list[Address], proceed: Callable[[], None]) -> None:
        self.addresses = addresses
        self.proceed = proceed


def test_gate_stops_the_clock(server: RawServer) -> None:
    reactor = get_reactor()
    gate, result = Gate(), Result()
    one = dial(reactor, "127.0.0.1", server.port, result, timeout=100, gate=gate)
    reactor.run()
    # Neither a timer nor anything else is left to do.
    assert result.calls == []
    assert gate.addresses == [Address(socket.AF_INET, ("127.0.0.1", server.port))]
    assert one.remaining is not None
    remaining = one.remaining
    assert remaining < 100
    gate.proceed()
    reactor.run()
    assert result.connected == ("127.0.0.1", server.port)
    assert one.remaining < remaining


def poll(reactor: Reactor, count: int = 5) -> None:
    for _ in range(count):
        reactor.poll()


def cancelled(one: Dial) -> None:
    """Cancel, twice, and see that nothing is left to do."""
    one.cancel()
    one.cancel()
    get_reactor().run()


def test_cancel_before_anything(server: RawServer) -> None:
    result = Result()
    cancelled(dial(get_reactor(), "127.0.0.1", server.port, result, timeout=100))
    assert result.calls == []
    assert not server.waiting()


def test_cancel_during_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        begun.set()
        go.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    result = Result()
    one = dial(get_reactor(), "name.test", 80, result, timeout=100)
    assert begun.wait(PATIENCE)
    cancelled(one)
    go.set()
    poll(get_reactor())
    assert result.calls == []


def test_cancel_at_the_gate(server: RawServer) -> None:
    gate, result = Gate(), Result()
    one = dial(get_reactor(), "127.0.0.1", server.port, result, timeout=100, gate=gate)
    get_reactor().run()
    assert gate.addresses
    cancelled(one)
    gate.proceed()
    get_reactor().run()
    assert result.calls == []
    assert not server.waiting()


@needs_black_hole
def test_cancel_during_two_attempts(addresses: list[tuple[str, int]]) -> None:
    result = Result()
    reactor = get_reactor()
    before = len(reactor.handles())
    with BlackHole() as first, BlackHole() as second:
        addresses += [first.address, second.address, second.address]
        one = dial(reactor, "name.test", 80, result, timeout=100, happy_eyeballs_delay=0)
        reactor.run(until=lambda: len(reactor.handles()) == before + 2)
        cancelled(one)
    assert len(reactor.handles()) == before
    assert result.calls == []


def test_cancel_when_over(server: RawServer) -> None:
    result = Result()
    reactor = get_reactor()
    one = dial(reactor, "127.0.0.1", server.port, result)
    reactor.run()
    cancelled(one)
    assert result.connected


def test_closed_reactor(server: RawServer) -> None:
    reactor = DefaultReactor()
    gate, result = Gate(), Result()
    dial(reactor, "127.0.0.1", server.port, result, gate=gate)
    reactor.run()
    reactor.close()
    gate.proceed()
    assert result.error.errno == errno.ECANCELED
    with pytest.raises(RuntimeError, match="the reactor is closed"):
        dial(reactor, "127.0.0.1", server.port, result)
    assert not server.waiting()


def test_callback_that_raises(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    def callback(stream: Stream | None, exc: OSError | None) -> None:
        assert stream is not None
        stream.abort()
        raise ZeroDivisionError

    reactor = get_reactor()
    dial(reactor, "127.0.0.1", server.port, callback)
    reactor.run()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("hosts", "order"),
    [
        ([], []),
        (["a4"], ["a4"]),
        (["a4", "b4"], ["a4", "b4"]),
        (["a6", "b6", "a4", "b4"], ["a6", "a4", "b6", "b4"]),
        (["a4", "a6", "b6", "c6"], ["a4", "a6", "b6", "c6"]),
        (["a6", "b6", "c6", "a4"], ["a6", "a4", "b6", "c6"]),
    ],
    ids=lambda hosts: " ".join(hosts) or "none",
)
def test_families_take_turns(hosts: list[str], order: list[str]) -> None:
    addresses = [Address(int(host[-1]), (host, 80)) for host in hosts]
    assert [address.address[0] for address in interleave(addresses)] == order


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 may need to be configured")
def test_local_address(server: RawServer, addresses: list[tuple[str, int]]) -> None:
    # The local address chooses the family too, or else this one would be tried.
    assert run("127.0.0.1", server.port, local_addr=("127.0.0.2", 0)).connected
    assert server.take().sock.getpeername()[0] == "127.0.0.2"


def test_local_address_in_use(server: RawServer) -> None:
    error = run("127.0.0.1", server.port, local_addr=("127.0.0.1", server.port)).error
    assert error.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"local_addr": ("localhost", 0)}, "no literal address"),
        ({"local_addr": ("127.0.0.1", 0), "family": socket.AF_INET6}, "another family"),
        ({"port": -1}, "port -1"),
        ({"port": 65536}, "port 65536"),
        ({"local_addr": ("127.0.0.1", 65536)}, "port 65536"),
    ],
    ids=["name", "family", "negative", "large", "local"],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dial(get_reactor(), "127.0.0.1", options.pop("port", 80), Result(), **options)
    get_reactor().run()


# Unix sockets


def run_unix(path: str | Path, **options: Any) -> Result:
    result = Result()
    dial_unix(get_reactor(), path, result, **options)
    assert result.calls == []
    get_reactor().run()
    return result


def test_unix_socket(tmp_path: Path) -> None:
    path = random_path(tmp_path)
    with RawServer(path=path) as server:
        for given in (path, Path(path)):
            ((_, exc),) = run_unix(given, timeout=100).calls
            assert exc is None
            server.take()


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing", errno.ENOENT), ("x" * 200, 0)],
    ids=["missing", "long"],
)
def test_no_unix_socket(tmp_path: Path, name: str, code: int) -> None:
    path = f"{tmp_path}/{name}"
    error = run_unix(path).error
    assert error.errno == code
    assert path in str(error)


@needs_black_hole
def test_unix_socket_with_a_full_queue(tmp_path: Path) -> None:
    path = random_path(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as filler:
            filler.connect(path)
            error = run_unix(path).error
    assert isinstance(error, BlockingIOError)


@pytest.mark.skipif(sys.platform != "linux", reason="the address fails in another way")
def test_network_that_is_unreachable_at_once() -> None:
    """connect() itself fails, and the socket reports being at fault before that is told."""
    # Broadcast, which the system refuses without asking anyone.
    error = run("255.255.255.255", 80).error
    assert error.errno in (errno.ENETUNREACH, errno.EACCES, errno.EPERM)


def test_cancel_unix_socket(tmp_path: Path) -> None:
    path = random_path(tmp_path)
    result = Result()
    with RawServer(path=path) as server:
        cancelled(dial_unix(get_reactor(), path, result))
        assert not server.waiting()
    assert result.calls == []

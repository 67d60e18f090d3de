"""Names to addresses: in threads, but for literal ones."""

import errno
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver, driver  # noqa: F401

from cooee.reactor import Address, get_reactor, resolve

Found = list[tuple[int, int, int, str, tuple[Any, ...]]]

V4 = Address(socket.AF_INET, ("192.0.2.1", 80))
V6 = Address(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))


def found(*addresses: Address) -> Found:
    """As getaddrinfo has it."""
    return [(a.family, socket.SOCK_STREAM, 6, "", a.address) for a in addresses]


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Found]], None]:
    """Put a function in the place of getaddrinfo."""
    return lambda function: monkeypatch.setattr(socket, "getaddrinfo", function)


class Result:
    """What the callback was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Address], OSError | None, int]] = []

    def __call__(self, addresses: list[Address], exc: OSError | None) -> None:
        self.calls.append((addresses, exc, threading.get_ident()))


def run(host: str, **options: Any) -> tuple[list[Address], OSError | None]:
    """Resolve on this thread's reactor; it runs until the lookup is over."""
    result = Result()
    reactor = get_reactor()
    resolve(reactor, host, 80, result, **options)
    assert result.calls == []
    reactor.run()
    ((addresses, exc, thread),) = result.calls
    assert thread == threading.get_ident()
    return addresses, exc


def no_lookup(*args: Any, **options: Any) -> Found:
    raise AssertionError("looked up")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", Address(socket.AF_INET, ("192.0.2.1", 80))),
        ("2001:db8::1", Address(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))),
        ("::", Address(socket.AF_INET6, ("::", 80, 0, 0))),
    ],
)
def test_literal_addresses_are_not_looked_up(
    lookup: Callable[..., None], host: str, expected: Address
) -> None:
    lookup(no_lookup)
    assert run(host) == ([expected], None)
    assert run(host, family=expected.family) == ([expected], None)


@pytest.mark.parametrize(
    ("host", "family"), [("192.0.2.1", socket.AF_INET6), ("2001:db8::1", socket.AF_INET)]
)
def test_literal_address_of_another_family(host: str, family: int) -> None:
    addresses, exc = run(host, family=family)
    assert addresses == []
    assert isinstance(exc, socket.gaierror)
    assert str(exc).endswith(f"{host}: address of another family")


def test_names_are_looked_up_in_a_thread(lookup: Callable[..., None]) -> None:
    calls = []

    def getaddrinfo(*args: Any, **options: Any) -> Found:
        calls.append((args, options, threading.get_ident()))
        return found(V6, V4, V6)

    lookup(getaddrinfo)
    assert run("name.test", family=socket.AF_UNSPEC) == ([V6, V4], None)
    ((args, options, thread),) = calls
    assert args == ("name.test", 80)
    assert options == {"family": 0, "type": socket.SOCK_STREAM}
    assert thread != threading.get_ident()


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            socket.gaierror,
            "name.test: Name or service not known",
        ),
        (OSError(errno.EMFILE, "Too many open files"), OSError, "Too many open files"),
        (UnicodeError("label too long"), socket.gaierror, "name.test: label too long"),
        (ValueError("embedded null byte"), socket.gaierror, "name.test: embedded null byte"),
    ],
    ids=["unknown", "system", "label", "zero"],
)
def test_failure(
    lookup: Callable[..., None], raised: Exception, kind: type[OSError], text: str
) -> None:
    def getaddrinfo(*args: Any, **options: Any) -> Found:
        raise raised

    lookup(getaddrinfo)
    addresses, exc = run("name.test")
    assert addresses == []
    assert type(exc) is kind
    assert text in str(exc)


def test_no_thread_to_be_had(lookup: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        addresses, exc = run("name.test")
    assert addresses == []
    assert exc is not None
    assert exc.errno == errno.EAGAIN
    lookup(lambda *args, **options: found(V4))
    assert run("name.test") == ([V4], None)


def test_many_lookups(lookup: Callable[..., None]) -> None:
    def getaddrinfo(host: str, port: int, **options: Any) -> Found:
        return found(Address(socket.AF_INET, (host, port)))

    lookup(getaddrinfo)
    reactor = get_reactor()
    result = Result()
    for number in range(100):
        resolve(reactor, f"{number}.test", 80, result)
    reactor.run()
    hosts = [addresses[0].address[0] for addresses, _, _ in result.calls]
    assert sorted(hosts) == sorted(f"{number}.test" for number in range(100))


def test_more_lookups_than_threads_wait_for_their_turn(lookup: Callable[..., None]) -> None:
    busy = threading.Semaphore(0)
    go = threading.Event()
    running: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> Found:
        running.append(host)
        busy.release()
        assert go.wait(PATIENCE)
        return found(V4)

    lookup(getaddrinfo)
    reactor = get_reactor()
    result = Result()
    lookups = [resolve(reactor, f"{number}.test", 80, result) for number in range(12)]
    for _ in range(8):
        assert busy.acquire(timeout=PATIENCE)
    assert not busy.acquire(blocking=False)
    # Neither one that waits for a thread nor one that has one calls back, or keeps run() going.
    lookups[0].cancel()
    lookups[11].cancel()
    lookups[11].cancel()
    assert lookups[11].over
    go.set()
    reactor.run()
    assert len(result.calls) == 10
    assert "11.test" not in running


def test_cancelled_lookups_let_run_return(lookup: Callable[..., None]) -> None:
    begun, go = threading.Event(), threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Found:
        begun.set()
        assert go.wait(PATIENCE)
        return found(V4)

    lookup(getaddrinfo)
    result = Result()
    reactor = get_reactor()
    lookup_ = resolve(reactor, "name.test", 80, result)
    assert begun.wait(PATIENCE)
    reactor.call_soon(lookup_.cancel)
    reactor.run()
    go.set()
    reactor.poll()
    assert result.calls == []


def test_lookup_that_outlives_its_reactor(lookup: Callable[..., None]) -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Found:
        begun.set()
        assert go.wait(PATIENCE)
        done.set()
        return found(V4)

    lookup(getaddrinfo)
    from cooee.reactor import DefaultReactor

    reactor = DefaultReactor()
    result = Result()
    resolve(reactor, "name.test", 80, result)
    assert begun.wait(PATIENCE)
    reactor.close()
    go.set()
    assert done.wait(PATIENCE)
    assert result.calls == []


def test_every_driver_wakes_up(driver: Driver) -> None:  # noqa: F811
    result = Result()
    driver.call(lambda: resolve(driver.reactor, "localhost", 80, result))
    driver.until(lambda: result.calls)
    ((addresses, exc, _),) = result.calls
    assert exc is None
    assert {address.address[0] for address in addresses} <= {"127.0.0.1", "::1"}


def test_addresses_as_text() -> None:
    assert str(V4) == "192.0.2.1 port 80"
    assert str(V6) == "2001:db8::1 port 80"
    assert str(Address(1, "/tmp/x.sock")) == "/tmp/x.sock"

"""Sockets of several addresses share a port, which has to be free at all of them."""

import errno
import itertools
from typing import Any

import pytest

from cooee.reactor import bind, bind_tcp

pytestmark = pytest.mark.once


class Socket:
    """What listens on an address, or on any free port there."""

    free = itertools.count(50_000)

    def __init__(self, address: Any) -> None:
        self.name = (address[0], address[1] or next(self.free))
        self.closed = False

    def getsockname(self) -> Any:
        return self.name

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Socket]:
    """The sockets that listen on 127.0.0.1; a port on 127.0.0.2 is free if four divides it."""
    made: list[Socket] = []

    def listen(family: int, address: Any, *args: Any) -> Any:
        if address[0] == "127.0.0.2" and address[1] % 4:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        made.append(Socket(address))
        return made[-1]

    monkeypatch.setattr(bind, "_listen", listen)
    monkeypatch.setattr(Socket, "free", itertools.count(50_001))
    return made


HOSTS = ["127.0.0.1", "127.0.0.2"]


def test_a_port_that_is_taken_at_the_next_address(made: list[Socket]) -> None:
    """Another free one is tried, for all, and what listened on that one is closed."""
    socks = list(bind_tcp(HOSTS, 0, 1))
    assert [sock.getsockname() for sock in socks] == [(host, 50_004) for host in HOSTS]
    assert [sock.closed for sock in made] == [True] * 3 + [False] * 2


def test_a_port_that_was_asked_for_is_not_exchanged(made: list[Socket]) -> None:
    with pytest.raises(OSError, match="in use"):
        list(bind_tcp(HOSTS, 6081, 1))
    assert [sock.closed for sock in made] == [True]


def test_it_ends_when_none_is_free(made: list[Socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Socket, "free", itertools.repeat(50_001))
    with pytest.raises(OSError, match="in use"):
        list(bind_tcp(HOSTS, 0, 1))
    assert {sock.closed for sock in made} == {True}


def test_those_that_are_not_asked_for_are_closed(made: list[Socket]) -> None:
    socks = bind_tcp(HOSTS, 50_004, 1)
    next(socks)
    socks.close()  # type: ignore[attr-defined]
    assert [sock.closed for sock in made] == [False, True]

"""Host names to addresses, looked up in threads so that the reactor never waits."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from cooee.reactor.core import Reactor

__all__ = ["Address", "Resolution", "resolve"]

# Lookups at a time. Each blocks a thread for as long as the system's resolver takes, which without
# a name server in reach is tens of seconds; the threads cost nothing while there are no lookups.
_THREADS: Final = 8


class Address(NamedTuple):
    """What a socket can be connected to: its family, and the address as that family has it."""

    family: int
    address: Any

    def __str__(self) -> str:
        if isinstance(self.address, str):
            return self.address
        host, port = self.address[:2]
        return f"{host} port {port}"


ResolveCallback: TypeAlias = Callable[[list[Address], OSError | None], object]


class Resolution:
    """A lookup under way; see :func:`resolve`."""

    def __init__(self, reactor: Reactor, callback: ResolveCallback) -> None:
        self._reactor = reactor
        self._callback = callback
        self._over = False
        reactor.hold()

    @property
    def over(self) -> bool:
        """Whether the callback was called, or is not going to be."""
        return self._over

    def cancel(self) -> None:
        """Give up: the callback is not called any more. Idempotent."""
        if not self._over:
            self._over = True
            self._reactor.release()

    def finish(self, addresses: list[Address], exc: OSError | None) -> None:
        """The lookup is over."""
        if self._over:
            return
        self._over = True
        try:
            self._callback(addresses, exc)
        finally:
            self._reactor.release()


def resolve(
    reactor: Reactor, host: str, port: int, callback: ResolveCallback, *, family: int = 0
) -> Resolution:
    """
    Find the TCP addresses of a host, in the order in which the system would try them.

    Literal addresses take no thread. The reactor runs on until the lookup is over or cancelled.

    Args:
        host: Name, IPv4 address, or IPv6 address without brackets.
        callback: Called on the reactor's thread, never before this function has returned, with a
            list of :class:`Address` and None, or with an empty list and an OSError, which for an
            unknown name is a ``socket.gaierror``.
        family: ``socket.AF_INET`` or ``AF_INET6`` for addresses of that family only.
    """
    resolution = Resolution(reactor, callback)
    literal = _literal(host, port)
    if literal is None:
        _threads.submit(_Lookup(reactor, resolution, host, port, family))
    elif family not in (0, literal.family):
        reactor.call_soon(resolution.finish, [], _unknown(host, "address of another family"))
    else:
        reactor.call_soon(resolution.finish, [literal], None)
    return resolution


def _literal(host: str, port: int) -> Address | None:
    for family, address in (
        (socket.AF_INET, (host, port)),
        (socket.AF_INET6, (host, port, 0, 0)),
    ):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return Address(family, address)
    return None


def _unknown(host: str, why: str, code: int = socket.EAI_NONAME) -> socket.gaierror:
    return socket.gaierror(code, f"{host}: {why}")


class _Lookup:
    """One lookup, for a thread to run."""

    def __init__(
        self, reactor: Reactor, resolution: Resolution, host: str, port: int, family: int
    ) -> None:
        self._reactor = reactor
        self._resolution = resolution
        self._host = host
        self._port = port
        self._family = family

    def run(self) -> None:
        if self._resolution.over:
            return
        addresses: list[Address] = []
        failure: OSError | None = None
        try:
            found = socket.getaddrinfo(
                self._host, self._port, family=self._family, type=socket.SOCK_STREAM
            )
            addresses = list(
                dict.fromkeys(Address(int(family), address) for family, _, _, _, address in found)
            )
        except socket.gaierror as exc:
            failure = _unknown(self._host, exc.strerror or str(exc), exc.errno or 0)
        except OSError as exc:
            failure = exc
        except ValueError as exc:
            # A zero byte, or a label that is empty or has more than 63 characters.
            failure = _unknown(self._host, str(exc))
        self.finish(addresses, failure)

    def finish(self, addresses: list[Address], failure: OSError | None) -> None:
        # RuntimeError: the reactor is closed by now, and nobody waits.
        with contextlib.suppress(RuntimeError):
            self._reactor.call_soon_threadsafe(self._resolution.finish, addresses, failure)


class _Threads:
    """Daemon threads, `limit` at most, each of which ends when there is nothing left to do."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._lookups: deque[_Lookup] = deque()
        self._count = 0

    def submit(self, lookup: _Lookup) -> None:
        with self._lock:
            self._lookups.append(lookup)
            if self._count == self._limit:
                return
            self._count += 1
        try:
            threading.Thread(target=self._work, name="cooee resolver", daemon=True).start()
        except RuntimeError:
            # The process may have no more threads. Those that it has go on.
            with self._lock:
                self._count -= 1
                stranded = list(self._lookups) if self._count == 0 else []
                if stranded:
                    self._lookups.clear()
            for one in stranded:
                one.finish([], OSError(errno.EAGAIN, "no thread to look a name up in"))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._lookups:
                    self._count -= 1
                    return
                lookup = self._lookups.popleft()
            lookup.run()


_threads = _Threads(_THREADS)


def _forget() -> None:
    """In a forked child, which has none of the parent's threads."""
    global _threads
    _threads = _Threads(_THREADS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

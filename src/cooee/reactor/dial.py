"""
Connections to a host: its addresses are tried one after another, overlapping, and the first that
answers is taken (RFC 8305, "happy eyeballs").
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from cooee.reactor.core import Reactor
from cooee.reactor.resolve import Address, Resolution, resolve
from cooee.reactor.stream import Attempt, Stream, connect
from cooee.reactor.timers import Timer

__all__ = ["HAPPY_EYEBALLS_DELAY", "Dial", "dial", "dial_unix", "interleave"]

HAPPY_EYEBALLS_DELAY: Final = 0.25
"""Seconds: the "Connection Attempt Delay" that RFC 8305 §5 recommends."""

_AF_UNIX: Any = getattr(socket, "AF_UNIX", -1)

DialCallback: TypeAlias = Callable[[Stream | None, OSError | None], object]
Gate: TypeAlias = Callable[[list[Address], Callable[[], None]], object]


class Dial:
    """
    A connection being made; see :func:`dial`.

    Attributes:
        remaining: Seconds left of the timeout, None when there is none; right once it is over.
    """

    def __init__(
        self,
        reactor: Reactor,
        name: str,
        callback: DialCallback,
        *,
        timeout: float | None,
        local_addr: tuple[str, int] | None,
        happy_eyeballs_delay: float,
        gate: Gate | None,
    ) -> None:
        if reactor.closed:
            raise RuntimeError("the reactor is closed")
        self.remaining = timeout
        self._reactor = reactor
        self._name = name
        self._callback = callback
        self._local_addr = local_addr
        self._delay = happy_eyeballs_delay
        self._gate = gate
        self._over = False
        self._resolution: Resolution | None = None
        # Addresses not tried yet, the next one last; attempts under way; what came of the others.
        self._waiting: list[Address] = []
        self._attempts: dict[Address, Attempt] = {}
        self._errors: dict[Address, OSError] = {}
        self._next: Timer | None = None
        self._deadline: Timer | None = None
        self._timed_from = 0.0
        self._start_clock()

    def cancel(self) -> None:
        """Give up: the callback is not called any more. Idempotent."""
        if self._over:
            return
        self._over = True
        self._stop_clock()
        if self._resolution is not None:
            self._resolution.cancel()
        if self._next is not None:
            self._next.cancel()
        for attempt in self._attempts.values():
            attempt.cancel()
        self._attempts.clear()

    # What dial() and dial_unix() do

    def resolve(self, host: str, port: int, family: int) -> None:
        """Begin with a lookup."""
        self._resolution = resolve(self._reactor, host, port, self._resolved, family=family)

    def connect(self, addresses: list[Address]) -> None:
        """Begin with addresses."""
        self._reactor.call_soon(self._resolved, addresses, None)

    # The clock

    def _start_clock(self) -> None:
        if self.remaining is not None:
            self._timed_from = self._reactor.time()
            self._deadline = self._reactor.call_later(self.remaining, self._timed_out)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            assert self.remaining is not None
            self._deadline.cancel()
            self._deadline = None
            self.remaining -= self._reactor.time() - self._timed_from

    def _timed_out(self) -> None:
        tried = [f"{address}: {_text(exc)}" for address, exc in self._errors.items()]
        tried += [f"{address}: no answer" for address in self._attempts]
        self._finish(
            None,
            TimeoutError(
                errno.ETIMEDOUT,
                f"no connection with {self._name} in time" + "".join(f"; {one}" for one in tried),
            ),
        )

    # One thing after another

    def _resolved(self, addresses: list[Address], exc: OSError | None) -> None:
        if self._over:
            return
        if exc is not None:
            self._finish(None, exc)
            return
        self._waiting = list(reversed(interleave(addresses)))
        if self._gate is None:
            self._try_next()
        else:
            self._stop_clock()
            self._gate(addresses, self._admitted)

    def _admitted(self) -> None:
        if not self._over:
            self._start_clock()
            self._try_next()

    def _try_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._waiting:
            address = self._waiting.pop()
            try:
                self._attempts[address] = self._attempt(address)
            except OSError as exc:
                self._errors[address] = exc
                continue
            if self._waiting:
                self._next = self._reactor.call_later(self._delay, self._try_next)
            return
        if not self._attempts:
            self._finish(None, self._combined_error())

    def _attempt(self, address: Address) -> Attempt:
        if self._reactor.closed:
            # Being closed, it lets what was waiting go on, which must not open anything.
            raise OSError(errno.ECANCELED, "the reactor is closed")
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if self._local_addr is not None:
                sock.bind(self._local_addr)

            def connected(stream: Stream | None, exc: OSError | None) -> None:
                del self._attempts[address]
                if stream is not None:
                    self._finish(stream, None)
                else:
                    assert exc is not None
                    self._errors[address] = exc
                    # RFC 8305 §5: the next attempt need not wait for the delay any more.
                    self._try_next()

            return connect(self._reactor, sock, address.address, connected)
        except BaseException:
            sock.close()
            raise

    def _finish(self, stream: Stream | None, exc: OSError | None) -> None:
        self.cancel()
        self._callback(stream, exc)

    def _combined_error(self) -> OSError:
        """One error that names every address; its type is that of the first."""
        if not self._errors:
            return OSError(errno.EADDRNOTAVAIL, f"no address of {self._name} can be tried")
        first = next(iter(self._errors.values()))
        tried = [f"{address}: {_text(exc)}" for address, exc in self._errors.items()]
        what = f"cannot connect to {self._name}; " if len(tried) > 1 else "cannot connect to "
        return OSError(first.errno or 0, what + "; ".join(tried))


def _text(exc: OSError) -> str:
    return exc.strerror or str(exc)


def interleave(addresses: Iterable[Address]) -> list[Address]:
    """
    Return the addresses with their families taking turns, the family of the first one first.

    RFC 8305 §4, with a "First Address Family Count" of 1: one family that leads nowhere costs one
    delay, not one for each of its addresses.
    """
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    longest = max(map(len, families.values()), default=0)
    return [
        family[index]
        for index in range(longest)
        for family in families.values()
        if index < len(family)
    ]


def dial(
    reactor: Reactor,
    host: str,
    port: int,
    callback: DialCallback,
    *,
    timeout: float | None = None,
    family: int = 0,
    local_addr: tuple[str, int] | None = None,
    happy_eyeballs_delay: float = HAPPY_EYEBALLS_DELAY,
    gate: Gate | None = None,
) -> Dial:
    """
    Connect to a host by TCP, without blocking.

    Args:
        host: Name, IPv4 address, or IPv6 address without brackets.
        callback: Called once, never before this function has returned, with ``(stream, None)`` or
            ``(None, OSError)``; the error names every address that was tried. The stream has no
            protocol yet.
        timeout: Seconds for looking up and connecting; then it is a TimeoutError. None, the
            default, for no limit but those of the system.
        family: ``socket.AF_INET`` or ``AF_INET6`` to use only that family.
        local_addr: Address and port to connect from: a literal address, which also chooses the
            family; port 0 for any.
        happy_eyeballs_delay: Seconds that an address has to itself before the next is tried too.
        gate: Called with the addresses when they are known and a function, now or later, with
            which to go on; the timeout does not count that time.

    Returns:
        A :class:`Dial`, which can be cancelled.

    Raises:
        RuntimeError: The reactor is closed.
        ValueError: A port is not 0 to 65535; `local_addr` is a name, or of another family than
            asked for.
    """
    if local_addr is not None:
        family = _local_family(local_addr, family)
    _check_port(port)
    one = Dial(
        reactor,
        f"{host} port {port}",
        callback,
        timeout=timeout,
        local_addr=local_addr,
        happy_eyeballs_delay=happy_eyeballs_delay,
        gate=gate,
    )
    one.resolve(host, port, family)
    return one


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port}, must be 0 to 65535")


def _local_family(local_addr: tuple[str, int], family: int) -> int:
    _check_port(local_addr[1])
    for one in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(one, local_addr[0])
            if family not in (0, one):
                raise ValueError(f"local_addr {local_addr!r} is of another family than asked for")
            return one
    raise ValueError(f"local_addr {local_addr!r} is no literal address and port")


def dial_unix(
    reactor: Reactor,
    path: str | os.PathLike[str],
    callback: DialCallback,
    *,
    timeout: float | None = None,
) -> Dial:
    """
    Connect to a Unix socket, without blocking; otherwise as :func:`dial`.

    A listener with too many connections to accept refuses at once, with BlockingIOError.
    """
    text = os.fspath(path)
    one = Dial(
        reactor,
        text,
        callback,
        timeout=timeout,
        local_addr=None,
        happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
        gate=None,
    )
    one.connect([Address(_AF_UNIX, text)])
    return one

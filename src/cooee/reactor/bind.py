"""Listening sockets: what a host, a port or a path stands for."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

__all__ = ["bind_tcp", "bind_unix"]

# Free ports tried until one is free at all addresses.
_TRIES: Final = 10


def bind_tcp(
    host: str | Iterable[str] | None, port: int, backlog: int, *, reuse_port: bool = False
) -> Iterator[socket.socket]:
    """
    Yield listening, non-blocking sockets for every address of a host or of several.

    Args:
        host: Name or address; None for all interfaces, IPv4 and, where there is any, IPv6.
        port: 0 for a free one, the same for all sockets.

    Raises:
        OSError: An address cannot be bound; for a name with several addresses, none can.
    """
    hosts = [host] if host is None or isinstance(host, str) else list(host)
    for left in reversed(range(1 if port else _TRIES)):
        socks: list[socket.socket] = []
        try:
            for sock in _bind(hosts, port, backlog, reuse_port):
                socks.append(sock)  # noqa: PERF402 - those before a failure are to be closed
        except OSError as exc:
            # The port that was free at the first address may be in use at the next.
            if not (socks and left and exc.errno == errno.EADDRINUSE):
                raise
        else:
            while socks:
                yield socks.pop(0)
            return
        finally:
            for sock in socks:
                sock.close()


def _bind(
    hosts: Iterable[str | None], port: int, backlog: int, reuse_port: bool
) -> Iterator[socket.socket]:
    for one in hosts:
        failure: OSError | None = None
        bound = False
        for family, address in _addresses(one, port):
            try:
                sock = _listen(family, (address[0], port, *address[2:]), backlog, reuse_port)
            except OSError as exc:
                if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                failure = exc
                continue
            bound = True
            port = sock.getsockname()[1]
            yield sock
        if not bound:
            raise failure or OSError(errno.EADDRNOTAVAIL, f"no address for {one!r}")


def _addresses(host: str | None, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    if host is None:
        return [(socket.AF_INET, ("0.0.0.0", port)), (socket.AF_INET6, ("::", port, 0, 0))]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        exc.filename = host
        raise
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _listen(family: int, address: tuple[Any, ...], backlog: int, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if sys.platform != "win32":
            # There it would let a second process take the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            exc.filename = f"{address[0]} port {address[1]}"
        raise
    return sock


def bind_unix(path: str, backlog: int) -> socket.socket:
    """
    Return a listening, non-blocking socket on a path.

    A socket that a dead process left there is replaced.

    Raises:
        OSError: The path is in use or cannot be bound.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(path) == errno.ECONNREFUSED:
                    os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
        sock.listen(backlog)
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            exc.filename = path
        raise
    return sock

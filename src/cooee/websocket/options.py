"""What is given to servers and clients by name: the types, and an answer to wrong names."""

from __future__ import annotations

import difflib
import inspect
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from cooee.http import HttpLimits, Request, Response
from cooee.protocol.origin import OriginPolicy
from cooee.websocket.connection import Settings
from cooee.websocket.opening import HeadersLike
from cooee.websocket.session import Session

__all__ = [
    "HttpHandler",
    "PortOptions",
    "RequestHook",
    "ServerOptions",
    "SessionHandler",
    "SettingsOptions",
    "Subprotocols",
    "check_options",
    "make_settings",
]

RequestHook: TypeAlias = Callable[[Request], Response | Awaitable[Response | None] | None]
HttpHandler: TypeAlias = Callable[[Request], Response | Awaitable[Response]]
SessionHandler: TypeAlias = Callable[[Session], Awaitable[None]]
Subprotocols: TypeAlias = str | Sequence[str] | Callable[[Request, list[str]], str | None]


class SettingsOptions(TypedDict, total=False):
    """The arguments of :class:`cooee.websocket.Settings`."""

    max_message_size: int | None
    close_timeout: float
    ping_interval: float | None
    ping_timeout: float | None
    high_water: int
    max_buffered: int
    max_queue: int


class PortOptions(SettingsOptions, total=False):
    """The arguments of :class:`cooee.Server` by name that a Socket.IO server takes too."""

    unix: str | os.PathLike[str] | None
    sock: socket.socket | None
    process_request: RequestHook | None
    http: HttpHandler | None
    origins: OriginPolicy
    subprotocols: Subprotocols | None
    headers: HeadersLike | None
    server_header: str | None
    handshake_timeout: float | None
    reuse_port: bool
    backlog: int
    busy_poll: float


class ServerOptions(PortOptions, total=False):
    """The arguments of :class:`cooee.Server` that are given by name."""

    limits: HttpLimits | None


def make_settings(
    owner: Callable[..., object], options: Mapping[str, Any], own: Iterable[str] | None = None
) -> Settings:
    """
    Return the settings that are given to a class beside its own arguments.

    Args and errors are those of :func:`check_options` and of :class:`Settings`.
    """
    check_options(owner, options, SettingsOptions, own)
    return Settings(**options)


def check_options(
    owner: Callable[..., object],
    options: Iterable[str],
    known: type,
    own: Iterable[str] | None = None,
) -> None:
    """
    Refuse options that there are not, and name those that may be meant.

    Args:
        owner: The class or function that was given them.
        options: Their names.
        known: The TypedDict of those that it takes beside its own arguments.
        own: The names of these; by default those in its signature, which native classes lack.

    Raises:
        TypeError: There is no such option.
    """
    names = known.__annotations__.keys()
    unknown = set(options).difference(names)
    if not unknown:
        return
    if own is None:
        parameters = inspect.signature(owner).parameters.values()
        own = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
    meant = [*own, *names]
    told = []
    for name in sorted(unknown):
        # Other packages' names differ by whole words: additional_headers, cors_allowed_origins.
        similar = [one for one in meant if name.startswith(f"{one}_")]
        similar += difflib.get_close_matches(name, meant, n=1)
        similar += [one for one in meant if f"_{one}_" in f"_{name}_" or f"_{name}_" in f"_{one}_"]
        told.append(f"{name!r} (is {similar[0]} meant?)" if similar else repr(name))
    raise TypeError(f"{owner.__name__} has no option {', '.join(told)}")

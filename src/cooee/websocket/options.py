"""What is given to servers and clients by name: the types, and an answer to wrong names."""

from __future__ import annotations

import difflib
import inspect
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypedDict

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
    "make_settings",
    "refuse_options",
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


_NAMES: Final = SettingsOptions.__annotations__.keys()
# Those for which None means no limit, or never.
_OPTIONAL: Final = frozenset({"max_message_size", "ping_interval", "ping_timeout"})


def make_settings(owner: type, options: Mapping[str, Any]) -> Settings:
    """
    Return the settings that are given to a class beside its own arguments.

    Raises:
        TypeError: The class has no such option, or one is no number.
        ValueError: One is negative.
    """
    unknown = options.keys() - _NAMES
    if unknown:
        own = inspect.signature(owner).parameters.values()
        named = [one.name for one in own if one.kind is not one.VAR_KEYWORD]
        raise refuse_options(owner.__name__, unknown, [*named, *_NAMES])
    for name, value in options.items():
        if not (isinstance(value, (int, float)) or (value is None and name in _OPTIONAL)):
            raise TypeError(f"{name} is {value!r}, must be a number")
    return Settings(**options)


def refuse_options(owner: str, unknown: Iterable[str], known: Iterable[str]) -> TypeError:
    """Return the exception for options that there are not, with those that may be meant."""
    known = list(known)
    told = []
    for name in sorted(unknown):
        # Other packages' names differ by whole words: additional_headers, cors_allowed_origins.
        similar = [one for one in known if name.startswith(f"{one}_")]
        similar += difflib.get_close_matches(name, known, n=1)
        similar += [one for one in known if f"_{one}_" in f"_{name}_" or f"_{name}_" in f"_{one}_"]
        told.append(f"{name!r} (is {similar[0]} meant?)" if similar else repr(name))
    return TypeError(f"{owner} has no option {', '.join(told)}")

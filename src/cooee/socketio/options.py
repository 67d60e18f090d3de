"""Options of servers and clients: their types, and what ``auth`` may be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias, TypedDict

from cooee.engineio.cors import AllowedOrigins, Cors
from cooee.engineio.replies import Cookie
from cooee.engineio.server import AllowRequest
from cooee.engineio.transport_names import Transport
from cooee.protocol.headers import Headers
from cooee.reactor import Reactor
from cooee.websocket.options import PortOptions

__all__ = [
    "Auth",
    "EngineOptions",
    "ManagerOptions",
    "ServerOptions",
    "TransportOptions",
    "check_auth",
]

_Credentials: TypeAlias = Mapping[str, Any] | None
Auth: TypeAlias = _Credentials | Callable[[], _Credentials | Awaitable[_Credentials]]


class ServerOptions(PortOptions, total=False):
    """The arguments of the Socket.IO server that are those of the servers it is made of."""

    host: str | Iterable[str] | None
    upgrade_timeout: float
    max_http_buffer_size: int
    transports: Transport | Sequence[Transport]
    allow_upgrades: bool
    allow_eio3: bool
    allow_request: AllowRequest | None
    cors: Cors | AllowedOrigins | None
    cookie: Cookie | None
    http_compression: bool
    compression_threshold: int
    initial_packet: str | bytes | None


class TransportOptions(TypedDict, total=False):
    """Arguments of :class:`cooee.engineio.Client` that a connection has once."""

    origin: str | None
    user_agent: str | None
    transports: str | Iterable[str]
    upgrade: bool
    try_all_transports: bool
    with_credentials: bool
    max_message_size: int
    high_water: int
    max_buffered: int


class EngineOptions(TransportOptions, total=False):
    """The arguments of :class:`cooee.engineio.Client` that a manager takes."""

    query: Mapping[str, object] | None
    extra_headers: Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None


class ManagerOptions(TransportOptions, total=False):
    """The arguments of :class:`Manager` that :func:`connect` takes beside its own."""

    path: str
    auto_connect: bool
    reconnection: bool
    reconnection_attempts: int | None
    reconnection_delay: float
    reconnection_delay_max: float
    randomization_factor: float
    timeout: float | None
    auth: Auth
    parser: ModuleType | Any
    retries: int | None
    ack_timeout: float | None
    remember_upgrade: bool
    ordered: bool
    max_queue: int
    max_acks: int
    reactor: Reactor | None


def check_auth(auth: object) -> None:
    """
    Check what a client is to show the server's middlewares.

    Raises:
        TypeError: It is no mapping, no function and not None (Socket.IO 5: an object or nothing).
    """
    if auth is not None and not isinstance(auth, Mapping) and not callable(auth):
        raise TypeError(
            f"auth is {type(auth).__name__}, must be a mapping such as {{'token': ...}}, "
            "or a function that returns one"
        )

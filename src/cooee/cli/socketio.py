"""Options that have to do with Socket.IO, and when it is spoken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cooee.apps.notation import parse_json, parse_values
from cooee.apps.readable import readable_text
from cooee.engineio.errors import TransportError
from cooee.socketio.errors import ConnectError

__all__ = [
    "ONLY_SOCKETIO",
    "PANEL",
    "Auth",
    "Namespace",
    "Path",
    "SocketIOFlag",
    "Transports",
    "advice",
    "auth",
    "refuse",
    "speaks_socketio",
    "transports",
    "values",
]

PANEL = "Socket.IO"
ONLY_SOCKETIO = "that is for Socket.IO: give --socketio, or an http URL"

SocketIOFlag = Annotated[
    bool,
    typer.Option(
        "--socketio", "-S", help="Speak Socket.IO, as http and https URLs say too.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", help="Such as /admin.", show_default="the URL's path", rich_help_panel=PANEL
    ),
]
Auth = Annotated[
    str | None,
    typer.Option(
        "--auth", metavar="JSON", help="An object for the server's middlewares.",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip
Transports = Annotated[
    list[str] | None,
    typer.Option(
        "--transport", "-t", metavar="polling|websocket",
        help="Use it; may be repeated: the first is begun with.", rich_help_panel=PANEL,
    ),
]  # fmt: skip
Path = Annotated[
    str | None,
    typer.Option(
        "--path", help="Where the server has it.", show_default="/socket.io/",
        rich_help_panel=PANEL,
    ),
]  # fmt: skip


def speaks_socketio(url: str, flag: bool) -> bool:
    """Whether a URL, or the option ``--socketio``, asks for Socket.IO."""
    return flag or url.partition(":")[0].strip().lower() in ("http", "https")


def advice(exc: Exception) -> str:
    """What to try when a server does not answer as one of Socket.IO: text to add to the error."""
    if isinstance(exc, ConnectError) and exc.message == "Invalid namespace":
        return "; the URL's path is the namespace"
    match getattr(exc, "status", None) if isinstance(exc, TransportError) else None:
        case 426:
            return "; raw WebSocket is spoken there, for a ws URL, or Socket.IO at another path"
        case 404:
            return "; is there Socket.IO, at this path (--path)?"
        case _:
            return ""


def refuse(options: Mapping[str, Any], why: str) -> None:
    """
    Refuse options that mean nothing for what is spoken.

    Args:
        options: By name; those not given are None, False or empty.
        why: What is said of one that was given.
    """
    for name, value in options.items():
        if value or value == "":
            raise typer.BadParameter(why, param_hint=name)


def auth(text: str | None) -> dict[str, Any] | None:
    """
    Return the object that ``--auth`` gives, or None.

    Raises:
        typer.BadParameter: It is no JSON object.
    """
    if text is None:
        return None
    try:
        value = parse_json(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{readable_text(text)!r}: {exc}", param_hint="--auth") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object is needed", param_hint="--auth")
    return value


def transports(names: list[str] | None) -> list[str]:
    """
    Return the transports that ``--transport`` gives, or both.

    Raises:
        typer.BadParameter: There is no such transport.
    """
    for name in names or ():
        if name not in ("polling", "websocket"):
            raise typer.BadParameter(
                f"{readable_text(name)!r}; polling and websocket there are",
                param_hint="--transport",
            )
    return names or ["polling", "websocket"]


def values(text: str, option: str) -> list[Any]:
    """
    Return the values that an option gives as ``/emit`` does.

    Raises:
        typer.BadParameter: One is none.
    """
    try:
        return parse_values(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from None

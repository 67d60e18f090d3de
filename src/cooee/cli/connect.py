"""``cooee connect``: talk to a server by hand, or from a script."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NoReturn

import typer

from cooee import connect as open_connection
from cooee.apps.connect import SessionConversation
from cooee.apps.connect_socketio import (
    CONNECT_TIMEOUT,
    DEFAULT_ACK_TIMEOUT,
    SocketConversation,
    explain_refusal,
)
from cooee.apps.conversation import Conversation
from cooee.apps.echo import DEFAULT_MAX_MESSAGE_SIZE
from cooee.apps.output import silence
from cooee.apps.readable import readable_text
from cooee.cli import socketio as options
from cooee.cli.terminal import Terminal
from cooee.cli.values import fail, size
from cooee.protocol.errors import CooeeError
from cooee.socketio import ConnectError, Manager

__all__ = ["connect", "exit_code"]

DEFAULT_EVENT = "message"


def connect(
    url: Annotated[
        str, typer.Argument(help="Such as ws://localhost:6080/ws, or http://localhost:6081.")
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send this header field too."),
    ] = None,
    subprotocol: Annotated[
        list[str] | None,
        typer.Option("--subprotocol", "-s", help="Offer it (raw WebSocket); best first."),
    ] = None,
    origin: Annotated[str | None, typer.Option(help="Come from there, as a browser would.")] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds to go on receiving when a piped input ends; inf: until closed."
        ),
    ] = 1.0,
    raw: Annotated[
        bool, typer.Option(help="Lines that begin with a slash are no commands.")
    ] = False,
    max_message_size: Annotated[
        int,
        typer.Option(
            parser=size, metavar="SIZE", show_default="32MiB", help="Longest message accepted."
        ),
    ] = DEFAULT_MAX_MESSAGE_SIZE,
    socketio: options.SocketIOFlag = False,
    event: Annotated[
        str | None,
        typer.Option(
            "--event",
            "-e",
            show_default=DEFAULT_EVENT,
            help="What a line is sent as; the echo server knows your_echo.",
            rich_help_panel=options.PANEL,
        ),
    ] = None,
    namespace: options.Namespace = None,
    auth: options.Auth = None,
    transport: options.Transports = None,
    path: options.Path = None,
    reply: Annotated[
        str | None,
        typer.Option(
            metavar="'JSON...'",
            help="Acknowledge with this, which may be empty, what asks for it.",
            show_default="/reply does",
            rich_help_panel=options.PANEL,
        ),
    ] = None,
    ack_timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Seconds to wait for acknowledgements.",
            show_default=f"{DEFAULT_ACK_TIMEOUT:g}",
            rich_help_panel=options.PANEL,
        ),
    ] = None,
    reconnect: Annotated[
        bool,
        typer.Option(
            "--reconnect",
            help="Connect again, for ever, when there is no connection.",
            rich_help_panel=options.PANEL,
        ),
    ] = False,
) -> None:
    """
    Send lines, show messages; or, with Socket.IO, emit and show events.

    A line is sent as text; /hex, /file, /ping and /close do what /help says. Ctrl-D closes. When
    standard output is no terminal, binary messages are written as the /hex that would send them.

    With Socket.IO a line is the event's argument, a JSON value if it is one and text otherwise;
    there are /emit, /ack and /reply. When standard output is no terminal, events are written as
    the /emit that would send them.

    The exit code is 0 when the connection ended with 1000, 1001 or without a code; 3 for 3000 to
    3999, 4 for 4000 to 4999, and for 1002 to 1015 it is 102 to 115. With Socket.IO it is 0 when
    either side disconnected, 102 for what is no packet, 106 when the connection was lost. 1: no
    connection, or a line that was no command; 130: Ctrl-C.
    """
    terminal = Terminal()
    # A person's Ctrl-D closes.
    seconds = 0 if terminal.interactive else None if math.isinf(wait) else wait
    common: dict[str, Any] = {"raw": raw, "wait": seconds}
    headers = [_header(line) for line in header or ()]
    if options.speaks_socketio(url, socketio):
        options.refuse({"--subprotocol": subprotocol}, "that is for raw WebSocket")
        opening: dict[str, Any] = {
            "path": path or "/socket.io/",
            "auth": options.auth(auth),
            "transports": options.transports(transport),
            "extra_headers": headers,
            "origin": origin,
            "max_message_size": max_message_size,
            "reconnection": reconnect,
            "timeout": CONNECT_TIMEOUT,
        }
        common |= {
            "event": DEFAULT_EVENT if event is None else event,
            "replies": None if reply is None else options.values(reply, "--reply"),
            "ack_timeout": DEFAULT_ACK_TIMEOUT if ack_timeout is None else ack_timeout,
        }
        _run(url, terminal, lambda: _join(url, namespace, terminal, opening, common))
    only = {
        "--event": event,
        "--namespace": namespace,
        "--auth": auth,
        "--transport": transport,
        "--path": path,
        "--reply": reply,
        "--ack-timeout": ack_timeout,
        "--reconnect": reconnect,
    }
    options.refuse(only, options.ONLY_SOCKETIO)
    opening = {
        "headers": headers,
        "subprotocols": subprotocol,
        "origin": origin,
        "max_message_size": max_message_size,
    }
    _run(url, terminal, lambda: _converse(url, terminal, opening, common))


def _run(url: str, terminal: Terminal, converse: Callable[[], Awaitable[int]]) -> NoReturn:
    """Converse, and exit with the code that stands for what became of it."""

    async def main() -> int:
        return await converse()

    try:
        with terminal.kept():
            code = asyncio.run(main())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        silence()
        raise typer.Exit(1) from None
    except ConnectError as exc:
        fail(f"{url} refuses: {explain_refusal(exc)}{options.advice(exc)}")
    except (CooeeError, ValueError, OSError) as exc:
        fail(f"cannot connect to {url}: {exc}{options.advice(exc)}")
    raise typer.Exit(code)


async def _converse(
    url: str, terminal: Terminal, opening: dict[str, Any], common: dict[str, Any]
) -> int:
    async with open_connection(url, **opening) as session:
        chosen = f", subprotocol {session.subprotocol}" if session.subprotocol else ""
        terminal.tell(f"connected to {url}{chosen}" + "; /help" * terminal.interactive)
        return await _finish(SessionConversation(session, terminal, **common), terminal)


async def _join(
    url: str,
    namespace: str | None,
    terminal: Terminal,
    opening: dict[str, Any],
    common: dict[str, Any],
) -> int:
    manager = Manager(url, auto_connect=False, **opening)
    socket = manager.socket(manager.url.path if namespace is None else namespace)
    conversation = SocketConversation(socket, terminal, **common)
    try:
        await conversation.open()
        if terminal.interactive:
            terminal.tell("/help lists what can be typed")
        return await _finish(conversation, terminal)
    finally:
        await conversation.close()


async def _finish(conversation: Conversation, terminal: Terminal) -> int:
    code = exit_code(await conversation.run())
    if code == 0 and conversation.mistakes and not terminal.interactive:
        return 1
    return code


def exit_code(close_code: int) -> int:
    """The exit code that stands for a close code; none of them is 1 or 2."""
    if close_code in (1000, 1001, 1005):
        return 0
    return close_code - 900 if close_code < 3000 else close_code // 1000


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise typer.BadParameter(f"{readable_text(line)!r} is not of the form 'Name: value'")
    return name.strip(), value.strip()

"""``cooee connect``: talk to a server by hand, or from a script."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated

import typer

from cooee import connect as open_connection
from cooee.apps.connect import Conversation
from cooee.apps.echo import DEFAULT_MAX_MESSAGE_SIZE
from cooee.apps.output import silence
from cooee.apps.readable import readable_text
from cooee.cli.terminal import Terminal
from cooee.cli.values import fail, size
from cooee.protocol.errors import CooeeError

__all__ = ["connect", "exit_code"]


def connect(
    url: Annotated[str, typer.Argument(help="Such as ws://localhost:6080/ws.")],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send this header field too."),
    ] = None,
    subprotocol: Annotated[
        list[str] | None, typer.Option("--subprotocol", "-s", help="Offer it; best first.")
    ] = None,
    origin: Annotated[str | None, typer.Option(help="Come from there, as a browser would.")] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds to go on receiving when a piped input ends; inf: until closed."
        ),
    ] = 1.0,
    raw: Annotated[bool, typer.Option(help="Send lines that begin with a slash as text.")] = False,
    max_message_size: Annotated[
        int,
        typer.Option(
            parser=size, metavar="SIZE", show_default="32MiB", help="Longest message accepted."
        ),
    ] = DEFAULT_MAX_MESSAGE_SIZE,
) -> None:
    """
    Send lines, show messages.

    A line is sent as text; /hex, /file, /ping and /close do what /help says. Ctrl-D closes. When
    standard output is no terminal, binary messages are written as the /hex that would send them.

    The exit code is 0 when the connection ended with 1000, 1001 or without a code; 3 for 3000 to
    3999, 4 for 4000 to 4999, and for 1002 to 1015 it is 102 to 115. 1: no connection, or a line
    that was no command; 130: Ctrl-C.
    """
    terminal = Terminal(raw=raw)
    try:
        headers = [_header(line) for line in header or ()]
        connecting = open_connection(
            url,
            headers=headers,
            subprotocols=subprotocol,
            origin=origin,
            max_message_size=max_message_size,
        )
        with terminal.kept():
            code = asyncio.run(_converse(connecting, url, terminal, wait, raw))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        silence()
        raise typer.Exit(1) from None
    except (CooeeError, ValueError, OSError) as exc:
        fail(f"cannot connect to {url}: {exc}")
    raise typer.Exit(code)


async def _converse(
    connecting: open_connection, url: str, terminal: Terminal, wait: float, raw: bool
) -> int:
    async with connecting as session:
        chosen = f", subprotocol {session.subprotocol}" if session.subprotocol else ""
        terminal.tell(f"connected to {url}{chosen}" + "; /help" * terminal.interactive)
        conversation = Conversation(
            session,
            terminal,
            raw=raw,
            # A person's Ctrl-D closes.
            wait=0 if terminal.interactive else None if math.isinf(wait) else wait,
        )
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

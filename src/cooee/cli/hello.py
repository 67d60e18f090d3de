"""``cooee hello``: see whether servers echo."""

from __future__ import annotations

from typing import Annotated

import typer

from cooee.apps.hello import Greeting, Hello, SocketIOHello
from cooee.apps.readable import readable_text
from cooee.cli.socketio import SocketIOFlag, advice, speaks_socketio
from cooee.cli.values import complain, fail
from cooee.protocol.errors import CooeeError
from cooee.reactor import get_reactor

__all__ = ["hello"]

RAW_URL = "ws://127.0.0.1:6080/ws"
SOCKETIO_URL = "http://127.0.0.1:6081"


def hello(
    url: Annotated[
        str | None,
        typer.Argument(
            help="Of an echo server. Raw WebSocket for ws and wss, Socket.IO for http and https, "
            "where the path is the namespace.",
            show_default=f"both {RAW_URL} and {SOCKETIO_URL}",
        ),
    ] = None,
    socketio: SocketIOFlag = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds until the echo has come.")] = 10.0,
) -> None:
    """
    Send HelloWorld and show what comes back: raw, or as the Socket.IO event your_echo.

    Without a URL it asks both echo servers. The exit code is 1 when one does not send it back.
    """
    if url is None:
        urls = [SOCKETIO_URL] if socketio else [RAW_URL, SOCKETIO_URL]
    else:
        urls = [url]
    # Each has its turn, whatever has become of the other.
    failures = [one for one in urls if not _round_trip(one, socketio, timeout)]
    if failures:
        if len(failures) == 2:
            complain("no echo server is here; `cooee echo` starts both")
        raise typer.Exit(1)


def _round_trip(url: str, socketio: bool, timeout: float) -> bool:
    kind = SocketIOHello if speaks_socketio(url, socketio) else Hello
    greeting: Greeting
    try:
        greeting = kind(url, timeout=timeout)
    except ValueError as exc:
        fail(str(exc))
    except CooeeError as exc:
        fail(f"{readable_text(url)}: {exc}")
    get_reactor().run(until=lambda: greeting.finished)
    if greeting.error is not None:
        complain(f"{url}: {readable_text(str(greeting.error))}{advice(greeting.error)}")
    return greeting.error is None

"""``cooee echo``: serve echoes."""

from __future__ import annotations

import errno
import logging
from typing import Annotated

import typer

from cooee.apps.echo import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_PORT, EchoServer
from cooee.apps.hello import Hello, SocketIOHello
from cooee.apps.socketio_echo import DEFAULT_PORT as DEFAULT_SOCKETIO_PORT
from cooee.apps.socketio_echo import SocketIOEchoServer
from cooee.cli.values import fail, size
from cooee.reactor import get_reactor

__all__ = ["echo"]


def echo(
    host: Annotated[
        list[str] | None,
        typer.Option(help="Address to listen on; may be repeated.", show_default="all interfaces"),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the raw WebSocket server; 0: any free.")
    ] = DEFAULT_PORT,
    socketio_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the Socket.IO server; 0: any free.")
    ] = DEFAULT_SOCKETIO_PORT,
    max_message_size: Annotated[
        int,
        typer.Option(
            parser=size, metavar="SIZE", show_default="32MiB", help="Longest message accepted."
        ),
    ] = DEFAULT_MAX_MESSAGE_SIZE,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every message.")] = False,
    hello: Annotated[
        bool, typer.Option("--hello", help="First make a round trip to each, as clients would.")
    ] = False,
) -> None:
    """
    Send back what clients send: raw WebSocket messages, and the Socket.IO event your_echo.

    Any path, origin and subprotocol. The Socket.IO port echoes raw WebSocket messages too.
    """
    logging.basicConfig(format="%(name)s: %(message)s")
    server = EchoServer(host, port, max_message_size=max_message_size, verbose=verbose)
    socketio = SocketIOEchoServer(
        host, socketio_port, max_message_size=max_message_size, verbose=verbose
    )
    failures: list[Exception] = []

    def raw_done(error: Exception | None) -> None:
        SocketIOHello(
            socketio.socketio_url,
            lambda other: both_done([one for one in (error, other) if one is not None]),
        )

    def both_done(errors: list[Exception]) -> None:
        if errors:
            failures.extend(errors)
            server.close()

    def begin() -> None:
        narrow = "" if host else " (--host 127.0.0.1: this one only)"
        for one in (server, socketio):
            print(one.describe() + narrow, flush=True)
        if hello:
            Hello(server.url, raw_done)

    try:
        server.start()
        socketio.start()
    except OSError as exc:
        where = exc.filename or ", ".join(host or ())
        advice = "; --port and --socketio-port choose others" * (exc.errno == errno.EADDRINUSE)
        fail(f"cannot listen on {where}: {exc.strerror}{advice}")
    # In the first turn, when Ctrl-C and SIGTERM already close gracefully.
    get_reactor().call_soon(begin)
    server.run()
    socketio.close()
    get_reactor().run(until=lambda: socketio.wait_closed().done)
    if failures:
        fail(f"the round trip failed: {'; '.join(map(str, failures))}")

"""The commands, put together."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated

import typer

from cooee import __version__
from cooee.cli.bench import bench
from cooee.cli.connect import connect
from cooee.cli.echo import echo
from cooee.cli.hello import hello

__all__ = ["app"]

app = typer.Typer(
    help="Echo servers, and clients to try WebSocket and Socket.IO servers with.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    # Local variables may hold what came from a peer, or a header with a password.
    pretty_exceptions_show_locals=False,
)
for command in (echo, hello, connect, bench):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cooee {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say which cooee this is."
        ),
    ] = False,
) -> None:
    # What a peer sends need not be in the terminal's character set.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # What goes wrong is told by the commands; those that serve turn the log on.
    logging.getLogger("cooee").addHandler(logging.NullHandler())

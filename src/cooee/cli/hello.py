"""``cooee hello``: see whether a server echoes."""

from __future__ import annotations

from typing import Annotated

import typer

from cooee.apps.hello import Hello
from cooee.cli.values import fail
from cooee.reactor import get_reactor

__all__ = ["hello"]


def hello(
    url: Annotated[str, typer.Argument(help="Of an echo server.")] = "ws://127.0.0.1:6080/ws",
    timeout: Annotated[float, typer.Option(min=0, help="Seconds until the echo has come.")] = 10.0,
) -> None:
    """Send HelloWorld and show what comes back; the exit code is 1 when nothing does."""
    try:
        greeting = Hello(url, timeout=timeout)
    except ValueError as exc:
        fail(str(exc))
    get_reactor().run(until=lambda: greeting.finished)
    if greeting.error is not None:
        fail(f"{url}: {greeting.error}")

"""``cooee bench``: put a load on an echo server and measure what it makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from cooee.apps.bench import Load, Plan, Report, SessionLoad
from cooee.apps.bench_socketio import SocketIOLoad, SocketIOPlan
from cooee.apps.connect_socketio import explain_refusal
from cooee.apps.readable import readable_text
from cooee.cli import socketio as options
from cooee.cli.hello import RAW_URL, SOCKETIO_URL
from cooee.cli.values import fail, size
from cooee.protocol.errors import CooeeError
from cooee.socketio import ConnectError

__all__ = ["bench"]


def bench(
    url: Annotated[
        str,
        typer.Argument(
            help="Of an echo server.", show_default=f"{RAW_URL}; {SOCKETIO_URL} for Socket.IO"
        ),
    ] = "",
    connections: Annotated[
        int, typer.Option("--connections", "-c", min=1, help="How many there are at once.")
    ] = Plan.connections,
    in_flight: Annotated[
        int,
        typer.Option("--in-flight", "-n", min=1, help="Messages under way on each connection."),
    ] = Plan.in_flight,
    size: Annotated[
        int, typer.Option("--size", "-s", parser=size, metavar="SIZE", help="Bytes in a message.")
    ] = Plan.size,
    text: Annotated[
        bool | None,
        typer.Option(
            "--text/--binary",
            help="Type of the messages.",
            show_default="binary; text for Socket.IO",
        ),
    ] = None,
    duration: Annotated[
        float, typer.Option("--duration", "-d", min=0.001, help="Seconds to measure.")
    ] = Plan.duration,
    as_json: Annotated[
        bool, typer.Option("--json", help="Report in JSON; latencies in microseconds.")
    ] = False,
    socketio: options.SocketIOFlag = False,
    event: Annotated[
        str | None,
        typer.Option(
            "--event",
            "-e",
            help="An event that comes back with its argument.",
            show_default=SocketIOPlan.event,
            rich_help_panel=options.PANEL,
        ),
    ] = None,
    ack: Annotated[
        bool,
        typer.Option(
            "--ack",
            help="Measure acknowledgements, with the same argument or none.",
            rich_help_panel=options.PANEL,
        ),
    ] = False,
    namespace: options.Namespace = None,
    auth: options.Auth = None,
    transport: Annotated[
        list[str] | None,
        typer.Option(
            "--transport",
            "-t",
            metavar="polling|websocket",
            help="Use it; may be repeated.",
            show_default="websocket",
            rich_help_panel=options.PANEL,
        ),
    ] = None,
    path: options.Path = None,
) -> None:
    """
    Put a load on an echo server: rate, latencies, errors.

    Each connection keeps some messages under way and checks that they come back as they were sent;
    with Socket.IO they are events. Ctrl-C ends it early. The exit code is 1 when there were errors.
    """
    load: Load[Any]
    if options.speaks_socketio(url, socketio):
        plan = SocketIOPlan(
            url or SOCKETIO_URL,
            connections,
            in_flight,
            size,
            text is not False,
            duration,
            event=SocketIOPlan.event if event is None else event,
            ack=ack,
            transports=tuple(options.transports(transport or ["websocket"])),
            path=path or SocketIOPlan.path,
            namespace=namespace,
        )
        load = SocketIOLoad(plan, options.auth(auth))
    else:
        only = {
            "--event": event,
            "--ack": ack,
            "--namespace": namespace,
            "--auth": auth,
            "--transport": transport,
            "--path": path,
        }
        options.refuse(only, options.ONLY_SOCKETIO)
        load = SessionLoad(Plan(url or RAW_URL, connections, in_flight, size, bool(text), duration))
    try:
        report = asyncio.run(_run(load))
    except ConnectError as exc:
        fail(f"{load.plan.url} refuses: {explain_refusal(exc)}{options.advice(exc)}")
    except (CooeeError, ValueError, OSError) as exc:
        fail(f"cannot connect to {load.plan.url}: {exc}{options.advice(exc)}")
    if as_json:
        print(json.dumps({"plan": asdict(load.plan), **report.as_dict()}, indent=2))
    else:
        _show(load.plan, report)
    if report.errors:
        raise typer.Exit(1)


async def _run(load: Load[Any]) -> Report:
    loop = asyncio.get_running_loop()
    # Where there are no signal handlers, Ctrl-C ends it without a report.
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, load.stop)
    with _progress(load) as progress:
        return await load.run(progress)


@contextlib.contextmanager
def _progress(load: Load[Any]) -> Iterator[Callable[[float], object] | None]:
    """A bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    duration = load.plan.duration
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f} messages/s"),
        console=Console(stderr=True),
        # Its own thread would compete for the interpreter.
        auto_refresh=False,
        transient=True,
    ) as bar:
        task = bar.add_task("connecting", total=duration, rate=0)
        previous = 0.0, 0

        def progress(seconds: float) -> None:
            nonlocal previous
            messages = load.latencies.total
            if seconds > previous[0]:
                rate = (messages - previous[1]) / (seconds - previous[0])
                bar.update(task, description="measuring", completed=seconds, rate=rate)
                previous = seconds, messages
            else:
                bar.update(task, description=f"connecting {load.opened}/{load.plan.connections}")
            bar.refresh()

        yield progress


def _show(plan: Plan, report: Report) -> None:
    kind = "text" if plan.text else "binary"
    if isinstance(plan, SocketIOPlan):
        what = "acknowledged" if plan.ack else "echoed"
        kind += f", {readable_text(plan.event)} {what} by {' and '.join(plan.transports)}"
    console = Console(highlight=False, markup=False)
    console.print(
        f"{plan.url}: {plan.connections} connections, {plan.in_flight} in flight, "
        f"{plan.size} bytes, {kind}",
        soft_wrap=True,
    )
    rows = [
        ("messages", f"{report.messages:,} in {report.seconds:.2f} s"),
        ("rate", f"{report.rate:,.0f} messages/s"),
        *((f"latency {name}", f"{value:,.1f} µs") for name, value in report.latency.items()),
        *((f"error: {what}", f"{count:,}") for what, count in sorted(report.errors.items())),
    ]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)

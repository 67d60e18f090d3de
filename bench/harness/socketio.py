"""
What is measured over Socket.IO.

Every server has the same events: ``your_echo`` and ``your_coroutine`` are sent back, ``your_ack``
is acknowledged with its argument, ``join`` puts the socket in a room, ``broadcast`` goes to the
room ``everyone``.
"""

from __future__ import annotations

from harness.documents import DOCUMENT_SIZES, document_path
from harness.workload import EVENT_STYLE, Workload, mix_key, size_text, words

SERVERS = (
    *EVENT_STYLE,
    "python-socketio",
    "python-socketio-uvicorn",
    "node-socketio",
    "bun-engine",
)
MEMBERS = 1_000  # of the room that is broadcast to
IDLE_SOCKETS = 5_000  # python-socketio takes seconds to accept so many


def _exchange(
    kind: str,
    what: str,
    mix: tuple[int, int, int],
    thorough: bool = False,
    **options: int | str | bool,
) -> Workload:
    """Events go to and fro on all connections; `kind` is empty for the plainest ones."""
    connections, in_flight, size = mix
    if "json" not in options:
        options["size"] = size
    return Workload(
        f"socketio-{kind + '-' if kind else ''}{mix_key(*mix)}",
        f"Socket.IO {what}, {connections} connections, {in_flight} in flight, {size_text(size)}",
        "socketio",
        SERVERS,
        words(connections=connections, in_flight=in_flight, **options),
        "socketio",
        thorough=thorough,
    )


def _echo(connections: int, in_flight: int, size: int = 64) -> Workload:
    return _exchange("", "event echo", (connections, in_flight, size), socketio="your_echo")


def _coroutine(connections: int, in_flight: int) -> Workload:
    what, mix = "event echo by coroutine functions", (connections, in_flight, 64)
    return _exchange("coroutine", what, mix, thorough=in_flight == 1, socketio="your_coroutine")


def _ack(connections: int, in_flight: int) -> Workload:
    mix = (connections, in_flight, 64)
    return _exchange("ack", "event acknowledged", mix, socketio="your_ack", ack=True)


def _binary(connections: int, in_flight: int, size: int) -> Workload:
    what, mix = "event echo, one attachment", (connections, in_flight, size)
    thorough = in_flight == 1
    return _exchange("binary", what, mix, thorough, socketio="your_echo", attachment=True)


def _json(connections: int, in_flight: int, size: int) -> Workload:
    what, mix = "event echo, JSON document", (connections, in_flight, size)
    thorough, path = in_flight == 1, str(document_path(size))
    return _exchange("json", what, mix, thorough, socketio="your_echo", json=path)


def _polling(connections: int, in_flight: int) -> Workload:
    what, mix = "event echo by polling", (connections, in_flight, 64)
    thorough = in_flight > 1
    return _exchange("polling", what, mix, thorough, socketio="your_echo", polling=True)


def _broadcast(in_flight: int) -> Workload:
    return Workload(
        f"socketio-broadcast-{in_flight}",
        f"Socket.IO broadcast of 64 B to a room of {MEMBERS:,}, {in_flight} in flight",
        "socketio-broadcast",
        SERVERS,
        words(mode="broadcast", socketio="broadcast", connections=MEMBERS, in_flight=in_flight),
        "socketio",
    )


def _idle() -> Workload:
    return Workload(
        "socketio-idle",
        f"{IDLE_SOCKETS:,} Socket.IO sockets opened one after another, then idle",
        "socketio-idle",
        SERVERS,
        words(mode="idle", socketio="your_echo", connections=IDLE_SOCKETS),
        "socketio",
        "idle",
    )


def socketio_workloads() -> list[Workload]:
    """All of them, in the order in which they are run and reported."""
    return [
        *(_echo(64, in_flight) for in_flight in (1, 16)),
        *(_coroutine(64, in_flight) for in_flight in (1, 16)),
        *(_ack(64, in_flight) for in_flight in (1, 16)),
        *(_binary(*mix) for mix in ((64, 1, 64), (64, 16, 64), (16, 4, 16384))),
        *(_json(*mix, size) for size in DOCUMENT_SIZES for mix in ((64, 1), (16, 4))),
        *(_polling(64, in_flight) for in_flight in (1, 16)),
        *(_broadcast(in_flight) for in_flight in (1, 16)),
        _idle(),
    ]

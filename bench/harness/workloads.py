"""
What is measured, over raw WebSocket and in all: workloads, and the peers that run each.

A new workload is an entry in `workloads()`, or in `socketio_workloads()`.
"""

from __future__ import annotations

from harness.socketio import socketio_workloads
from harness.workload import EVENT_STYLE, Workload, mix_key, size_text, words

PEER_SERVERS = ("picows", "websockets", "aiohttp", "ws", "bun", "c-echo")
CLIENTS = ("cooee", "cooee-coroutine", "picows", "websockets", "aiohttp")
ALL_SERVERS = (*EVENT_STYLE, "cooee-coroutine", *PEER_SERVERS)

# connections, in flight on each, bytes of payload
MIXES = ((64, 16, 64), (64, 1, 64), (512, 1, 64), (16, 4, 16384))
SUBSCRIBERS = 1_000
IDLE = 10_000
GROWTH = (10, 100, 1_000, 10_000)
GROWTH_OUTSTANDING = GROWTH[0]  # the same load at every size
LONG_GROUPS = frozenset({"growth", "idle", "socketio-idle"})  # once in a quick run


def _exchange(
    group: str, role: str, mix: tuple[int, int, int], text: bool, peers: tuple[str, ...]
) -> Workload:
    """Messages go to and fro on all connections."""
    connections, in_flight, size = mix
    kind = "text" if text else "binary"
    return Workload(
        f"{group}-{mix_key(*mix)}-{kind}",
        f"{group}, {connections} connections, {in_flight} in flight, {size_text(size)}, {kind}",
        group,
        peers,
        words(connections=connections, in_flight=in_flight, size=size, text=text),
        role,
        "client" if role == "client" else "exchange",
        thorough=text and mix is not MIXES[0],
    )


def workloads() -> list[Workload]:
    """All of them, in the order in which they are run and reported."""
    return [
        *(
            _exchange("echo", "echo", mix, text, ALL_SERVERS)
            for mix in MIXES
            for text in (False, True)
        ),
        Workload(
            "latency",
            "one connection, 1 in flight, 64 B",
            "latency",
            ("cooee-busy-poll", *ALL_SERVERS),
            words(connections=1),
        ),
        *(
            Workload(
                f"broadcast-{in_flight}",
                f"broadcast of 64 B to {SUBSCRIBERS:,} connections, {in_flight} in flight",
                "broadcast",
                (*EVENT_STYLE, "picows", "websockets", "ws", "bun"),
                words(mode="broadcast", connections=SUBSCRIBERS, in_flight=in_flight),
                "broadcast",
            )
            for in_flight in (1, 16)
        ),
        *(
            Workload(
                f"growth-{connections}",
                f"{connections:,} connections in turn, {GROWTH_OUTSTANDING} messages in flight",
                "growth",
                (*EVENT_STYLE, "picows", "bun", "c-echo"),
                words(connections=connections, outstanding=GROWTH_OUTSTANDING),
            )
            for connections in GROWTH
        ),
        Workload(
            "idle",
            f"{IDLE:,} connections opened one after another, then idle",
            "idle",
            ALL_SERVERS,
            words(mode="idle", connections=IDLE),
            measure="idle",
        ),
        *(_exchange("client", "client", mix, False, CLIENTS) for mix in MIXES),
        _exchange("client", "client", MIXES[0], True, CLIENTS),
        *socketio_workloads(),
    ]

"""
Who is measured: every server and client, the command that starts it, and what it needs.

To add a peer, write its programs in ``servers/`` or ``clients/`` and enter it in `PEERS`; workloads
name the peers that they run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
SERVERS = BENCH / "servers"
CLIENTS = BENCH / "clients"
NODE_MODULES = BENCH / "peers" / "node_modules"
BUN = NODE_MODULES / "bun" / "bin" / "bun.exe"  # its name on every system
BUILD = BENCH / "build"
C_ECHO = BUILD / "echo"
LOAD = BUILD / "load"

Command = tuple[str, ...]


def python_server(name: str, *arguments: str) -> Command:
    return (sys.executable, str(SERVERS / f"{name}.py"), *arguments)


def python_client(name: str, *arguments: str) -> Command:
    return (sys.executable, str(CLIENTS / f"{name}.py"), *arguments)


def node_server(name: str) -> Command:
    return ("node", str(SERVERS / f"{name}.mjs"))


def bun_server(name: str) -> Command:
    return (str(BUN), str(SERVERS / f"{name}.mjs"))


@dataclass(frozen=True)
class Peer:
    """
    One contender.

    Args:
        key: Its name on the command line and in ``results.json``.
        label: Its name in ``RESULTS.md``.
        needs: What must be installed (see `install`): names of Python packages, ``ws`` and ``bun``
            from npm, ``node``. A C compiler is needed anyway.
        echo, broadcast, client, socketio: Commands for these roles, where it has them. A server
            prints ``LISTENING <port>``; a client takes the arguments of ``clients/calling.py`` and
            prints ``RUNNING``; either runs until it is terminated.
    """

    key: str
    label: str
    needs: tuple[str, ...] = ()
    echo: Command = ()
    broadcast: Command = ()
    client: Command = ()
    socketio: Command = ()

    def command(self, role: str) -> Command:
        command: Command = getattr(self, role)
        if not command:
            raise LookupError(f"{self.label} has no program for {role}")
        return command


BUSY_POLL = "0.001"  # seconds: longer than any answer of the load generator takes

PEERS = {
    peer.key: peer
    for peer in (
        Peer(
            "cooee",
            "cooee, own loop",
            ("cooee",),
            echo=python_server("cooee_echo", "own"),
            broadcast=python_server("cooee_broadcast", "own"),
            client=python_client("cooee_client"),
            socketio=python_server("cooee_socketio", "own"),
        ),
        Peer(
            "cooee-uvloop",
            "cooee, uvloop",
            ("cooee", "uvloop"),
            echo=python_server("cooee_echo", "uvloop"),
            broadcast=python_server("cooee_broadcast", "uvloop"),
            socketio=python_server("cooee_socketio", "uvloop"),
        ),
        Peer(
            "cooee-asyncio",
            "cooee, asyncio",
            ("cooee",),
            echo=python_server("cooee_echo", "asyncio"),
            broadcast=python_server("cooee_broadcast", "asyncio"),
            socketio=python_server("cooee_socketio", "asyncio"),
        ),
        Peer(
            "cooee-coroutine",
            "cooee `async for`, uvloop",
            ("cooee", "uvloop"),
            echo=python_server("cooee_coroutine", "uvloop"),
            client=python_client("cooee_coroutine_client"),
        ),
        Peer(
            "cooee-busy-poll",
            "cooee, own loop, busy_poll",
            ("cooee",),
            echo=python_server("cooee_echo", "own", BUSY_POLL),
        ),
        Peer(
            "picows",
            "picows, uvloop",
            ("picows", "uvloop"),
            echo=python_server("picows_echo"),
            broadcast=python_server("picows_broadcast"),
            client=python_client("picows_client"),
        ),
        Peer(
            "websockets",
            "websockets, uvloop",
            ("websockets", "uvloop"),
            echo=python_server("websockets_echo"),
            broadcast=python_server("websockets_broadcast"),
            client=python_client("websockets_client"),
        ),
        Peer(
            "aiohttp",
            "aiohttp, uvloop",
            ("aiohttp", "uvloop"),
            echo=python_server("aiohttp_echo"),
            client=python_client("aiohttp_client"),
        ),
        Peer(
            "ws",
            "ws, Node",
            ("node", "ws"),
            echo=node_server("ws_echo"),
            broadcast=node_server("ws_broadcast"),
        ),
        Peer(
            "bun",
            "Bun (uWebSockets)",
            ("bun",),
            echo=bun_server("bun_echo"),
            broadcast=bun_server("bun_broadcast"),
        ),
        Peer(
            "python-socketio",
            "python-socketio, aiohttp, uvloop",
            ("python-socketio", "aiohttp", "uvloop"),
            socketio=python_server("python_socketio_aiohttp"),
        ),
        Peer(
            "python-socketio-uvicorn",
            "python-socketio, uvicorn, uvloop",
            ("python-socketio", "uvicorn", "websockets", "uvloop"),
            socketio=python_server("python_socketio_uvicorn"),
        ),
        Peer(
            "node-socketio",
            "socket.io, Node",
            ("node", "socket.io"),
            socketio=node_server("node_socketio"),
        ),
        Peer(
            "bun-engine",
            "socket.io, bun-engine, Bun",
            ("bun", "socket.io", "@socket.io/bun-engine"),
            socketio=bun_server("bun_socketio"),
        ),
        Peer("c-echo", "bare C epoll echo", echo=(str(C_ECHO),)),
    )
}

"""
What is measured: workloads, the peers that run each, and how one is run.

A new workload is an entry in `workloads()`.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.machine import Activity, Cores
from harness.peers import C_ECHO, PEERS, Command
from harness.process import BenchError, CountingServer, Program, Server, generate_load

Metrics = dict[str, float]

EVENT_STYLE = ("cooee", "cooee-uvloop", "cooee-asyncio")
PEER_SERVERS = ("picows", "websockets", "aiohttp", "ws", "bun", "c-echo")
CLIENTS = ("cooee", "cooee-coroutine", "picows", "websockets", "aiohttp")
ALL_SERVERS = (*EVENT_STYLE, "cooee-coroutine", *PEER_SERVERS)

SOCKETIO_SERVERS = (
    *EVENT_STYLE,
    "cooee-coroutine",
    "python-socketio",
    "python-socketio-uvicorn",
    "node-socketio",
    "bun-engine",
)

# connections, in flight on each, bytes of payload
MIXES = ((64, 16, 64), (64, 1, 64), (512, 1, 64), (16, 4, 16384))
SUBSCRIBERS = 1_000
IDLE = 10_000
GROWTH = (10, 100, 1_000, 10_000)
GROWTH_OUTSTANDING = GROWTH[0]  # the same load at every size
LONG_GROUPS = frozenset({"growth", "idle"})  # ten thousand connections: once in a quick run


@dataclass(frozen=True)
class Workload:
    """
    One thing to measure.

    Args:
        key: Its name on the command line and in ``results.json``.
        title: Its name in ``RESULTS.md``.
        group: Under which heading, and by which rules, it is run and reported.
        peers: Keys of the peers that run it.
        arguments: For the load generator, or for the clients under test.
        role: Which of a peer's programs runs.
        thorough: Left out of a quick run.
    """

    key: str
    title: str
    group: str
    peers: tuple[str, ...]
    arguments: tuple[str, ...]
    role: str = "echo"
    thorough: bool = False


def _arguments(**options: int | str | bool) -> tuple[str, ...]:
    words: list[str] = []
    for name, value in options.items():
        if value is not False:
            words.append("--" + name.replace("_", "-"))
            if value is not True:
                words.append(str(value))
    return tuple(words)


def _size(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size // 1024} KiB"


def mix_key(connections: int, in_flight: int, size: int) -> str:
    return f"{connections}x{in_flight}-{size}"


def _exchange(
    group: str, role: str, mix: tuple[int, int, int], text: bool, peers: tuple[str, ...]
) -> Workload:
    """Messages go to and fro on all connections."""
    connections, in_flight, size = mix
    kind = "text" if text else "binary"
    return Workload(
        f"{group}-{mix_key(*mix)}-{kind}",
        f"{group}, {connections} connections, {in_flight} in flight, {_size(size)}, {kind}",
        group,
        peers,
        _arguments(connections=connections, in_flight=in_flight, size=size, text=text),
        role,
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
            _arguments(connections=1),
        ),
        *(
            Workload(
                f"broadcast-{in_flight}",
                f"broadcast of 64 B to {SUBSCRIBERS:,} connections, {in_flight} in flight",
                "broadcast",
                (*EVENT_STYLE, "picows", "websockets", "ws", "bun"),
                _arguments(mode="broadcast", connections=SUBSCRIBERS, in_flight=in_flight),
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
                _arguments(connections=connections, outstanding=GROWTH_OUTSTANDING),
            )
            for connections in GROWTH
        ),
        Workload(
            "idle",
            f"{IDLE:,} connections opened one after another, then idle",
            "idle",
            ALL_SERVERS,
            _arguments(mode="idle", connections=IDLE),
        ),
        *(_exchange("client", "client", mix, False, CLIENTS) for mix in MIXES),
        _exchange("client", "client", MIXES[0], True, CLIENTS),
        *(
            Workload(
                f"socketio-{mix_key(64, in_flight, 64)}",
                f"Socket.IO event echo, 64 connections, {in_flight} in flight, 64 B",
                "socketio",
                SOCKETIO_SERVERS,
                _arguments(
                    connections=64,
                    in_flight=in_flight,
                    size=64,
                    text=True,
                    socketio="your_echo",
                    path="/socket.io/?EIO=4&transport=websocket",
                ),
                "socketio",
            )
            for in_flight in (1, 16)
        ),
    ]


@dataclass(frozen=True)
class Window:
    """How long a measurement takes, in seconds: first unmeasured, then measured."""

    warmup: float
    seconds: float

    def arguments(self) -> tuple[str, ...]:
        return _arguments(warmup=str(self.warmup), seconds=str(self.seconds))


class Servers:
    """
    The servers of one round: each is started when first needed, then kept, idle while others work.

    Idle memory and CPU per connection are taken from a fresh one.
    """

    def __init__(self, cores: Cores) -> None:
        self.cores = cores
        self._running: dict[Command, Server] = {}

    def discard(self, command: Command) -> None:
        """Stop a server that failed: `get` starts another."""
        if (server := self._running.pop(command, None)) is not None:
            server.stop()

    def get(self, command: Command) -> Server:
        server = self._running.get(command)
        if server is None or not server.running:
            self._running[command] = server = Server(command, self.cores.server)
        server.wait_until_quiet()
        return server

    @contextlib.contextmanager
    def fresh(self, command: Command) -> Iterator[Server]:
        with Server(command, self.cores.server) as server:
            server.wait_until_quiet()
            yield server

    def close(self) -> None:
        for server in self._running.values():
            server.stop()


def run(workload: Workload, peer: str, servers: Servers, window: Window) -> Metrics:
    """
    Run one workload against one peer, once.

    Returns:
        Its metrics, and the share of the machine that others used meanwhile (``others``) or that
        the hypervisor withheld (``stolen``).

    Raises:
        BenchError: If it could not be measured.
    """
    command, cores = PEERS[peer].command(workload.role), servers.cores
    with contextlib.ExitStack() as stack:
        if workload.group == "client":
            server: Server = CountingServer((str(C_ECHO),), cores.server)
            stack.enter_context(server)
        elif workload.group == "idle":
            server = stack.enter_context(servers.fresh(command))
        else:
            server = servers.get(command)
        activity, ours = Activity.now(), _ended_children_cpu() + server.cpu()
        if isinstance(server, CountingServer):
            metrics = _run_client(server, (*command, *workload.arguments), cores, window)
        elif workload.group == "idle":
            metrics = _run_idle(server, workload, cores)
        else:
            metrics = _run_exchange(server, workload, cores, window)
        metrics |= _disturbance(activity, _ended_children_cpu() + server.cpu() - ours, cores)
    return metrics


def _ended_children_cpu() -> float:
    """Seconds of CPU of the load generators and clients that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _disturbance(since: Activity, ours: float, cores: Cores) -> Metrics:
    """What share of the two cores' time others had, given the CPU seconds that were ours."""
    until = Activity.now()
    available = (until.at - since.at) * len({cores.server, cores.load})
    return {
        "others": max(0.0, (until.busy - since.busy - ours) / available),
        "stolen": (until.stolen - since.stolen) / available,
    }


def _run_exchange(server: Server, workload: Workload, cores: Cores, window: Window) -> Metrics:
    result = generate_load(server, (*workload.arguments, *window.arguments()), cores)
    messages = result["messages"]
    latency = result["latency_ns"]
    return {
        "cpu_us": result["server_cpu_ns"] / messages / 1e3,
        "load_cpu_us": result["load_cpu_ns"] / messages / 1e3,
        "rate": messages / result["seconds"],
        "p50_us": latency["p50"] / 1e3,
        "p99_us": latency["p99"] / 1e3,
        "p999_us": latency["p999"] / 1e3,
    }


def _run_idle(server: Server, workload: Workload, cores: Cores) -> Metrics:
    result = generate_load(server, workload.arguments, cores)
    connections = result["connections"]
    return {
        "cpu_us": result["server_cpu_ns"] / connections / 1e3,
        "memory_bytes": (result["memory_after"] - result["memory_before"]) / connections,
        "rate": connections / result["seconds"],
    }


def _run_client(server: CountingServer, command: Command, cores: Cores, window: Window) -> Metrics:
    """
    Let a client exchange messages with the C echo until it is stopped.

    The client only sends back what it receives. Messages are counted by the server, CPU time by the
    kernel, and both are read here at the edges of the window: the client does nothing but its work.
    """
    with Program((*command, "--port", str(server.port)), cores.load, "RUNNING") as client:
        time.sleep(window.warmup)
        started, messages, cpu = time.monotonic(), server.messages(), client.cpu()
        time.sleep(window.seconds)
        seconds = time.monotonic() - started
        messages, cpu = server.messages() - messages, client.cpu() - cpu
        if not client.running or messages == 0:
            raise BenchError(f"the client stopped exchanging messages: {client.last_words()}")
    return {"cpu_us": cpu / messages * 1e6, "rate": messages / seconds}

"""How one workload is run against one peer."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.machine import Activity, Cores
from harness.peers import C_ECHO, PEERS, Command
from harness.process import BenchError, CountingServer, Program, Server, generate_load
from harness.workload import Workload, words

Metrics = dict[str, float]


@dataclass(frozen=True)
class Window:
    """How long a measurement takes, in seconds: first unmeasured, then measured."""

    warmup: float
    seconds: float

    def arguments(self) -> tuple[str, ...]:
        return words(warmup=str(self.warmup), seconds=str(self.seconds))


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
        if workload.measure == "client":
            server: Server = CountingServer((str(C_ECHO),), cores.server)
            stack.enter_context(server)
        elif workload.measure == "idle":
            server = stack.enter_context(servers.fresh(command))
        else:
            server = servers.get(command)
        activity, ours = Activity.now(), _ended_children_cpu() + server.cpu()
        if isinstance(server, CountingServer):
            metrics = _run_client(server, (*command, *workload.arguments), cores, window)
        elif workload.measure == "idle":
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

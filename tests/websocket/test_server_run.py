"""Server.run() in a process of its own: signals, Ctrl-C in the middle of things."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pytest
from tests.drivers import PATIENCE
from tests.rawclient import RawClient, message_frame

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")

EVENTS = """
import os, signal, sys
import cooee

server = cooee.Server(host="127.0.0.1", port=0, {options})

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # The signal is handled between two instructions.
        pass

@server.on("connection")
def connected(session, request):
    @session.on("message")
    def message(data):
        session.send(data)
        if data == "interrupt":
            interrupt()
        elif data == "close":
            server.close()

    @session.on("close")
    def close(code, reason):
        print("session", code, flush=True)
        if request.path == "/interrupt":
            interrupt()

server.on("listening", lambda: print(server.port, flush=True))
server.on("close", lambda: print("server closed", flush=True))
"""

COROUTINES = """
import os, signal, sys
import cooee

async def echo(session):
    async for message in session:
        await session.send(message)
        if message == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass
        elif message == "close":
            server.close()

server = cooee.serve(echo, "127.0.0.1", 0, {options})
server.on("listening", lambda: print(server.port, flush=True))
server.on("close", lambda: print("server closed", flush=True))
"""

RUN = """
server.run()
print("the end", flush=True)
"""

FOREVER = """
import asyncio

asyncio.run(server.serve_forever())
print("the end", flush=True)
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, source: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = ("127.0.0.1", int(self.process.stdout.readline()))
        self.clients: list[RawClient] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self.clients:
            client.close()
        self.process.kill()
        self.process.communicate()

    def connect(self, target: str = "/") -> RawClient:
        """A client after its opening handshake, and after a round trip."""
        client = RawClient(self.address)
        self.clients.append(client)
        client.upgrade(target)
        client.send_message("sync")
        assert client.receive_message() == "sync"
        return client

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def end(self) -> tuple[list[str], str]:
        """Wait for the end, and return what was printed, and the standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return out.splitlines(), err


@pytest.fixture
def run() -> Iterator[Callable[..., Process]]:
    """Start a server."""
    with ExitStack() as stack:

        def run(source: str, *, run: str = RUN, options: str = "") -> Process:
            return stack.enter_context(Process(source.format(options=options) + run))

        yield run


Run = Callable[..., Process]
styles = pytest.mark.parametrize("source", [EVENTS, COROUTINES], ids=["events", "coroutines"])


@styles
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_gracefully(run: Run, source: str, number: int) -> None:
    server = run(source)
    client = server.connect()
    server.signal(number)
    assert client.receive_close() == (1001, "")
    with pytest.raises(ConnectionRefusedError):
        RawClient(server.address)
    client.send_close(1001)
    assert client.rest() == b""
    out, err = server.end()
    assert out[-2:] == ["server closed", "the end"]
    assert (server.process.returncode, err) == (0, "")


@styles
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_wakes_an_idle_server(run: Run, source: str, number: int) -> None:
    server = run(source)
    server.signal(number)
    out, err = server.end()
    assert out == ["server closed", "the end"]
    assert (server.process.returncode, err) == (0, "")


@styles
def test_a_handler_closes_the_server(run: Run, source: str) -> None:
    server = run(source)
    client = server.connect()
    client.send_message("close")
    assert client.receive_message() == "close"
    assert client.receive_close() == (1001, "")
    client.send_close(1001)
    out, err = server.end()
    assert out[-2:] == ["server closed", "the end"]
    assert (server.process.returncode, err) == (0, "")


@styles
def test_a_second_interrupt_ends_it_at_once(run: Run, source: str) -> None:
    server = run(source)
    client = server.connect()
    server.signal(signal.SIGINT)
    assert client.receive_close() == (1001, "")
    # The client does not answer, for which there would be ten seconds.
    server.signal(signal.SIGINT)
    out, err = server.end()
    assert "the end" not in out
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_an_interrupt_in_a_handler(run: Run) -> None:
    """What it had sent goes out, what follows is not lost, and others get their Close frames."""
    server = run(EVENTS)
    client, neighbour = server.connect(), server.connect()
    client.send(
        message_frame("one") + message_frame("interrupt") + message_frame("two") + b"\x81\x85half"
    )
    assert [client.receive_message() for _ in range(2)] == ["one", "interrupt"]
    assert client.receive_close() == (1001, "")
    assert neighbour.receive_close() == (1001, "")
    for one in (neighbour, client):
        one.send_close(1001)
    neighbour.rest()
    client.close()
    out, err = server.end()
    assert out[-2:] == ["server closed", "the end"]
    assert out.count("session 1001") >= 1
    # The second message found a session that is closing.
    assert server.process.returncode == 0
    assert "Traceback" not in err


def test_an_interrupt_in_a_coroutine(run: Run) -> None:
    server = run(COROUTINES)
    client, neighbour = server.connect(), server.connect()
    client.send_message("interrupt")
    assert client.receive_message() == "interrupt"
    assert neighbour.receive_close() == (1001, "")
    neighbour.send_close(1001)
    neighbour.rest()
    assert client.receive_close()[0] in (1001, 1011)
    client.close()
    out, _ = server.end()
    assert out[-2:] == ["server closed", "the end"]
    assert server.process.returncode == 0


def test_an_interrupt_in_a_close_handler(run: Run) -> None:
    """Several end at once: the others' handlers are called all the same."""
    server = run(EVENTS)
    clients = [server.connect(path) for path in ("/", "/interrupt", "/")]
    server.signal(signal.SIGSTOP)
    # Until it has stopped, it may still take one after the other.
    _, status = os.waitpid(server.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    for client in clients:
        client.send_close(4000)
    server.signal(signal.SIGCONT)
    for client in clients:
        assert client.receive_close() == (4000, "")
        assert client.rest() == b""
    out, err = server.end()
    assert out == ["session 4000"] * 3 + ["server closed", "the end"]
    assert (server.process.returncode, err) == (0, "")


@styles
@pytest.mark.parametrize("number", [signal.SIGINT])
def test_inside_asyncio(run: Run, source: str, number: int) -> None:
    """There asyncio.run() handles Ctrl-C: it cancels, which closes."""
    server = run(source, run=FOREVER)
    client = server.connect()
    server.signal(number)
    assert client.receive_close() == (1001, "")
    client.send_close(1001)
    assert client.rest() == b""
    out, err = server.end()
    assert out[-1:] == ["server closed"]
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_busy_polling_heeds_signals(run: Run) -> None:
    """Even while it spins, for longer than anyone would wait."""
    server = run(EVENTS, options="busy_poll=1000")
    client = server.connect()
    server.signal(signal.SIGTERM)
    assert client.receive_close() == (1001, "")
    client.send_close(1001)
    out, err = server.end()
    assert out[-2:] == ["server closed", "the end"]
    assert (server.process.returncode, err) == (0, "")


def test_the_old_handler_is_back_afterwards(run: Run) -> None:
    source = EVENTS + (
        "\nprevious = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)"
        "\nserver.run()"
        "\nprint((signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)) == previous)"
        "\nprint('the end', flush=True)\n"
    )
    server = run(source, run="")
    server.signal(signal.SIGTERM)
    assert server.end()[0][-2:] == ["True", "the end"]


def test_two_servers_in_two_processes_share_a_port(run: Run) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        source = EVENTS.replace("port=0", f"port={port}")
        servers = [run(source, options="reuse_port=True") for _ in range(2)]
    assert servers[0].address == servers[1].address
    servers[0].connect().leave()

"""Socket.IO servers, ours and foreign ones, and clients that tell the test what they see."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import peers
from tests.drivers import PATIENCE, Driver
from tests.peers import npm_package
from tests.websocket.serving import Inbox

from cooee.socketio import Ack, ClientSocket, ConnectError, Manager, Server, Socket

SCRIPT = Path(__file__).with_name("server.cjs")

TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}


def application(io: Server, ends: Inbox[tuple[Any, ...]]) -> None:
    """The same as `server.cjs`."""

    def connected(socket: Socket) -> None:
        @socket.on("echo")
        def echo(*args: Any) -> None:
            socket.emit("echo", *args)

        @socket.on("answer")
        def answer(*args: Any) -> None:
            *values, ack = args
            assert isinstance(ack, Ack)
            ack(*values)

        @socket.on("ask")
        def ask(*args: Any) -> None:
            socket.emit("question", *args, ack=lambda *got: socket.emit("asked", *got))

        @socket.on("auth")
        def auth() -> None:
            socket.emit("auth", socket.handshake.auth)

        @socket.on("join")
        def join(room: str, ack: Ack) -> None:
            socket.join(room)
            ack()

        @socket.on("tell")
        def tell(room: str, *args: Any) -> None:
            socket.to(room).emit("news", *args)

        @socket.on("kick")
        def kick() -> None:
            socket.disconnect()

        @socket.on("drop")
        def drop() -> None:
            socket.client.close()

        @socket.on("disconnect")
        def disconnected(reason: str, description: object) -> None:
            ends.put((socket.namespace.name, reason))

    def refuse(socket: Socket) -> None:
        if socket.handshake.auth.get("token") != "open sesame":
            raise ConnectError("not for you", {"because": "token"})

    for name in ("/", "/other", "/closed", re.compile(r"^/room-\d+$")):
        io.of(name).on("connection", connected)
    io.of("/closed").use(refuse)


class Port:
    """
    A port that nobody else gets while no server listens on it: for servers that come back.

    A socket that is bound to it keeps it, and beside that a server may listen, on Linux at least;
    elsewhere it is only likely to be free.

    Attributes:
        number: The port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self._socket.close()

    def close(self) -> None:
        """Give it back."""
        self._socket.close()


class Service:
    """
    Our server on a driver.

    Attributes:
        port: Its port, the same when it starts again.
        ends: Namespace and reason of each socket that has disconnected.
    """

    def __init__(self, driver: Driver, **options: Any) -> None:
        self.driver = driver
        self.options = options
        self.ends: Inbox[tuple[Any, ...]] = Inbox()
        self.port = Port()
        self.io: Server | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port.number}"

    def start(self) -> None:
        """Listen."""

        def start() -> Server:
            io = Server(host="127.0.0.1", port=self.port.number, **self.options)
            application(io, self.ends)
            return io.start()

        self.io = self.driver.call(start)

    def stop(self) -> None:
        """Stop listening, and disconnect all clients."""
        io, self.io = self.io, None
        if io is not None:
            closed = self.driver.call(io.close)
            self.driver.until(lambda: closed.done)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self.port.close()


class Client:
    """
    A socket, and what has happened to it.

    Attributes:
        socket: The :class:`ClientSocket`.
        events: Its events, each as a tuple that begins with the name.
    """

    def __init__(self, driver: Driver, socket: ClientSocket) -> None:
        self.driver = driver
        self.socket = socket
        self.events: Inbox[tuple[Any, ...]] = Inbox()
        for name in ("connect", "connect_error", "disconnect"):
            socket.on(name, self._taker(name))
        socket.on_any(lambda *args: self.events.put(args))

    def _taker(self, name: str) -> Callable[..., None]:
        return lambda *args: self.events.put((name, *args))

    def take(self) -> tuple[Any, ...]:
        """The next event."""
        return self.events.take()

    def expect(self, name: str) -> tuple[Any, ...]:
        """The arguments of the next event, whose name is given."""
        event = self.take()
        assert event[0] == name, event
        return event[1:]

    def emit(self, *args: Any) -> None:
        """Emit an event."""
        self.driver.call(lambda: self.socket.emit(*args))

    def ask(self, *args: Any, **options: Any) -> Any:
        """Emit an event, and wait for its acknowledgement."""
        outcome = self.driver.call(lambda: self.socket.emit_with_ack(*args, **options))
        self.driver.until(lambda: outcome.done)
        return outcome.result()


class Clients:
    """Makes managers and sockets on a driver."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.managers: list[Manager] = []

    def manager(self, url: str, **options: Any) -> Manager:
        """A manager that comes back quickly."""
        options = {"reconnection_delay": 0.01, "randomization_factor": 0, **options}
        manager = self.driver.call(lambda: Manager(url, **options))
        self.managers.append(manager)
        return manager

    def join(self, manager: Manager, namespace: str = "/", **options: Any) -> Client:
        """A socket of a manager."""
        return self.driver.call(lambda: Client(self.driver, manager.socket(namespace, **options)))

    def connect(self, url: str, namespace: str = "/", **options: Any) -> Client:
        """A socket of a manager of its own."""
        return self.join(self.manager(url, **options), namespace)

    def close(self) -> None:
        """Close them all, and wait until nothing is left."""

        def gone(manager: Manager) -> bool:
            return manager.engine is None or manager.engine.wait_gone().done

        for manager in self.managers:
            self.driver.call(manager.close)
        for manager in self.managers:
            self.driver.until(lambda one=manager: gone(one))


class ForeignServer:
    """
    A server in a process of its own, with the application of `server.cjs`.

    Args:
        program: What runs the script.
        script: It keeps to what `server.cjs` says; its first argument is the port.
        args: What follows.

    Attributes:
        url: Where it is, once it is entered.
    """

    def __init__(self, program: str, script: Path, *args: str) -> None:
        self._program = program
        self._args = args
        self._script = script
        self.url = ""

    def __enter__(self) -> Self:
        self._port = Port()
        self._process = subprocess.Popen(
            [self._program, self._script, str(self._port.number), *self._args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.url = f"http://127.0.0.1:{self._answer()}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._port.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return json.loads(line)

    def command(self, name: str) -> None:
        """Let it do something; see the script."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        assert self._answer() == name


def node_server(*args: str) -> ForeignServer:
    """Socket.IO's own server under Node."""
    npm_package("socket.io")
    return ForeignServer(peers.node(), SCRIPT, *args)


def bun_server(*args: str) -> ForeignServer:
    """The same under Bun, with the engine made for it."""
    npm_package("@socket.io/bun-engine")
    return ForeignServer(peers.bun(), SCRIPT, *args)


def python_server() -> ForeignServer:
    """python-socketio's server on aiohttp."""
    for name in ("socketio", "aiohttp"):
        if importlib.util.find_spec(name) is None:
            peers.missing("python-socketio", "pip install python-socketio aiohttp")
    return ForeignServer(sys.executable, SCRIPT.with_suffix(".py"))


FOREIGN: dict[str, Callable[[], ForeignServer]] = {
    "node": node_server,
    "bun": bun_server,
    "python": python_server,
}

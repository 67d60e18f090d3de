"""An Engine.IO server for one test, and clients that speak raw HTTP and raw WebSocket to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from tests.drivers import PATIENCE, Driver
from tests.rawclient import Answer, RawClient
from tests.websocket.serving import Inbox

from cooee.engineio import PyReceiver, Refusal, Server, Socket
from cooee.websocket import Server as WebSocketServer

T = TypeVar("T")

# Seconds. By default no test meets a heartbeat, however long anything takes.
QUIET = {"ping_interval": 60, "ping_timeout": 60}
# For tests that wait for heartbeats. Nothing but the server may have to be in time for them: what a
# client does is there before (`connection` handlers, when_pinged), or has all the time it needs.
PING_INTERVAL = 0.3
PING_TIMEOUT = 0.2
BRISK = {"ping_interval": PING_INTERVAL, "ping_timeout": PING_TIMEOUT}
PATIENT = {"ping_interval": PING_INTERVAL, "ping_timeout": PATIENCE}


class End(NamedTuple):
    """How a session ended."""

    reason: str
    description: Exception | None


class Echo(PyReceiver):
    """Sends back what comes, and hands the end to the test."""

    def __init__(self, socket: Socket, ends: Inbox[End]) -> None:
        self.socket = socket
        self.ends = ends
        self.drained = 0

    def message_received(self, data: str | bytes) -> None:
        self.socket.send(data)

    def session_closed(self, reason: str, description: Exception | None) -> None:
        self.ends.put(End(reason, description))

    def writing_drained(self) -> None:
        self.drained += 1


def take_chunks(client: RawClient) -> bytes:
    """A body in chunks (RFC 9112 §7.1), as Node sends some."""
    body = b""
    while True:
        line = b""
        while not line.endswith(b"\r\n"):
            line += client.take(1)
        size = int(line, 16)
        body += client.take(size)
        assert client.take(2) == b"\r\n"
        if size == 0:
            return body


def take_answer(client: RawClient) -> Answer:
    """An answer with the whole of its body, in chunks or not."""
    answer = client.answer()
    if answer.headers.get("transfer-encoding") == "chunked":
        answer = answer._replace(body=take_chunks(client))
    return answer


class Clients:
    """
    Clients of a server at an address.

    Attributes:
        clients: All connections made, to be closed.
        path: What the requests are for.
    """

    path = "/engine.io/"

    def __init__(self, address: Any) -> None:
        self.address = address
        self.clients: list[RawClient] = []

    def open(self, **options: Any) -> RawClient:
        """A connection on which nothing has been sent."""
        client = RawClient(self.address, **options)
        self.clients.append(client)
        return client

    def request(
        self,
        query: str,
        headers: Mapping[str, str | None] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection of its own, and its answer."""
        client = self.begin(query, headers, method=method, body=body)
        answer = take_answer(client)
        client.close()
        return answer

    def begin(
        self,
        query: str,
        headers: Mapping[str, str | None] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> RawClient:
        """One request on a connection of its own, whose answer is still to come."""
        client = self.open()
        client.request(f"{self.path}?{query}", headers, method=method, body=body)
        return client

    def handshake(
        self, query: str = "EIO=4", headers: Mapping[str, str | None] | None = None
    ) -> str:
        """A polling session's id."""
        answer = self.request(f"{query}&transport=polling", headers)
        assert answer.status == 200, answer
        text = answer.body.decode()
        return str(json.JSONDecoder().raw_decode(text, text.index("{"))[0]["sid"])

    def poll(self, sid: str, query: str = "EIO=4") -> str:
        """The answer to a poll, which must be good."""
        answer = self.request(f"{query}&transport=polling&sid={sid}")
        assert answer.status == 200, answer
        return answer.body.decode()

    def post(self, sid: str, body: str | bytes, query: str = "EIO=4") -> Answer:
        """The answer to a POST."""
        data = body.encode() if isinstance(body, str) else body
        return self.request(f"{query}&transport=polling&sid={sid}", method="POST", body=data)

    def websocket(
        self, query: str = "EIO=4", headers: Mapping[str, str | None] | None = None
    ) -> RawClient:
        """A WebSocket after its opening handshake, on which nothing has been received."""
        client = self.open()
        client.upgrade(f"{self.path}?{query}&transport=websocket", headers)
        return client

    def websocket_session(self, query: str = "EIO=4") -> tuple[RawClient, str]:
        """A session by WebSocket, and its id."""
        client = self.websocket(query)
        packet = client.receive_message()
        assert isinstance(packet, str)
        assert packet[0] == "0"
        return client, str(json.loads(packet[1:])["sid"])


class Serving(Clients):
    """
    A server on a driver; sessions echo.

    Args:
        prepare: Called with the Engine.IO server before anything else.
        server_options: Of the server that it is mounted into.
        options: Of the Engine.IO server.

    Attributes:
        engine: The Engine.IO server.
        sockets: Its sessions, in the order in which they came.
        ends: How they ended.
        refusals: Requests refused.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        prepare: Callable[[Server], object] = lambda engine: None,
        server_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.driver = driver
        self.sockets: Inbox[Socket] = Inbox()
        self.ends: Inbox[End] = Inbox()
        self.refusals: Inbox[Refusal] = Inbox()
        self.engine = Server(**{**QUIET, **options})
        self.server = WebSocketServer(host="127.0.0.1", port=0, **(server_options or {}))
        self.engine.attach(self.server)
        self.engine.on("connection", self.connected)
        self.engine.on("connection_error", self.refusals.put)
        prepare(self.engine)
        driver.call(self.server.start)
        super().__init__(driver.call(lambda: self.server.addresses)[0])

    def connected(self, socket: Socket) -> None:
        """A session is there."""
        socket.receiver = Echo(socket, self.ends)
        self.sockets.put(socket)

    def when_pinged(self, action: Callable[[Socket], object]) -> None:
        """
        Have something done in the server's thread once it has pinged a session of `PING_INTERVAL`.

        The session's own timer is the one before, so that nothing comes between the two.
        """

        def connected(socket: Socket) -> None:
            self.driver.reactor.call_later(PING_INTERVAL, action, socket)

        self.engine.on("connection", connected)

    # What a client cannot see

    def begin_poll(self, sid: str, query: str = "EIO=4") -> RawClient:
        """A poll that waits, as the server has seen."""
        client = self.begin(f"{query}&transport=polling&sid={sid}")
        self.until(lambda: sid not in self.engine.clients or self.engine.clients[sid].writable)
        return client

    def is_gone(self, sid: str) -> bool:
        """Whether the session is unknown to its client, and to the server."""
        answer = self.request(f"EIO=4&transport=polling&sid={sid}")
        assert answer.status == 400
        unknown = answer.body == b'{"code":1,"message":"Session ID unknown"}'
        return unknown and self.call(lambda: sid not in self.engine.clients)

    # The server's thread

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the server's thread."""
        return self.driver.call(function, *args)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition, evaluated in the server's thread, holds."""
        self.driver.until(condition)

    def close(self) -> None:
        """Close clients and server, and wait until nothing is left."""
        for client in self.clients:
            client.close()
        closed = self.call(self.server.close)
        self.until(lambda: closed.done)
        assert not self.call(lambda: self.engine.clients)

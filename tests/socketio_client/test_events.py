"""
Our client with each server, over each transport: events, acknowledgements, namespaces and rooms.

The servers are ours, Socket.IO's own under Node and under Bun, and python-socketio's; losing and
finding them again is in test_reconnection.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import DRIVERS
from tests.socketio_client.serving import (
    FOREIGN,
    TRANSPORTS,
    Client,
    Clients,
    ForeignServer,
    Service,
)

from cooee.socketio import AckTimeout, ConnectError

VALUES = [
    [],
    [None],
    [True, False],
    [0, -1, 2**53 - 1, 1.5],
    ["", "text", "naïve 漢字 \U0001f600", '\x1e\x00\n"\\'],
    [[], {}, [1, [2, [3]]], {"a": {"b": [None]}}],
    [b""],
    [b"\x00\x01\xff", "between", b"\x04" * 7],
    [{"file": b"abc", "parts": [b"1", {"deep": b"2"}]}],
    [b"\x00\x01\xff", "between", b"\x04" * 70_000],
    ["x" * 100_000],
]

PAIRS = [
    *[(driver, "ours") for driver in DRIVERS],
    *[("asyncio", name) for name in FOREIGN],
    ("polling", "node"),
]

pytestmark = pytest.mark.parametrize(("driver", "url"), PAIRS, indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, foreign_servers: dict[str, ForeignServer]) -> str:
    """A server of each kind."""
    if request.param == "ours":
        service: Service = request.getfixturevalue("service")
        return service.url
    if request.param not in foreign_servers:
        # Says what is missing.
        with FOREIGN[request.param]():
            raise AssertionError
    return foreign_servers[request.param].url


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest, url: str, clients: Clients) -> Client:
    """A client on each transport, connected, the change to WebSocket made."""
    client = clients.connect(url, transports=TRANSPORTS[request.param])
    assert client.expect("connect") == ()
    if request.param == "upgrade":
        client.driver.until(lambda: transport(client) == "websocket")
    else:
        assert transport(client) == request.param
    return client


def transport(client: Client) -> str:
    engine = client.socket.manager.engine
    assert engine is not None
    return engine.transport


def test_events_come_back_as_they_were(client: Client) -> None:
    for values in VALUES:
        client.emit("echo", *values, "end" * 20)
        args = client.expect("echo")
        assert list(args[: len(values) + 1]) == [*values, "end" * 20]


def test_acknowledgements_of_the_server(client: Client) -> None:
    assert client.ask("answer") is None
    assert client.ask("answer", [b"1", "2"]) == [b"1", "2"]
    for values in VALUES:
        if len(values) > 1:
            assert client.ask("answer", *values) == values


def test_acknowledgements_of_ours(client: Client) -> None:
    def question(*args: Any) -> None:
        *values, ack = args
        ack(*values)
        # Later calls do nothing.
        ack("again")

    client.socket.on("question", question)
    client.emit("ask", 1, b"two", {"three": 3})
    client.expect("question")
    assert client.expect("asked")[:3] == (1, b"two", {"three": 3})


def test_coroutine_handlers_keep_the_order(client: Client) -> None:
    async def question(value: int, ack: Callable[..., Any]) -> None:
        doubled = await client.socket.emit_with_ack("answer", value * 2)
        ack(doubled)

    client.socket.on("question", question)
    for value in range(3):
        client.emit("ask", value)
    client.emit("echo", "last")
    seen = [client.take() for _ in range(7)]
    assert [event[1] for event in seen if event[0] == "question"] == [0, 1, 2]
    assert sorted(event[1] for event in seen if event[0] == "asked") == [0, 2, 4]
    names = [event[0] for event in seen]
    assert names.index("echo") > max(i for i, name in enumerate(names) if name == "question")


def test_many_events_stay_in_order(client: Client) -> None:
    client.driver.call(lambda: [client.socket.emit("echo", number) for number in range(500)])
    assert [client.expect("echo")[0] for _ in range(500)] == list(range(500))


def test_an_acknowledgement_that_does_not_come(client: Client) -> None:
    with pytest.raises(AckTimeout):
        client.ask("nobody knows this", timeout=0.01)
    # The connection is as before.
    assert client.ask("answer", 1) == 1


def test_namespaces_share_the_connection(client: Client, clients: Clients) -> None:
    other = clients.join(client.socket.manager, "/other")
    other.expect("connect")
    assert other.socket.id != client.socket.id
    other.emit("echo", "here")
    assert other.expect("echo")[0] == "here"
    other.driver.call(other.socket.disconnect)
    assert other.expect("disconnect") == ("io client disconnect", None)
    # The first is still there, and the other can come back.
    assert client.ask("answer", 1) == 1
    other.driver.call(other.socket.connect)
    other.expect("connect")
    assert other.ask("answer", 2) == 2


def test_namespaces_that_a_pattern_admits(client: Client, clients: Clients) -> None:
    room = clients.join(client.socket.manager, "/room-17")
    room.expect("connect")
    assert room.ask("answer", b"17", {"n": 17}) == [b"17", {"n": 17}]
    assert client.ask("answer", 1) == 1


def test_rooms(url: str, client: Client, clients: Clients) -> None:
    inside, outside = clients.connect(url), clients.join(client.socket.manager, "/other")
    for one in (inside, outside):
        one.expect("connect")
        one.ask("join", "room")
    client.ask("join", "room")
    values = ["text", b"bytes", {"deep": [b"1", None, "é"]}]
    client.emit("tell", "room", *values)
    assert list(inside.expect("news")[:3]) == values
    inside.emit("tell", "nobody", "lost")
    inside.emit("tell", "room", 1)
    assert client.expect("news")[0] == 1
    # In the other namespace the room is another.
    assert outside.ask("answer", 1) == 1
    assert outside.events.empty()


def test_a_middleware_refuses(client: Client, clients: Clients) -> None:
    closed = clients.join(client.socket.manager, "/closed")
    (error,) = closed.expect("connect_error")
    assert isinstance(error, ConnectError)
    assert (str(error), error.data) == ("not for you", {"because": "token"})
    assert not closed.socket.active
    closed.socket.auth = {"token": "open sesame"}
    closed.driver.call(closed.socket.connect)
    closed.expect("connect")
    assert client.socket.connected


def test_no_such_namespace(client: Client, clients: Clients) -> None:
    nowhere = clients.join(client.socket.manager, "/nowhere")
    (error,) = nowhere.expect("connect_error")
    assert str(error) == "Invalid namespace"


def test_the_server_drops_the_connection(client: Client, clients: Clients) -> None:
    other = clients.join(client.socket.manager, "/other")
    other.expect("connect")
    client.emit("drop")
    for one in (client, other):
        assert one.expect("disconnect")[0] in ("transport close", "transport error")
        one.expect("connect")
        assert one.ask("answer", "again", b"b") == ["again", b"b"]


def test_the_server_disconnects(client: Client) -> None:
    client.emit("kick")
    assert client.expect("disconnect") == ("io server disconnect", None)
    assert not client.socket.active
    # It stays so until it is asked.
    client.driver.call(client.socket.connect)
    client.expect("connect")


@pytest.mark.parametrize("kind", ["value", "function", "coroutine"])
def test_auth(url: str, clients: Clients, kind: str) -> None:
    value = {"token": "open sesame", "n": 1}

    async def coroutine() -> dict[str, Any]:
        return value

    auth = {"value": value, "function": lambda: value, "coroutine": coroutine}[kind]
    client = clients.connect(url, "/closed", auth=auth)
    client.expect("connect")
    client.emit("auth")
    assert client.expect("auth")[0] == value

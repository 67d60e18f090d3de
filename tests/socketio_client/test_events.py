"""Events, acknowledgements and namespaces, over each transport, with our server and Node's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import DRIVERS
from tests.socketio_client.serving import TRANSPORTS, Client, Clients, NodeServer, Service

from cooee.socketio import AckTimeout, ConnectError

VALUES = [
    [],
    [None],
    [True, False],
    [0, -1, 2**53 - 1, 1.5],
    ["", "text", "naïve 漢字 \U0001f600", '\x1e\x00\n"\\'],
    [[], {}, [1, [2, [3]]], {"a": {"b": [None]}}],
    [b""],
    [b"\x00\x01\xff", "between", b"\x04" * 70_000],
    [{"file": b"abc", "parts": [b"1", {"deep": b"2"}]}],
    ["x" * 100_000],
]


PAIRS = [
    *[(driver, "ours") for driver in DRIVERS],
    # It costs a process each time.
    ("asyncio", "node"),
    ("polling", "node"),
]

pytestmark = pytest.mark.parametrize(("driver", "url"), PAIRS, indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """A server of each kind."""
    server: Service | NodeServer = request.getfixturevalue(
        "service" if request.param == "ours" else "node_server"
    )
    return server.url


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

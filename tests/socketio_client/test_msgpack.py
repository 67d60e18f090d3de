"""Our client with the parser of MessagePack, in both dialects, and servers that have it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from tests.socketio_client.serving import (
    TRANSPORTS,
    Client,
    Clients,
    Service,
    bun_server,
    node_server,
)
from tests.socketio_client.test_events import VALUES

from cooee.socketio import ConnectError, msgpack_parser

# Dates as everyone has them but notepack.io, on which the JavaScript parser is built.
STANDARD = SimpleNamespace(
    Encoder=partial(msgpack_parser.Encoder, timestamps=True), Decoder=msgpack_parser.Decoder
)
DATE = datetime(2001, 2, 3, 4, 5, 6, 789000, UTC)

# A server, and the dialects of both ends.
PAIRS: dict[str, tuple[Any, Any, Any]] = {
    "ours": ("ours", msgpack_parser, msgpack_parser),
    "ours, standard dates from here": ("ours", msgpack_parser, STANDARD),
    "ours, standard dates from there": ("ours", STANDARD, msgpack_parser),
    "node": (node_server, None, msgpack_parser),
    "bun": (bun_server, None, msgpack_parser),
}

pytestmark = [
    pytest.mark.parametrize("driver", ["asyncio"], indirect=True),
    pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS, indirect=True),
]


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, serving: Callable[..., Service]
) -> Iterator[tuple[str, Any]]:
    """The URL of a server, and the client's parser."""
    server, theirs, ours = request.param
    if server == "ours":
        yield serving(parser=theirs).url, ours
    else:
        with server("msgpack") as foreign:
            yield foreign.url, ours


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest, pair: tuple[str, Any], clients: Clients) -> Client:
    """A client on each transport, connected."""
    url, parser = pair
    client = clients.connect(url, transports=TRANSPORTS[request.param], parser=parser)
    assert client.expect("connect") == ()
    return client


def test_all_there_is(client: Client, clients: Clients) -> None:
    for values in [*VALUES, [DATE], [{"deep": [DATE, b"1"]}]]:
        client.emit("echo", *values, "end" * 20)
        args = client.expect("echo")
        assert list(args[: len(values) + 1]) == [*values, "end" * 20]
        assert client.ask("answer", 0, *values, "end") == [0, *values, "end"]

    client.socket.on("question", lambda *args: args[-1](*args[:-1]))
    client.emit("ask", 1, b"two", {"three": DATE})
    client.expect("question")
    assert client.expect("asked")[:3] == (1, b"two", {"three": DATE})

    other = clients.join(client.socket.manager, "/room-5")
    other.expect("connect")
    assert other.ask("answer", "here", b"") == ["here", b""]
    other.driver.call(other.socket.disconnect)
    assert other.expect("disconnect")[0] == "io client disconnect"

    closed = clients.join(client.socket.manager, "/closed")
    (error,) = closed.expect("connect_error")
    assert isinstance(error, ConnectError)
    assert (str(error), error.data) == ("not for you", {"because": "token"})

    client.emit("kick")
    assert client.expect("disconnect") == ("io server disconnect", None)

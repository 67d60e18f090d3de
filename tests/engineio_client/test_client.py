"""The Engine.IO client, against our server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import Driver
from tests.engineio_client.clients import Clients
from tests.engineio_server.serving import Serving

from cooee.engineio import TransportFailure

Serve = Callable[..., Serving]

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
# So that no session ends for want of a heartbeat.
LONG = {"ping_interval": 25, "ping_timeout": 20}
MESSAGES: list[str | bytes] = ["", "text", "naïve \U0001f600", b"", b"\x00\xff", "x" * 70_000]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_messages(serving: Serve, clients: Clients, transports: list[str]) -> None:
    server = serving(**LONG)
    client, events = clients.connect(server.address[1], transports=transports)
    # What is sent before there is a session waits.
    clients.driver.call(lambda: client.send("early"))
    seen = [events.take()[:2] for _ in range(1 + len(transports))]
    assert seen[0] == ("opened",)
    assert ("received", "early") in seen
    if len(transports) == 2:
        assert ("upgraded", "websocket") in seen
    assert client.transport == transports[-1]
    clients.driver.call(lambda: [client.send(message) for message in MESSAGES])
    assert [events.take() for _ in MESSAGES] == [("received", message) for message in MESSAGES]
    clients.driver.call(client.close)
    assert events.take() == ("closed", "forced close", None)
    assert server.ends.take().reason == "transport close"


def test_messages_during_the_upgrade(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    client, events = clients.connect(server.address[1])
    numbers = [str(number) for number in range(50)]
    upgraded = False
    # The next goes out as the last comes back, whatever the transport is just then.
    for number in numbers:
        clients.driver.call(client.send, number)
        while (event := events.take())[0] != "received":
            upgraded = upgraded or event[0] == "upgraded"
        assert event == ("received", number)
    while not upgraded:
        upgraded = events.take()[0] == "upgraded"


def test_no_upgrade_where_it_is_not_wanted(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    client, events = clients.connect(server.address[1], upgrade=False)
    assert events.take() == ("opened",)
    assert (client.transport, client.upgrading) == ("polling", False)


def test_posts_keep_to_the_limit(serving: Serve, clients: Clients) -> None:
    server = serving(max_http_buffer_size=200, **LONG)
    client, events = clients.connect(server.address[1], transports=["polling"])
    messages = [f"{number:050}" for number in range(20)]
    clients.driver.call(lambda: [client.send(message) for message in messages])
    assert events.take() == ("opened",)
    assert [events.take()[1] for _ in messages] == messages


def test_closing_sends_what_waits(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    got: list[Any] = []
    client, events = clients.connect(server.address[1], transports=["polling"])
    assert events.take() == ("opened",)

    def send_and_close() -> None:
        for number in range(3):
            client.send(str(number))
        client.close()
        client.send("too late")

    clients.driver.call(send_and_close)
    while (event := events.take())[0] == "received":
        got.append(event[1])
    assert event == ("closed", "forced close", None)
    assert server.ends.take().reason == "transport close"


# Node's statuses.
@pytest.mark.parametrize(("transport", "status"), [("polling", 403), ("websocket", 400)])
def test_the_server_refuses(serving: Serve, clients: Clients, transport: str, status: int) -> None:
    server = serving(allow_request=lambda request: "not today", **LONG)
    _, events = clients.connect(server.address[1], transports=[transport])
    kind, reason, description = events.take()
    assert (kind, reason) == ("closed", "transport error")
    assert isinstance(description, TransportFailure)
    assert (description.transport, description.status) == (transport, status)
    assert "not today" in str(description)


def test_another_transport_is_tried(serving: Serve, clients: Clients) -> None:
    server = serving(transports=["websocket"], **LONG)
    client, events = clients.connect(server.address[1], try_all_transports=True)
    assert events.take() == ("opened",)
    assert client.transport == "websocket"


def test_a_failed_upgrade_leaves_the_session(serving: Serve, clients: Clients) -> None:
    server = serving(transports=["polling"], **LONG)
    client, events = clients.connect(server.address[1])
    assert events.take() == ("opened",)
    # The server does not offer it.
    assert not client.upgrading
    clients.driver.call(client.send, "still here")
    assert events.take() == ("received", "still here")


def test_nobody_listens(driver: Driver, clients: Clients) -> None:
    # Bound and not listening: nobody else can have the port meanwhile.
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        _, events = clients.connect(sock.getsockname()[1])
        kind, reason, description = events.take()
    assert (kind, reason) == ("closed", "transport error")
    assert isinstance(description.__cause__, OSError)


def test_what_polling_cannot_carry(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    client, events = clients.connect(server.address[1], transports=["polling"])
    with pytest.raises(ValueError, match=r"U\+001E"):
        clients.driver.call(client.send, "a\x1eb")
    assert events.take() == ("opened",)


def test_text_that_is_none(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    for transport in ("polling", "websocket"):
        client, events = clients.connect(server.address[1], transports=transport)

        def send(client: Any = client) -> None:
            with pytest.raises(UnicodeEncodeError):
                client.send("\ud800")
            client.send("good")

        # Before there is a session, and with it.
        clients.driver.call(send)
        assert events.take() == ("opened",)
        assert events.take() == ("received", "good")
        clients.driver.call(send)
        assert events.take() == ("received", "good")


def test_too_large_a_message(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    for transport in ("polling", "websocket"):
        client, events = clients.connect(
            server.address[1], transports=[transport], max_message_size=1000
        )
        assert events.take() == ("opened",)
        clients.driver.call(client.send, "x" * 2000)
        kind, reason, _ = events.take()
        assert (kind, reason) == ("closed", "transport error")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_server_that_takes_too_little(serving: Serve, clients: Clients, transport: str) -> None:
    server = serving(**LONG)
    client, events = clients.connect(
        server.address[1], transports=[transport], max_buffered=100_000, high_water=1000
    )
    assert events.take() == ("opened",)
    message = "x" * 90_000

    def send_much() -> None:
        # In the server's thread, so that it reads nothing. However much the system's buffers have
        # room for, it is less than 900 MB; and what is sent after the end costs nothing.
        for _ in range(10_000):
            client.send(message)
        assert client.send("more") is None

    clients.driver.call(send_much)
    kind, reason, _ = events.take()
    assert kind == "closed"
    assert reason in ("transport error", "transport close")


def test_awaiting_what_is_sent(serving: Serve, clients: Clients) -> None:
    server = serving(**LONG)
    for transport in ("polling", "websocket"):
        client, events = clients.connect(server.address[1], transports=[transport], high_water=1000)
        assert events.take() == ("opened",)
        waits = clients.driver.call(client.send, "x" * 500_000)
        if waits is not None:
            clients.driver.until(lambda one=waits: one.done)
        assert client.buffered_amount <= 1000
        assert events.take() == ("received", "x" * 500_000)


@pytest.mark.parametrize(
    "options", [{"transports": []}, {"transports": ["pigeon"]}, {"max_message_size": -1}]
)
def test_wrong_options(driver: Driver, clients: Clients, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        clients.connect(1, **options)

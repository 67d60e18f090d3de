"""Connections that cannot be made or are lost, and what managers do about them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from tests.drivers import Driver
from tests.socketio_client.serving import (
    FOREIGN,
    TRANSPORTS,
    Client,
    Clients,
    ForeignServer,
    Service,
)
from tests.websocket.serving import Inbox

from cooee.engineio import TransportFailure
from cooee.reactor import Stream
from cooee.socketio import ConnectError, Disconnected, LimitExceeded, Manager
from cooee.websocket.outcome import Outcome

Serving = Callable[..., Service]

MANAGER_EVENTS = (
    "open",
    "error",
    "close",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
)


def watch(driver: Driver, manager: Manager) -> Inbox[tuple[Any, ...]]:
    """The events of a manager, each as a tuple that begins with the name."""
    events: Inbox[tuple[Any, ...]] = Inbox()

    def register(name: str) -> None:
        manager.on(name, lambda *args: events.put((name, *args)))

    for name in MANAGER_EVENTS:
        driver.call(register, name)
    return events


def cut(driver: Driver) -> None:
    """Cut every connection, at both ends."""

    def abort() -> None:
        for handle in driver.reactor.handles():
            if isinstance(handle, Stream):
                handle.abort()

    driver.call(abort)


def transport(client: Client) -> str:
    """The name of the transport in use."""
    engine = client.socket.manager.engine
    assert engine is not None
    return engine.transport


@pytest.fixture
def unused_url() -> Iterator[str]:
    """Where nobody listens, nor may: a socket is bound to it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_the_server_comes_back(service: Service, clients: Clients, transports: str) -> None:
    client = clients.connect(service.url, transports=TRANSPORTS[transports])
    client.expect("connect")
    first = client.socket.id
    events = watch(service.driver, client.socket.manager)
    service.stop()
    reason, _ = client.expect("disconnect")
    assert reason in ("transport close", "transport error")
    assert client.socket.active
    assert client.socket.id is None
    # What is emitted meanwhile waits.
    client.emit("echo", "meanwhile")
    assert client.socket.buffered == 1
    service.start()
    while (event := client.take())[0] == "connect_error":
        assert isinstance(event[1], TransportFailure)
    assert event == ("connect",)
    assert client.expect("echo") == ("meanwhile",)
    assert client.socket.id not in (first, None)
    assert not client.socket.recovered
    seen = []
    while not seen or seen[-1] != "reconnect":
        seen.append(events.take()[0])
    assert seen[-2:] == ["open", "reconnect"]
    assert "close" in seen
    assert "reconnect_attempt" in seen


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize("foreign_server", FOREIGN, indirect=True)
@pytest.mark.parametrize("driver", ["asyncio"], indirect=True)
def test_a_foreign_server_comes_back(
    foreign_server: ForeignServer, clients: Clients, transports: str
) -> None:
    client = clients.connect(foreign_server.url, transports=TRANSPORTS[transports])
    client.expect("connect")
    foreign_server.command("stop")
    client.expect("disconnect")
    foreign_server.command("start")
    while client.take()[0] == "connect_error":
        pass
    assert client.ask("answer", 1) == 1


def test_attempts_come_to_an_end(unused_url: str, driver: Driver, clients: Clients) -> None:
    manager = clients.manager(unused_url, reconnection_attempts=2, auto_connect=False)
    events = watch(driver, manager)
    client = clients.join(manager)

    def connect() -> Any:
        client.socket.connect()
        return client.socket.wait_connected()

    # At once: the attempts may be over a moment later.
    joined = driver.call(connect)
    names = [events.take()[0] for _ in range(8)]
    assert names == [
        "error",
        "reconnect_attempt",
        "error",
        "reconnect_error",
        "reconnect_attempt",
        "error",
        "reconnect_failed",
        "reconnect_error",
    ]
    for _ in range(3):
        (error,) = client.expect("connect_error")
        assert isinstance(error, TransportFailure)
        assert isinstance(error.__cause__, OSError)
    driver.until(lambda: joined.done)
    with pytest.raises(TransportFailure):
        joined.result()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


def test_a_failure_that_nobody_hears_is_logged(
    unused_url: str, driver: Driver, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[None] = []

    def start(**options: Any) -> Manager:
        manager = Manager(
            unused_url, reconnection_attempts=2, reconnection_delay=0.01, auto_connect=False
        )
        manager.on("reconnect_failed", lambda: done.append(None))
        for event, handler in options.items():
            (manager if event == "error" else manager.socket()).on(event, handler)
        manager.socket().connect()
        return manager

    driver.call(start)
    driver.until(lambda: len(done) == 1)
    (text,) = warnings(caplog)
    assert text.startswith(f"cannot connect to {unused_url}: polling: ")
    caplog.clear()
    driver.call(partial(start, connect_error=lambda exc: None))
    driver.until(lambda: len(done) == 2)
    driver.call(partial(start, error=lambda exc: None))
    driver.until(lambda: len(done) == 3)
    assert warnings(caplog) == []


def test_a_refusal_that_nobody_hears_is_logged(
    service: Service, driver: Driver, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[ConnectError] = []

    def start(*handlers: Callable[[ConnectError], None]) -> Manager:
        manager = Manager(service.url)
        socket = manager.socket("/nowhere")
        for handler in handlers:
            socket.on("connect_error", handler)
        return manager

    driver.call(partial(start, heard.append))
    driver.until(lambda: len(heard) == 1)
    assert warnings(caplog) == []
    driver.call(start)
    driver.until(lambda: len(warnings(caplog)) == 1)
    url = service.url.removesuffix("/")
    expected = f"{url} refuses <ClientSocket not connected in '/nowhere'>: {heard[0]}"
    assert warnings(caplog) == [expected]


def test_without_reconnection(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, transports=["websocket"], reconnection=False)
    client.expect("connect")
    cut(service.driver)
    reason, _ = client.expect("disconnect")
    assert reason in ("transport close", "transport error")
    manager = client.socket.manager
    assert (manager.ready_state, manager.reconnecting) == ("closed", False)
    service.driver.call(manager.open)
    client.expect("connect")


def test_closing_ends_the_attempts(unused_url: str, driver: Driver, clients: Clients) -> None:
    client = clients.connect(unused_url)
    client.expect("connect_error")
    driver.call(client.socket.disconnect)
    assert not client.socket.manager.reconnecting
    with pytest.raises(Disconnected):
        driver.call(client.socket.wait_connected).result()  # type: ignore[attr-defined]


def test_an_attempt_takes_too_long(driver: Driver, clients: Clients) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = clients.connect(url, timeout=0.01, reconnection=False)
        (error,) = client.expect("connect_error")
        assert isinstance(error, TimeoutError)


def test_heartbeats_keep_it(serving: Serving, clients: Clients, driver: Driver) -> None:
    service = serving(ping_interval=0.05, ping_timeout=5)
    pings: Inbox[int] = Inbox()
    manager = clients.manager(service.url)
    driver.call(lambda: manager.on("ping", lambda: pings.put(1)))
    client = clients.join(manager)
    client.expect("connect")
    for _ in range(3):
        pings.take()
    assert client.ask("answer", 1) == 1


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_recovery(serving: Serving, clients: Clients, transports: str) -> None:
    service = serving(connection_state_recovery=True)
    client = clients.connect(
        service.url, transports=TRANSPORTS[transports], reconnection_delay=0.05
    )
    client.expect("connect")
    if transports == "upgrade":
        client.driver.until(lambda: transport(client) == "websocket")
    identity = client.socket.id
    io = service.io
    assert io is not None
    service.driver.call(lambda: io.emit("news", "first"))
    assert client.expect("news")[0] == "first"
    if transports == "polling":
        # Between two polls the server would not see that the client is gone.
        client.emit("drop")
    else:
        cut(service.driver)
    client.expect("disconnect")
    service.ends.take()
    service.driver.call(lambda: io.emit("news", "missed"))
    # A server may send what was missed before it lets the client join.
    events = sorted([client.take()[:2], client.take()[:2]])
    assert events == [("connect",), ("news", "missed")]
    assert client.socket.recovered
    assert client.socket.id == identity
    service.driver.call(lambda: io.emit("news", "after"))
    assert client.expect("news")[0] == "after"


@pytest.mark.parametrize("foreign_server", ["node"], indirect=True)
@pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)
def test_recovery_with_node(foreign_server: ForeignServer, clients: Clients) -> None:
    client = clients.connect(foreign_server.url, transports=["websocket"], reconnection_delay=0.1)
    client.expect("connect")
    identity = client.socket.id
    foreign_server.command("emit")
    assert client.expect("news")[0] == "of the day"
    foreign_server.command("cut")
    client.expect("disconnect")
    foreign_server.command("emit")
    events = sorted([client.take()[:2], client.take()[:2]])
    assert events == [("connect",), ("news", "of the day")]
    assert client.socket.recovered
    assert client.socket.id == identity


def test_acknowledgements_are_lost_with_the_connection(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, transports=["websocket"], reconnection_delay=0.05)
    client.expect("connect")
    lost = service.driver.call(lambda: client.socket.emit_with_ack("nobody knows this"))
    cut(service.driver)
    client.expect("disconnect")
    service.driver.until(lambda: lost.done)
    with pytest.raises(Disconnected):
        lost.result()
    # What waits for a connection keeps its own.
    kept = service.driver.call(lambda: client.socket.emit_with_ack("answer", 5))
    service.driver.until(lambda: kept.done)
    assert kept.result() == 5


def test_retries(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, retries=5, ack_timeout=0.1)
    client.expect("connect")
    answers: Inbox[tuple[Any, ...]] = Inbox()
    tries: list[Any] = []
    client.driver.call(lambda: client.socket.on_any_outgoing(lambda *args: tries.append(args)))
    client.driver.call(lambda: client.socket.emit("unknown", 1, ack=answers.put_all))
    client.driver.call(lambda: client.socket.emit("answer", 2, ack=answers.put_all))
    (error,) = answers.take()
    assert isinstance(error, TimeoutError)
    assert answers.take() == (None, 2)
    assert tries[:6] == [("unknown", 1)] * 6
    # An answer that took too long is asked for again.
    assert set(tries[6:]) == {("answer", 2)}


def test_retries_go_on_after_a_loss(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, transports=["websocket"], retries=9, ack_timeout=5)
    client.expect("connect")
    outcome = client.driver.call(lambda: client.socket.emit_with_ack("answer", 1))
    # Perhaps before it has arrived, perhaps after.
    cut(service.driver)
    client.driver.until(lambda: outcome.done)
    assert outcome.result() == 1


def test_volatile_events_are_dropped(unused_url: str, driver: Driver, clients: Clients) -> None:
    client = clients.connect(unused_url)
    driver.call(lambda: client.socket.volatile.emit("position", 1))
    assert (client.socket.dropped, client.socket.buffered) == (1, 0)


def test_events_that_time_out_are_not_sent(
    unused_url: str, driver: Driver, clients: Clients
) -> None:
    client = clients.connect(unused_url)
    with pytest.raises(TimeoutError):
        client.ask("answer", 1, timeout=0.01)
    assert client.socket.buffered == 0


def test_remembered_upgrades(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, remember_upgrade=True)
    client.expect("connect")
    client.driver.until(lambda: transport(client) == "websocket")
    seen: list[str] = []
    client.driver.call(
        lambda: client.socket.manager.on("open", lambda: seen.append(transport(client)))
    )
    cut(service.driver)
    client.expect("disconnect")
    client.expect("connect")
    assert seen == ["websocket"]


def test_events_that_handlers_do_not_keep_up_with(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, max_queue=10_000, reconnection=False)
    client.expect("connect")

    gate: Outcome[None] = Outcome()

    async def slow(*args: Any) -> None:
        await gate

    client.driver.call(lambda: client.socket.on("echo", slow))
    client.driver.call(lambda: [client.socket.emit("echo", "x" * 500) for _ in range(20)])
    client.driver.until(lambda: not client.socket.connected)
    client.driver.call(gate.set_result, None)
    while (event := client.take())[0] == "echo":
        pass
    assert event[:2] == ("disconnect", "transport error")
    assert isinstance(event[2], LimitExceeded)


def test_malformed_packets_end_the_connection(service: Service, clients: Clients) -> None:
    client = clients.connect(service.url, reconnection=False)
    client.expect("connect")
    io = service.io
    assert io is not None

    def corrupt() -> None:
        for one in io.sockets.sockets.values():
            one.client.engine.send("no packet")

    service.driver.call(corrupt)
    reason, description = client.expect("disconnect")
    assert reason == "parse error"
    assert description is not None

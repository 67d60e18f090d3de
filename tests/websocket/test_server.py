"""The server's life: where it listens, what it serves, how it starts."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.drivers import Driver
from tests.rawclient import RawClient, message_frame
from tests.rawserver import unused_port
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo, echo_coroutine

import cooee
from cooee.websocket import Server, Session, serve

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


def has_ipv6() -> bool:
    """Whether ``::1`` can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_messages_come_back(serve: Serve, handler: object) -> None:
    client = serve(handler).connect()
    for message in ("HelloWorld", b"\0\xff", "", b"", "é" * 40000, bytes(1 << 20)):
        client.send_message(message)
        assert client.receive_message() == message
    client.leave()


@pytest.mark.parametrize("handler", [echo, echo_coroutine])
def test_many_messages_at_once_come_back_in_order(serve: Serve, handler: object) -> None:
    client = serve(handler).connect()
    messages = [str(n) for n in range(2000)]
    with client.sending(b"".join(map(message_frame, messages))):
        assert [client.receive_message() for _ in messages] == messages
    client.leave()


def test_many_clients(serve: Serve) -> None:
    serving = serve(echo)
    clients = [serving.connect() for _ in range(50)]
    for n, client in enumerate(clients):
        client.send_message(f"from {n}")
    for n, client in enumerate(clients):
        assert client.receive_message() == f"from {n}"
    assert serving.call(lambda: len(serving.server.sessions)) == 50
    for client in clients:
        client.leave()
    serving.until(lambda: not serving.server.sessions)


def test_sessions_are_those_open(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    other, other_session = serving.accept()
    assert serving.call(lambda: set(serving.server.sessions)) == {session, other_session}
    client.leave()
    serving.until(lambda: set(serving.server.sessions) == {other_session})
    other.vanish()
    serving.until(lambda: not serving.server.sessions)


def test_addresses_of_both_ends(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    assert serving.call(lambda: session.remote_address) == client.sock.getsockname()
    assert serving.call(lambda: session.local_address) == client.sock.getpeername()
    assert serving.server.port == client.sock.getpeername()[1]


def test_the_remote_address_is_known_after_the_end(serve: Serve) -> None:
    addresses: Inbox[object] = Inbox()

    def handler(session: Session) -> None:
        session.on("close", lambda code, reason: addresses.put(session.remote_address))

    client = serve(handler).connect()
    name = client.sock.getsockname()
    client.leave()
    assert addresses.take() == name


def test_two_servers_on_one_reactor(serve: Serve) -> None:
    first, second = serve(echo), serve(echo_coroutine)
    for serving in (first, second):
        client = serving.connect()
        client.send_message("here")
        assert client.receive_message() == "here"
    assert first.address != second.address


def test_a_connection_handler_may_be_a_coroutine_function(driver: Driver) -> None:
    async def connected(session: Session, request: cooee.Request) -> None:
        await session.send(request.path)
        async for message in session:
            await session.send(message)

    serving = Serving(driver, prepare=lambda server: server.on("connection", connected))
    client = serving.connect("/here")
    assert client.receive_message() == "/here"
    client.send_message("again")
    assert client.receive_message() == "again"
    client.leave()
    serving.close()


def test_the_handler_s_return_closes_with_1000(serve: Serve) -> None:
    async def handler(session: Session) -> None:
        await session.send("bye")

    client = serve(handler).connect()
    assert client.receive_message() == "bye"
    assert client.receive_close() == (1000, "")
    client.send_close(1000)
    assert client.rest() == b""


def test_without_a_handler_messages_are_dropped(serve: Serve) -> None:
    client = serve().connect()
    for _ in range(100):
        client.send_message(bytes(10000))
    client.frame(9, b"still there")
    assert client.receive() == (10, b"still there", True)
    client.leave()


# Where it listens


@needs_unix
def test_unix_socket(serve: Serve, folder: Path) -> None:
    path = folder / "socket"
    serving = serve(echo, unix=path)
    client, session = serving.accept()
    client.send_message("HelloWorld")
    assert client.receive_message() == "HelloWorld"
    assert serving.call(lambda: session.remote_address) is None
    assert serving.addresses == [str(path)]
    assert serving.server.port is None
    client.leave()
    serving.call(serving.server.close)
    assert not path.exists()


@needs_unix
@one_driver
def test_unix_socket_of_a_dead_process_is_replaced(serve: Serve, folder: Path) -> None:
    path = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert os.path.exists(path)
    serve(echo, unix=path).connect().leave()


@needs_unix
@one_driver
def test_unix_socket_in_use_is_left_alone(serve: Serve, folder: Path) -> None:
    path = str(folder / "socket")
    serving = serve(echo, unix=path)
    with pytest.raises(OSError, match="in use"):
        serve(echo, unix=path)
    serving.connect().leave()


@needs_unix
@one_driver
def test_a_file_at_the_path_is_left_alone(serve: Serve, folder: Path) -> None:
    path = folder / "socket"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        serve(echo, unix=path)
    assert path.read_text() == "precious"


def test_a_bound_socket(serve: Serve) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    name = sock.getsockname()
    serving = serve(echo, sock=sock)
    assert serving.addresses == [name]
    serving.connect().leave()


@one_driver
@needs_ipv6
def test_several_hosts_share_a_free_port(serve: Serve) -> None:
    serving = serve(echo, host=["127.0.0.1", "::1"], port=0)
    assert [address[0] for address in serving.addresses] == ["127.0.0.1", "::1"]
    assert {address[1] for address in serving.addresses} == {serving.server.port}
    for address in serving.addresses:
        with RawClient(address) as client:
            client.upgrade()
            client.leave()


@needs_ipv6
def test_ipv6(serve: Serve) -> None:
    serving = serve(echo, host="::1", port=0)
    client, session = serving.accept()
    assert serving.call(lambda: session.remote_address) == client.sock.getsockname()
    client.leave()


@one_driver
def test_no_host_is_all_interfaces(serve: Serve) -> None:
    serving = serve(echo, port=0)
    hosts = [address[0] for address in serving.addresses]
    assert hosts[0] == "0.0.0.0"
    assert not has_ipv6() or hosts[1:] == ["::"]
    with RawClient(("127.0.0.1", serving.server.port)) as client:
        client.upgrade()
        client.leave()


@one_driver
def test_a_name_with_several_addresses(serve: Serve) -> None:
    serving = serve(echo, host="localhost", port=0)
    with RawClient(serving.address) as client:
        client.upgrade()
        client.leave()


@one_driver
def test_a_port_in_use(driver: Driver) -> None:
    # Not one that somebody else may be given between now and then.
    taken = socket.create_server(("127.0.0.1", unused_port()))
    name = taken.getsockname()
    with taken:
        server = Server(host="127.0.0.1", port=name[1])
        with pytest.raises(OSError, match=f"127.0.0.1 port {name[1]}"):
            driver.call(server.start)
    # It was not started, so it may be tried again.
    driver.call(server.start)
    with RawClient(name) as client:
        client.upgrade()
    closed = driver.call(server.close)
    driver.until(lambda: closed.done)


@one_driver
def test_reuse_port(serve: Serve) -> None:
    first = serve(echo, host="127.0.0.1", port=0, reuse_port=True)
    second = serve(echo, host="127.0.0.1", port=first.server.port, reuse_port=True)
    assert first.addresses == second.addresses


# Events and arguments


def test_listening_and_close_events(driver: Driver) -> None:
    events: Inbox[str] = Inbox()

    def prepare(server: Server) -> None:
        server.on("listening", lambda: events.put(f"listening on {server.port}"))

        @server.on("close")
        async def closed() -> None:
            events.put("closed")

    serving = Serving(driver, echo, prepare=prepare)
    assert events.take() == f"listening on {serving.server.port}"
    serving.connect()
    assert events.empty()
    serving.close()
    assert events.take() == "closed"


def test_the_server_s_close_comes_after_those_of_its_sessions(driver: Driver) -> None:
    events: Inbox[str] = Inbox()

    def handler(session: Session) -> None:
        session.on("close", lambda code, reason: events.put("session"))

    serving = Serving(
        driver, handler, prepare=lambda server: server.on("close", lambda: events.put("server"))
    )
    serving.accept()
    serving.accept()
    serving.close()
    assert [events.take() for _ in range(3)] == ["session", "session", "server"]


@one_driver
def test_handlers_can_be_taken_off(driver: Driver) -> None:
    called: Inbox[object] = Inbox()

    def connected(session: Session, request: object) -> None:
        called.put(session)

    def prepare(server: Server) -> None:
        assert server.on("connection", connected) is connected
        server.off("connection", connected)
        server.off("connection", connected)

    serving = Serving(driver, echo, prepare=prepare)
    serving.accept()
    serving.close()
    assert called.empty()


@pytest.mark.parametrize(
    "options",
    [{}, {"port": 1, "unix": "socket"}, {"unix": "socket", "sock": object()}],
    ids=["none", "port and unix", "unix and sock"],
)
def test_one_of_port_unix_and_sock(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="one of port, unix and sock"):
        Server(**options)  # type: ignore[arg-type]


def test_the_handler_must_be_a_coroutine_function() -> None:
    with pytest.raises(TypeError, match="coroutine function"):
        serve(lambda session: None, port=0)  # type: ignore[arg-type, return-value]


def test_unknown_events_are_refused() -> None:
    server = Server(port=0)
    with pytest.raises(ValueError, match="no event 'message', only connection, listening, close"):
        server.on("message", print)
    with pytest.raises(ValueError, match="no event 'message'"):
        server.off("message", print)


@pytest.mark.parametrize(
    "name",
    ["max_message_size", "close_timeout", "ping_interval", "ping_timeout", "high_water",
     "max_buffered", "max_queue"],
)  # fmt: skip
def test_settings_must_not_be_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1, must not be negative"):
        Server(port=0, **{name: -1})


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="max_size"):
        Server(port=0, max_size=1)


def test_a_handshake_timeout_beside_limits() -> None:
    limits = cooee.HttpLimits(max_headers=5)
    server = Server(port=0, limits=limits, handshake_timeout=3)
    assert server.limits == cooee.HttpLimits(max_headers=5, head_timeout=3)
    assert Server(port=0, limits=cooee.HttpLimits(head_timeout=2)).limits.head_timeout == 2
    assert Server(port=0).limits == cooee.HttpLimits()


@one_driver
def test_starting_twice(serve: Serve) -> None:
    serving = serve(echo)
    with pytest.raises(RuntimeError, match="started before"):
        serving.call(serving.server.start)


# Inside asyncio


async def exchange(server: Server) -> str | bytes:
    """What a client of another thread gets back."""

    def client() -> str | bytes:
        with RawClient(server.addresses[0]) as client:
            client.upgrade()
            client.send_message("HelloWorld")
            return client.receive_message()

    return await asyncio.get_running_loop().run_in_executor(None, client)


def test_async_with() -> None:
    async def main() -> None:
        async with serve(echo_coroutine, "127.0.0.1", 0) as server:
            assert await exchange(server) == "HelloWorld"
            address = server.addresses[0]
        assert server.addresses == []
        with pytest.raises(ConnectionRefusedError):
            RawClient(address)

    asyncio.run(main())


def test_await_starts() -> None:
    async def main() -> None:
        server = await serve(echo_coroutine, "127.0.0.1", 0)
        # Awaiting once more does nothing.
        assert await server is server
        assert await exchange(server) == "HelloWorld"
        await server.close()

    asyncio.run(main())


def test_start_can_be_awaited() -> None:
    async def main() -> None:
        server = Server(host="127.0.0.1", port=0)
        assert await server.start() is server
        await server.close()

    asyncio.run(main())


def test_serve_forever_until_cancelled() -> None:
    async def main() -> None:
        server = Server(host="127.0.0.1", port=0)
        server.on("connection", lambda session, request: echo(session))
        task = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        assert await exchange(server) == "HelloWorld"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.wait_closed().done

    asyncio.run(main())


def test_serve_forever_until_closed() -> None:
    async def main() -> None:
        server = Server(host="127.0.0.1", port=0)
        task = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        await task

    asyncio.run(main())


def test_asyncio_run_ends_with_sessions_open() -> None:
    """The reactor closes with the loop: nothing is left behind, which every test is asked."""

    async def main() -> RawClient:
        server = await Server(host="127.0.0.1", port=0)
        client = RawClient(server.addresses[0])
        client.request_upgrade()
        while not server.sessions:
            await asyncio.sleep(0.001)
        return client

    with asyncio.run(main()) as client:
        assert client.answer().status == 101
        assert client.rest() == b""

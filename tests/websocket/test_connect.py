"""The asyncio client: sessions, on every driver (those without asyncio bring a loop in)."""

import asyncio
import gc
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.protocol import oracle
from tests.rawserver import (
    BlackHole,
    RawServer,
    random_path,
    server_frame,
    server_message,
    unused_port,
)
from tests.reactor.test_dial import needs_black_hole, no_such_name
from tests.websocket.browsing import websockets_echo, websockets_server
from tests.websocket.conftest import Serve
from tests.websocket.serving import echo

from cooee import (
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeError,
    NotSupportedError,
    Session,
    connect,
)
from cooee.protocol import errors
from cooee.reactor import Timer, get_reactor
from cooee.websocket import opening

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


async def opened(*args: Any, **options: Any) -> Session:
    """Await connect()."""
    return await connect(*args, **options)


def nothing_left(driver: Driver) -> None:
    """See that no stream, attempt or turn is left in the driver's reactor."""
    # One handle is what wakes it up.
    driver.until(
        lambda: len(driver.reactor.handles()) == 1 and not any(get_reactor().registry.values())
    )


# A life


def test_with(serve: Serve, driver: Driver) -> None:
    serving = serve(echo)

    async def talk() -> list[str | bytes]:
        async with connect(f"ws://127.0.0.1:{serving.address[1]}/ws") as session:
            await session.send("HelloWorld")
            await session.send(b"bytes")
            heard = [await session.recv(), await session.recv()]
        assert (session.ready_state, session.close_code) == (3, 1000)
        assert session.remote_address == ("127.0.0.1", serving.address[1])
        return heard

    assert driver.run(talk) == ["HelloWorld", b"bytes"]


def test_await(serve: Serve, driver: Driver) -> None:
    serving = serve(echo)

    async def talk() -> None:
        session = await connect(f"http://127.0.0.1:{serving.address[1]}/")
        assert session.ready_state == 1
        assert session.request is session.owner is session.path is session.subprotocol is None
        for number in range(3):
            session.send(str(number))
        session.send("last")
        heard = []
        async for message in session:
            heard.append(message)
            if message == "last":
                await session.close()
        assert heard == ["0", "1", "2", "last"]

    driver.run(talk)


def test_event_style(serve: Serve, driver: Driver) -> None:
    serving = serve(echo)

    async def talk() -> None:
        session = await connect(f"ws://127.0.0.1:{serving.address[1]}/")
        heard: list[Any] = []
        session.on("message", heard.append)
        session.on("close", lambda code, reason: heard.append(code))
        session.send("x")
        while not heard:
            await asyncio.sleep(0)
        await session.close(4000)
        assert heard == ["x", 4000]

    driver.run(talk)


def test_another_server(driver: Driver) -> None:
    with websockets_server(websockets_echo, subprotocols=["chat"]) as url:

        async def talk() -> None:
            async with connect(
                url, subprotocols=["none", "chat"], max_message_size=None
            ) as session:
                assert session.subprotocol == "chat"
                for size in (0, 1, 125, 126, 65535, 65536, 1_000_000):
                    await session.send("x" * size)
                    assert await session.recv() == "x" * size
                    await session.send(b"y" * size)
                    assert await session.recv() == b"y" * size
                assert 0 < await session.ping() < PATIENCE

        driver.run(talk)


def test_exception_in_the_block(serve: Serve, driver: Driver) -> None:
    serving = serve(echo)
    sessions = []

    async def talk() -> None:
        async with connect(f"ws://127.0.0.1:{serving.address[1]}/") as session:
            sessions.append(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        driver.run(talk)
    assert driver.call(lambda: sessions[0].close_code) == 1000


@one_driver
def test_frames_in_the_packet_of_the_answer(driver: Driver, server: RawServer) -> None:
    future = driver.begin(opened, server.url)
    peer = server.take()
    peer.accept(rest=server_message("one") + server_message(b"two") + server_frame(8, b"\x03\xe8"))
    session = future.result(PATIENCE)
    assert driver.run(session.recv) == "one"
    assert driver.run(session.recv) == b"two"
    with pytest.raises(ConnectionClosedOK):
        driver.run(session.recv)


@one_driver
def test_settings(driver: Driver, server: RawServer) -> None:
    future = driver.begin(lambda: opened(server.url, max_message_size=10, close_timeout=0.01))
    peer = server.take()
    peer.accept()
    session = future.result(PATIENCE)
    peer.send_message("x" * 11)
    with pytest.raises(ConnectionClosedError) as caught:
        driver.run(session.recv)
    assert caught.value.code == 1009


@one_driver
def test_keepalive(driver: Driver, server: RawServer) -> None:
    timers = driver.call(lambda: _timers(driver))
    future = driver.begin(lambda: opened(server.url, ping_interval=0.04, ping_timeout=1000))
    peer = server.take()
    peer.accept()
    session = future.result(PATIENCE)
    frame = peer.receive()
    assert frame.opcode == oracle.PING
    peer.frame(oracle.PONG, frame.payload)
    driver.until(lambda: session.latency is not None)
    peer.close()
    driver.until(lambda: session.ready_state == 3)
    # Its timer ends with the session.
    driver.until(lambda: _timers(driver) == timers)


def _timers(driver: Driver) -> int:
    gc.collect()
    return sum(type(one) is Timer and one.active for one in gc.get_objects())


@one_driver
def test_keepalive_can_be_off(driver: Driver, server: RawServer) -> None:
    future = driver.begin(lambda: opened(server.url, ping_interval=None))
    peer = server.take()
    peer.accept()
    session = future.result(PATIENCE)
    driver.call(session.terminate)
    assert peer.rest() == b""


# The request


@one_driver
def test_request(driver: Driver, server: RawServer) -> None:
    url = server.url.replace("ws://", "ws://user:secret@") + "/path?a=b"
    future = driver.begin(
        lambda: opened(
            url,
            subprotocols="chat",
            origin="https://example.com",
            headers=[("X-Many", "1"), ("Cookie", "a=b")],
            user_agent="me",
        )
    )
    peer = server.take()
    request = peer.accept({"Sec-WebSocket-Protocol": "chat"})
    assert request.target == "/path?a=b"
    assert request.headers["sec-websocket-protocol"] == "chat"
    assert request.headers["origin"] == "https://example.com"
    assert request.headers["x-many"] == "1"
    assert request.headers["cookie"] == "a=b"
    assert request.headers["user-agent"] == "me"
    assert request.headers["authorization"] == "Basic dXNlcjpzZWNyZXQ="
    session = future.result(PATIENCE)
    assert session.subprotocol == "chat"
    driver.call(session.terminate)


@one_driver
def test_server_may_choose_no_subprotocol(driver: Driver, server: RawServer) -> None:
    """RFC 6455 §4.1 leaves that to the client, unlike the browser's class."""
    future = driver.begin(lambda: opened(server.url, subprotocols=["chat"]))
    server.take().accept()
    session = future.result(PATIENCE)
    assert session.subprotocol is None
    driver.call(session.terminate)


@one_driver
def test_headers_are_used_again(driver: Driver, server: RawServer) -> None:
    """An iterator would be empty the second time."""
    again = driver.call(lambda: connect(server.url, headers=iter([("X-Key", "1")])))

    async def twice() -> None:
        for _ in range(2):
            (await again).terminate()

    future = driver.begin(twice)
    for _ in range(2):
        assert server.take().accept().headers["x-key"] == "1"
    future.result(PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (["localhost"], {}, errors.SyntaxError),
        (["ws://localhost/#x"], {}, errors.SyntaxError),
        (["ws://localhost/"], {"subprotocols": ["a", "a"]}, errors.SyntaxError),
        (["ws://localhost/"], {"max_queue": -1}, ValueError),
        (["ws://localhost/"], {"unix": "a", "local_addr": ("127.0.0.1", 0)}, ValueError),
        (["ws://localhost/"], {"headers": {"X Y": "1"}}, ValueError),
        (["ws://localhost/"], {"unknown": 1}, TypeError),
    ],
)
@pytest.mark.once
def test_wrong_arguments(arguments: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        connect(*arguments, **options)


@pytest.mark.parametrize(
    ("url", "options", "error"),
    [
        ("wss://localhost/", {}, NotSupportedError),
        ("https://localhost/", {}, NotSupportedError),
        ("ws://localhost/", {"headers": {"Host": "x"}}, ValueError),
        ("ws://localhost/", {"local_addr": ("name", 0)}, ValueError),
    ],
)
@one_driver
def test_what_awaiting_refuses(
    driver: Driver, url: str, options: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        driver.run(lambda: opened(url, **options))
    nothing_left(driver)


@one_driver
def test_one_block_at_a_time(driver: Driver, server: RawServer) -> None:
    async def twice() -> None:
        connecting = connect(server.url)
        async with connecting as session:
            with pytest.raises(RuntimeError, match="in use"):
                async with connecting:
                    pass
            session.terminate()

    future = driver.begin(twice)
    server.take().accept()
    future.result(PATIENCE)


# Other ways there


def test_unix_socket(driver: Driver, tmp_path: Path) -> None:
    path = random_path(tmp_path)
    with RawServer(path=path) as server:
        future = driver.begin(lambda: opened("ws://game.test/x", unix=path))
        peer = server.take()
        assert peer.accept().headers["host"] == "game.test"
        session = future.result(PATIENCE)
        driver.call(session.send, "x")
        assert peer.receive_message() == "x"
        driver.call(session.terminate)


def test_no_unix_socket(driver: Driver, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        driver.run(lambda: opened("ws://localhost/", unix=tmp_path / "missing"))


def test_socket_that_is_given(driver: Driver, server: RawServer) -> None:
    sock = socket.create_connection(("127.0.0.1", server.port))
    future = driver.begin(lambda: opened("ws://game.test/", sock=sock))
    peer = server.take()
    assert peer.accept().headers["host"] == "game.test"
    session = future.result(PATIENCE)
    driver.call(session.terminate)
    assert peer.rest() == b""


@one_driver
def test_socket_that_is_given_and_fails(driver: Driver, server: RawServer) -> None:
    sock = socket.create_connection(("127.0.0.1", server.port))
    peer = server.take()
    peer.vanish()
    with pytest.raises(ConnectionError):
        driver.run(lambda: opened("ws://game.test/", sock=sock))
    nothing_left(driver)


@one_driver
def test_socket_that_is_given_and_silent(driver: Driver, server: RawServer) -> None:
    sock = socket.create_connection(("127.0.0.1", server.port))
    server.take()
    with pytest.raises(TimeoutError):
        driver.run(lambda: opened("ws://game.test/", sock=sock, open_timeout=0.01))
    nothing_left(driver)


@one_driver
def test_family_and_local_address(driver: Driver, server: RawServer) -> None:
    future = driver.begin(
        lambda: opened(
            f"ws://localhost:{server.port}/", family=socket.AF_INET, local_addr=("127.0.0.1", 0)
        )
    )
    server.take().accept()
    session = future.result(PATIENCE)
    assert session.local_address[0] == "127.0.0.1"
    driver.call(session.terminate)


# Failures; the kinds of answer are tested with the browser's class, whose handshake it is


def test_refusal(driver: Driver, server: RawServer) -> None:
    future = driver.begin(opened, server.url)
    peer = server.take()
    peer.read_request()
    peer.respond("403 Forbidden", {"Content-Length": "2", "X-Why": "so"}, b"no")
    with pytest.raises(HandshakeError, match="HTTP status 403 Forbidden") as caught:
        future.result(PATIENCE)
    assert (caught.value.status, caught.value.body) == (403, b"no")
    assert ("X-Why", "so") in caught.value.headers
    assert peer.rest() == b""
    nothing_left(driver)


def test_nobody_there(driver: Driver) -> None:
    with pytest.raises(ConnectionRefusedError):
        driver.run(opened, f"ws://127.0.0.1:{unused_port()}/")
    nothing_left(driver)


def test_unknown_host(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with pytest.raises(socket.gaierror, match=r"name\.invalid"):
        driver.run(opened, "ws://name.invalid/")
    nothing_left(driver)


def test_nothing_within_the_time(driver: Driver, server: RawServer) -> None:
    with pytest.raises(TimeoutError):
        driver.run(lambda: opened(server.url, open_timeout=0.02))
    nothing_left(driver)


@one_driver
def test_violation_in_the_packet_of_the_answer(driver: Driver, server: RawServer) -> None:
    future = driver.begin(opened, server.url)
    peer = server.take()
    peer.accept(rest=server_frame(3))
    session = future.result(PATIENCE)
    with pytest.raises(ConnectionClosedError) as caught:
        driver.run(session.recv)
    assert caught.value.code == 1002


# Cancelling at each stage


class Cancelling:
    """A task that connects, to be cancelled."""

    def __init__(self, driver: Driver, url: str, **options: Any) -> None:
        self.driver = driver
        self.done: list[BaseException | Session] = []

        async def connecting() -> None:
            try:
                self.done.append(await connect(url, **options))
            except BaseException as exc:
                self.done.append(exc)

        self.task = driver.spawn(connecting())

    def cancel(self) -> None:
        """Cancel it, see that it ends so, and that nothing is left."""
        self.driver.call(self.task.cancel)
        self.driver.until(lambda: self.done)
        assert isinstance(self.done[0], asyncio.CancelledError)
        nothing_left(self.driver)


def test_cancel_during_the_lookup(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    connecting = Cancelling(driver, "ws://name.test/")
    assert begun.wait(PATIENCE)
    connecting.cancel()
    go.set()


@needs_black_hole
def test_cancel_during_the_connection(driver: Driver) -> None:
    with BlackHole() as hole:
        connecting = Cancelling(driver, f"ws://127.0.0.1:{hole.port}/")
        driver.until(lambda: len(driver.reactor.handles()) == 2)
        connecting.cancel()


def test_cancel_while_waiting_for_the_turn(driver: Driver, server: RawServer) -> None:
    first = Cancelling(driver, server.url)
    peer = server.take()
    peer.read_request()
    second = Cancelling(driver, server.url)
    third = Cancelling(driver, server.url)
    driver.call(second.task.cancel)
    driver.until(lambda: second.done)
    assert not first.done
    driver.call(first.task.cancel)
    peer = server.take()
    peer.accept()
    driver.until(lambda: third.done)
    session = third.done[0]
    assert isinstance(session, Session)
    driver.call(session.terminate)
    nothing_left(driver)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 101 Swi", b"HTTP/1.1 400 Bad Request\r\n\r\nx"])
def test_cancel_during_the_handshake(
    driver: Driver, server: RawServer, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_BODY_PATIENCE", 1000.0)
    connecting = Cancelling(driver, server.url)
    peer = server.take()
    peer.read_request()
    peer.send(sent)
    connecting.cancel()
    peer.rest()


@one_driver
def test_cancel_between_the_answer_and_the_task(
    driver: Driver, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Established, but the task that waits for it has not run yet: nobody would close it."""
    connecting = Cancelling(driver, server.url)
    peer = server.take()
    original = opening.check_response

    def check_response(*args: Any, **options: Any) -> Any:
        asyncio.get_running_loop().call_soon(connecting.task.cancel)
        return original(*args, **options)

    monkeypatch.setattr(opening, "check_response", check_response)
    peer.accept()
    driver.until(lambda: connecting.done)
    assert isinstance(connecting.done[0], asyncio.CancelledError)
    assert peer.rest() == b""
    nothing_left(driver)


# One at a time


def test_many_at_once(serve: Serve, driver: Driver) -> None:
    serving = serve(echo)
    url = f"ws://127.0.0.1:{serving.address[1]}/"

    async def talk() -> None:
        sessions = await asyncio.gather(*(opened(url) for _ in range(100)))
        for number, session in enumerate(sessions):
            await session.send(str(number))
        heard = [await session.recv() for session in sessions]
        assert heard == [str(number) for number in range(100)]
        await asyncio.gather(*(_close(session) for session in sessions))

    async def _close(session: Session) -> None:
        await session.close()

    driver.run(talk)


@one_driver
def test_one_connection_at_a_time(driver: Driver, server: RawServer) -> None:
    futures = [driver.begin(opened, f"{server.url}/{number}") for number in range(3)]
    for number, future in enumerate(futures):
        peer = server.take()
        assert peer.read_request().target == f"/{number}"
        assert not server.waiting()
        peer.close()
        with pytest.raises(ConnectionResetError):
            future.result(PATIENCE)

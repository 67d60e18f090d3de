"""The echo server: any path, any origin, the type it came in, and no more memory than it may."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosedError

from cooee.apps.echo import EchoServer
from cooee.protocol.frames import Opcode, build_frame


@asynccontextmanager
async def echoing(**options: Any) -> AsyncIterator[EchoServer]:
    """An echo server on a free port of this machine."""
    async with EchoServer("127.0.0.1", 0, **options) as server:
        yield server


async def round_trip(peer: ClientConnection, data: str | bytes) -> None:
    await peer.send(data)
    assert await peer.recv() == data


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


@pytest.mark.parametrize("path", ["", "/", "/ws", "/any/%20thing?at=all"])
def test_serves_any_path(path: str) -> None:
    async def main() -> None:
        async with echoing() as server:
            async with connect(f"ws://127.0.0.1:{server.port}{path}") as peer:
                await round_trip(peer, "HelloWorld")

    run(main)


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example", "null", "file://"])
def test_serves_any_origin(origin: str | None) -> None:
    async def main() -> None:
        async with echoing() as server:
            async with connect(server.url, origin=origin) as peer:  # type: ignore[arg-type]
                await round_trip(peer, "HelloWorld")

    run(main)


@pytest.mark.parametrize("offered", [None, ["chat"], ["chat", "soap"]])
def test_serves_any_subprotocol(offered: list[Any] | None) -> None:
    async def main() -> None:
        async with echoing() as server:
            async with connect(server.url, subprotocols=offered) as peer:
                assert peer.subprotocol == (offered[0] if offered else None)
                await round_trip(peer, "HelloWorld")

    run(main)


def test_echoes_each_message_as_the_type_it_came_in() -> None:
    async def main() -> None:
        async with echoing() as server, connect(server.url) as peer:
            for data in ("", b"", "HelloWorld", b"HelloWorld", "世界", bytes(range(256)) * 300):
                await round_trip(peer, data)

    run(main)


def test_echoes_fragments_as_one_message() -> None:
    async def main() -> None:
        async with echoing() as server, connect(server.url) as peer:
            await peer.send(["Hello", "World"])
            assert await peer.recv() == "HelloWorld"

    run(main)


def test_admits_messages_up_to_the_limit() -> None:
    async def main() -> None:
        async with echoing(max_message_size=1000) as server:
            async with connect(server.url) as peer:
                await round_trip(peer, b"x" * 1000)
                await peer.send(b"x" * 1001)
                with pytest.raises(ConnectionClosedError) as caught:
                    await peer.recv()
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == 1009

    run(main)


@pytest.mark.parametrize("limit", [32 * 1024 * 1024, None])
def test_echoes_large_messages_back_to_back(limit: int | None) -> None:
    async def main() -> None:
        async with echoing(max_message_size=limit) as server:
            async with connect(server.url, max_size=None, compression=None) as peer:
                messages = [bytes([number]) * (32 * 1024 * 1024) for number in range(3)]

                async def send() -> None:
                    for message in messages:
                        await peer.send(message)

                sending = asyncio.create_task(send())
                for message in messages:
                    assert await peer.recv() == message
                await sending

    run(main)


def test_shows_messages_when_verbose() -> None:
    lines: list[str] = []

    async def main() -> None:
        async with echoing(verbose=True, show=lines.append) as server:
            async with connect(server.url) as peer:
                for data in ("HelloWorld", b"\x01\x02", "\x1b[31m"):
                    await round_trip(peer, data)

    run(main)
    assert lines == ["###### HelloWorld", "###### <2 bytes: 01 02 |..|>", r"###### \x1b[31m"]


def test_shows_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with echoing(verbose=True) as server, connect(server.url) as peer:
            await round_trip(peer, "HelloWorld")
        async with echoing() as server, connect(server.url) as peer:
            await round_trip(peer, "not shown")

    run(main)
    assert capsys.readouterr().out == "###### HelloWorld\n"


def test_does_not_read_from_a_peer_that_does_not() -> None:
    """What waits is bounded, others are served meanwhile, and nothing is lost."""
    high_water = 128 * 1024
    size = 64 * 1024
    key = b"\x01\x02\x03\x04"

    async def main() -> None:
        async with echoing(high_water=high_water) as server:
            with socket.socket() as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
                peer.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(peer, ("127.0.0.1", server.port))
                await loop.sock_sendall(peer, HANDSHAKE)
                received = bytearray()
                while b"\r\n\r\n" not in received:
                    received += await loop.sock_recv(peer, 65536)
                (session,) = server.sessions

                # Send until nobody takes anything any more.
                sent = bytearray()
                number = most = idle = 0
                unsent = memoryview(b"")
                while idle < 100:
                    await asyncio.sleep(0)
                    most = max(most, session.buffered_amount)
                    if not unsent:
                        payload = number.to_bytes(4) * (size // 4)
                        unsent = memoryview(build_frame(Opcode.BINARY, payload, mask=key))
                        sent += build_frame(Opcode.BINARY, payload)
                        number += 1
                    try:
                        unsent = unsent[peer.send(unsent) :]
                        idle = 0
                    except BlockingIOError:
                        idle += session.paused
                # What it paused for is sent at the turn's end, as far as the system takes it.
                assert 0 < session.buffered_amount <= most <= high_water + size + 64
                assert number * size > most

                async with connect(server.url) as other:
                    await round_trip(other, "HelloWorld")

                # The rest of the last frame, while all comes back.
                sending = asyncio.create_task(loop.sock_sendall(peer, unsent))
                echoed = bytearray(received.partition(b"\r\n\r\n")[2])
                while len(echoed) < len(sent):
                    echoed += await loop.sock_recv(peer, 1024 * 1024)
                await sending
                assert echoed == sent
                assert not session.paused

    run(main)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_gives_up_a_peer_that_goes_away_with_echoes_waiting() -> None:
    async def main() -> None:
        async with echoing(high_water=0) as server:
            async with connect(server.url, max_size=None) as peer:
                await peer.send(b"x" * (16 * 1024 * 1024))
                (session,) = server.sessions
                peer.transport.abort()
                await session.wait_closed()
            assert not server.sessions

    run(main)


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("127.0.0.1", "WebSocket echo on ws://127.0.0.1:{}"),
        (
            "0.0.0.0",
            "WebSocket echo on ws://0.0.0.0:{}: all interfaces, so other machines can reach it",
        ),
    ],
)
def test_describes_where_it_listens(host: str, line: str) -> None:
    async def main() -> None:
        async with EchoServer(host, 0) as server:
            assert server.describe() == line.format(server.port)
            assert server.url == f"ws://127.0.0.1:{server.port}/ws"

    run(main)


def test_listens_on_all_interfaces() -> None:
    async def main() -> None:
        async with EchoServer(port=0) as server:
            assert "all interfaces" in server.describe()
            async with connect(server.url) as peer:
                await round_trip(peer, "HelloWorld")

    run(main)


def test_listens_on_ipv6() -> None:
    async def main() -> None:
        try:
            server = await EchoServer("::1", 0)
        except OSError as exc:
            pytest.skip(f"no IPv6: {exc}")
        async with server:
            assert server.describe() == f"WebSocket echo on ws://[::1]:{server.port}"
            assert server.url == f"ws://[::1]:{server.port}/ws"
            async with connect(server.url) as peer:
                await round_trip(peer, "HelloWorld")

    run(main)


def test_listens_on_a_unix_socket(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "echo"
        async with EchoServer(port=None, unix=path) as server:
            assert server.describe() == f"WebSocket echo on unix:{path}"
            async with unix_connect(str(path)) as peer:
                await round_trip(peer, "HelloWorld")

    run(main)

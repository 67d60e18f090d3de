"""Our clients against the servers of ws, Bun, websockets and aiohttp."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.interop import peers
from tests.interop.messages import SIZES, TEXTS, payload

import cooee

MESSAGES: list[str | bytes] = [*TEXTS, *map(payload, SIZES)]

# To a Close frame with 4000: the same code (RFC 6455 §5.5.1), but 1000 from aiohttp.
ANSWERS = (4000, 1000)


@pytest.fixture(scope="module", params=peers.NAMES)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a foreign server."""
    with peers.serving(request.param) as url:
        yield url


def run(main: Any) -> None:
    """Run a coroutine, for a limited time."""
    asyncio.run(asyncio.wait_for(main, 3 * PATIENCE))


def test_connect(server: str) -> None:
    async def main() -> None:
        async with cooee.connect(server) as session:
            assert session.subprotocol is None
            for message in MESSAGES:
                await session.send(message)
                assert await session.recv() == message
            for message in MESSAGES:
                session.send(message)
            assert [await session.recv() for _ in MESSAGES] == MESSAGES
            assert await session.ping() >= 0
            await session.close(4000, "done")
            assert session.close_code in ANSWERS

    run(main())


def test_a_subprotocol(server: str) -> None:
    async def main() -> None:
        async with cooee.connect(server, subprotocols=["other", "chat"]) as session:
            assert session.subprotocol == "chat"

    run(main())


def test_the_server_closes(server: str) -> None:
    async def main() -> None:
        async with cooee.connect(server) as session:
            await session.send("close")
            with pytest.raises(cooee.ConnectionClosedError) as caught:
                await session.recv()
            assert (caught.value.code, caught.value.reason) == (4001, "as you wish")
            await session.wait_closed()

    run(main())


def test_the_server_vanishes(server: str) -> None:
    async def main() -> None:
        async with cooee.connect(server) as session:
            await session.send("terminate")
            with pytest.raises(cooee.ConnectionClosedError) as caught:
                await session.recv()
            assert caught.value.code == 1006

    run(main())


def test_many_at_once(server: str) -> None:
    async def talk(n: int) -> None:
        async with cooee.connect(server) as session:
            for count in range(10):
                await session.send(f"{n} {count}")
            for count in range(10):
                assert await session.recv() == f"{n} {count}"

    async def main() -> None:
        await asyncio.gather(*(talk(n) for n in range(20)))

    run(main())


def test_the_browser_s_class(server: str) -> None:
    """Driven by the reactor's own loop, which ends with the connection."""
    received: list[str | bytes] = []
    ended: list[cooee.CloseEvent] = []
    socket = cooee.WebSocket(server, ["chat"])
    socket.binary_type = "arraybuffer"

    def send_next() -> None:
        if len(received) < len(MESSAGES):
            socket.send(MESSAGES[len(received)])
        else:
            socket.close(4000, "done")

    def message(event: cooee.MessageEvent) -> None:
        received.append(event.data)
        send_next()

    socket.onopen = lambda event: send_next()
    socket.onmessage = message
    socket.onclose = ended.append
    cooee.run()
    assert received == MESSAGES
    assert socket.protocol == "chat"
    assert ended[0].code in ANSWERS
    assert ended[0].was_clean

"""websockets' and aiohttp's clients against our server."""

import asyncio

import aiohttp
import pytest
import websockets
import websockets.sync.client
from tests.drivers import PATIENCE
from tests.interop.messages import SIZES, TEXTS, payload

MESSAGES: list[str | bytes] = [*TEXTS, *map(payload, SIZES)]


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_websockets(url: str, compression: str | None) -> None:
    """An extension that it offers is not accepted, and it does without."""

    async def main() -> None:
        async with websockets.connect(url, compression=compression, max_size=None) as ws:
            for message in MESSAGES:
                await ws.send(message)
                assert await ws.recv() == message
            for message in MESSAGES:
                await ws.send(message)
            assert [await ws.recv() for _ in MESSAGES] == MESSAGES
            # In fragments.
            await ws.send(iter(["Hello", "", "World"]))
            assert await ws.recv() == "HelloWorld"
            latency = await (await ws.ping())
            assert latency >= 0
            await ws.close(4000, "done")
            assert ws.close_code == 4000

    asyncio.run(asyncio.wait_for(main(), 3 * PATIENCE))


def test_websockets_without_asyncio(url: str) -> None:
    with websockets.sync.client.connect(url, max_size=None) as ws:
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(timeout=PATIENCE) == message


def test_aiohttp(url: str) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url, max_msg_size=0, compress=15) as ws:
                for message in MESSAGES:
                    if isinstance(message, str):
                        await ws.send_str(message)
                        assert await ws.receive_str() == message
                    else:
                        await ws.send_bytes(message)
                        assert await ws.receive_bytes() == message
                await ws.ping(b"ping")
                await ws.close(code=4000, message=b"done")
                assert ws.close_code == 4000

    asyncio.run(asyncio.wait_for(main(), 3 * PATIENCE))

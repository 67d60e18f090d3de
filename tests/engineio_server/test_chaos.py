"""Clients that do anything in any order: sessions end once each, and nothing is left of them."""

from __future__ import annotations

import contextlib
import gc
import logging
import random
from collections.abc import Callable

import pytest
from tests.engineio_server.serving import Serving
from tests.rawclient import RawClient

from cooee.engineio import Prepared, Socket

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

PACKETS = ["4text", "4", "bAQID", "3", "1", "2", "5", "6", "0", "x", "4" + "y" * 3000, "2probe"]


class Chaos:
    """One run of random steps."""

    def __init__(self, server: Serving, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.sids: list[str] = []
        self.sockets: list[Socket] = []
        self.open: list[RawClient] = []
        self.message = Prepared("to all", [b"\1\2"])

    def step(self) -> None:
        """One random step of a random client, or of the application."""
        steps = [
            self.begin, self.begin_by_websocket, self.poll, self.post, self.post, self.probe,
            self.send, self.send, self.drop, self.application, self.application,
        ]  # fmt: skip
        # What the server closes meanwhile does not matter.
        with contextlib.suppress(ConnectionError, EOFError):
            self.random.choice(steps)()

    def query(self) -> str:
        """Of a session that exists, or has existed."""
        return f"EIO=4&sid={self.random.choice([*self.sids, 'nobody'])}"

    def begin(self) -> None:
        self.sids.append(self.server.handshake())
        self.sockets.append(self.server.sockets.take())

    def begin_by_websocket(self) -> None:
        client, sid = self.server.websocket_session()
        self.open.append(client)
        self.sids.append(sid)
        self.sockets.append(self.server.sockets.take())

    def poll(self) -> None:
        self.open.append(self.server.begin(f"{self.query()}&transport=polling"))

    def post(self) -> None:
        packets = self.random.choices(PACKETS, k=self.random.randint(1, 3))
        body = "\x1e".join(packets).encode()
        target = f"{self.query()}&transport=polling"
        self.open.append(self.server.begin(target, method="POST", body=body))

    def probe(self) -> None:
        client = self.server.open()
        client.request_upgrade(f"/engine.io/?{self.query()}&transport=websocket")
        if client.answer().status == 101:
            client.send_message("2probe")
            if self.random.random() < 0.7:
                client.send_message("5")
            self.open.append(client)

    def send(self) -> None:
        if self.open:
            self.random.choice(self.open).send_message(self.random.choice(PACKETS))

    def drop(self) -> None:
        if self.open:
            client = self.open.pop(self.random.randrange(len(self.open)))
            client.vanish() if self.random.random() < 0.5 else client.close()

    def application(self) -> None:
        if self.sockets:
            socket = self.random.choice(self.sockets)
            action: Callable[[], object] = self.random.choice(
                [
                    lambda: socket.send("text"),
                    lambda: socket.send(b"bytes"),
                    lambda: [one.send_prepared(self.message) for one in self.sockets],
                    lambda: [one.send("z" * 1000) for one in self.sockets],
                    socket.close,
                    lambda: socket.close(True),
                ]
            )
            self.server.call(action)


@pytest.mark.parametrize("seed", range(6))
def test_anything(
    serving: Callable[..., Serving], seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    server = serving(ping_interval=0.05, ping_timeout=0.05, max_buffered=20_000, close_timeout=0.1)
    chaos = Chaos(server, seed)
    for _ in range(150):
        chaos.step()
    server.close()
    # Also those whose clients were gone before they knew.
    while not server.sockets.empty():
        chaos.sockets.append(server.sockets.take())
    for _ in range(len(chaos.sockets)):
        server.ends.take()
    assert server.ends.empty()
    assert all(socket.ready_state == "closed" for socket in chaos.sockets)
    assert all(socket.receiver is None for socket in chaos.sockets)
    assert not caplog.records
    # The sessions' memory goes without the collector's help.
    gc.collect()
    gc.disable()
    try:
        chaos.sockets.clear()
        assert not [found for found in gc.get_objects() if isinstance(found, Socket)]
    finally:
        gc.enable()

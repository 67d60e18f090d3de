"""A server and its clients in memory: what one says is what the other hears, at once."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

from cooee.socketio import Server
from cooee.socketio.memory import MemoryEngine
from cooee.socketio.packet import Packet, PacketType
from cooee.socketio.parser import Decoder, Encoder

_ids = itertools.count()


class FakeClient:
    """
    A client without a library: packets in and out.

    Attributes:
        engine: Its end of the session.
        client: The server's end.
    """

    def __init__(self, io: Server, *, protocol: int = 4, request: Any = None) -> None:
        self.engine = MemoryEngine(request, protocol=protocol, sid=f"engine{next(_ids)}")
        self.encoder = Encoder()
        self.decoder = Decoder(protocol=5 if protocol == 4 else 4)
        self.client = io.connect(self.engine)

    def send(
        self, type: PacketType, namespace: str = "/", data: Any = None, id: Any = None
    ) -> None:
        """Send a packet."""
        text, attachments = self.encoder.encode(Packet(type, namespace, id, data))
        self.engine.receive(text, *attachments)

    def emit(self, *args: Any, namespace: str = "/", id: int | None = None) -> None:
        """Send an EVENT."""
        self.send(PacketType.EVENT, namespace, list(args), id)

    def packets(self) -> list[Packet]:
        """What has come since the last time."""
        packets = [self.decoder.add(message) for message in self.engine.take()]
        return [packet for packet in packets if packet is not None]

    def events(self) -> list[list[Any]]:
        """The payloads of the EVENTs among it."""
        return [packet.data for packet in self.packets() if packet.type == PacketType.EVENT]

    def connect(self, namespace: str = "/", auth: dict[str, Any] | None = None) -> Packet:
        """Send CONNECT, and return the answer."""
        self.send(PacketType.CONNECT, namespace, auth)
        (packet,) = [packet for packet in self.packets() if packet.namespace == namespace]
        return packet


def join(io: Server, namespace: str = "/", auth: dict[str, Any] | None = None) -> FakeClient:
    """A client that is in a namespace."""
    client = FakeClient(io)
    packet = client.connect(namespace, auth)
    assert packet.type == PacketType.CONNECT, packet
    return client


def accept(io: Server, namespace: str = "/") -> list[Any]:
    """Collect the sockets that join a namespace."""
    sockets: list[Any] = []
    io.of(namespace).on("connection", sockets.append)
    return sockets


def run(main: Callable[[], Coroutine[Any, Any, None]] | Callable[[], None]) -> None:
    """Run a test's body on an asyncio loop of its own."""

    async def body() -> None:
        result = main()
        if inspect.iscoroutine(result):
            await result

    asyncio.run(body())


async def turns(count: int = 5) -> None:
    """Let everything go on that can."""
    for _ in range(count):
        await asyncio.sleep(0)

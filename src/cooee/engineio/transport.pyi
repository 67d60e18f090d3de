from collections.abc import Callable
from typing import Protocol

from cooee.websocket.connection import Connection, Settings

class _Server(Protocol):
    def admit(self, transport: WebSocketTransport) -> None: ...
    def release(self, transport: WebSocketTransport) -> None: ...

class TransportOwner: ...

class WebSocketTransport(Connection):
    def __init__(
        self,
        settings: Settings,
        server: _Server,
        opened: Callable[[WebSocketTransport], object],
    ) -> None: ...
    def connection_made(self) -> None: ...
    def close(self) -> None: ...

from typing import Any

from cooee.engineio import Client, ClientReceiver
from cooee.socketio.client_socket import ClientSocket
from cooee.socketio.manager import Manager
from cooee.socketio.socket_events import SocketEvents

class Channel(SocketEvents):
    retries: int | None
    @property
    def manager(self) -> Manager: ...
    @property
    def namespace(self) -> str: ...
    @property
    def active(self) -> bool: ...
    @property
    def connected(self) -> bool: ...

class Multiplexer:
    engine: Client | None
    @property
    def _sockets(self) -> dict[str, ClientSocket]: ...
    def _use_parser(self, encoder: Any, decoder: Any) -> None: ...
    def _forget_partial(self) -> None: ...
    def _malformed(self, exc: Exception) -> None: ...

class PacketReceiver(ClientReceiver):
    manager: Manager | None

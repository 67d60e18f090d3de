from collections.abc import Awaitable

from typing_extensions import Buffer

from cooee.engineio.prepared import Prepared
from cooee.engineio.receiver import Receiver
from cooee.engineio.transport import TransportOwner
from cooee.websocket.connection import Settings

class SocketSettings:
    def __init__(
        self,
        *,
        ping_interval: float,
        ping_timeout: float,
        upgrade_timeout: float,
        websocket: Settings,
    ) -> None: ...
    @property
    def ping_interval(self) -> float: ...
    @property
    def ping_timeout(self) -> float: ...
    @property
    def upgrade_timeout(self) -> float: ...
    @property
    def websocket(self) -> Settings: ...

class Outbox(TransportOwner):
    receiver: Receiver | None
    @property
    def protocol(self) -> int: ...
    @property
    def buffered_amount(self) -> int: ...
    @property
    def writable(self) -> bool: ...
    def send(self, data: str | Buffer, compress: bool = True) -> Awaitable[None]: ...
    def send_prepared(self, message: Prepared) -> int: ...

from cooee.reactor import Protocol
from cooee.websocket.connection import Settings
from cooee.websocket.requests import Requests
from cooee.websocket.server import Server

USUAL_HEAD: int
USUAL_FIELDS: int

class Door:
    def __init__(
        self,
        requests: Requests,
        server: Server,
        settings: Settings,
        extra_headers: bytes,
        *,
        any_origin: bool,
        any_protocol: bool,
        timeout: float,
    ) -> None: ...
    def __call__(self) -> Doorman: ...

class Doorman(Protocol):
    @property
    def requests(self) -> Requests: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...

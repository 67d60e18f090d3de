from cooee.reactor import Protocol
from cooee.websocket.connection import Settings

USUAL_HEAD: int
USUAL_FIELDS: int

class Door:
    def __init__(
        self,
        server: object,
        settings: Settings,
        extra_headers: bytes,
        any_origin: bool,
        timeout: float,
    ) -> None: ...
    def __call__(self) -> Doorman: ...

class Doorman(Protocol):
    @property
    def server(self) -> object: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...

import enum
from typing import Any

class PacketType(enum.IntEnum):
    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6

RESERVED_EVENTS: frozenset[str]

class Packet:
    def __init__(
        self, type: int, namespace: str = "/", id: int | None = None, data: Any = None
    ) -> None: ...
    @property
    def type(self) -> PacketType: ...
    @property
    def namespace(self) -> str: ...
    @property
    def id(self) -> int | None: ...
    @property
    def data(self) -> Any: ...
    def __eq__(self, other: object) -> bool: ...
    __hash__: None  # type: ignore[assignment]

from collections.abc import Callable
from typing import Any, Literal

from typing_extensions import Buffer

from cooee.socketio.packet import Packet

class Encoder:
    def __init__(
        self,
        *,
        protocol: Literal[4, 5] = 5,
        max_depth: int = 256,
        enc_hook: Callable[[Any], Any] | None = None,
    ) -> None: ...
    @property
    def protocol(self) -> int: ...
    @property
    def max_depth(self) -> int: ...
    def encode(self, packet: Packet, prefix: str = "") -> tuple[str, list[bytes]]: ...

class Decoder:
    def __init__(
        self,
        *,
        protocol: Literal[4, 5] = 5,
        max_attachments: int = 10,
        max_depth: int = 256,
        max_namespace: int = 4096,
    ) -> None: ...
    @property
    def protocol(self) -> int: ...
    @property
    def max_attachments(self) -> int: ...
    @property
    def max_depth(self) -> int: ...
    @property
    def max_namespace(self) -> int: ...
    @property
    def reconstructing(self) -> bool: ...
    def add(self, data: str | Buffer, skip: int = 0) -> Packet | None: ...
    def destroy(self) -> None: ...

from typing import Literal

from typing_extensions import Buffer

_Event = (
    tuple[Literal["message"], str | bytes]
    | tuple[Literal["ping", "pong"], bytes]
    | tuple[Literal["close"], int, str]
)

class Decoder:
    def __init__(
        self, role: Literal["server", "client"], *, max_message_size: int | None = 1048576
    ) -> None: ...
    @property
    def ended(self) -> bool: ...
    def feed(self, data: Buffer, *, direct: bool = False) -> list[_Event]: ...

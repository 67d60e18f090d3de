from collections.abc import Callable
from typing import Any

from cooee.http import Request
from cooee.protocol.headers import Headers

class Answers:
    def __init__(
        self,
        make_headers: Callable[[Request, str, str | None], Headers],
        *,
        constant: bool,
        listeners: list[Callable[..., Any]],
        compression_threshold: int | None,
    ) -> None: ...

def is_internet_explorer(request: Request) -> bool: ...

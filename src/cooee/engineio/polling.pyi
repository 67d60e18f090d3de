from typing import Protocol

from cooee.http import Request, Response

class _Server(Protocol):
    def poll_response(
        self,
        request: Request,
        payload: str | bytes,
        *,
        compressible: bool,
        first: str | None,
        jsonp: bool,
    ) -> Response: ...

class Polling:
    def __init__(
        self, server: _Server, sid: str, protocol: int, supports_binary: bool, jsonp: bool
    ) -> None: ...

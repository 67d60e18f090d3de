from typing import Protocol

from cooee.engineio.answers import Answers
from cooee.engineio.socket import Socket
from cooee.http import HttpConnection, Request

class _Server(Protocol):
    @property
    def max_http_buffer_size(self) -> int: ...
    def reject(self, http: HttpConnection, request: Request, status: int = 400) -> None: ...

class Polls:
    def __init__(self, server: _Server, sessions: dict[str, Socket], answers: Answers) -> None: ...
    def take(self, http: HttpConnection, request: Request) -> bool: ...

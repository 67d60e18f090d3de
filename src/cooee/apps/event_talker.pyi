from collections.abc import Iterable
from typing import Any

from cooee.apps.talker import Latencies, Talker
from cooee.socketio import ClientSocket

class EventTalker(Talker):
    def __init__(
        self,
        socket: ClientSocket,
        event: str,
        payloads: Iterable[str] | Iterable[bytes],
        latencies: Latencies,
    ) -> None: ...
    def message(self, *args: Any) -> None: ...

class AckTalker(EventTalker): ...

from collections.abc import Callable, Iterable
from typing import Any

from cooee.socketio.packet import Packet
from cooee.socketio.raw import RawBroadcast
from cooee.socketio.socket import Socket

def deliver(
    sockets: dict[str, Socket],
    sids: Iterable[str],
    packet: Packet,
    options: Any,
    ack: Callable[[list[Any]], Any] | None = None,
    raw: RawBroadcast | None = None,
) -> list[Socket]: ...

"""Adapters: who is in which room, and how a broadcast reaches them."""

from cooee.socketio.adapters.base import (
    Adapter,
    AdapterFactory,
    BroadcastOptions,
    Local,
    SocketDetails,
    StoredSession,
)
from cooee.socketio.adapters.memory import MemoryAdapter, RecoveringAdapter

__all__ = [
    "Adapter",
    "AdapterFactory",
    "BroadcastOptions",
    "Local",
    "MemoryAdapter",
    "RecoveringAdapter",
    "SocketDetails",
    "StoredSession",
]

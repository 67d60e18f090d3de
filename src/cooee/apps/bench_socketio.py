"""The load generator for Socket.IO: events that come back, or are acknowledged."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cooee.apps.bench import Load, Plan
from cooee.apps.connect_socketio import CONNECT_TIMEOUT
from cooee.apps.event_talker import AckTalker, EventTalker
from cooee.apps.socketio_echo import EVENT
from cooee.apps.talker import Talker
from cooee.socketio import ClientSocket, Manager

__all__ = ["SocketIOLoad", "SocketIOPlan"]

MIB = 1024 * 1024
# Seconds that connecting may take when many do at once.
LOADED_TIMEOUT = 20.0
# Bytes of an event besides its payload, at most; and what base64 and JSON make of a payload.
EVENT_OVERHEAD = 1024
EXPANSION = 2


@dataclass(frozen=True)
class SocketIOPlan(Plan):
    """
    What to do to a Socket.IO server.

    Args:
        url: http or ws; its path is the namespace.
        size: Bytes of the event's argument, which is text, or bytes as an attachment.
        text: As for :class:`Plan`.
        event: Name of the event, which has to come back with its argument.
        ack: Whether it has to be acknowledged instead.
        transports: "polling", "websocket" or both; when it begins with polling, measuring may
            begin before the change to WebSocket.
        path: Where the server has Socket.IO.
        namespace: Instead of the URL's path.
    """

    event: str = EVENT
    ack: bool = False
    transports: tuple[str, ...] = ("websocket",)
    path: str = "/socket.io/"
    namespace: str | None = None


class SocketIOLoad(Load[ClientSocket]):
    """
    One run of a plan, by Socket.IO.

    Args:
        plan: What to do.
        auth: For the server's middlewares.
    """

    plan: SocketIOPlan

    def __init__(self, plan: SocketIOPlan, auth: Mapping[str, Any] | None = None) -> None:
        super().__init__(plan)
        self._auth = auth

    async def _connect(self) -> None:
        plan = self.plan
        under_way = (EXPANSION * plan.size + EVENT_OVERHEAD) * (plan.in_flight + 1)
        manager = Manager(
            plan.url,
            path=plan.path,
            transports=plan.transports,
            auth=self._auth,
            reconnection=False,
            # The others may have to wait for each other.
            timeout=LOADED_TIMEOUT if self.opened else CONNECT_TIMEOUT,
            # A connection for each: namespaces would share one.
            auto_connect=False,
            max_message_size=max(16 * MIB, under_way),
            max_buffered=max(64 * MIB, 2 * under_way),
        )
        namespace = plan.namespace
        socket = manager.socket(manager.url.path if namespace is None else namespace)
        socket.on("disconnect", functools.partial(self._disconnected, socket))
        await socket
        self._opened(socket)

    def _make_talker(self, peer: ClientSocket, payloads: list[bytes] | list[str]) -> Talker:
        if self.plan.ack:
            return AckTalker(peer, self.plan.event, payloads, self.latencies)
        talker = EventTalker(peer, self.plan.event, payloads, self.latencies)
        peer.on(self.plan.event, talker.message)
        return talker

    def _disconnected(self, socket: ClientSocket, reason: str, description: object) -> None:
        why = reason if description is None else f"{reason} ({description})"
        self._lost(socket, f"closed by the server: {why}")

    async def _close(self) -> None:
        closing = [socket.manager for socket in self._open]
        for socket in list(self._open):
            socket.disconnect()
        for manager in closing:
            await manager.wait_closed()

"""A conversation with a Socket.IO server: lines are emitted, events are shown."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cooee.apps.conversation import Conversation, Face
from cooee.apps.notation import shown, written_event, written_value
from cooee.apps.readable import readable_text
from cooee.apps.typed import Help, SendFile
from cooee.apps.typed_events import (
    Ask,
    Disconnect,
    Emit,
    Reply,
    help_text,
    parse_event_line,
)
from cooee.engineio.errors import TransportError
from cooee.protocol.close import CloseCode
from cooee.protocol.errors import ConnectionClosed
from cooee.socketio import AckTimeout, ClientAck, ClientSocket, ConnectError, Disconnected

__all__ = [
    "CONNECT_TIMEOUT",
    "Acknowledgement",
    "Occurrence",
    "SocketConversation",
    "explain_refusal",
]

DEFAULT_ACK_TIMEOUT = 10.0
# Seconds that connecting may take, for a server that has nothing else to do. One of raw WebSocket
# takes the connection and then says nothing.
CONNECT_TIMEOUT = 5.0

# Lines that wait for a connection; more are not read before there is one.
MAX_OFFLINE = 1000
# Events that wait for /reply; the oldest is given up for the next.
MAX_OWED = 1000
# Reasons with which nothing is tried again.
_FINAL = ("io server disconnect", "io client disconnect")


@dataclass(frozen=True)
class Occurrence:
    """
    An event that came.

    Args:
        event: Its name.
        args: Its arguments.
        asks: What is to be said of the acknowledgement that it asks for; None if it asks for none.
    """

    event: str
    args: tuple[Any, ...]
    asks: str | None

    def readable(self) -> str:
        """``< news {"number":1} <2 bytes: 01 02 |..|>``."""
        line = " ".join(["<", readable_text(self.event), *map(shown, self.args)])
        return line if self.asks is None else f"{line} ({self.asks})"

    def written(self) -> str:
        """The line that would send it: ``/emit news {"number":1} 0x0102``."""
        return written_event("/emit" if self.asks is None else "/ack", self.event, self.args)


@dataclass(frozen=True)
class Acknowledgement:
    """The acknowledgement of an event that was sent."""

    args: tuple[Any, ...]

    def readable(self) -> str:
        """``< ack "yes"``."""
        return " ".join(["< ack", *map(shown, self.args)])

    def written(self) -> str:
        """The line that would send it: ``/reply "yes"``."""
        return " ".join(["/reply", *map(written_value, self.args)])


class SocketConversation(Conversation):
    """
    One namespace, from joining it to leaving it.

    Args:
        socket: A socket that is not active yet.
        face, raw, wait: As for :class:`Conversation`.
        event: What a line is sent as that does not name its event.
        replies: Arguments with which to acknowledge at once what asks for it; None, the default,
            to leave that to ``/reply``.
        ack_timeout: Seconds to wait for acknowledgements, 10.
    """

    gone = (Disconnected, ConnectError, TransportError)

    def __init__(
        self,
        socket: ClientSocket,
        face: Face,
        *,
        event: str = "message",
        raw: bool = False,
        wait: float | None = 0,
        replies: list[Any] | None = None,
        ack_timeout: float = DEFAULT_ACK_TIMEOUT,
    ) -> None:
        super().__init__(face, raw=raw, wait=wait)
        self._socket = socket
        self._event = event
        self._replies = replies
        self._ack_timeout = ack_timeout
        self._owed: deque[ClientAck] = deque(maxlen=MAX_OWED)
        self._joined = False
        # The reason why it is over, and the exception behind that.
        self._over: asyncio.Future[tuple[str, Exception | None]]
        self._over = asyncio.get_running_loop().create_future()
        socket.on_any(self._safely(self._came))
        socket.on("connect", self._safely(self._connected))
        socket.on("connect_error", self._safely(self._not_connected))
        socket.on("disconnect", self._safely(self._disconnected))

    async def open(self) -> None:
        """
        Connect and join the namespace.

        Raises:
            ConnectError: The server refuses it.
            TransportError, TimeoutError: It cannot be reached, and is not tried again.
        """
        self._socket.connect()
        await self._socket.wait_connected()

    async def close(self) -> None:
        """Disconnect, and wait until no connection is left. Idempotent."""
        self._socket.disconnect()
        await self._socket.manager.wait_closed()

    # What comes

    def _safely(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Let an exception end the conversation: the socket would only log it."""

        def call(*args: Any) -> None:
            try:
                handler(*args)
            except Exception as exc:
                if not self._over.done():
                    self._over.set_exception(exc)

        return call

    def _connected(self) -> None:
        manager, socket = self._socket.manager, self._socket
        assert manager.engine is not None
        again = " again" * self._joined + ", recovered" * socket.recovered
        self._face.tell(
            f"connected{again} to {readable_text(str(manager.url))}, "
            f"namespace {readable_text(socket.namespace)}, id {readable_text(str(socket.id))}, "
            f"by {manager.engine.transport}"
        )
        self._joined = True

    def _not_connected(self, exc: Exception) -> None:
        if not isinstance(exc, ConnectError):
            if self._socket.manager.reconnection:
                self._face.tell(f"cannot connect: {readable_text(str(exc))}; trying again")
        elif self._joined:
            # It was let in before; to join for the first time, somebody waits.
            raise exc

    def _disconnected(self, reason: str, description: Exception | None) -> None:
        if self._socket.manager.reconnection and reason not in _FINAL:
            self._owed.clear()
            self._face.tell(f"disconnected: {_told(reason, description)}; connecting again")
        elif not self._over.done():
            self._over.set_result((reason, description))

    def _came(self, event: Any, *args: Any) -> None:
        ack = args[-1] if args and isinstance(args[-1], ClientAck) else None
        asks = None
        if ack is not None:
            args = args[:-1]
            if self._replies is not None:
                ack(*self._replies)
                asks = "acknowledged"
            else:
                self._owed.append(ack)
                asks = "asks for a /reply"
        self._face.show(Occurrence(str(event), args, asks))

    async def _receive(self) -> None:
        await asyncio.wait({self._over})

    def _end(self) -> tuple[int, str]:
        reason, description = self._over.result()
        return _close_code(reason, description), _told(reason, description)

    def _leave(self) -> None:
        self._socket.disconnect()
        # Where it was not connected, nobody has told.
        if not self._over.done():
            self._over.set_result(("io client disconnect", None))

    async def _close(self) -> None:
        self._leave()
        await self.close()
        for answer in self._answers:
            answer.cancel()

    # What is typed

    async def _do(self, line: str) -> bool:
        match parse_event_line(line, self._event, raw=self._raw):
            case Ask(event, args):
                await self._ask(event, args)
            case Emit(event, args):
                await self._emit(event, args)
            case SendFile(path):
                await self._emit(self._event, [await asyncio.to_thread(path.read_bytes)])
            case Reply(args):
                if not self._owed:
                    raise ValueError("no event asks for an acknowledgement")
                await self._owed.popleft()(*args)
            case Disconnect():
                if self._answers:
                    # What was asked before is answered before, as in a conversation by messages.
                    await asyncio.wait(self._answers, timeout=self._wait)
                self._leave()
                return False
            case Help():
                self._face.tell(help_text(self._event))
        return True

    async def _emit(self, event: str, args: list[Any]) -> None:
        if self._socket.buffered >= MAX_OFFLINE:
            await self._socket.wait_connected()
        await self._socket.emit(event, *args)

    async def _ask(self, event: str, args: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        began = loop.time()

        def answered(error: Exception | None, *values: Any) -> None:
            name = readable_text(event)
            if answer.done():
                return
            answer.set_result(None)
            if error is None:
                self._face.tell(f"{name} acknowledged after {(loop.time() - began) * 1000:.3f} ms")
                self._face.show(Acknowledgement(values))
            elif isinstance(error, AckTimeout):
                self._mistake(f"{name} not acknowledged within {self._ack_timeout:g} s")
            else:
                self._mistake(f"{name} not acknowledged: {readable_text(str(error))}")

        await self._socket.timeout(self._ack_timeout).emit(event, *args, ack=self._safely(answered))
        if not answer.done():
            self._await(answer)


def explain_refusal(exc: ConnectError) -> str:
    """Return what a CONNECT_ERROR says: its message, and its data if there is any."""
    message = readable_text(exc.message)
    return message if exc.data is None else f"{message} {shown(exc.data)}"


def _told(reason: str, description: Exception | None) -> str:
    return reason if description is None else f"{reason} ({readable_text(str(description))})"


def _close_code(reason: str, description: Exception | None) -> int:
    """The code that a WebSocket would have been closed with for such a reason."""
    if reason in _FINAL:
        return CloseCode.NORMAL_CLOSURE
    if reason == "parse error":
        return CloseCode.PROTOCOL_ERROR
    if reason == "transport close":
        cause = description.__cause__ if description is not None else None
        # Otherwise the server said by polling that it closes.
        return cause.code if isinstance(cause, ConnectionClosed) else CloseCode.GOING_AWAY
    return CloseCode.ABNORMAL_CLOSURE

"""A conversation with a WebSocket server: lines are sent, messages are shown."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass

from cooee import Session
from cooee.apps.conversation import Conversation, Face
from cooee.apps.readable import readable, readable_text
from cooee.apps.typed import HELP, Close, Help, Ping, Send, SendFile, parse_line, written
from cooee.protocol.close import describe_close
from cooee.protocol.errors import ConnectionClosed

__all__ = ["Message", "SessionConversation"]


@dataclass(frozen=True)
class Message:
    """
    A message received.

    Args:
        data: Its payload.
        raw: Whether lines that begin with a slash are no commands.
    """

    data: str | bytes
    raw: bool

    def readable(self) -> str:
        """``< text``, or ``<< <2 bytes: 01 02 |..|>``."""
        return f"{'<' if isinstance(self.data, str) else '<<'} {readable(self.data)}"

    def written(self) -> str:
        """The line that would send it."""
        return written(self.data, raw=self.raw)


class SessionConversation(Conversation):
    """
    One session, from its first line to its close.

    Args:
        session: An open session, of which nobody else receives.
        face, raw, wait: As for :class:`Conversation`.
    """

    gone = (ConnectionClosed,)

    def __init__(
        self, session: Session, face: Face, *, raw: bool = False, wait: float | None = 0
    ) -> None:
        super().__init__(face, raw=raw, wait=wait)
        self._session = session
        session.on("error", lambda exc: face.tell(f"failed: {readable_text(str(exc))}"))

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._session:
                self._face.show(Message(message, self._raw))

    async def _close(self) -> None:
        await self._session.close()

    def _end(self) -> tuple[int, str]:
        code, reason = self._session.close_code or 1006, self._session.close_reason or ""
        return code, describe_close(code, reason)

    async def _do(self, line: str) -> bool:
        match parse_line(line, raw=self._raw):
            case Send(data):
                await self._session.send(data)
            case SendFile(path):
                await self._session.send(await asyncio.to_thread(path.read_bytes))
            case Ping(payload):
                self._await(asyncio.create_task(self._time(self._session.ping(payload))))
            case Close(code, reason):
                self._session.close(code, reason)
                return False
            case Help():
                self._face.tell(HELP)
        return True

    async def _time(self, answer: Awaitable[float]) -> None:
        with contextlib.suppress(ConnectionClosed):
            self._face.tell(f"pong after {await answer * 1000:.3f} ms")

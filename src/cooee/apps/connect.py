"""A conversation with a server: lines are sent, messages are shown."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from cooee import Session
from cooee.apps.readable import readable_text
from cooee.apps.typed import HELP, Close, Help, Ping, Send, SendFile, parse_line
from cooee.protocol.close import describe_close
from cooee.protocol.errors import ConnectionClosed

__all__ = ["Conversation", "Face"]


class Face(Protocol):
    """Where lines come from and messages go to."""

    def lines(self) -> AsyncIterator[str]:
        """The lines typed, each without its end."""

    def show(self, data: str | bytes) -> None:
        """Show a message received."""

    def tell(self, text: str) -> None:
        """Show what is neither sent nor received."""


class Conversation:
    """
    One session, from its first line to its close.

    Args:
        session: An open session, of which nobody else receives.
        raw: Whether lines that begin with a slash are text too.
        wait: Seconds to go on receiving after the last line; None for as long as the server likes.

    Attributes:
        mistakes: How many lines asked for what cannot be done.
    """

    def __init__(
        self, session: Session, face: Face, *, raw: bool = False, wait: float | None = 0
    ) -> None:
        self._session = session
        self._face = face
        self._raw = raw
        self._wait = wait
        self._pings: set[asyncio.Task[None]] = set()
        self.mistakes = 0
        session.on("error", lambda exc: face.tell(f"failed: {readable_text(str(exc))}"))

    async def run(self) -> int:
        """
        Converse until either side closes, and return the close code.

        When it is cancelled it closes the session first, with 1000.
        """
        receiving = asyncio.create_task(self._receive())
        typing = asyncio.create_task(self._type())
        try:
            await asyncio.wait({receiving, typing}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done():
                typing.result()
                await asyncio.wait({receiving}, timeout=self._wait)
        finally:
            typing.cancel()
            await self._session.close()
            await asyncio.wait({receiving, typing, *self._pings})
        receiving.result()
        code, reason = self._session.close_code or 1006, self._session.close_reason or ""
        self._face.tell(f"closed: {describe_close(code, reason)}")
        return code

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._session:
                self._face.show(message)

    async def _type(self) -> None:
        async for line in self._face.lines():
            try:
                if not await self._do(line):
                    return
            except ConnectionClosed:
                return
            except UnicodeEncodeError:
                self._mistake("the line is not UTF-8; /hex and /file send other bytes")
            except (ValueError, OSError) as exc:
                self._mistake(str(exc))

    def _mistake(self, text: str) -> None:
        self.mistakes += 1
        self._face.tell(text)

    async def _do(self, line: str) -> bool:
        """Do what a line asks for; tells whether there may be another."""
        match parse_line(line, raw=self._raw):
            case Send(data):
                await self._session.send(data)
            case SendFile(path):
                await self._session.send(await asyncio.to_thread(path.read_bytes))
            case Ping(payload):
                # Lines that follow need not wait for the answer.
                ping = asyncio.create_task(self._time(self._session.ping(payload)))
                self._pings.add(ping)
                ping.add_done_callback(self._pings.discard)
            case Close(code, reason):
                self._session.close(code, reason)
                return False
            case Help():
                self._face.tell(HELP)
        return True

    async def _time(self, answer: Awaitable[float]) -> None:
        with contextlib.suppress(ConnectionClosed):
            self._face.tell(f"pong after {await answer * 1000:.3f} ms")

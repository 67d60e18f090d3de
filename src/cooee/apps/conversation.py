"""What conversations with servers have in common: lines are sent, what comes is shown."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar, Protocol

__all__ = ["Conversation", "Face", "Received"]


class Received(Protocol):
    """Something that a server sent."""

    def readable(self) -> str:
        """One line for people, which does no harm to a terminal."""

    def written(self) -> str:
        """One line for programs: what one would type to send it."""


class Face(Protocol):
    """Where lines come from and what is received goes to."""

    def lines(self) -> AsyncIterator[str]:
        """The lines typed, each without its end."""

    def show(self, received: Received) -> None:
        """Show what was received."""

    def tell(self, text: str) -> None:
        """Show what is neither sent nor received."""


class Conversation(ABC):
    """
    From a first line to the end of the connection.

    Args:
        raw: Whether lines that begin with a slash are no commands.
        wait: Seconds to go on receiving after the last line; None for as long as the server likes.

    Attributes:
        mistakes: How many lines asked for what cannot be done.
    """

    # What is raised by sending when there is nothing to send to any more.
    gone: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, face: Face, *, raw: bool = False, wait: float | None = 0) -> None:
        self._face = face
        self._raw = raw
        self._wait = wait
        # Answers that are awaited while lines go on.
        self._answers: set[asyncio.Future[None]] = set()
        self.mistakes = 0

    async def run(self) -> int:
        """
        Converse until either side closes, and return the close code, or one that stands for why.

        When it is cancelled it closes the connection first.
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
            await self._close()
            await asyncio.wait({receiving, typing, *self._answers})
        receiving.result()
        code, how = self._end()
        self._face.tell(f"closed: {how}")
        return code

    @abstractmethod
    async def _receive(self) -> None:
        """Show what comes, until the end of the connection."""

    @abstractmethod
    async def _do(self, line: str) -> bool:
        """
        Do what a line asks for; tells whether there may be another.

        Raises:
            ValueError, OSError: It cannot be done.
        """

    @abstractmethod
    async def _close(self) -> None:
        """Close the connection, if that has not happened, and wait until it is."""

    @abstractmethod
    def _end(self) -> tuple[int, str]:
        """The close code, and in words how the connection ended."""

    async def _type(self) -> None:
        async for line in self._face.lines():
            try:
                if not await self._do(line):
                    return
            except self.gone:
                return
            except UnicodeEncodeError:
                self._mistake("the line is not UTF-8; /hex and /file send other bytes")
            except (ValueError, OSError) as exc:
                self._mistake(str(exc))

    def _mistake(self, text: str) -> None:
        self.mistakes += 1
        self._face.tell(text)

    def _await(self, answer: asyncio.Future[None]) -> None:
        """Go on with lines, though the answer to one has not come."""
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

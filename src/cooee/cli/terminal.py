"""Standard input and output, of a person or of programs, as the face of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TextIO

from cooee.apps.conversation import Received

try:
    import readline
except ImportError:  # Python may be built without; then the terminal's own editing has to do
    readline = None  # type: ignore[assignment]
try:
    import termios
except ImportError:
    termios = None  # type: ignore[assignment]

__all__ = ["Terminal"]

PROMPT = "> "
CLEAR_LINE = "\r\x1b[K"
CHUNK = 65536


class Terminal:
    """
    What a person types is edited with a prompt, and messages appear above it.

    When standard output is no terminal, what comes is written as one would type it; remarks go to
    standard error.

    Attributes:
        interactive: Whether a person types.
    """

    def __init__(self) -> None:
        self._shows = sys.stdout.isatty()
        self.interactive = sys.stdin is not None and sys.stdin.isatty()
        # Whether there is a prompt, or is about to be one.
        self._prompting = False
        # Whether something may have been typed after it.
        self._editing = False

    # The face

    async def lines(self) -> AsyncIterator[str]:
        """The lines of standard input, without their ends."""
        if sys.stdin is None:
            return
        reader = _Reader(self._ask if self.interactive else _chunks(sys.stdin.fileno()).__next__)
        while True:
            self._prompting = self.interactive and self._shows
            lines = await reader.read()
            self._prompting = False
            if lines is None:
                return
            for line in lines:
                yield line

    def show(self, received: Received) -> None:
        """Show what was received."""
        self._write(sys.stdout, received.readable() if self._shows else received.written())

    def tell(self, text: str) -> None:
        """Show what is neither sent nor received, on standard error."""
        self._write(sys.stderr, text)

    def _write(self, file: TextIO, text: str) -> None:
        text += "\n"
        if self._prompting and file.isatty():
            typed = readline.get_line_buffer() if self._editing and readline is not None else ""
            text = CLEAR_LINE + text + PROMPT + typed
        # At once, for the prompt is written by another thread.
        file.write(text)
        file.flush()

    # The prompt

    def _ask(self) -> list[str]:
        self._editing = True
        try:
            # It clears its line, where a message may have left a prompt already.
            return [input(f"\001{CLEAR_LINE}\002{PROMPT}" if self._shows else "")]
        finally:
            self._editing = False

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Give the terminal back as it was, though somebody may still be asked for a line."""
        modes: list[Any] | None = None
        if self.interactive and termios is not None:
            modes = termios.tcgetattr(sys.stdin.fileno())
            if readline is not None:
                # Otherwise the terminal would be left in that mode.
                readline.parse_and_bind("set enable-bracketed-paste off")
        try:
            yield
        finally:
            if modes is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, modes)
            if self._prompting:
                print(CLEAR_LINE, end="", flush=True)


def _chunks(descriptor: int) -> Iterator[list[str]]:
    """Lists of lines as they come; what is not UTF-8 becomes lone surrogates."""
    parts: list[bytes] = []
    while chunk := os.read(descriptor, CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield _decoded(b"".join([*parts, head]).split(b"\n"))
            parts = [tail] if tail else []
        else:
            parts.append(chunk)
    if parts:
        yield _decoded([b"".join(parts)])


def _decoded(lines: list[bytes]) -> list[str]:
    return [line.decode(errors="surrogateescape") for line in lines]


class _Reader:
    """
    Lines from a function that blocks until there are some, and raises in the end.

    A thread calls it whenever more are wanted, so that a file is read no faster than its lines
    are sent. It is a daemon: nobody can take back the question that it may be asking.
    """

    def __init__(self, read: Callable[[], list[str]]) -> None:
        self._read = read
        self._wanted: queue.SimpleQueue[asyncio.Future[list[str] | None]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True, name="standard input").start()

    async def read(self) -> list[str] | None:
        """The next lines; None when there are no more."""
        answer: asyncio.Future[list[str] | None] = asyncio.get_running_loop().create_future()
        self._wanted.put(answer)
        return await answer

    def _serve(self) -> None:
        while True:
            answer = self._wanted.get()
            lines: list[str] | None
            try:
                lines = self._read()
            except (EOFError, StopIteration, OSError):
                lines = None
            try:
                answer.get_loop().call_soon_threadsafe(_give, answer, lines)
            except RuntimeError:  # the loop is gone
                return


def _give(answer: asyncio.Future[list[str] | None], lines: list[str] | None) -> None:
    if not answer.done():
        answer.set_result(lines)

"""Standard input and output, of a person or of programs, as the face of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from cooee.apps.readable import readable
from cooee.apps.typed import written

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

    Text is shown as ``< text``, binary as ``<< <2 bytes: 01 02 |..|>``. When standard output is no
    terminal, a message is written as one would type it; remarks go to standard error.

    Attributes:
        interactive: Whether a person types.
    """

    def __init__(self, *, raw: bool = False) -> None:
        self._raw = raw
        self._out_is_terminal = sys.stdout.isatty()
        self.interactive = sys.stdin is not None and sys.stdin.isatty()
        self._prompting = False
        self._prompt = PROMPT if self.interactive and self._out_is_terminal else ""

    # The face

    def lines(self) -> AsyncIterator[str]:
        """The lines of standard input, without their ends."""
        if sys.stdin is None:
            return _asked(lambda: None)
        if self.interactive:
            return _asked(self._ask)
        return _asked(_chunks(sys.stdin.fileno()).__next__)

    def show(self, data: str | bytes) -> None:
        """Show a message received."""
        if not self._out_is_terminal:
            print(written(data, raw=self._raw), flush=True)
            return
        arrow = "<" if isinstance(data, str) else "<<"
        with self._above_the_prompt():
            print(arrow, readable(data), flush=True)

    def tell(self, text: str) -> None:
        """Show what is neither sent nor received, on standard error."""
        with self._above_the_prompt():
            print(text, file=sys.stderr, flush=True)

    # The prompt

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Give the terminal back as it was, though somebody may still be asked for a line."""
        saved: list[Any] | None = None
        if self.interactive and termios is not None:
            saved = termios.tcgetattr(sys.stdin.fileno())
            if readline is not None:
                # Otherwise the terminal would be left in that mode.
                readline.parse_and_bind("set enable-bracketed-paste off")
        try:
            yield
        finally:
            if saved is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, saved)

    def _ask(self) -> list[str]:
        # Clears what stands there: a message may have come, and a prompt after it.
        prompt = f"\001{CLEAR_LINE}\002{self._prompt}" if self._prompt else ""
        self._prompting = bool(self._prompt)
        try:
            return [input(prompt)]
        finally:
            self._prompting = False

    @contextlib.contextmanager
    def _above_the_prompt(self) -> Iterator[None]:
        prompting = self._prompting
        if prompting:
            print(CLEAR_LINE, end="", flush=True)
        yield
        if prompting and self._prompting:
            typed = readline.get_line_buffer() if readline is not None else ""
            print(PROMPT + typed, end="", flush=True)


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


async def _asked(read: Callable[[], list[str] | None]) -> AsyncIterator[str]:
    """
    Lines from a function that blocks until there are some, and that ends with None or EOFError.

    A thread calls it whenever more lines are wanted, so that a file is read no faster than its
    lines are sent. It is a daemon: nobody can take back the question that it may be asking.
    """
    loop = asyncio.get_running_loop()
    wanted: queue.SimpleQueue[asyncio.Future[list[str] | None]] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            answer = wanted.get()
            try:
                lines = read()
            except (EOFError, StopIteration, OSError):
                lines = None
            try:
                loop.call_soon_threadsafe(_give, answer, lines)
            except RuntimeError:  # the loop is gone
                return

    threading.Thread(target=serve, daemon=True, name="standard input").start()
    while True:
        answer = loop.create_future()
        wanted.put(answer)
        lines = await answer
        if lines is None:
            return
        for line in lines:
            yield line


def _give(answer: asyncio.Future[list[str] | None], lines: list[str] | None) -> None:
    if not answer.done():
        answer.set_result(lines)

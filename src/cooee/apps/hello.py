"""The tutorial's round trip: HelloWorld goes to an echo server and comes back."""

from __future__ import annotations

from collections.abc import Callable

from cooee import CloseEvent, ErrorEvent, Event, MessageEvent, WebSocket
from cooee.apps.output import print_line
from cooee.apps.readable import readable
from cooee.protocol.close import describe_close
from cooee.protocol.errors import CooeeError
from cooee.reactor import get_reactor

__all__ = ["HELLO", "Hello"]

HELLO = "HelloWorld"
DEFAULT_TIMEOUT = 10.0


class Hello:
    """
    Connect, send HelloWorld, show what comes back as ``##### HelloWorld``, and close.

    It begins at once and goes on as the calling thread's reactor is driven.

    Args:
        url: Of an echo server.
        done: Called once in the end, with the error or None.
        timeout: Seconds until the echo must have come, 10.
        show: What is called with the line; by default it goes to standard output.

    Attributes:
        finished: Whether it is over.
        error: What went wrong, if anything did.

    Raises:
        errors.SyntaxError: The URL is malformed (also a ValueError).
    """

    def __init__(
        self,
        url: str,
        done: Callable[[Exception | None], object] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        show: Callable[[str], object] | None = None,
    ) -> None:
        self.finished = False
        self.error: Exception | None = None
        self._done = done
        self._show = show or print_line
        self._echoed = False
        self._ws = ws = WebSocket(url)
        ws.binary_type = "arraybuffer"
        ws.onopen = self._opened
        ws.onmessage = self._message
        ws.onerror = self._failed
        ws.onclose = self._closed
        self._timer = get_reactor().call_later(timeout, self._late, timeout)

    def _opened(self, event: Event) -> None:
        self._ws.send(HELLO)

    def _message(self, event: MessageEvent) -> None:
        assert isinstance(event.data, (str, bytes))
        self._show(f"##### {readable(event.data)}")
        if event.data != HELLO:
            self.error = CooeeError(f"{HELLO} came back as {readable(event.data)}")
        self._echoed = True
        self._ws.close()

    def _failed(self, event: ErrorEvent) -> None:
        self.error = self.error or event.error

    def _late(self, timeout: float) -> None:
        self.error = TimeoutError(f"no echo within {timeout:g} s")
        self._finish()
        self._ws.close()

    def _closed(self, event: CloseEvent) -> None:
        if not self._echoed and self.error is None:
            how = describe_close(event.code, event.reason)
            self.error = CooeeError(f"closed before the echo came: {how}")
        self._finish()

    def _finish(self) -> None:
        if not self.finished:
            self.finished = True
            self._timer.cancel()
            if self._done is not None:
                self._done(self.error)

"""The tutorial's round trips: HelloWorld goes to an echo server and comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cooee import CloseEvent, ErrorEvent, Event, MessageEvent, WebSocket
from cooee.apps.notation import shown
from cooee.apps.output import print_line
from cooee.apps.readable import readable
from cooee.apps.socketio_echo import EVENT
from cooee.protocol.close import describe_close
from cooee.protocol.errors import CooeeError
from cooee.reactor import get_reactor
from cooee.socketio import connect

__all__ = ["HELLO", "Greeting", "Hello", "SocketIOHello"]

HELLO = "HelloWorld"
DEFAULT_TIMEOUT = 10.0


class Greeting:
    """
    One round trip, of which subclasses say how it is made.

    It begins at once and goes on as the calling thread's reactor is driven.

    Args:
        done: Called once in the end, with the error or None.
        timeout: Seconds until the echo must have come, 10.
        show: What is called with the line; by default it goes to standard output.

    Attributes:
        error: What went wrong, if anything did.
    """

    def __init__(
        self,
        done: Callable[[Exception | None], object] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        show: Callable[[str], object] | None = None,
    ) -> None:
        self.error: Exception | None = None
        self._over = False
        self._done = done
        self._show = show or print_line
        self._echoed = False
        self._timer = get_reactor().call_later(timeout, self._late, timeout)

    @property
    def finished(self) -> bool:
        """Whether it is over; and, if all went well, the server has been told."""
        return self._over and (self.error is not None or self._gone())

    def _close(self) -> None:
        """Close the connection, or give up connecting."""
        raise NotImplementedError

    def _gone(self) -> bool:
        """Whether nothing of the connection is left, when it is over."""
        return True

    def _came_back(self, same: bool, what: str, name: str = "") -> None:
        """Show what came back, and see whether it is what was sent."""
        self._show(f"##### {name}{what}")
        if not same:
            self.error = CooeeError(f"{HELLO} came back as {what}")
        self._echoed = True

    def _late(self, timeout: float) -> None:
        self.error = TimeoutError(f"no echo within {timeout:g} s")
        self._finish()
        self._close()

    def _ended(self, how: str) -> None:
        if not self._echoed and self.error is None:
            self.error = CooeeError(f"closed before the echo came: {how}")
        self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._timer.cancel()
            if self._done is not None:
                self._done(self.error)


class Hello(Greeting):
    """
    Connect, send HelloWorld, show what comes back as ``##### HelloWorld``, and close.

    Args:
        url: Of a raw WebSocket echo server.
        done, timeout, show: As for :class:`Greeting`.

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
        self._ws = ws = WebSocket(url)
        super().__init__(done, timeout=timeout, show=show)
        ws.binary_type = "arraybuffer"
        ws.onopen = self._opened
        ws.onmessage = self._message
        ws.onerror = self._failed
        ws.onclose = self._closed

    def _opened(self, event: Event) -> None:
        self._ws.send(HELLO)

    def _message(self, event: MessageEvent) -> None:
        assert isinstance(event.data, (str, bytes))
        self._came_back(event.data == HELLO, readable(event.data))
        self._close()

    def _failed(self, event: ErrorEvent) -> None:
        self.error = self.error or event.error

    def _closed(self, event: CloseEvent) -> None:
        self._ended(describe_close(event.code, event.reason))

    def _close(self) -> None:
        self._ws.close()


class SocketIOHello(Greeting):
    """
    Connect, emit ``your_echo`` with HelloWorld, show what comes back as
    ``##### your_echo HelloWorld``, and disconnect.

    Args:
        url: Of a Socket.IO server that sends that event back; its path is the namespace.
        done, timeout, show: As for :class:`Greeting`.

    Raises:
        errors.SyntaxError: The URL is malformed (also a ValueError).
        NotSupportedError: The URL's scheme is one that this client does not speak.
    """

    def __init__(
        self,
        url: str,
        done: Callable[[Exception | None], object] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        show: Callable[[str], object] | None = None,
    ) -> None:
        self._socket = socket = connect(url, force_new=True, reconnection=False)
        super().__init__(done, timeout=timeout, show=show)
        socket.on("connect", lambda: socket.emit(EVENT, HELLO))
        socket.on(EVENT, self._echo)
        socket.on("connect_error", self._refused)
        socket.on("disconnect", self._disconnected)

    def _echo(self, *args: Any) -> None:
        # The first: servers that recover connections add where to begin again.
        what = "nothing"
        if args:
            value = args[0]
            what = readable(value) if isinstance(value, (str, bytes)) else shown(value)
        self._came_back(args[:1] == (HELLO,), what, f"{EVENT} ")
        self._close()

    def _refused(self, exc: Exception) -> None:
        self.error = self.error or exc
        self._finish()

    def _disconnected(self, reason: str) -> None:
        self._ended(reason)

    def _close(self) -> None:
        self._socket.disconnect()

    def _gone(self) -> bool:
        engine = self._socket.manager.engine
        return engine is None or engine.wait_gone().done

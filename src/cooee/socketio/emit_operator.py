"""How one event is sent: flags that are collected, and then it is emitted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, Self, TypeVar

from cooee.websocket.outcome import Outcome

__all__ = ["EmitOperator", "Emits"]


class Emits(Protocol):
    """A socket: what sends an event when everything is said."""

    def emit_event(
        self,
        args: tuple[Any, ...],
        ack: Callable[..., Any] | None,
        volatile_: bool,
        compress: bool,
        timeout: float | None,
    ) -> Awaitable[None]:
        """Send an event."""

    def ask(
        self, args: tuple[Any, ...], volatile_: bool, compress: bool, timeout: float | None
    ) -> Outcome[Any]:
        """Send an event; awaiting the result gives its acknowledgement."""


_Socket = TypeVar("_Socket", bound=Emits)


class EmitOperator(Generic[_Socket]):
    """
    A socket, and how to send with it.

    It does not change: each of ``volatile``, ``compress`` and ``timeout`` returns another.
    """

    __slots__ = ("_compress", "_socket", "_timeout", "_volatile")

    def __init__(
        self,
        socket: _Socket,
        *,
        volatile: bool = False,
        compress: bool = True,
        timeout: float | None = None,
    ) -> None:
        self._socket = socket
        self._volatile = volatile
        self._compress = compress
        self._timeout = timeout

    @property
    def volatile(self) -> Self:
        """Drop it, and count it, if it cannot leave at once."""
        return type(self)(
            self._socket, volatile=True, compress=self._compress, timeout=self._timeout
        )

    def compress(self, compress: bool) -> Self:
        """Whether to compress it, where the transport does."""
        return type(self)(
            self._socket, volatile=self._volatile, compress=compress, timeout=self._timeout
        )

    def timeout(self, seconds: float) -> Self:
        """How long to wait for an acknowledgement."""
        return type(self)(
            self._socket, volatile=self._volatile, compress=self._compress, timeout=seconds
        )

    def emit(self, *args: Any, ack: Callable[..., Any] | None = None) -> Awaitable[None]:
        """As the socket's; with a timeout, `ack` takes an error or None before the others."""
        return self._socket.emit_event(args, ack, self._volatile, self._compress, self._timeout)

    def send(self, *args: Any, ack: Callable[..., Any] | None = None) -> Awaitable[None]:
        """Send the event ``message``."""
        return self.emit("message", *args, ack=ack)

    def emit_with_ack(self, *args: Any) -> Outcome[Any]:
        """As the socket's."""
        return self._socket.ask(args, self._volatile, self._compress, self._timeout)

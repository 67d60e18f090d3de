"""The Socket.IO echo server: ``your_echo`` comes back, and raw WebSocket messages do too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cooee.apps.echo import DEFAULT_MAX_MESSAGE_SIZE, EchoServer
from cooee.apps.readable import readable_text
from cooee.engineio.cors import Cors
from cooee.protocol.urls import parse_url
from cooee.socketio import Server, Socket

__all__ = ["SocketIOEchoServer"]

DEFAULT_PORT = 6081
EVENT = "your_echo"
TEXT_LIMIT = 1000


class SocketIOEchoServer(EchoServer):
    """
    A server that sends the event ``your_echo`` back with its arguments, whatever they are.

    It serves clients of Socket.IO 2, 3 and 4, by polling and by WebSocket, from any origin, and
    says ``connect called`` and ``disconnect``. An event that asks for an acknowledgement gets the
    arguments in that too. Beside it, on every other path, raw WebSocket messages are echoed.

    Args:
        host: Name or address to listen on, or several; None, the default, for all interfaces.
        port: TCP port, 6081; 0 for a free one; None where ``unix`` or ``sock`` is given.
        max_message_size: Bytes in a message, or in the body of a POST; 32 MiB.
        verbose: Show each event, as ``your_echo HelloWorld``, and each raw message.
        show: What is called with each such line; by default it goes to standard output.
        options: As for :class:`cooee.Server`.

    Attributes:
        io: The :class:`cooee.socketio.Server`.
    """

    def __init__(
        self,
        host: str | Iterable[str] | None = None,
        port: int | None = DEFAULT_PORT,
        *,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        verbose: bool = False,
        show: Callable[[str], object] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            host, port, max_message_size=max_message_size, verbose=verbose, show=show, **options
        )
        self._verbose = verbose
        # Games made with Cocos Creator 2 have a client of Socket.IO 2, which speaks Engine.IO 3.
        self.io = Server(
            allow_eio3=True, cors=Cors(origin="*"), max_http_buffer_size=max_message_size
        )
        self.io.on("connection", self._joined)
        self.io.attach(self)

    def _joined(self, socket: Socket) -> None:
        self._show("connect called")

        def your_echo(*args: Any) -> None:
            ack = args[-1] if args and callable(args[-1]) else None
            values = args if ack is None else args[:-1]
            if self._verbose:
                shown = " ".join(readable_text(str(value))[:TEXT_LIMIT] for value in values)
                self._show(f"{EVENT} {shown}")
            socket.emit(EVENT, *values)
            if ack is not None:
                ack(*values)

        socket.on(EVENT, your_echo)
        socket.on("disconnect", lambda *reason: self._show("disconnect"))

    @property
    def socketio_url(self) -> str:
        """A URL at which a Socket.IO client on this machine reaches it; it listens on TCP."""
        return f"http://{parse_url(self.url).host_header}"

    def describe(self) -> str:
        """One line that says where it listens, and whether others can reach it."""
        line = super().describe().replace("WebSocket echo on", f"Socket.IO echo of {EVENT} on", 1)
        # As Socket.IO's clients are given it.
        return line.replace("ws://", "http://")

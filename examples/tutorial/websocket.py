"""
The tutorial's module ``websocket``: one connection, for the whole game to share.

    import websocket
    websocket.connect("ws://localhost:6080/ws")

Assign functions of your own to ``on_open``, ``on_message``, ``on_close`` and ``on_error``.
"""

import cooee

sock: cooee.WebSocket | None = None


def connect(url: str) -> None:
    """Connect; what comes of it, the ``on_`` functions are told."""
    global sock
    sock = cooee.WebSocket(url)
    sock.binary_type = "arraybuffer"
    # Looked up when called, so that a game may put its own in place at any time.
    sock.onopen = lambda event: on_open(event)
    sock.onmessage = lambda event: on_message(event)
    sock.onclose = lambda event: on_close(event)
    sock.onerror = lambda event: on_error(event)


def send_data(data: str | bytes) -> None:
    """Send text or binary; does nothing while there is no open connection."""
    if sock is not None and sock.ready_state == cooee.WebSocket.OPEN:
        sock.send(data)


def close() -> None:
    """Close the connection; does nothing when there is none."""
    global sock
    if sock is not None:
        sock.close()
        sock = None


def on_open(event: cooee.Event) -> None:
    """The connection is open: say hello."""
    send_data("HelloWorld")


def on_message(event: cooee.MessageEvent) -> None:
    """The server has sent something."""
    print("#####", event.data, flush=True)


def on_close(event: cooee.CloseEvent) -> None:
    """The connection is gone."""
    close()


def on_error(event: cooee.Event) -> None:
    """The connection failed; ``on_close`` follows."""

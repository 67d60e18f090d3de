"""cooee's `WebSocket`, the browser's class, on the reactor's own loop."""

from __future__ import annotations

from calling import announce, read_options

import cooee

options = read_options()
waiting = options.connections
sockets: list[cooee.WebSocket] = []


def connect() -> cooee.WebSocket:
    ws = cooee.WebSocket(options.url)
    ws.binary_type = "arraybuffer"
    ws.onopen = opened
    ws.onmessage = lambda event: ws.send(event.data)
    return ws


def opened(event: cooee.Event) -> None:
    global waiting
    waiting -= 1
    if waiting == 0:
        for ws in sockets:
            for _ in range(options.in_flight):
                ws.send(options.payload)
        announce()


sockets.extend(connect() for _ in range(options.connections))
cooee.run()

"""
A client with the browser's class: the same names, in snake_case.

    python client_browser.py [url]
"""

import sys

import cooee
from cooee import WebSocket

ws = WebSocket(sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:6080/ws")
ws.binary_type = "arraybuffer"


def opened(event: cooee.Event) -> None:
    ws.send("HelloWorld")


def message(event: cooee.MessageEvent) -> None:
    print("#####", event.data)
    ws.close()


ws.onopen = opened
ws.onmessage = message
ws.onclose = lambda event: print("closed", event.code)
cooee.run()  # until no socket is open

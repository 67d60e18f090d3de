"""
An echo server in event style, as with Node's ``ws``: the fastest.

    python server_events.py [port]
"""

import sys

import cooee

server = cooee.Server(port=int(sys.argv[1]) if len(sys.argv) > 1 else 6080)


@server.on("listening")
def listening() -> None:
    print(f"listening on port {server.port}", flush=True)


@server.on("connection")
def connected(session: cooee.Session, request: cooee.Request) -> None:
    @session.on("message")
    def message(data: str | bytes) -> None:  # as the peer sent it
        session.send(data)


server.run()

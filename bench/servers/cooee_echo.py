"""
cooee, event style: a function per message.

Argument: own (the reactor's own loop), uvloop or asyncio; then, if given, `busy_poll` in seconds.
"""

from __future__ import annotations

import sys

from serving import forever, listening_socket, loop_argument, run

import cooee

busy_poll = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
# Peers have no keepalive here, so neither has cooee.
server = cooee.Server(sock=listening_socket(), ping_interval=None, busy_poll=busy_poll)


@server.on("connection")
def connected(session: cooee.Session, request: cooee.Request) -> None:
    @session.on("message")
    def message(data: str | bytes) -> None:
        session.send(data)


async def main() -> None:
    await server.start()
    await forever()


if loop_argument() == "own":
    server.run()
else:
    run(main, loop_argument())

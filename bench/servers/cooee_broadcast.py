"""cooee's `broadcast`, on the reactor's own loop, uvloop or asyncio."""

from __future__ import annotations

from serving import forever, listening_socket, loop_argument, run

import cooee

server = cooee.Server(sock=listening_socket(), ping_interval=None)
subscribers: set[cooee.Session] = set()


@server.on("connection")
def connected(session: cooee.Session, request: cooee.Request) -> None:
    if request.path == "/subscribe":
        subscribers.add(session)
        session.on("close", lambda code, reason: subscribers.discard(session))
    else:
        session.on("message", lambda data: cooee.broadcast(subscribers, data))


async def main() -> None:
    await server.start()
    await forever()


if loop_argument() == "own":
    server.run()
else:
    run(main, loop_argument())

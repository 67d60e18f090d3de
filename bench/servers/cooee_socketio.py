"""
cooee's Socket.IO server: `your_echo` comes back.

Arguments: own (the reactor's own loop), uvloop or asyncio; then, if given, `coroutine` for a
coroutine function as the handler.
"""

from __future__ import annotations

import sys

from serving import forever, listening_socket, loop_argument, run

import cooee.socketio

io = cooee.socketio.Server(sock=listening_socket())
COROUTINE = "coroutine" in sys.argv


@io.on("connection")
def connected(socket: cooee.socketio.Socket) -> None:
    def your_echo(data: object) -> None:
        socket.emit("your_echo", data)

    async def your_echo_later(data: object) -> None:
        socket.emit("your_echo", data)

    socket.on("your_echo", your_echo_later if COROUTINE else your_echo)


async def main() -> None:
    await io.start()
    await forever()


if loop_argument() == "own":
    io.run()
else:
    run(main, loop_argument())

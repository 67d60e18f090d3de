"""cooee's Socket.IO server, on the reactor's own loop, uvloop or asyncio."""

from __future__ import annotations

from collections.abc import Callable

from serving import forever, listening_socket, loop_argument, run

import cooee.socketio

io = cooee.socketio.Server(sock=listening_socket())


@io.on("connection")
def connected(socket: cooee.socketio.Socket) -> None:
    @socket.on("your_echo")
    def your_echo(data: object) -> None:
        socket.emit("your_echo", data)

    @socket.on("your_coroutine")
    async def your_coroutine(data: object) -> None:
        socket.emit("your_coroutine", data)

    @socket.on("your_ack")
    def your_ack(data: object, ack: Callable[[object], object]) -> None:
        ack(data)

    @socket.on("join")
    def join(room: str, ack: Callable[[], object]) -> None:
        socket.join(room)
        ack()

    @socket.on("broadcast")
    def broadcast(data: object) -> None:
        io.to("everyone").emit("broadcast", data)


async def main() -> None:
    await io.start()
    await forever()


if loop_argument() == "own":
    io.run()
else:
    run(main, loop_argument())

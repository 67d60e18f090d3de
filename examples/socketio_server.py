"""
A chat over Socket.IO: a middleware that asks for a name, rooms, acknowledgements.

    python socketio_server.py [port]

Clients connect with ``auth={"name": ...}``, emit ``join`` (room), which is acknowledged with the
names of those who are in it, and ``say`` (room, text), and listen to ``said`` and ``left``.
"""

import sys

import cooee
from cooee.socketio import Ack, ConnectError, Socket

io = cooee.socketio.Server(port=int(sys.argv[1]) if len(sys.argv) > 1 else 6081)


@io.use
def named(socket: Socket) -> None:
    name = socket.handshake.auth.get("name")
    if not isinstance(name, str) or not name:
        raise ConnectError("a name is needed", {"missing": "name"})
    socket.data["name"] = name


@io.on("connection")
def connected(socket: Socket) -> None:
    name = socket.data["name"]

    @socket.on("join")
    async def join(room: str, ack: Ack) -> None:
        socket.join(room)
        ack(sorted(member.data["name"] for member in await io.in_(room).fetch_sockets()))

    @socket.on("say")
    def say(room: str, text: str) -> None:
        if room in socket.rooms:
            socket.to(room).emit("said", name, text)

    @socket.on("disconnecting")
    def disconnecting(reason: str) -> None:
        # The rooms are still there.
        socket.to(socket.rooms).emit("left", name)


io.start()
print(f"listening on port {io.port}", flush=True)
io.run()

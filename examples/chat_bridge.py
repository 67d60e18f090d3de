"""
One chat for clients of Socket.IO and of raw WebSocket, on one port.

    python chat_bridge.py [port]

Socket.IO: emit ``join`` (room, name) and then ``say`` (text), and listen to ``said`` (name, text).
Raw: connect to ``/ROOM?name=NAME`` and send text; what others say comes as ``NAME: text``.
"""

import sys

import cooee

server = cooee.Server(port=int(sys.argv[1]) if len(sys.argv) > 1 else 6080)
io = cooee.socketio.Server()
io.attach(server)


def line(event: str, name: str, text: str) -> str:
    """What a raw client gets of an event: called once, however many there are."""
    return f"{name}: {text}"


@io.on("connection")
def joined(socket: cooee.socketio.Socket) -> None:
    @socket.on("join")
    def join(room: str, name: str) -> None:
        socket.join(room)
        socket.data.update(room=room, name=name)
        socket.to(room).emit("said", name, "hello")

    @socket.on("say")
    def say(text: str) -> None:
        if "room" in socket.data:
            socket.to(socket.data["room"]).emit("said", socket.data["name"], text)


@server.on("connection")
def connected(session: cooee.Session, request: cooee.Request) -> None:
    room = request.path.strip("/")
    name = request.query.get("name", "somebody")
    member = io.admit(session, message=line)
    member.join(room)
    member.to(room).emit("said", name, "hello")

    @session.on("message")
    def message(text: str | bytes) -> None:
        if isinstance(text, str):
            member.to(room).emit("said", name, text)


@server.on("listening")
def listening() -> None:
    print(f"listening on port {server.port}", flush=True)


server.run()

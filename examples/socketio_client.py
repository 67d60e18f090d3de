"""
A Socket.IO client in asyncio: it goes into a room of socketio_server.py, and says hello.

    python socketio_client.py [url] [name]
"""

import asyncio
import sys

import cooee


async def main(url: str, name: str) -> None:
    async with cooee.socketio.connect(url, auth={"name": name}) as socket:

        @socket.on("said")
        def said(who: str, text: str) -> None:
            print(f"{who}: {text}")

        names = await socket.emit_with_ack("join", "tea", timeout=5)
        print("in the room:", ", ".join(names))
        await socket.emit("say", "tea", "hello")


url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:6081"
asyncio.run(main(url, sys.argv[2] if len(sys.argv) > 2 else "Bob"))

"""Foreign echo servers, each a program: Node with ws, Bun, websockets, aiohttp."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests import peers

# All of them echo; choose the subprotocol "chat"; offer compression, of which nothing may come;
# and at the messages "close" and "terminate" do so.
WS = """
const { WebSocketServer } = require(%s);
const server = new WebSocketServer({
  port: 0, host: "127.0.0.1", maxPayload: 0, perMessageDeflate: true,
  handleProtocols: (offered) => offered.has("chat") ? "chat" : false,
});
server.on("listening", () => console.log(server.address().port));
server.on("connection", (ws) => {
  ws.on("message", (data, isBinary) => {
    if (String(data) === "close") ws.close(4001, "as you wish");
    else if (String(data) === "terminate") ws.terminate();
    else ws.send(data, { binary: isBinary });
  });
});
"""

BUN = """
const server = Bun.serve({
  port: 0, hostname: "127.0.0.1",
  fetch(request, server) {
    const offered = request.headers.get("sec-websocket-protocol") || "";
    const headers = offered.includes("chat") ? { "Sec-WebSocket-Protocol": "chat" } : {};
    if (!server.upgrade(request, { headers })) return new Response("no", { status: 400 });
  },
  websocket: {
    perMessageDeflate: true,
    message(ws, data) {
      if (data === "close") ws.close(4001, "as you wish");
      else if (data === "terminate") ws.terminate();
      else ws.send(data);
    },
  },
});
console.log(server.port);
"""

WEBSOCKETS = """
import asyncio, websockets

async def echo(ws):
    async for message in ws:
        if message == "close":
            await ws.close(4001, "as you wish")
        elif message == "terminate":
            ws.transport.abort()
        else:
            await ws.send(message)

def select(connection, offered):
    return "chat" if "chat" in offered else None

async def main():
    async with websockets.serve(
        echo, "127.0.0.1", 0, select_subprotocol=select, max_size=None
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

asyncio.run(main())
"""

AIOHTTP = """
import asyncio
from aiohttp import WSMsgType, web

async def echo(request):
    ws = web.WebSocketResponse(protocols=["chat"], compress=True, max_msg_size=0)
    await ws.prepare(request)
    async for message in ws:
        if message.data == "close":
            await ws.close(code=4001, message=b"as you wish")
        elif message.data == "terminate":
            request.transport.abort()
        elif message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    return ws

async def main():
    app = web.Application()
    app.router.add_get("/ws", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

NAMES = ["ws", "bun", "websockets", "aiohttp"]


def command(name: str) -> list[str]:
    """How a server is started; skips the test where it is not there."""
    if name == "ws":
        return [peers.node(), "-e", WS % json.dumps(str(peers.npm_package("ws")))]
    if name == "bun":
        return [peers.bun(), "-e", BUN]
    return [sys.executable, "-c", {"websockets": WEBSOCKETS, "aiohttp": AIOHTTP}[name]]


@contextmanager
def serving(name: str) -> Iterator[str]:
    """Run a server; gives its URL."""
    process = subprocess.Popen(
        command(name), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}/ws"
    finally:
        process.kill()
        process.communicate()

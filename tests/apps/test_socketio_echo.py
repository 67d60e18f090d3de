"""The Socket.IO echo server, as its JavaScript clients of three generations see it."""

import json
import sys

import pytest
from tests.cli.processes import Program, run
from tests.peers import npm_package
from websockets.sync.client import connect

SERVER = """
from cooee.apps.socketio_echo import SocketIOEchoServer
server = SocketIOEchoServer("127.0.0.1", 0, verbose=True).start()
print(server.describe(), flush=True)
server.run()
"""

# Emits your_echo with text, JSON and binary, and prints what came back and what was acknowledged.
CLIENT = """
const [name, url, transport] = process.argv.slice(2);
const module_ = require(name);
const socket = (module_.io || module_)(url, transport === "any" ? {} : {transports: [transport]});
const came = {};
const finish = () => {
    if (came.event && came.ack) {
        console.log(JSON.stringify(came));
        socket.close();
    }
};
socket.on("connect", () => socket.emit(
    "your_echo",
    "HelloWorld \\u00e9\\ud83d\\ude00", {a: [1, 2.5, null, true]}, Buffer.from([0, 1, 255]),
    (...args) => { came.ack = args; finish(); }
));
socket.on("your_echo", (...args) => { came.event = args; finish(); });
socket.on("connect_error", (error) => { console.error(String(error)); process.exit(1); });
"""

ECHOED = ["HelloWorld é😀", {"a": [1, 2.5, None, True]}, {"type": "Buffer", "data": [0, 1, 255]}]


@pytest.mark.parametrize("transport", ["any", "polling", "websocket"])
@pytest.mark.parametrize(
    "package", ["socket.io-client-2", "socket.io-client-3", "socket.io-client"]
)
def test_clients_of_all_generations(node: str, package: str, transport: str) -> None:
    path = npm_package(package)
    with Program(sys.executable, "-c", SERVER) as program:
        port = program.wait_for(r"Socket\.IO echo of your_echo on http://127\.0\.0\.1:(\d+)$")[1]
        done = run(node, "-e", CLIENT, "-", str(path), f"http://127.0.0.1:{port}", transport)
        assert done.returncode == 0, done.stderr
        came = json.loads(done.stdout)
        assert came == {"event": ECHOED, "ack": ECHOED}
        program.wait_for("^connect called$")
        program.wait_for("^your_echo HelloWorld é😀 ")
        program.wait_for("^disconnect$")
        assert program.end() == 0


def test_raw_messages_too() -> None:
    with Program(sys.executable, "-c", SERVER) as program:
        port = program.wait_for(r"your_echo on http://127\.0\.0\.1:(\d+)$")[1]
        with connect(f"ws://127.0.0.1:{port}/ws") as peer:
            peer.send("HelloWorld")
            assert peer.recv() == "HelloWorld"
            peer.send(b"\x00\xff")
            assert peer.recv() == b"\x00\xff"
        program.wait_for("^###### HelloWorld$")
        assert program.end() == 0

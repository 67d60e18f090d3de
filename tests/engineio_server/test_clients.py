"""The published JavaScript clients, over each transport and the change between them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import peers
from tests.drivers import PATIENCE
from tests.engineio_server.serving import PATIENT, Echo, Serving

from cooee.engineio import Socket

SCRIPT = Path(__file__).with_name("client.cjs")

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Start = Callable[..., Serving]


class Greeter(Echo):
    """Greets, echoes, and closes when it is told so."""

    def message_received(self, data: str | bytes) -> None:
        if data == "end":
            self.socket.close()
        else:
            self.socket.send(data)


def run(server: Serving, node: str, package: str, transports: str, end: str) -> dict[str, Any]:
    """What a client saw."""
    folder = peers.npm_package(package)
    result = subprocess.run(
        [node, str(SCRIPT), str(folder), f"ws://127.0.0.1:{server.address[1]}", transports, end],
        capture_output=True,
        timeout=PATIENCE,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    seen: dict[str, Any] = json.loads(result.stdout)
    return seen


def greet(server: Serving, socket: Socket) -> None:
    """As ``Serving.connected``."""
    socket.receiver = Greeter(socket, server.ends)
    socket.send("hi")


@pytest.mark.parametrize("end", ["close", "wait"])
@pytest.mark.parametrize("transports", ["polling", "websocket", "polling,websocket"])
@pytest.mark.parametrize("package", ["engine.io-client", "engine.io-client-3"])
def test_client(serving: Start, node: str, package: str, transports: str, end: str) -> None:
    server = serving(allow_eio3=True)
    server.engine.on("connection", lambda socket: greet(server, socket))
    seen = run(server, node, package, transports, end)
    assert seen["greeted"]
    assert seen["order"]
    assert (seen["texts"], seen["bytes"]) == (180, 20)
    assert seen["transports"] == transports.split(",")
    assert "error" not in seen
    assert seen["reason"] == ("forced close" if end == "close" else "transport close")
    ended = server.ends.take()
    assert ended.reason == ("transport close" if end == "close" else "forced close")
    assert server.is_gone(seen["id"])


@pytest.mark.parametrize("transports", ["polling", "websocket"])
@pytest.mark.parametrize("package", ["engine.io-client", "engine.io-client-3"])
def test_heartbeats_keep_it(serving: Start, node: str, package: str, transports: str) -> None:
    """The client answers pings, or sends them."""
    server = serving(allow_eio3=True, **PATIENT)
    folder = peers.npm_package(package)
    script = (
        f"const engine = require({json.dumps(str(folder))});"
        "const Socket = engine.Socket || engine;"
        f"const socket = new Socket('ws://127.0.0.1:{server.address[1]}',"
        f"{{transports: ['{transports}']}});"
        "let pings = 0;"
        "const beat = () => { pings += 1; if (pings === 3) socket.close(); };"
        "socket.on(engine.protocol === 3 || socket.ping ? 'pong' : 'ping', beat);"
        "socket.on('close', (reason) => {"
        " console.log(JSON.stringify({pings, reason})); });"
    )
    result = subprocess.run([node, "-e", script], capture_output=True, timeout=PATIENCE, text=True)
    assert json.loads(result.stdout) == {"pings": 3, "reason": "forced close"}, result.stderr
    assert server.ends.take().reason == "transport close"

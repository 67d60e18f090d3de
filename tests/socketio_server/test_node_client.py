"""
The published JavaScript clients, over real sockets.

One table: the scenarios of `client.mjs`, by client and transport.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.drivers import Driver
from tests.peers import npm_package
from tests.socketio_server.app import prepare

from cooee.socketio import Server, msgpack_parser

SCRIPT = Path(__file__).with_name("client.mjs")
MSGPACK = "socket.io-msgpack-parser"

CLIENTS = {
    "4": ("socket.io-client", None),
    "4 msgpack": ("socket.io-client", MSGPACK),
    "3": ("socket.io-client-3", None),
    "3 msgpack": ("socket.io-client-3", MSGPACK),
    "2": ("socket.io-client-2", None),
}

# What a client has not got; the rest it must do.
WITHOUT = {
    "4": set[str](),
    "3": {"acknowledgements with a time limit", "recovery"},
    "2": {"acknowledgements with a time limit", "recovery"},
    "polling": {"events while the transport changes"},
    "websocket": {"events while the transport changes"},
    "upgrade": set[str](),
}

PAIRS = [*[("asyncio", client) for client in CLIENTS], ("own", "4"), ("polling", "2")]


@pytest.mark.parametrize(("driver", "client"), PAIRS, indirect=["driver"])
@pytest.mark.parametrize("mode", ["websocket", "polling", "upgrade"])
def test_scenarios(driver: Driver, node: str, client: str, mode: str) -> None:
    package, parser = CLIENTS[client]

    def start() -> Server:
        io = Server(
            port=0,
            host="127.0.0.1",
            allow_eio3=True,
            connection_state_recovery=True,
            **({"parser": msgpack_parser} if parser else {}),
        )
        return prepare(io).start()

    names = [str(npm_package(package))]
    parsers = [str(npm_package(parser))] if parser else []
    io = driver.call(start)
    try:
        result = subprocess.run(
            [node, str(SCRIPT), *names, str(io.port), mode, *parsers],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    finally:
        driver.call(io.close)
        driver.until(lambda: io.close().done)
    assert result.returncode == 0, result.stdout + result.stderr
    outcomes = json.loads(result.stdout)
    left_out = {name for name, outcome in outcomes.items() if outcome == "n/a"}
    assert left_out == WITHOUT[client[0]] | WITHOUT[mode]
    failures = {name: outcome for name, outcome in outcomes.items() if outcome not in (None, "n/a")}
    assert not failures, "\n".join(f"{name}: {outcome}" for name, outcome in failures.items())

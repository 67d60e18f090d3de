"""The published JavaScript client, over real sockets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.drivers import Driver
from tests.peers import npm_package
from tests.socketio_server.app import prepare

from cooee.socketio import Server

SCRIPT = Path(__file__).with_name("client.mjs")


@pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)
@pytest.mark.parametrize("mode", ["websocket", "polling", "upgrade"])
def test_scenarios(driver: Driver, node: str, mode: str) -> None:
    npm_package("socket.io-client")

    def start() -> Server:
        io = prepare(Server(port=0, host="127.0.0.1", connection_state_recovery=True))
        return io.start()

    io = driver.call(start)
    try:
        result = subprocess.run(
            [node, str(SCRIPT), str(io.port), mode],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    finally:
        driver.call(io.close)
        driver.until(lambda: io.close().done)
    assert result.returncode == 0, result.stdout + result.stderr

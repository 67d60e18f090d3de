"""A short soak run, with clients of every kind: `make soak` is a long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.peers import npm_package

RUN = Path(__file__).with_name("run.py")

pytestmark = [
    pytest.mark.once,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc"),
]


def test_nothing_is_lost_or_left_behind(node: str) -> None:
    npm_package("socket.io-client")
    pytest.importorskip("socketio")
    result = subprocess.run(
        [sys.executable, str(RUN), "--seconds", "5"], capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SKIPPED" not in result.stdout
    for kind in ("cooee", "python-socketio", "raw", "engine.io-client", "socket.io-client 2"):
        assert kind in result.stdout

"""What the benchmark's tests share: how to run it, and a server that runs a function per client."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
COMPILER = os.environ.get("CC", "cc")
LOAD = BENCH / "build" / "load"

MARKS = [
    pytest.mark.once,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll and /proc"),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler"),
]


def measure(output: Path, servers: str, *arguments: str) -> dict[str, Any]:
    """Run the benchmark for a moment against one or more servers; its results."""
    result = subprocess.run(
        [
            *(sys.executable, str(BENCH / "run.py"), "--servers", servers),
            *("--output", str(output), "--rounds", "1", "--seconds", "0.5", "--warmup", "0.1"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    document: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return document


def generate(port: int, *arguments: str) -> dict[str, Any]:
    """What the load generator reports after a moment."""
    result = subprocess.run(
        [LOAD, "--port", str(port), "--seconds", "0.5", "--warmup", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
    )
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None], connections: int = 1) -> Iterator[int]:
    """Run ``serve(connection)`` in a thread for each of so many connections; yields the port."""

    def one() -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=one) for _ in range(connections)]
        for thread in threads:
            thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            for thread in threads:
                thread.join()


def accept_websocket(connection: socket.socket) -> None:
    """Read a handshake and answer it; the generator's key is the one of RFC 6455 §1.3."""
    while not connection.recv(4096).endswith(b"\r\n\r\n"):
        pass
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


def receive_frame(connection: socket.socket) -> bytes:
    """The payload of a masked frame of at most 125 bytes; b"" at the end of the stream."""
    header = connection.recv(6, socket.MSG_WAITALL)
    if len(header) < 6:
        return b""
    masked = connection.recv(header[1] & 127, socket.MSG_WAITALL)
    return bytes(byte ^ header[2 + i % 4] for i, byte in enumerate(masked))

"""The benchmark builds, measures its own C server, and does not overlook a server's mistakes."""

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

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll and /proc"),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler"),
]


def measure(output: Path, *arguments: str) -> dict[str, Any]:
    """Run the benchmark for a moment, against the C echo alone; its results."""
    result = subprocess.run(
        [
            *(sys.executable, str(BENCH / "run.py"), "--servers", "c-echo"),
            *("--output", str(output), "--rounds", "1", "--seconds", "0.05", "--warmup", "0.02"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    document: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize(
    "workload", ["echo-64x16-64-binary", "echo-16x4-16384-text", "latency", "growth-100"]
)
def test_measures_the_c_echo(workload: str, tmp_path: Path) -> None:
    document = measure(tmp_path, "--only", workload)

    assert document["failures"] == []
    assert workload in {result["workload"] for result in document["results"]}
    for result in document["results"]:
        assert result["peer"] == "c-echo"
        assert result["rate"] > 0
        assert result["cpu_us"] >= 0
    assert "bare C epoll echo" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load generator, compiled by the runner."""
    measure(tmp_path_factory.mktemp("results"), "--only", "latency")
    return BENCH / "build" / "load"


Reply = Callable[[bytes], list[bytes]]


@contextlib.contextmanager
def serving(reply: Reply) -> Iterator[int]:
    """
    A server for one connection whose requests are 16 bytes, masked; yields its port.

    `reply` gets the unmasked payload and returns what to send, piece by piece.
    """

    def serve() -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not connection.recv(4096).endswith(b"\r\n\r\n"):
                pass
            # The generator's key is the one of RFC 6455 §1.3.
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            while len(frame := connection.recv(22, socket.MSG_WAITALL)) == 22:
                masking_key, masked = frame[2:6], frame[6:]
                payload = bytes(byte ^ masking_key[i % 4] for i, byte in enumerate(masked))
                for piece in reply(payload):
                    connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def exchange(load: Path, reply: Reply) -> dict[str, Any]:
    """What the generator reports of one connection to such a server."""
    with serving(reply) as port:
        result = subprocess.run(
            [load, "--port", str(port), "--size", "16", "--seconds", "0.05", "--warmup", "0"],
            capture_output=True,
            text=True,
            timeout=50,
        )
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_accepts_replies_in_pieces(load: Path) -> None:
    report = exchange(load, lambda payload: [b"\x82", b"\x10" + payload[:3], payload[3:]])

    assert report["messages"] > 0


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda payload: [b"\x82\x10" + payload[:-1] + b"?"], id="last byte"),
        pytest.param(lambda payload: [b"\x82\x10" + bytes(16)], id="payload"),
        pytest.param(lambda payload: [b"\x81\x10" + payload], id="opcode"),
        pytest.param(lambda payload: [b"\x82\x0f" + payload[:15]], id="length"),
        pytest.param(lambda payload: [b"\x82\x10" + payload] * 2, id="twice"),
    ],
)
def test_reports_a_wrong_reply(load: Path, reply: Reply) -> None:
    assert "differs" in exchange(load, reply)["error"]


def test_reports_a_connection_that_ends(load: Path) -> None:
    def close(payload: bytes) -> list[bytes]:
        raise ConnectionAbortedError

    assert "closed by the server" in exchange(load, close)["error"]

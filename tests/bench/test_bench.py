"""The benchmark builds, measures its own C server, and does not overlook a server's mistakes."""

import importlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bench.running import (
    BENCH,
    MARKS,
    accept_websocket,
    generate,
    measure,
    receive_frame,
    serving,
)

pytestmark = MARKS


@pytest.mark.parametrize(
    "workload", ["echo-64x16-64-binary", "echo-16x4-16384-text", "latency", "growth-100"]
)
def test_measures_the_c_echo(workload: str, tmp_path: Path) -> None:
    document = measure(tmp_path, "c-echo", "--only", workload)

    assert document["failures"] == []
    assert workload in {result["workload"] for result in document["results"]}
    for result in document["results"]:
        assert result["peer"] == "c-echo"
        assert result["rate"] > 0
        assert result["cpu_us"] >= 0
    assert "bare C epoll echo" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


Reply = Callable[[bytes], list[bytes]]


def exchange(reply: Reply) -> dict[str, Any]:
    """
    What the generator reports of a server that sends the pieces that `reply` returns.

    `reply` gets the unmasked payload of each request, 16 bytes.
    """

    def serve(connection: socket.socket) -> None:
        accept_websocket(connection)
        while payload := receive_frame(connection):
            for piece in reply(payload):
                connection.sendall(piece)

    with serving(serve) as port:
        return generate(port, "--size", "16")


@pytest.mark.usefixtures("load")
def test_accepts_replies_in_pieces() -> None:
    report = exchange(lambda payload: [b"\x82", b"\x10" + payload[:3], payload[3:]])

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
@pytest.mark.usefixtures("load")
def test_reports_a_wrong_reply(reply: Reply) -> None:
    assert "differs" in exchange(reply)["error"]


@pytest.mark.usefixtures("load")
def test_reports_a_connection_that_ends() -> None:
    def close(payload: bytes) -> list[bytes]:
        raise ConnectionAbortedError

    assert "closed by the server" in exchange(close)["error"]


def test_says_in_the_table_which_measurements_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    report = importlib.import_module("harness.report")
    (workload,) = (
        workload
        for workload in importlib.import_module("harness.workloads").workloads()
        if workload.key == "socketio-broadcast-1"
    )
    run = report.Run("today", {}, {}, {}, missing={}, workloads=[workload])
    figures = dict.fromkeys(("cpu_us", "rate", "p50_us", "p99_us", "load_cpu_us"), 2.0)
    run.measurements.add(workload.key, "cooee", 1, figures | {"others": 0.0, "stolen": 0.0})
    run.failures.append(report.Failure(workload.key, "node-socketio", 1, 2, "no rooms"))

    text = report.markdown(run, [])

    assert "| cooee, own loop | 2.00 | 0.00 | 2.00 | 2.00 | 2.00 | 1.00 |" in text
    assert "| socket.io, Node | failed |  |  |  |  |  |" in text
    assert "socketio-broadcast-1, round 1, attempt 2: no rooms" in text

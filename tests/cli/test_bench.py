"""``cooee bench``: numbers for people and for programs."""

import json
import signal
import threading

import pytest
from tests.cli.processes import COOEE, Program, run
from tests.cli.servers import echo, serving, swallow
from websockets.sync.server import ServerConnection

STARTED = r"WebSocket echo on (ws://\S+)"


def test_measures_the_echo_server() -> None:
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as server:
        url = server.wait_for(STARTED)[1] + "/ws"
        done = run(
            *COOEE, "bench", url, "--connections", "8", "--in-flight", "4", "--size", "1K",
            "--text", "--duration", "1", "--json",
        )  # fmt: skip
        assert server.end() == 0
    assert done.stderr == ""
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["plan"] == {
        "url": url,
        "connections": 8,
        "in_flight": 4,
        "size": 1024,
        "text": True,
        "duration": 1.0,
    }
    assert report["seconds"] >= 1
    assert report["messages"] > 0
    assert report["rate"] == pytest.approx(report["messages"] / report["seconds"], rel=0.01)
    assert report["errors"] == {}
    latency = report["latency"]
    assert list(latency) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"]
    assert 0 < latency["min"] <= latency["p50"] <= latency["p99.9"] <= latency["max"] < 60e6


def test_reports_for_people() -> None:
    with serving(echo) as url:
        done = run(*COOEE, "bench", url, "-c", "2", "-d", "0.1")
    assert done.returncode == 0
    assert done.stderr == ""
    title, *lines = done.stdout.splitlines()
    assert title == f"{url}: 2 connections, 1 in flight, 64 bytes, binary"
    assert [line.split("  ")[0] for line in lines] == [
        "messages",
        "rate",
        *(f"latency {name}" for name in ("min", "mean", "p50", "p90", "p99", "p99.9", "max")),
    ]
    assert lines[-1].endswith(" µs")


def test_fails_when_messages_come_back_changed() -> None:
    def change(peer: ServerConnection) -> None:
        for message in peer:
            peer.send(message[::-1])

    with serving(change) as url:
        done = run(*COOEE, "bench", url, "-c", "2", "-d", "0.1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"] == {
        "a message came back changed, twice or out of order": 2
    }


def test_ctrl_c_ends_it_early_with_a_report() -> None:
    sent = threading.Event()

    def hear(peer: ServerConnection) -> None:
        peer.recv()
        sent.set()
        swallow(peer)

    with serving(hear) as url:
        with Program(*COOEE, "bench", url, "-c", "1", "-d", "1000", "--json") as program:
            sent.wait()
            assert program.end(signal.SIGINT) == 0
            report = json.loads(program.rest())
    assert report["seconds"] < 1000
    assert report["messages"] == 0
    assert report["latency"] == {}


def test_fails_when_nobody_listens() -> None:
    done = run(*COOEE, "bench", "ws://127.0.0.1:1/ws", "-c", "1000")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "cannot connect to ws://127.0.0.1:1/ws" in done.stderr
    assert "Traceback" not in done.stderr

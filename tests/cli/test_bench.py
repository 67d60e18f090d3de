"""``cooee bench``: numbers for people and for programs."""

import json
import signal
import socket
import threading

import pytest
from tests.cli.processes import COOEE, Program, run
from tests.cli.servers import echo, serving, swallow
from tests.cli.socketio_servers import service
from tests.socketio_client.serving import FOREIGN
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
        done = run(*COOEE, "bench", url, "-c", "2", "-d", "1")
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
        done = run(*COOEE, "bench", url, "-c", "2", "-d", "1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"] == {
        "a message came back changed, twice or out of order": 2
    }


def test_fails_when_nothing_comes_back() -> None:
    with serving(swallow) as url:
        done = run(*COOEE, "bench", url, "-c", "2", "-d", "0.1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"] == {"no message came back": 2}


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


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_ctrl_c_gives_connecting_up(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/"
        with Program(*COOEE, "bench", url, "-d", "1000", "--json") as program:
            peer, _ = silent.accept()
            with peer:
                assert program.end(signal.SIGINT) == 0
            report = json.loads(program.rest())
    assert report["messages"] == 0
    assert report["errors"] == {}


def test_fails_when_nobody_listens() -> None:
    done = run(*COOEE, "bench", "ws://127.0.0.1:1/ws", "-c", "1000")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "cannot connect to ws://127.0.0.1:1/ws" in done.stderr
    assert "Traceback" not in done.stderr


# Socket.IO


@pytest.mark.parametrize(
    "arguments",
    [[], ["--ack"], ["--binary"], ["-t", "polling"], ["-t", "polling", "-t", "websocket"]],
)
def test_measures_the_socketio_echo_server(arguments: list[str]) -> None:
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as server:
        url = server.wait_for(r"Socket\.IO echo of your_echo on (http://\S+)")[1]
        done = run(
            *COOEE, "bench", "--socketio", url, "-c", "4", "-n", "3", "-d", "1", "--json",
            *arguments,
        )  # fmt: skip
        assert server.end() == 0
    assert done.stderr == ""
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["plan"] == {
        "url": url,
        "connections": 4,
        "in_flight": 3,
        "size": 64,
        "text": "--binary" not in arguments,
        "duration": 1.0,
        "event": "your_echo",
        "ack": "--ack" in arguments,
        "transports": arguments[1::2] if "-t" in arguments else ["websocket"],
        "path": "/socket.io/",
        "namespace": None,
    }
    assert report["messages"] > 0
    assert report["errors"] == {}
    assert 0 < report["latency"]["min"] <= report["latency"]["max"] < 60e6


@pytest.mark.parametrize("name", ["ours", *FOREIGN])
def test_reports_on_other_events_and_namespaces(name: str) -> None:
    with service() if name == "ours" else FOREIGN[name]() as server:
        done = run(*COOEE, "bench", f"{server.url}/other", "-e", "echo", "-c", "2", "-d", "1")
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == (
        f"{server.url}/other: 2 connections, 1 in flight, 64 bytes, text, echo echoed by websocket"
    )


def test_measures_acknowledgements_of_foreign_servers(node: str) -> None:
    with FOREIGN["node"]() as server:
        done = run(
            *COOEE, "bench", server.url, "-e", "answer", "--ack", "-c", "2", "-d", "1", "--json"
        )
    assert done.returncode == 0
    assert json.loads(done.stdout)["messages"] > 0


def test_gets_in_with_auth() -> None:
    with service() as server:
        url = f"{server.url}/closed"
        refused = run(*COOEE, "bench", url, "-e", "echo")
        done = run(
            *COOEE, "bench", url, "-e", "echo", "-c", "2", "-d", "1", "--json",
            "--auth", '{"token": "open sesame"}',
        )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr == (f'cooee: {url} refuses: not for you {{"because":"token"}}\n')
    assert done.returncode == 0
    assert "open sesame" not in done.stdout


@pytest.mark.once
@pytest.mark.parametrize("arguments", [["--ack"], ["--event", "a"], ["-t", "polling"]])
def test_refuses_what_is_for_socketio(arguments: list[str]) -> None:
    done = run(*COOEE, "bench", "ws://127.0.0.1:1/", *arguments)
    assert done.returncode == 2
    assert "--socketio" in done.stderr

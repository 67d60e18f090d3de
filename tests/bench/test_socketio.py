"""The benchmark's Socket.IO half: it measures, and does not overlook a server's mistakes."""

import json
import socket
import subprocess
import threading
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

pytestmark = [*MARKS, pytest.mark.usefixtures("load")]


@pytest.mark.parametrize(
    "workload",
    [
        "socketio-64x16-64",
        "socketio-coroutine-64x16-64",
        "socketio-ack-64x16-64",
        "socketio-binary-16x4-16384",
        "socketio-json-16x4-18432",
        "socketio-polling-64x16-64",
        "socketio-broadcast-16",
    ],
)
def test_measures_a_server(workload: str, tmp_path: Path) -> None:
    document = measure(tmp_path, "cooee", "--only", workload)

    assert document["failures"] == []
    (result,) = document["results"]
    assert (result["workload"], result["peer"]) == (workload, "cooee")
    assert result["rate"] > 0
    assert result["cpu_us"] > 0
    assert "cooee, own loop" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [1024, 18432])
def test_documents_read_and_written_by_javascript_are_the_same(size: int, node: str) -> None:
    path = BENCH / "build" / f"document-{size}.json"
    script = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0))))"
    written = subprocess.run(
        [node, "-e", script], input=path.read_bytes(), capture_output=True, timeout=50, check=True
    ).stdout

    assert len(written) == size
    assert written == path.read_bytes()


# --- mistakes over WebSocket ----------------------------------------------------------------------

Answer = Callable[[list[bytes]], list[tuple[int, bytes]]]


def exchange(answer: Answer, *arguments: str, frames: int = 1) -> dict[str, Any]:
    """
    What the generator reports of a server that sends the frames that `answer` returns.

    `answer` gets the payloads of an event, of so many frames; it returns opcodes and payloads.
    """

    def send(connection: socket.socket, opcode: int, payload: bytes) -> None:
        connection.sendall(bytes([0x80 | opcode, len(payload)]) + payload)

    def serve(connection: socket.socket) -> None:
        accept_websocket(connection)
        send(connection, 1, b'0{"sid":"a"}')
        assert receive_frame(connection) == b"40"
        send(connection, 1, b'40{"sid":"b"}')
        while all(event := [receive_frame(connection) for _ in range(frames)]):
            for opcode, payload in answer(event):
                send(connection, opcode, payload)

    with serving(serve) as port:
        return generate(port, "--size", "16", "--socketio", "e", *arguments)


def acknowledge(event: list[bytes]) -> bytes:
    """``42<id>["e",<argument>]`` as ``43<id>[<argument>]``."""
    return b"43" + event[0][2:].replace(b'["e",', b"[")


def test_an_acknowledgement_has_the_id_of_its_event() -> None:
    events: list[bytes] = []

    def answer(event: list[bytes]) -> list[tuple[int, bytes]]:
        events.append(event[0])
        return [(1, acknowledge(event))]

    assert exchange(answer, "--ack")["messages"] > 0
    ids = [int(event[2 : event.index(b"[")]) for event in events]
    assert len(set(ids)) == len(ids)
    for event, number in zip(events, ids, strict=True):
        name, argument = json.loads(event[event.index(b"[") :])
        assert name == "e"
        assert len(argument) == 16
        assert argument.startswith(str(number))


def test_an_attachment_follows_its_event() -> None:
    report = exchange(lambda event: [(1, event[0]), (2, event[1])], "--attachment", frames=2)

    assert report["messages"] > 0


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        pytest.param(lambda event: [(1, event[0][:-3] + b'?"]')], [], id="argument"),
        pytest.param(lambda event: [(1, event[0].replace(b"e", b"E"))], [], id="event"),
        pytest.param(lambda event: [(2, event[0])], [], id="opcode"),
        pytest.param(lambda event: [(1, event[0])] * 2, [], id="twice"),
        pytest.param(lambda event: [(1, event[0])], ["--ack"], id="event, not acknowledgement"),
        pytest.param(
            lambda event: [(1, acknowledge(event).replace(b"43400", b"43401", 1))],
            ["--ack"],
            id="id",
        ),
        pytest.param(
            lambda event: [(1, event[0]), (2, b"?" + event[1][1:])], ["--attachment"], id="bytes"
        ),
        pytest.param(
            lambda event: [(2, event[1]), (1, event[0])], ["--attachment"], id="attachment first"
        ),
    ],
)
def test_reports_a_wrong_event(answer: Answer, options: list[str]) -> None:
    report = exchange(answer, *options, frames=2 if "--attachment" in options else 1)

    assert "differs" in report["error"]


# --- polling --------------------------------------------------------------------------------------


def response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:]) if part)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


class PollingServer:
    """
    One session that echoes, over two connections: one polls, one posts, each has a thread.

    Args:
        respond: Makes a response of a body.
        wrong: What is done to the events on their way back.
    """

    def __init__(
        self,
        respond: Callable[[bytes], bytes] = response,
        wrong: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.respond = respond
        self.wrong = wrong
        self.queue: list[bytes] = [b'0{"sid":"a"}']
        self.poll: socket.socket | None = None
        self.lock = threading.Lock()

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as requests:
            while line := requests.readline():
                length = 0
                while (header := requests.readline().strip().lower()) != b"":
                    if header.startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                body = requests.read(length)
                with self.lock:
                    if line.startswith(b"GET"):
                        self.poll = connection
                    else:
                        self.got(body)
                        self.send(connection, b"ok")
                    self.release()

    def got(self, body: bytes) -> None:
        if body == b"40":
            self.queue.append(b'40{"sid":"b"}')
        else:
            self.queue += map(self.wrong, body.split(b"\x1e"))

    def release(self) -> None:
        if self.poll is not None and self.queue:
            poll, self.poll = self.poll, None
            body = b"\x1e".join(self.queue)
            self.queue.clear()
            self.send(poll, body)

    def send(self, connection: socket.socket, body: bytes) -> None:
        data = self.respond(body)
        for piece in (data[:9], data[9:-3], data[-3:]):
            connection.sendall(piece)


def poll(server: PollingServer, in_flight: int) -> dict[str, Any]:
    with serving(server.serve, connections=2) as port:
        return generate(
            port,
            *("--size", "16", "--socketio", "e", "--polling", "--in-flight", str(in_flight)),
        )


@pytest.mark.parametrize("in_flight", [1, 5])
@pytest.mark.parametrize("respond", [response, chunked])
def test_polls(respond: Callable[[bytes], bytes], in_flight: int) -> None:
    report = poll(PollingServer(respond), in_flight)

    assert report["messages"] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda event: event[:-3] + b'?"]', id="argument"),
        pytest.param(lambda event: event + b"\x1e" + event, id="twice"),
        pytest.param(lambda event: b"6", id="another packet"),
    ],
)
def test_reports_a_wrong_event_in_a_poll(wrong: Callable[[bytes], bytes]) -> None:
    assert "differs" in poll(PollingServer(wrong=wrong), 1)["error"]


def test_reports_a_refused_poll() -> None:
    report = poll(PollingServer(lambda body: response(body).replace(b"200", b"400")), 1)

    assert "HTTP/1.1 400" in report["error"]


def test_says_what_goes_together() -> None:
    result = subprocess.run(
        [BENCH / "build" / "load", "--port", "1", "--polling"], capture_output=True, timeout=50
    )

    assert result.returncode == 2
    assert b"--polling" in result.stderr

"""``cooee connect --socketio`` between pipes: lines in, events out, an exit code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import COOEE, Program, run
from tests.cli.socketio_servers import service, serving_socketio
from tests.cli.terminals import Terminal
from tests.socketio_client.serving import FOREIGN, Service, node_server

from cooee.socketio import Server, Socket

CLOSED = "closed: io client disconnect"
# What is typed to the echo of the tests' application, and what is written. The last line is
# acknowledged after all the others have come back, and /close waits for that.
LINES = r"""HelloWorld
{"a": [1, 2.5, null, true]}
"123"
123
/hex 00 ff
//slash

/emit echo 1 "zwei \u4e16" {"nested": [0x0001, {"b": 0x}]} [] 0xff
/ack answer "done" 0x00
/close
not sent
"""
WRITTEN = """/emit echo "HelloWorld"
/emit echo {"a":[1,2.5,null,true]}
/emit echo "123"
/emit echo 123
/emit echo 0x00ff
/emit echo "/slash"
/emit echo ""
/emit echo 1 "zwei 世" {"nested":[0x0001,{"b":0x}]} [] 0xff
/reply "done" 0x00
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """Our server."""
    with service() as one:
        yield one


def remarks(text: str, what: str = "namespace /, ") -> list[str]:
    """The lines on standard error but for the first, which says what it is connected to."""
    first, *rest = text.splitlines()
    assert first.startswith("connected to http://127.0.0.1:")
    assert what in first
    return rest


@pytest.mark.parametrize(
    "transports", [[], ["-t", "polling"], ["-t", "websocket"], ["-t", "websocket", "-t", "polling"]]
)
def test_emits_lines_and_shows_events(server: Service, transports: list[str]) -> None:
    done = run(*COOEE, "connect", server.url, "-e", "echo", *transports, input=LINES)
    assert done.stdout == WRITTEN
    acknowledged, closed = remarks(done.stderr, f"by {transports[1] if transports else 'polling'}")
    assert acknowledged.startswith("answer acknowledged after ")
    assert acknowledged.endswith(" ms")
    assert closed == CLOSED
    assert done.returncode == 0


@pytest.mark.parametrize("name", FOREIGN)
def test_talks_to_foreign_servers(name: str) -> None:
    with FOREIGN[name]() as server:
        done = run(*COOEE, "connect", server.url, "--event", "echo", input=LINES)
    written = done.stdout
    if name != "python":
        # They recover connections: each event ends with the offset to begin again from.
        written = re.sub(r'^(/emit .*) "[\w.-]+"$', r"\1", written, flags=re.MULTILINE)
    assert written == WRITTEN
    assert done.returncode == 0


def test_what_it_writes_it_reads(server: Service) -> None:
    once = run(*COOEE, "connect", server.url, "-e", "echo", input=LINES)
    again = once.stdout.replace("/reply", "/ack answer") + "/close"
    done = run(*COOEE, "connect", server.url, input=again)
    assert done.stdout == once.stdout


def test_knows_the_echo_server() -> None:
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as program:
        url = program.wait_for(r"Socket\.IO echo of your_echo on (http://\S+)")[1]
        done = run(
            *COOEE, "connect", "--socketio", url, "-e", "your_echo",
            input="HelloWorld\n/ack your_echo 1\n/close\n",
        )  # fmt: skip
        assert program.end() == 0
    assert done.stdout == ('/emit your_echo "HelloWorld"\n/emit your_echo 1\n/reply 1\n')
    assert done.returncode == 0


@pytest.mark.parametrize(("transport", "code"), [("websocket", 109), ("polling", 106)])
def test_says_why_the_server_hangs_up(server: Service, transport: str, code: int) -> None:
    # More than the server takes, and than leaves at once.
    line = "x" * 12_000_000
    done = run(*COOEE, "connect", server.url, "-e", "echo", "-t", transport, input=f"{line}\n")
    (closed,) = remarks(done.stderr)
    assert closed.startswith("closed: transport ")
    assert done.returncode == code


def test_waits_for_events_after_the_last_line(server: Service) -> None:
    # Nothing tells when the echo has come but its coming, which the time limit must outlast.
    done = run(*COOEE, "connect", server.url, "-e", "echo", "--wait", "5", input="/emit kick")
    assert remarks(done.stderr) == ["closed: io server disconnect"]
    assert done.returncode == 0


def test_sends_files(server: Service, tmp_path: Path) -> None:
    file = tmp_path / "a file.bin"
    file.write_bytes(bytes(range(256)) * 1000)
    lines = f"/file {file}\n/ack answer\n/close\n"
    done = run(*COOEE, "connect", server.url, "-e", "echo", input=lines)
    assert done.stdout == f"/emit echo 0x{file.read_bytes().hex()}\n/reply\n"
    assert done.returncode == 0


def test_sends_large_input_in_order(server: Service) -> None:
    lines = [f'"line {number} {"x" * (number % 3000)}"' for number in range(2000)]
    done = run(
        *COOEE, "connect", server.url, "-e", "echo", "--wait", "inf",
        input="\n".join([*lines, "/ack answer 1", "/close"]),
    )  # fmt: skip
    assert done.stdout.splitlines() == [*(f"/emit echo {line}" for line in lines), "/reply 1"]
    assert done.returncode == 0


def test_commands_are_arguments_when_raw(server: Service) -> None:
    # The server ends it: there is no command for that.
    def application(io: Server) -> None:
        @io.on("connection")
        def connected(socket: Socket) -> None:
            @socket.on("message")
            def message(text: str) -> None:
                socket.emit("heard", text)
                if text == "//":
                    socket.disconnect()

    with serving_socketio(application) as url:
        done = run(*COOEE, "connect", url, "--raw", "--wait", "inf", input="/close\n//\n")
    assert done.stdout == '/emit heard "/close"\n/emit heard "//"\n'
    assert done.returncode == 0


@pytest.mark.parametrize("given", ["option", "url"])
def test_joins_namespaces_with_auth(server: Service, given: str) -> None:
    where = [f"{server.url}/closed"] if given == "url" else [server.url, "--namespace", "/closed"]
    done = run(
        *COOEE, "connect", *where, "--auth", '{"token": "open sesame"}',
        input="/emit auth\n/ack answer\n/close\n",
    )  # fmt: skip
    assert done.stdout == '/emit auth {"token":"open sesame"}\n/reply\n'
    remarks(done.stderr, "namespace /closed, ")
    assert done.returncode == 0


def test_says_why_the_server_refuses(server: Service) -> None:
    done = run(*COOEE, "connect", f"{server.url}/closed")
    assert done.stdout == ""
    assert done.stderr == (
        f'cooee: {server.url}/closed refuses: not for you {{"because":"token"}}\n'
    )
    assert done.returncode == 1


def test_sends_header_fields_and_finds_the_path() -> None:
    seen: list[Any] = []

    def application(io: Server) -> None:
        @io.on("connection")
        def connected(socket: Socket) -> None:
            seen.append((dict(socket.handshake.headers), dict(socket.handshake.query)))
            socket.disconnect()

    with serving_socketio(application) as url:
        done = run(
            *COOEE, "connect", f"{url}/?token=a%20b", "-H", "X-One: 1", "--origin",
            "http://127.0.0.1", "--path", "/socket.io", "--wait", "inf",
        )  # fmt: skip
        lost = run(*COOEE, "connect", url, "--path", "/elsewhere/")
    assert done.returncode == 0
    ((headers, query),) = seen
    fields = {name.lower(): value for name, value in headers.items()}
    assert fields["x-one"] == "1"
    assert fields["origin"] == "http://127.0.0.1"
    assert query["token"] == "a b"
    assert lost.returncode == 1
    assert "polling: GET" in lost.stderr


def test_acknowledges_as_it_is_told(server: Service) -> None:
    done = run(
        *COOEE, "connect", server.url, "--reply", '"yes" 0x01',
        input="/emit ask 1 2\n/ack answer\n/close\n",
    )  # fmt: skip
    # The reply and what follows from it may come after the last acknowledgement.
    assert done.stdout.startswith("/ack question 1 2\n")
    assert done.returncode == 0


def test_the_server_gets_the_reply() -> None:
    def application(io: Server) -> None:
        @io.on("connection")
        def connected(socket: Socket) -> None:
            def answered(*values: Any) -> None:
                socket.emit("answered", *values)
                socket.disconnect()

            socket.emit("question", "ready?", ack=answered)

    with serving_socketio(application) as url:
        done = run(*COOEE, "connect", url, "--reply", '"yes" 0x01', "--wait", "inf")
        silent = run(*COOEE, "connect", url, "--reply", "", "--wait", "inf")
    assert done.stdout == '/ack question "ready?"\n/emit answered "yes" 0x01\n'
    assert done.returncode == 0
    assert silent.stdout == '/ack question "ready?"\n/emit answered\n'


def test_goes_on_after_mistakes_and_fails_in_the_end(server: Service) -> None:
    lines = (
        b"one\n/nonsense\n\xff\n/file /nowhere\n/emit echo two\n/emit connect\n/reply\n"
        b'"three"\n/ack answer\n/close\n'
    )
    done = run(*COOEE, "connect", server.url, "-e", "echo", input=lines)
    assert done.stdout == '/emit echo "one"\n/emit echo "three"\n/reply\n'
    nonsense, not_text, nowhere, no_json, reserved, nobody, _, closed = remarks(done.stderr)
    assert "'/nonsense'" in nonsense
    assert "not UTF-8" in not_text
    assert "/nowhere" in nowhere
    assert "quotes" in no_json
    assert "'connect'" in reserved
    assert "asks for an acknowledgement" in nobody
    assert closed == CLOSED
    assert done.returncode == 1


def test_says_that_no_acknowledgement_came(server: Service) -> None:
    done = run(
        *COOEE, "connect", server.url, "--ack-timeout", "0.1",
        input="/ack nothing\n/close\n",
    )  # fmt: skip
    assert remarks(done.stderr) == ["nothing not acknowledged within 0.1 s", CLOSED]
    assert done.returncode == 1


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_exits_as_the_server_closes(server: Service, transport: str) -> None:
    done = run(*COOEE, "connect", server.url, "-t", transport, "--wait", "inf", input="/emit drop")
    (closed,) = remarks(done.stderr)
    assert closed.startswith("closed: transport close (")
    assert done.returncode == 0


def test_exits_when_the_connection_breaks(node: str) -> None:
    with (
        node_server() as server,
        Terminal(*COOEE, "connect", server.url, "-t", "websocket") as terminal,
    ):
        terminal.wait_for("connected to ")
        server.command("cut")
        terminal.wait_for("closed: transport close")
        assert terminal.wait() == 106


def test_limits_messages(server: Service) -> None:
    done = run(
        *COOEE, "connect", server.url, "-e", "echo", "-t", "websocket", "--wait", "inf",
        "--max-message-size", "1K", input="x" * 2000,
    )  # fmt: skip
    (closed,) = remarks(done.stderr)
    assert closed.startswith("closed: transport error (")
    assert "1024" in closed
    assert done.returncode == 106


def test_ends_when_nobody_reads() -> None:
    def application(io: Server) -> None:
        @io.on("connection")
        def connected(socket: Socket) -> None:
            for number in range(10_000):
                socket.emit("line", number)

    with serving_socketio(application) as url:
        done = run("/bin/sh", "-c", '"$@" | head -n 1', "sh", *COOEE, "connect", url)
    assert done.stdout == "/emit line 0\n"
    assert set(remarks(done.stderr)) <= {CLOSED}


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        (["http://127.0.0.1:1/"], 1, "refused"),
        (["--socketio", "nonsense"], 1, "URL"),
        (["https://127.0.0.1:1/"], 1, "https"),
        (["http://127.0.0.1:1/", "-H", "no colon"], 2, "no colon"),
        (["http://127.0.0.1:1/", "-s", "chat"], 2, "raw WebSocket"),
        (["http://127.0.0.1:1/", "-t", "carrier-pigeon"], 2, "carrier-pigeon"),
        (["http://127.0.0.1:1/", "--auth", "{"], 2, "--auth"),
        (["http://127.0.0.1:1/", "--auth", "[]"], 2, "object"),
        (["http://127.0.0.1:1/", "--reply", "yes"], 2, "quotes"),
        (["ws://127.0.0.1:1/", "--event", "a"], 2, "--socketio"),
        (["ws://127.0.0.1:1/", "--reply", ""], 2, "--socketio"),
        (["ws://127.0.0.1:1/", "--reconnect"], 2, "--socketio"),
    ],
)
def test_says_why_it_cannot_connect(arguments: list[str], code: int, fact: str) -> None:
    done = run(*COOEE, "connect", *arguments)
    assert done.returncode == code
    assert fact in done.stderr
    assert "Traceback" not in done.stderr

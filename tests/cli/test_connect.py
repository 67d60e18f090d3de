"""``cooee connect`` between pipes: lines in, messages out, an exit code."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.processes import COOEE, ROOT, Program, environment, run
from tests.cli.servers import echo, serving
from websockets.exceptions import ConnectionClosedError
from websockets.sync.server import ServerConnection


def remarks(text: str) -> list[str]:
    """The lines on standard error but for the first, which says where it is connected to."""
    first, *rest = text.splitlines()
    assert first.startswith("connected to ws://127.0.0.1:")
    return rest


CLOSED = "closed: 1000 (normal closure)"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """
    The URL of an echo server that answers everything before it answers a Close frame.

    So a test that ends its input with /close need not wait any longer for what comes back.
    """
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as program:
        yield program.wait_for(r"ws://\S+")[0] + "/ws"


def test_sends_lines_and_shows_messages(url: str) -> None:
    done = run(*COOEE, "connect", url, input="HelloWorld\n\n世界\nno newline at the end")
    assert done.stdout == "HelloWorld\n\n世界\nno newline at the end\n"
    assert remarks(done.stderr) == [CLOSED]
    assert done.returncode == 0


def test_writes_messages_as_they_are_typed(url: str) -> None:
    done = run(*COOEE, "connect", url, input="/hex 00 ff\n//hex\n/hex\n/close\n")
    assert done.stdout == "/hex 00ff\n//hex\n/hex \n"
    assert done.returncode == 0


def test_sends_files(url: str, tmp_path: Path) -> None:
    file = tmp_path / "a file.bin"
    file.write_bytes(bytes(range(256)) * 1000)
    done = run(*COOEE, "connect", url, input=f"/file {file}\n/close\n")
    assert done.stdout == f"/hex {file.read_bytes().hex()}\n"
    assert done.returncode == 0


def test_times_pings(url: str) -> None:
    done = run(*COOEE, "connect", url, input="/ping\n/ping are you there\n/close\n")
    pong, another, closed = remarks(done.stderr)
    for line in (pong, another):
        assert line.startswith("pong after ")
        assert line.endswith(" ms")
        assert float(line.split()[2]) > 0
    assert closed == CLOSED


def test_sends_commands_as_text_when_raw(url: str) -> None:
    done = run(*COOEE, "connect", url, "--raw", input="/hex 00\n//\n/nonsense\n")
    assert done.stdout == "/hex 00\n//\n/nonsense\n"
    assert done.returncode == 0


def test_goes_on_after_mistakes_and_fails_in_the_end(url: str) -> None:
    lines = b"one\n/nonsense\n\xff\n/file /nowhere\ntwo\n/close\n"
    done = run(*COOEE, "connect", url, input=lines)
    assert done.stdout == "one\ntwo\n"
    nonsense, not_text, nowhere, closed = remarks(done.stderr)
    assert "'/nonsense'" in nonsense
    assert "not UTF-8" in not_text
    assert "/nowhere" in nowhere
    assert closed == CLOSED
    assert done.returncode == 1


def test_sends_large_input_in_order(url: str) -> None:
    lines = [f"line {number} " + "x" * (number % 3000) for number in range(2000)]
    lines.append("long " * 100_000)
    done = run(*COOEE, "connect", url, input="\n".join([*lines, "/close"]))
    assert done.stdout.splitlines() == lines
    assert done.returncode == 0


@pytest.mark.parametrize("source", ["LICENSE", "/dev/null"])
def test_reads_files_and_devices(url: str, source: str) -> None:
    path = ROOT / source
    with path.open("rb") as file:
        done = subprocess.run(
            [*COOEE, "connect", url], stdin=file, capture_output=True, env=environment(), check=True
        )
    assert done.stdout == path.read_bytes()


def test_works_without_standard_input() -> None:
    with serving(lambda peer: peer.send("HelloWorld")) as url:
        done = run("/bin/sh", "-c", 'exec "$@" <&-', "sh", *COOEE, "connect", url)
    assert done.stdout == "HelloWorld\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("code", "exit_code"), [(1000, 0), (1001, 0), (1008, 108), (1011, 111), (3001, 3), (4001, 4)]
)
def test_exits_as_the_server_closes(code: int, exit_code: int) -> None:
    with serving(lambda peer: peer.close(code, "the reason")) as url:
        # Its standard input is open as long as it runs.
        with subprocess.Popen(
            [*COOEE, "connect", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as program:
            assert program.wait() == exit_code
            assert program.stderr is not None
            assert f"closed: {code} (" in (closed := program.stderr.read().decode())
            assert closed.endswith("'the reason'\n")


def test_exits_when_the_connection_breaks() -> None:
    with serving(lambda peer: peer.socket.close()) as url:
        done = run(*COOEE, "connect", url, "--wait", "inf")
    assert remarks(done.stderr) == ["closed: 1006 (abnormal closure)"]
    assert done.returncode == 106


def test_closes_as_it_is_told(url: str) -> None:
    done = run(*COOEE, "connect", url, input="one\n/close 4001 had enough\nnot sent\n")
    assert done.stdout == "one\n"
    assert remarks(done.stderr) == ["closed: 4001 (private use)"]
    assert done.returncode == 4


def test_says_why_it_closes() -> None:
    seen = []

    def handler(peer: ServerConnection) -> None:
        with pytest.raises(ConnectionClosedError) as caught:
            peer.recv()
        assert caught.value.rcvd is not None
        seen.append((caught.value.rcvd.code, caught.value.rcvd.reason))

    with serving(handler) as url:
        run(*COOEE, "connect", url, input="/close 4001 had enough\n")
    assert seen == [(4001, "had enough")]


def test_waits_for_the_server_to_close() -> None:
    def handler(peer: ServerConnection) -> None:
        question = peer.recv(decode=True)
        # The client's input has ended by now, or is about to.
        for number in range(3):
            peer.send(f"{question} {number}")

    with serving(handler) as url:
        done = run(*COOEE, "connect", url, "--wait", "inf", input="answer")
    assert done.stdout == "answer 0\nanswer 1\nanswer 2\n"
    assert remarks(done.stderr) == [CLOSED]
    assert done.returncode == 0


def test_sends_header_fields() -> None:
    seen: dict[str, str] = {}

    def handler(peer: ServerConnection) -> None:
        assert peer.request is not None
        seen.update(peer.request.headers.raw_items())

    with serving(handler, subprotocols=["chat.v2"]) as url:
        done = run(
            *COOEE, "connect", url, "-H", "X-One: 1", "--header", "X-Two:a: b ",
            "-s", "chat.v1", "--subprotocol", "chat.v2", "--origin", "https://a.example",
        )  # fmt: skip
    assert seen["X-One"] == "1"
    assert seen["X-Two"] == "a: b"
    assert seen["Origin"] == "https://a.example"
    assert seen["Sec-WebSocket-Protocol"] == "chat.v1, chat.v2"
    assert done.stderr.splitlines()[0].endswith(", subprotocol chat.v2")
    assert done.returncode == 0


def test_limits_messages(url: str) -> None:
    lines = "x" * 1024 + "\n" + "x" * 1025
    done = run(*COOEE, "connect", url, "--max-message-size", "1K", "--wait", "inf", input=lines)
    assert done.stdout == "x" * 1024 + "\n"
    failed, closed = remarks(done.stderr)
    assert failed.startswith("failed: message of 1025 bytes")
    assert closed == "closed: 1006 (abnormal closure)"
    assert done.returncode == 106


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        (["ws://127.0.0.1:1/"], 1, "refused"),
        (["nonsense"], 1, "URL"),
        (["wss://127.0.0.1:1/", "-s", "a b"], 1, "subprotocol"),
        (["ws://127.0.0.1:1/", "-H", "no colon"], 2, "no colon"),
        (["ws://127.0.0.1:1/", "-H", "Upgrade: other"], 1, "upgrade"),
        (["ws://127.0.0.1:1/", "-H", "a b: c"], 1, "a b"),
    ],
)
def test_says_why_it_cannot_connect(arguments: list[str], code: int, fact: str) -> None:
    done = run(*COOEE, "connect", *arguments)
    assert done.returncode == code
    assert fact in done.stderr
    assert "Traceback" not in done.stderr


def test_says_what_the_server_answered() -> None:
    def refuse(peer: ServerConnection, request: object) -> object:
        return peer.respond(418, "I'm a teapot\n")

    with serving(echo, process_request=refuse) as url:
        done = run(*COOEE, "connect", url)
    assert done.returncode == 1
    assert "418" in done.stderr


def test_ends_when_nobody_reads() -> None:
    def handler(peer: ServerConnection) -> None:
        for _ in range(100_000):
            peer.send("line")

    with serving(handler) as url:
        done = run("/bin/sh", "-c", '"$@" | head -n 1', "sh", *COOEE, "connect", url)
    assert done.stdout == "line\n"
    assert set(remarks(done.stderr)) <= {CLOSED}

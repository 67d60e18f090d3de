"""``cooee hello``: one round trip, or a reason why not."""

import socket
from collections.abc import Callable, Iterator

import pytest
from tests.cli.processes import COOEE, Program, run
from tests.cli.servers import echo, serving, swallow
from tests.cli.socketio_servers import serving_socketio

from cooee.socketio import ConnectError, Server, Socket


def test_shows_what_comes_back() -> None:
    with serving(echo) as url:
        done = run(*COOEE, "hello", url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### HelloWorld\n", "")


def test_fails_when_something_else_comes_back() -> None:
    with serving(lambda peer: peer.send(b"\x1b[0m")) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stdout == "##### <4 bytes: 1b 5b 30 6d |.[0m|>\n"
    assert done.stderr == f"cooee: {url}: HelloWorld came back as <4 bytes: 1b 5b 30 6d |.[0m|>\n"


def test_fails_when_the_server_hangs_up() -> None:
    with serving(lambda peer: peer.close(4001, "no\x07")) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "4001" in done.stderr
    assert "\x07" not in done.stderr


def test_fails_when_nothing_comes_back() -> None:
    with serving(swallow) as url:
        done = run(*COOEE, "hello", url, "--timeout", "0.1")
    assert done.returncode == 1
    assert done.stderr == f"cooee: {url}: no echo within 0.1 s\n"


def test_fails_when_nobody_listens() -> None:
    # Port 1 is for root to serve, and nobody does.
    done = run(*COOEE, "hello", "ws://127.0.0.1:1/ws")
    assert done.returncode == 1
    assert "ws://127.0.0.1:1/ws" in done.stderr
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("url", ["", "nonsense", "ftp://localhost", "ws://localhost/#fragment"])
def test_fails_on_what_is_no_url(url: str) -> None:
    done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert "URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("url", ["wss://localhost", "https://localhost"])
def test_fails_on_what_is_not_spoken_yet(url: str) -> None:
    done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cooee: {url}: ")
    assert "TLS" in done.stderr
    assert "Traceback" not in done.stderr


# Socket.IO


@pytest.fixture(scope="module")
def program() -> Iterator[tuple[str, str]]:
    """The URLs of both echo servers, the Socket.IO one's last."""
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as program:
        raw = program.wait_for(r"WebSocket echo on (ws://\S+)")[1]
        socketio = program.wait_for(r"Socket\.IO echo of your_echo on (http://\S+)")[1]
        yield raw, socketio


@pytest.mark.parametrize("flag", [False, True])
def test_shows_what_comes_back_by_socketio(program: tuple[str, str], flag: bool) -> None:
    url = program[1]
    arguments = ["--socketio", url.replace("http:", "ws:")] if flag else [url]
    done = run(*COOEE, "hello", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### your_echo HelloWorld\n", "")


def test_takes_the_offset_of_servers_that_recover_connections() -> None:
    with serving_socketio(answering("HelloWorld", "offset")) as url:
        done = run(*COOEE, "hello", url)
    assert (done.returncode, done.stdout) == (0, "##### your_echo HelloWorld\n")


def test_the_socketio_server_echoes_raw_messages_too(program: tuple[str, str]) -> None:
    done = run(*COOEE, "hello", program[1].replace("http:", "WS:"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### HelloWorld\n", "")


def test_says_that_a_server_is_raw(program: tuple[str, str]) -> None:
    done = run(*COOEE, "hello", program[0].replace("ws:", "HTTP:"))
    assert done.returncode == 1
    assert "; raw WebSocket is spoken there" in done.stderr


def test_says_that_the_path_is_the_namespace(program: tuple[str, str]) -> None:
    done = run(*COOEE, "hello", f"{program[1]}/ws")
    assert done.returncode == 1
    assert done.stderr == (
        f"cooee: {program[1]}/ws: Invalid namespace; the URL's path is the namespace\n"
    )


def test_asks_both_echo_servers() -> None:
    for port in (6080, 6081):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"somebody serves on port {port}")
    done = run(*COOEE, "hello")
    # Each is told of by itself.
    raw, socketio, advice = done.stderr.splitlines()
    assert raw.startswith("cooee: ws://127.0.0.1:6080/ws: ")
    assert socketio.startswith("cooee: http://127.0.0.1:6081: ")
    assert advice == "cooee: no echo server is here; `cooee echo` starts both"
    assert done.returncode == 1


def answering(*args: object) -> Callable[[Server], None]:
    """An application that emits these on your_echo."""

    def application(io: Server) -> None:
        @io.on("connection")
        def connected(peer: Socket) -> None:
            peer.on("your_echo", lambda *_: peer.emit("your_echo", *args))

    return application


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (("\x1b[0m",), "\\x1b[0m"),
        (("HelloWorld!", "HelloWorld"), "HelloWorld!"),
        (({"a": b"Hi"},), '{"a":<2 bytes: 48 69 |Hi|>}'),
        ((), "nothing"),
    ],
)
def test_fails_when_another_event_comes_back(args: tuple[object, ...], shown: str) -> None:
    with serving_socketio(answering(*args)) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stdout == f"##### your_echo {shown}\n"
    assert done.stderr == f"cooee: {url}: HelloWorld came back as {shown}\n"


def test_fails_when_the_server_disconnects() -> None:
    def application(io: Server) -> None:
        io.on("connection", lambda peer: peer.disconnect())

    with serving_socketio(application) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stderr == f"cooee: {url}: closed before the echo came: io server disconnect\n"


def test_fails_when_the_server_refuses() -> None:
    def refuse(peer: Socket) -> None:
        raise ConnectError("not \x07 today")

    with serving_socketio(lambda io: io.use(refuse)) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stderr == f"cooee: {url}: not \\x07 today\n"


def test_fails_when_no_event_comes_back() -> None:
    with serving_socketio(lambda io: None) as url:
        done = run(*COOEE, "hello", url, "--timeout", "0.5")
    assert done.returncode == 1
    assert done.stderr == f"cooee: {url}: no echo within 0.5 s\n"


def test_fails_when_no_socketio_server_listens() -> None:
    done = run(*COOEE, "hello", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "http://127.0.0.1:1: " in done.stderr
    assert "refused" in done.stderr

"""``cooee echo``: starts, says where, serves, and ends with 0."""

import signal
import socket

import pytest
from tests.cli.processes import COOEE, Program, run
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect
from websockets.typing import Origin

STARTED = r"WebSocket echo on ws://127\.0\.0\.1:(\d+)"
LOCAL = (*COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0")


def started(program: Program) -> str:
    """Wait until it listens and return its URL."""
    return f"ws://127.0.0.1:{program.wait_for(STARTED)[1]}/ws"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_well_on_signals(number: signal.Signals) -> None:
    with Program(*LOCAL) as program:
        program.wait_for(STARTED)
        assert program.end(number) == 0
        assert program.errors() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_says_goodbye_to_its_clients(number: signal.Signals) -> None:
    with Program(*LOCAL) as program:
        with connect(started(program)) as peer:
            peer.send("HelloWorld")
            assert peer.recv() == "HelloWorld"
            assert program.end(number) == 0
            with pytest.raises(Exception, match="1001"):
                peer.recv()


def test_says_that_others_can_reach_it() -> None:
    with Program(*COOEE, "echo", "--port", "0", "--socketio-port", "0") as program:
        line = program.wait_for(r"WebSocket echo on ws://0\.0\.0\.0:(\d+)")
        assert "all interfaces" in line.string
        assert "--host 127.0.0.1" in line.string
        origin = Origin("https://a.example")
        with connect(f"ws://127.0.0.1:{line[1]}/any/path", origin=origin) as peer:
            peer.send(b"\x00\x01")
            assert peer.recv() == b"\x00\x01"
        assert program.end() == 0


def test_shows_messages() -> None:
    with Program(*LOCAL, "-v") as program:
        with connect(started(program)) as peer:
            peer.send("HelloWorld")
            program.wait_for(r"^###### HelloWorld$")
            peer.send(b"HelloWorld")
            program.wait_for(r"^###### <10 bytes: .* \|HelloWorld\|>$")
        assert program.end() == 0


def test_goes_on_when_nobody_reads_what_it_shows() -> None:
    with Program(*LOCAL, "-v") as program:
        with connect(started(program)) as peer:
            program.stop_reading()
            for number in range(3):
                peer.send(f"{number}")
                assert peer.recv() == f"{number}"
        assert program.end() == 0
        assert program.errors() == ""


def test_shows_what_the_terminal_has_no_letters_for() -> None:
    with Program(*LOCAL, "-v", env={"PYTHONIOENCODING": "ascii"}) as program:
        with connect(started(program)) as peer:
            peer.send("世界")
            program.wait_for(r"^###### \\u4e16\\u754c$")
            assert peer.recv() == "世界"
        assert program.end() == 0


def test_limits_messages() -> None:
    with Program(*LOCAL, "--max-message-size", "1K") as program:
        with connect(started(program)) as peer:
            peer.send("x" * 1024)
            assert peer.recv() == "x" * 1024
            peer.send("x" * 1025)
            with pytest.raises(ConnectionClosedError, match="1009"):
                peer.recv()
        assert program.end() == 0


def test_greets_itself_and_goes_on_serving() -> None:
    with Program(*LOCAL, "--hello", "-v") as program:
        url = started(program)
        program.wait_for("^###### HelloWorld$")
        program.wait_for("^##### HelloWorld$")
        program.wait_for("^your_echo HelloWorld$")
        program.wait_for("^##### your_echo HelloWorld$")
        program.wait_for("^disconnect$")
        with connect(url) as peer:
            peer.send("again")
            assert peer.recv() == "again"
        assert program.end() == 0
        assert program.rest() == "###### again\n"


def test_listens_on_several_addresses() -> None:
    with Program(*LOCAL, "--host", "127.0.0.2") as program:
        line = program.wait_for(r"ws://127\.0\.0\.1:(\d+) and ws://127\.0\.0\.2:(\d+)$")
        for host, port in (("127.0.0.1", line[1]), ("127.0.0.2", line[2])):
            with connect(f"ws://{host}:{port}/") as peer:
                peer.send("HelloWorld")
                assert peer.recv() == "HelloWorld"


def test_says_that_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run(*COOEE, "echo", "--host", "127.0.0.1", "--port", port)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"cooee: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "--port and --socketio-port choose others\n"
    )


def test_says_that_there_is_no_such_host() -> None:
    done = run(*COOEE, "echo", "--host", "192.0.2.1", "--port", "0", "--socketio-port", "0")
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr

"""The examples in Python do what they say, as programs of their own."""

import signal
import sys
from collections.abc import Iterator

import pytest
from tests.cli.processes import COOEE, EXAMPLES, Program, run
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of our echo server."""
    with Program(
        *COOEE, "echo", "--host", "127.0.0.1", "--port", "0", "--socketio-port", "0"
    ) as program:
        yield program.wait_for(r"ws://\S+")[0] + "/ws"


@pytest.mark.parametrize("name", ["server_events.py", "server_coroutine.py"])
def test_servers_echo(name: str) -> None:
    with Program(sys.executable, EXAMPLES / name, "0") as program:
        port = program.wait_for(r"listening on port (\d+)")[1]
        with connect(f"ws://127.0.0.1:{port}/ws") as peer:
            for data in ("HelloWorld", b"\x00\x01"):
                peer.send(data)
                assert peer.recv() == data


def test_a_server_that_runs_ends_well() -> None:
    with Program(sys.executable, EXAMPLES / "server_events.py", "0") as program:
        port = program.wait_for(r"listening on port (\d+)")[1]
        # Once it has served somebody, run() has the signals.
        with connect(f"ws://127.0.0.1:{port}/ws"):
            pass
        assert program.end(signal.SIGTERM) == 0
        assert program.errors() == ""


def test_browser_client(url: str) -> None:
    done = run(sys.executable, EXAMPLES / "client_browser.py", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "##### HelloWorld\nclosed 1005\n"


def test_asyncio_client(url: str) -> None:
    done = run(sys.executable, EXAMPLES / "client_asyncio.py", url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### HelloWorld\n", "")

"""The examples in Python do what they say, as programs of their own."""

import asyncio
import signal
import sys
from collections.abc import Iterator

import pytest
from tests.cli.processes import COOEE, EXAMPLES, Program, run
from websockets.sync.client import connect

import cooee


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


def test_one_chat_for_both_protocols() -> None:
    async def main(port: str) -> None:
        said: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        base = f"127.0.0.1:{port}"
        async with (
            asyncio.timeout(20),
            cooee.socketio.connect(f"http://{base}") as ann,
            cooee.connect(f"ws://{base}/tea?name=Bob") as bob,
            cooee.connect(f"ws://{base}/coffee") as other,
        ):
            ann.on("said", lambda *args: said.put_nowait(args))
            ann.emit("join", "tea", "Ann")
            assert await bob.recv() == "Ann: hello"
            await bob.send("is there any left?")
            assert await said.get() == ("Bob", "is there any left?")
            ann.emit("say", "help yourself")
            assert await bob.recv() == "Ann: help yourself"
            async with cooee.connect(f"ws://{base}/tea?name=Cid"):
                assert await bob.recv() == "Cid: hello"
                assert await said.get() == ("Cid", "hello")
            async with cooee.connect(f"ws://{base}/coffee?name=Dot"):
                assert await other.recv() == "Dot: hello"
            assert said.empty()

    with Program(sys.executable, EXAMPLES / "chat_bridge.py", "0") as program:
        asyncio.run(main(program.wait_for(r"listening on port (\d+)")[1]))
        assert program.errors() == ""


def test_a_chat_over_socketio() -> None:
    async def main(url: str) -> None:
        heard: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        with pytest.raises(cooee.socketio.ConnectError, match="a name is needed"):
            await cooee.socketio.connect(url, force_new=True)
        async with (
            asyncio.timeout(20),
            cooee.socketio.connect(url, auth={"name": "Ann"}, force_new=True) as ann,
        ):
            ann.on_any(lambda *event: heard.put_nowait(event))
            assert await ann.emit_with_ack("join", "tea") == ["Ann"]
            program = EXAMPLES / "socketio_client.py"
            done = await asyncio.to_thread(run, sys.executable, program, url, "Bob")
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == "in the room: Ann, Bob\n"
            assert await heard.get() == ("said", "Bob", "hello")
            assert await heard.get() == ("left", "Bob")

    with Program(sys.executable, EXAMPLES / "socketio_server.py", "0") as program:
        port = program.wait_for(r"listening on port (\d+)")[1]
        asyncio.run(main(f"http://127.0.0.1:{port}"))
        assert program.errors() == ""
        assert program.end(signal.SIGTERM) == 0


def test_browser_client(url: str) -> None:
    done = run(sys.executable, EXAMPLES / "client_browser.py", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "##### HelloWorld\nclosed 1005\n"


def test_asyncio_client(url: str) -> None:
    done = run(sys.executable, EXAMPLES / "client_asyncio.py", url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### HelloWorld\n", "")

"""The three ways to use a WebSocket, as a program would: a script, a game, asyncio."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.rawserver import RawServer, unused_port
from tests.websocket.browsing import websockets_echo, websockets_server

import cooee


@pytest.fixture
def url() -> Iterator[str]:
    """An echo server in a thread."""
    with websockets_server(websockets_echo) as url:
        yield url


class Talk:
    """Says hello, and hangs up when it hears it back."""

    def __init__(self, url: str) -> None:
        self.heard: list[Any] = []
        self.ws = cooee.WebSocket(url)
        self.ws.binary_type = "arraybuffer"
        self.ws.onopen = lambda event: self.ws.send("HelloWorld")
        self.ws.onmessage = self.message
        self.ws.onerror = lambda event: self.heard.append(event.message)
        self.ws.onclose = lambda event: self.heard.append(event.code)

    def message(self, event: cooee.MessageEvent) -> None:
        self.heard.append(event.data)
        if len(self.heard) == 1:
            self.ws.send(b"bytes")
        else:
            self.ws.close(4000)

    @property
    def over(self) -> bool:
        return self.ws.ready_state == self.ws.CLOSED


def test_script(url: str) -> None:
    talks = [Talk(url), Talk(url.replace("127.0.0.1", "localhost"))]
    cooee.run()
    for talk in talks:
        assert talk.heard == ["HelloWorld", b"bytes", 4000]


def test_run_with_nothing_to_do_returns() -> None:
    cooee.run()
    cooee.run()


def test_script_whose_connection_fails() -> None:
    talk = Talk(f"ws://127.0.0.1:{unused_port()}/")
    cooee.run()
    assert len(talk.heard) == 2
    assert "Connection refused" in talk.heard[0]
    assert talk.heard[1] == 1006


def test_script_that_opens_another(url: str) -> None:
    talks = [Talk(url)]
    talks[0].ws.add_event_listener(
        "close", lambda event: talks.append(Talk(url)) if len(talks) < 3 else None
    )
    talks[0].ws.add_event_listener(
        "close", lambda event: talks.append(Talk(url)) if len(talks) < 3 else None, once=True
    )
    cooee.run()
    assert [talk.heard for talk in talks] == [["HelloWorld", b"bytes", 4000]] * 3


def test_script_with_coroutines(url: str) -> None:
    heard = []
    ws = cooee.WebSocket(url)

    async def opened(event: cooee.Event) -> None:
        await asyncio.sleep(0)
        ws.send("from a task")

    async def message(event: cooee.MessageEvent) -> None:
        await asyncio.sleep(0)
        heard.append(event.data)
        # A coroutine has the asyncio client too, on the same reactor.
        async with cooee.connect(url) as session:
            await session.send("inner")
            heard.append(await session.recv())
        ws.close()

    ws.onopen = opened
    ws.onmessage = message
    cooee.run()
    assert heard == ["from a task", "inner"]
    assert ws.ready_state == ws.CLOSED


def test_ctrl_c_ends_a_script(url: str) -> None:
    ws = cooee.WebSocket(url)
    ws.onopen = lambda event: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        cooee.run()
    # And it may go on.
    ws.onopen = None
    ws.close()
    cooee.run()
    assert ws.ready_state == ws.CLOSED


def test_game(url: str) -> None:
    talks = [Talk(url) for _ in range(3)]
    deadline = time.monotonic() + PATIENCE
    while not all(talk.over for talk in talks):
        assert time.monotonic() < deadline
        cooee.poll()
        time.sleep(0.001)
    assert [talk.heard for talk in talks] == [["HelloWorld", b"bytes", 4000]] * 3


def test_poll_never_blocks_and_counts() -> None:
    # In a thread of its own, whose reactor has no timers of other tests, for instance.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(poll_and_count).result(PATIENCE)


def poll_and_count() -> None:
    with RawServer() as server:
        ws = cooee.WebSocket(f"{server.url}/")
        heard: list[str] = []
        ws.onmessage = lambda event: heard.append(event.data)
        ws.onclose = lambda event: heard.append("closed")
        assert cooee.poll() == 0
        events = 0
        while events == 0:
            events = cooee.poll()
        peer = server.take()
        peer.accept()
        while ws.ready_state == ws.CONNECTING:
            events += cooee.poll()
        assert events >= 2
        # Outside of a turn nothing waits for the next frame: it goes out at once.
        ws.send("now")
        assert ws.buffered_amount == 0
        assert peer.receive_message() == "now"
        assert cooee.poll() == 0
        ws.close()
        assert peer.receive_close() == (1005, "")
        peer.send_close(None)
        peer.close()
        while ws.ready_state != ws.CLOSED:
            cooee.poll()
        assert heard == ["closed"]


def test_asyncio(url: str) -> None:
    async def main() -> list[Any]:
        talk = Talk(url)
        closed = asyncio.Event()
        talk.ws.add_event_listener("close", lambda event: closed.set())
        await closed.wait()
        return talk.heard

    assert asyncio.run(main()) == ["HelloWorld", b"bytes", 4000]


def test_run_and_poll_inside_asyncio() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"run\(\) inside a running asyncio loop"):
            cooee.run()
        with pytest.raises(RuntimeError, match=r"poll\(\) inside a running asyncio loop"):
            cooee.poll()

    asyncio.run(main())


def test_poll_inside_a_callback(url: str) -> None:
    ws = cooee.WebSocket(url)
    raised: list[str] = []

    def opened(event: cooee.Event) -> None:
        with pytest.raises(RuntimeError) as caught:
            cooee.poll()
        raised.append(str(caught.value))
        ws.close()

    ws.onopen = opened
    cooee.run()
    assert "callbacks" in raised[0]


def test_poll_inside_a_coroutine_listener(url: str) -> None:
    ws = cooee.WebSocket(url)
    raised: list[str] = []

    async def opened(event: cooee.Event) -> None:
        with pytest.raises(RuntimeError) as caught:
            cooee.poll()
        raised.append(str(caught.value))
        ws.close()

    ws.onopen = opened
    cooee.run()
    assert raised == [
        "poll() inside a running asyncio loop, which drives the sockets already: await"
    ]


def test_loop_that_ends_with_sockets_open(url: str) -> None:
    """asyncio.run() closes what is left, in whatever state, without a word and without a leak."""

    async def main() -> None:
        opened = asyncio.Event()
        ws = cooee.WebSocket(url)
        ws.onopen = lambda event: opened.set()
        await opened.wait()
        ws.onclose = lambda event: cooee.WebSocket(url)
        cooee.WebSocket(url)
        # This one waits for its turn, which comes when that one is closed.
        cooee.WebSocket(url)
        await asyncio.sleep(0)

    asyncio.run(main())


def test_threads_have_reactors_of_their_own(url: str) -> None:
    talks: list[Talk] = []

    def script() -> None:
        talks.append(Talk(url))
        cooee.run()

    threads = [threading.Thread(target=script) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [talk.heard for talk in talks] == [["HelloWorld", b"bytes", 4000]] * 3

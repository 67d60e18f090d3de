"""Pausing and resuming: nothing is lost, nothing changes its place."""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.rawclient import RawClient, frame, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving
from tests.websocket.test_server import folder, needs_unix  # noqa: F401

from cooee.websocket import Session


def pinged(client: RawClient) -> None:
    """See that the server has taken all that was sent before."""
    client.frame(9, b"sync")
    assert client.receive() == (10, b"sync", True)


class Pausing:
    """Handlers that collect messages, and pause after those in a set."""

    def __init__(self, after: Callable[[int], bool] = lambda count: False) -> None:
        self.after = after
        self.messages: list[str | bytes] = []
        self.closed: Inbox[Any] = Inbox()

    def __call__(self, session: Session) -> None:
        def message(data: str | bytes) -> None:
            self.messages.append(data)
            if self.after(len(self.messages)):
                session.pause()

        session.on("message", message)
        session.on("close", self.closed.put_all)


def resume_until(serving: Serving, session: Session, condition: Callable[[], object]) -> None:
    """Resume as often as it takes."""

    def step() -> object:
        session.resume()
        return condition()

    serving.until(step)


def test_paused_in_the_middle_of_what_was_read(serve: Serve) -> None:
    """The messages behind stay where they are, in the same read, until resume()."""
    pausing = Pausing(lambda count: count in (3, 4, 7))
    serving = serve(pausing)
    neighbour = serving.connect()
    serving.sessions.take()
    client, session = serving.accept()
    messages = [f"{n}" for n in range(10)]
    client.send(b"".join(map(message_frame, messages)) + frame(9, b"end"))
    for seen in (3, 4, 7):
        serving.until(lambda seen=seen: len(pausing.messages) == seen)
        for _ in range(5):
            pinged(neighbour)
        assert serving.call(lambda: (pausing.messages, session.paused)) == (messages[:seen], True)
        serving.call(session.resume)
    assert client.receive() == (10, b"end", True)
    assert pausing.messages == messages
    client.leave()


@pytest.mark.parametrize("where", ["call", "handler"])
def test_what_comes_while_paused_comes_afterwards(serve: Serve, where: str) -> None:
    pausing = Pausing(lambda count: where == "handler" and count == 1)
    serving = serve(pausing)
    neighbour = serving.connect()
    serving.sessions.take()
    client, session = serving.accept()
    client.send_message("0")
    serving.until(lambda: pausing.messages)
    serving.call(session.pause)
    wire = [message_frame(f"{n}") for n in range(1, 50)] + [message_frame(bytes(500_000))]
    with client.sending(b"".join(wire) + frame(9, b"end")):
        for _ in range(5):
            pinged(neighbour)
        assert pausing.messages == ["0"]
        serving.call(session.resume)
        assert client.receive() == (10, b"end", True)
    assert pausing.messages == [f"{n}" for n in range(50)] + [bytes(500_000)]
    client.leave()


def test_random_pauses(serve: Serve) -> None:
    """Fragments, large messages, pauses anywhere: the same messages in the same order."""
    rng = random.Random(6455)
    pausing = Pausing(lambda count: rng.random() < 0.5)
    serving = serve(pausing)
    client, session = serving.accept()
    messages: list[str | bytes] = []
    wire = b""
    for _ in range(60):
        size = rng.choice([0, 1, 125, 126, 3000, 5000, 66_000, 150_000])
        message = rng.randbytes(size)
        messages.append(message)
        pieces = sorted(rng.randrange(size + 1) for _ in range(rng.randrange(4)))
        bounds = [0, *pieces, size]
        for n, (start, end) in enumerate(itertools.pairwise(bounds)):
            wire += frame(2 if n == 0 else 0, message[start:end], fin=n == len(pieces))
    resumed = serving.driver.begin(resuming, session)
    at = 0
    while at < len(wire):
        step = rng.choice([1, 7, 1000, 65_536, 300_000])
        client.send(wire[at : at + step])
        at += step
    client.send_close(4000)
    assert pausing.closed.take() == (4000, "")
    assert pausing.messages == messages
    resumed.result(PATIENCE)


async def resuming(session: Session) -> None:
    """Resume again and again, until the end."""
    while session.ready_state != 3:
        session.resume()
        await asyncio.sleep(0)


def test_pause_and_resume_in_one_handler(serve: Serve) -> None:
    """Whatever the order, reading goes on."""

    def handler(session: Session) -> None:
        def message(data: str | bytes) -> None:
            session.pause()
            session.resume()
            session.send(data)

        session.on("message", message)

    client = serve(handler).connect()
    for n in range(3):
        client.send_message(f"{n}")
        assert client.receive_message() == f"{n}"
    client.send(message_frame("a") + message_frame("b") + message_frame("c")[:3])
    assert [client.receive_message() for _ in range(2)] == ["a", "b"]
    client.send(message_frame("c")[3:])
    assert client.receive_message() == "c"
    client.leave()


def test_pause_in_the_connection_handler(serve: Serve) -> None:
    """Before the first message, which may have come with the handshake."""
    messages: Inbox[str | bytes] = Inbox()

    def handler(session: Session) -> None:
        session.pause()
        session.on("message", messages.put)

    serving = serve(handler)
    client = serving.open()
    client.request_upgrade()
    client.send(message_frame("first") + message_frame("second"))
    assert client.answer().status == 101
    session = serving.sessions.take()
    client.send_message("third")
    for _ in range(5):
        serving.call(lambda: None)
    assert messages.empty()
    serving.call(session.resume)
    assert [messages.take() for _ in range(3)] == ["first", "second", "third"]


def test_a_close_frame_that_comes_while_paused(serve: Serve) -> None:
    pausing = Pausing(lambda count: True)
    serving = serve(pausing)
    neighbour = serving.connect()
    serving.sessions.take()
    client, session = serving.accept()
    client.send(message_frame("last but one") + message_frame("last") + frame(8, b"\x0f\xa0bye"))
    client.end()
    serving.until(lambda: pausing.messages)
    for _ in range(5):
        pinged(neighbour)
    assert serving.call(lambda: session.ready_state) == 1
    assert serving.call(lambda: session.close_code) is None
    resume_until(serving, session, lambda: session.ready_state == 3)
    assert pausing.messages == ["last but one", "last"]
    assert pausing.closed.take() == (4000, "bye")
    assert client.receive_close() == (4000, "")
    assert client.rest() == b""


@needs_unix
def test_a_unix_peer_that_is_gone_while_paused(serve: Serve, folder: Any) -> None:  # noqa: F811
    """There the end is reported whether one wants to read or not; what came before it is kept."""
    pausing = Pausing(lambda count: count == 1)
    serving = serve(pausing, unix=folder / "socket")
    neighbour = serving.connect()
    serving.sessions.take()
    client, session = serving.accept()
    client.send_message("0")
    serving.until(lambda: pausing.messages)
    for n in range(1, 10):
        client.send_message(f"{n}")
    client.close()
    for _ in range(5):
        pinged(neighbour)
    assert pausing.messages == ["0"]
    serving.call(session.resume)
    assert pausing.closed.take() == (1006, "")
    assert pausing.messages == [f"{n}" for n in range(10)]


def test_closing_while_paused(serve: Serve) -> None:
    """close() reads on, since the peer's answer must be seen; what came before it is delivered."""
    pausing = Pausing(lambda count: count == 1)
    serving = serve(pausing)
    client, session = serving.accept()
    client.send(message_frame("0") + message_frame("1"))
    client.send_message("2")
    serving.until(lambda: pausing.messages)
    serving.call(session.close, 4001, "enough")
    assert client.receive_close() == (4001, "enough")
    client.send_close(4001)
    assert client.rest() == b""
    assert pausing.closed.take() == (4001, "")
    assert pausing.messages == ["0", "1", "2"]


def test_pause_and_close_in_one_handler(serve: Serve) -> None:
    closed: Inbox[Any] = Inbox()

    def handler(session: Session) -> None:
        session.on("message", lambda data: (session.pause(), session.close(4001)))
        session.on("close", closed.put_all)

    client = serve(handler).connect()
    client.send_message("x")
    assert client.receive_close() == (4001, "")
    client.send_close(4001)
    assert closed.take() == (4001, "")
    assert client.rest() == b""


def test_terminating_while_paused(serve: Serve) -> None:
    pausing = Pausing(lambda count: True)
    serving = serve(pausing)
    client, session = serving.accept()
    client.send(message_frame("0") + message_frame("1"))
    serving.until(lambda: pausing.messages)
    serving.call(session.terminate)
    assert pausing.closed.take() == (1006, "")
    serving.call(session.resume)
    serving.call(session.pause)
    assert pausing.messages == ["0"]


def test_a_broken_frame_behind_the_pause(serve: Serve) -> None:
    """A violation counts when it is reached."""
    pausing = Pausing(lambda count: True)
    serving = serve(pausing)
    client, session = serving.accept()
    client.send(message_frame("0") + bytes.fromhex("8380"))
    serving.until(lambda: pausing.messages)
    assert serving.call(lambda: session.ready_state) == 1
    serving.call(session.resume)
    assert client.receive_close()[0] == 1002
    client.close()
    assert pausing.closed.take() == (1006, "")


def test_sending_while_paused(serve: Serve) -> None:
    serving = serve()
    client, session = serving.accept()
    serving.call(session.pause)
    assert serving.call(lambda: session.paused)
    serving.call(session.send, "still")
    assert client.receive_message() == "still"
    # Neither twice nor in vain.
    serving.call(session.pause)
    serving.call(session.resume)
    serving.call(session.resume)
    assert not serving.call(lambda: session.paused)
    pinged(client)


def test_pausing_while_waiting_messages_are_delivered(serve: Serve) -> None:
    """Messages that waited for a handler stop at pause() as well."""

    async def wait(session: Session) -> None:
        await session.wait_closed()

    pausing = Pausing(lambda count: count == 2)
    serving = serve(wait)
    client, session = serving.accept()
    for n in range(5):
        client.send_message(f"{n}")
    pinged(client)
    serving.call(pausing, session)
    serving.until(lambda: session.paused)
    for _ in range(5):
        serving.call(lambda: None)
    assert pausing.messages == ["0", "1"]
    client.send_message("5")
    serving.call(session.resume)
    pinged(client)
    # The session may answer before it hands out what waited.
    serving.until(lambda: len(pausing.messages) == 6)
    assert pausing.messages == ["0", "1", "2", "3", "4", "5"]

"""
Keepalive: silent peers are pinged, and failed when they stay silent.

It looks at the sessions eight times per interval and counts looks. Here the interval is long, and
the tests do the looking: no clock takes part, but in the two that say so.
"""

import gc
import time
from typing import Any

import pytest
from tests.rawclient import message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee.protocol.errors import ConnectionClosedError
from cooee.websocket import Session

# Per ping interval, as the server has it.
LOOKS = 8
# Seconds; nothing happens by itself.
LONG = 10_000.0


class Watched:
    """A server whose keepalive looks when it is told to."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def look(self, times: int = 1) -> None:
        """Look at all sessions, so many times, and let what follows from it happen."""
        keepalive = self.serving.server._keepalive
        assert keepalive is not None
        for _ in range(times):
            self.serving.call(keepalive.look)
            self.serving.call(lambda: None)


@pytest.fixture
def closed() -> Inbox[Any]:
    """How sessions ended."""
    return Inbox()


@pytest.fixture
def watched(serve: Serve, closed: Inbox[Any]) -> Watched:
    """The server; its timeout is as long as its interval."""

    def handler(session: Session) -> None:
        echo(session)
        session.on("close", closed.put_all)

    return Watched(serve(handler, ping_interval=LONG, ping_timeout=LONG))


def test_a_silent_peer_is_pinged_once(watched: Watched) -> None:
    client = watched.serving.connect()
    watched.look()  # which finds the handshake
    watched.look(LOOKS - 1)
    client.send_message("sync")
    assert client.receive_message() == "sync"  # No Ping before it.
    watched.look()
    watched.look(LOOKS)
    ping = client.receive()
    assert (ping.opcode, len(ping.payload)) == (9, 4)
    watched.look(LOOKS - 1)
    client.send_message("sync")
    assert client.receive_message() == "sync"


def test_a_peer_that_stays_silent_is_failed(
    watched: Watched, closed: Inbox[Any], caplog: pytest.LogCaptureFixture
) -> None:
    client, session = watched.serving.accept()
    watched.look(1 + LOOKS)
    assert client.receive().opcode == 9
    watched.look(LOOKS - 1)
    assert watched.serving.call(lambda: session.ready_state) == 1
    watched.look()
    assert client.receive_close() == (1011, "keepalive ping timeout")
    assert client.rest() == b""
    client.close()
    assert closed.take() == (1006, "")
    assert "1011: keepalive ping timeout" in caplog.text
    with pytest.raises(ConnectionClosedError) as caught:
        watched.serving.call(session.send, "x")
    assert (caught.value.code, caught.value.sent) == (1011, True)


def test_a_peer_that_has_vanished_is_given_up(serve: Serve, closed: Inbox[Any]) -> None:
    """It does not answer the Close frame either: the connection is cut soon."""
    serving = serve(
        lambda session: session.on("close", closed.put_all),
        ping_interval=LONG,
        ping_timeout=LONG,
        close_timeout=0.02,
    )
    serving.accept()
    Watched(serving).look(1 + 2 * LOOKS)
    assert closed.take() == (1006, "")


@pytest.mark.parametrize("data", [message_frame("x")[:1], message_frame("x")], ids=len)
def test_any_byte_counts_as_an_answer(watched: Watched, data: bytes) -> None:
    """Even a part of a frame: a slow sender of a large message is not silent."""
    client, session = watched.serving.accept()
    other, other_session = watched.serving.accept()
    watched.look(1 + LOOKS)
    assert client.receive().opcode == 9
    watched.look(LOOKS - 1)
    client.send(data)
    other.send_message("sync")
    assert other.receive().opcode == 9
    assert other.receive_message() == "sync"
    watched.look(LOOKS)
    assert watched.serving.call(lambda: session.ready_state) == 1
    assert watched.serving.call(lambda: other_session.ready_state) == 1


def test_a_pong_starts_anew(watched: Watched) -> None:
    client, session = watched.serving.accept()
    for _ in range(3):
        watched.look(1 + LOOKS)
        ping = client.receive()
        assert ping.opcode == 9
        client.frame(10, ping.payload)
        client.send_message("sync")
        assert client.receive_message() == "sync"
    assert watched.serving.call(lambda: session.latency) is not None


def test_a_peer_that_never_answers_costs_one_ping(watched: Watched) -> None:
    """It sends something else in time, for as long as it likes."""
    client, session = watched.serving.accept()
    for _ in range(5):
        watched.look(1 + LOOKS)
        assert client.receive().opcode == 9
        client.send_message("sync")
        assert client.receive_message() == "sync"

    def pings() -> list[int]:
        return [
            len(one)
            for one in gc.get_referents(session)
            if type(one) is dict and one and all(type(key) is bytes for key in one)
        ]

    assert watched.serving.call(pings) == [1]


def test_a_peer_that_takes_what_is_sent_is_alive(serve: Serve) -> None:
    """Someone who reads a large message slowly says nothing meanwhile."""
    serving = serve(ping_interval=LONG, ping_timeout=LONG)
    watched = Watched(serving)
    client, session = serving.accept_slow()
    serving.call(session.send, bytes(20_000_000))
    watched.look()
    for _ in range(2 * LOOKS + 2):
        unsent = serving.call(lambda: session.buffered_amount)
        while serving.call(lambda: session.buffered_amount) == unsent:
            client.take(200_000)
        watched.look()
    assert serving.call(lambda: session.buffered_amount) > 0
    assert serving.call(lambda: session.ready_state) == 1


def test_a_peer_that_reads_nothing_is_failed(serve: Serve, closed: Inbox[Any]) -> None:
    serving = serve(
        lambda session: session.on("close", closed.put_all),
        ping_interval=LONG,
        ping_timeout=LONG,
        close_timeout=0.05,
    )
    _, session = serving.accept_slow()
    serving.call(session.send, bytes(2_000_000))
    watched = Watched(serving)
    # The last of what the system takes counts as taken, and may be late.
    while serving.call(lambda: session.ready_state) == 1:
        watched.look()
    assert closed.take() == (1006, "")


def test_a_paused_session_is_left_alone(watched: Watched) -> None:
    """We do not listen, so its silence says nothing."""
    client, session = watched.serving.accept()
    watched.serving.call(session.pause)
    watched.look(5 * LOOKS)
    assert watched.serving.call(lambda: session.ready_state) == 1
    watched.serving.call(session.resume)
    client.send_message("sync")
    assert client.receive_message() == "sync"


def test_a_closing_session_is_left_alone(watched: Watched) -> None:
    client, session = watched.serving.accept()
    watched.serving.call(session.close, 4000)
    watched.look(5 * LOOKS)
    assert client.receive_close() == (4000, "")
    client.send_close(4000)
    assert client.rest() == b""


def test_the_timeout_in_looks(serve: Serve) -> None:
    """A quarter of the interval is two looks."""
    serving = serve(echo, ping_interval=LONG, ping_timeout=LONG / 4)
    client, session = serving.accept()
    Watched(serving).look(1 + LOOKS + 1)
    assert serving.call(lambda: session.ready_state) == 1
    Watched(serving).look()
    assert client.receive().opcode == 9
    assert client.receive_close() == (1011, "keepalive ping timeout")


@pytest.mark.parametrize("none", [0, None])
def test_no_timeout(serve: Serve, none: float | None) -> None:
    serving = serve(echo, ping_interval=LONG, ping_timeout=none)
    client, session = serving.accept()
    Watched(serving).look(10 * LOOKS)
    assert client.receive().opcode == 9
    assert serving.call(lambda: session.ready_state) == 1


@pytest.mark.parametrize("none", [0, None])
def test_no_interval(serve: Serve, none: float | None) -> None:
    serving = serve(echo, ping_interval=none)
    client = serving.connect()
    client.send_message("sync")
    assert client.receive_message() == "sync"


def test_by_the_clock(serve: Serve, closed: Inbox[Any]) -> None:
    """Without anyone looking on purpose."""
    serving = serve(
        lambda session: session.on("close", closed.put_all),
        ping_interval=0.04,
        ping_timeout=0.04,
        close_timeout=0.01,
    )
    client = serving.connect()
    assert client.receive().opcode == 9
    assert client.receive_close() == (1011, "keepalive ping timeout")
    assert closed.take() == (1006, "")


def test_a_server_that_stalls_fails_nobody(serve: Serve) -> None:
    """Time in which it did not look does not count, however long."""
    states: Inbox[list[int]] = Inbox()

    def handler(session: Session) -> None:
        if len(serving.server.sessions) < 3:
            return
        # Longer than interval and timeout together; all have just come.
        time.sleep(0.3)
        sessions = list(serving.server.sessions)

        def see(times: int) -> None:
            states.put([session.ready_state for session in sessions])
            if times > 1:
                serving.driver.reactor.call_soon(see, times - 1)

        # After the look that is due by now, and after some more; in a turn there is one at most.
        serving.driver.reactor.call_soon(see, LOOKS // 2)

    serving = serve(handler, ping_interval=0.08, ping_timeout=0.02)
    with serving.driver.busy():
        for _ in range(3):
            serving.open().request_upgrade()
    assert [states.take() for _ in range(LOOKS // 2)] == [[1, 1, 1]] * (LOOKS // 2)

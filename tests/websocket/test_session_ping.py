"""Pings and Pongs (RFC 6455 §5.5.2 and §5.5.3)."""

import asyncio
from typing import Any

import pytest
from tests.drivers import PATIENCE
from tests.rawclient import frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, echo

from cooee.protocol.errors import ConnectionClosedError
from cooee.websocket import Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

PING, PONG = 9, 10


@pytest.mark.parametrize("payload", [b"", b"x", bytes(125), "é".encode()], ids=len)
def test_pings_are_answered(serve: Serve, payload: bytes) -> None:
    pings: Inbox[bytes] = Inbox()
    client = serve(lambda session: session.on("ping", pings.put)).connect()
    client.frame(PING, payload)
    assert client.receive() == (PONG, payload, True)
    assert pings.take() == payload


def test_many_pings_are_answered_in_order(serve: Serve) -> None:
    client = serve(echo).connect()
    client.send(b"".join(frame(PING, b"%d" % n) for n in range(500)))
    assert [client.receive() for _ in range(500)] == [(PONG, b"%d" % n, True) for n in range(500)]


def test_the_round_trip_time(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()

    async def ping() -> float:
        before = serving.driver.reactor.time()
        seconds = await session.ping("HelloWorld")
        elapsed = serving.driver.reactor.time() - before
        assert 0 <= seconds <= elapsed
        assert session.latency == seconds
        return seconds

    pinging = serving.driver.begin(ping)
    assert client.receive() == (PING, b"HelloWorld", True)
    assert not pinging.done()
    client.frame(PONG, b"HelloWorld")
    assert pinging.result(PATIENCE) >= 0


def test_payloads_of_pings(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    for payload, expected in [
        (b"x", b"x"),
        ("é", "é".encode()),
        (bytearray(125), bytes(125)),
        (memoryview(b"abc")[1:], b"bc"),
        (b"", b""),
    ]:
        serving.call(session.ping, payload)
        assert client.receive() == (PING, expected, True)
    # By default something that differs each time.
    serving.call(session.ping)
    serving.call(session.ping)
    first, second = client.receive(), client.receive()
    assert (len(first.payload), len(second.payload)) == (4, 4)
    assert first != second
    for payload in (bytes(126), "é" * 63):
        with pytest.raises(ValueError, match="126 bytes, at most 125"):
            serving.call(session.ping, payload)
        with pytest.raises(ValueError, match="126 bytes, at most 125"):
            serving.call(session.pong, payload)


def test_a_pong_answers_all_earlier_pings(serve: Serve) -> None:
    """§5.5.3: a peer may answer only the latest of several."""
    serving = serve(echo)
    client, session = serving.accept()
    outcomes = [serving.call(session.ping, f"{n}") for n in range(4)]
    for n in range(4):
        assert client.receive() == (PING, b"%d" % n, True)
    client.frame(PONG, b"2")
    serving.until(lambda: outcomes[2].done)
    assert [serving.call(lambda outcome=outcome: outcome.done) for outcome in outcomes] == [
        True,
        True,
        True,
        False,
    ]
    client.frame(PONG, b"3")
    serving.until(lambda: outcomes[3].done)
    times = [serving.call(outcome.result) for outcome in outcomes]
    assert all(seconds >= 0 for seconds in times)


def test_pongs_that_answer_nothing(serve: Serve) -> None:
    """A one-way heartbeat; one with a known payload that came before is none either."""
    pongs: Inbox[bytes] = Inbox()
    serving = serve(lambda session: session.on("pong", pongs.put))
    client, session = serving.accept()
    client.frame(PONG, b"heartbeat")
    assert pongs.take() == b"heartbeat"
    outcome = serving.call(session.ping, "x")
    client.frame(PONG, b"y")
    assert pongs.take() == b"y"
    assert not serving.call(lambda: outcome.done)
    client.frame(PONG, b"x")
    assert pongs.take() == b"x"
    assert serving.call(lambda: outcome.done)
    client.frame(PONG, b"x")
    assert pongs.take() == b"x"


def test_a_ping_that_is_under_way_already(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    serving.call(session.ping, "x")
    with pytest.raises(ValueError, match="waits for its answer"):
        serving.call(session.ping, "x")
    assert client.receive().opcode == PING
    client.frame(PONG, b"x")
    serving.until(lambda: session.latency is not None)
    serving.call(session.ping, "x")


def test_a_ping_whose_connection_ends(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()

    async def ping() -> None:
        await session.ping()

    waiting = [serving.driver.begin(ping) for _ in range(2)]
    ignored = serving.call(session.ping)
    client.vanish()
    for future in waiting:
        exc = future.exception(PATIENCE)
        assert isinstance(exc, ConnectionClosedError)
        assert exc.code == 1006
    serving.until(lambda: ignored.done)
    with pytest.raises(ConnectionClosedError):
        serving.call(ignored.result)


def test_an_outcome_that_is_not_there_yet(serve: Serve) -> None:
    serving = serve(echo)
    _, session = serving.accept()
    outcome = serving.call(session.ping)
    assert not outcome.done
    with pytest.raises(asyncio.InvalidStateError):
        serving.call(outcome.result)


def test_pongs_without_being_asked(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    serving.call(session.pong)
    assert client.receive() == (PONG, b"", True)
    serving.call(session.pong, "heartbeat")
    assert client.receive() == (PONG, b"heartbeat", True)


def test_several_tasks_await_one_ping(serve: Serve) -> None:
    serving = serve(echo)
    client, session = serving.accept()
    outcome: Any = serving.call(session.ping, "x")

    async def wait() -> float:
        return float(await outcome)

    waiting = [serving.driver.begin(wait) for _ in range(3)]
    assert client.receive().opcode == PING
    client.frame(PONG, b"x")
    assert len({future.result(PATIENCE) for future in waiting}) == 1
    assert serving.driver.run(wait) == waiting[0].result()


def test_latency_is_that_of_the_last_ping(serve: Serve) -> None:
    latencies: Inbox[float | None] = Inbox()

    def handler(session: Session) -> None:
        session.on("pong", lambda data: latencies.put(session.latency))

    serving = serve(handler)
    client, session = serving.accept()
    client.frame(PONG, b"unasked")
    assert latencies.take() is None
    outcome = serving.call(session.ping)
    client.frame(PONG, client.receive().payload)
    assert latencies.take() == serving.call(outcome.result)

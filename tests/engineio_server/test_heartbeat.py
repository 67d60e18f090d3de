"""Heartbeats (Engine.IO protocol, "Heartbeat") and their time limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.engineio_server.serving import BRISK, PATIENT, PING_INTERVAL, PING_TIMEOUT, Serving
from tests.rawclient import RawClient

from cooee.engineio import Socket

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own", "polling"], indirect=True)

Start = Callable[..., Serving]


def target(socket: Socket) -> str:
    """What a poll of a session is for."""
    return f"/engine.io/?EIO=4&transport=polling&sid={socket.sid}"


def polling_at_once(server: Serving, count: int) -> RawClient:
    """Of the session that comes, polls one behind the other: there before any time limit begins."""
    client = server.open()

    def poll(socket: Socket) -> None:
        for _ in range(count):
            client.request(target(socket))

    server.engine.on("connection", poll)
    return client


class TestPolling:
    """Sessions that poll."""

    def test_pings_go_on(self, serving: Start) -> None:
        server = serving(**PATIENT)
        sid = server.handshake()
        for _ in range(3):
            assert server.poll(sid) == "2"
            assert server.post(sid, "3").status == 200

    def test_no_pong(self, serving: Start) -> None:
        server = serving(**BRISK)
        sid = server.handshake()
        end = server.ends.take()
        assert end == ("ping timeout", None)
        assert server.is_gone(sid)

    def test_waiting_poll_is_released(self, serving: Start) -> None:
        server = serving(**BRISK)
        client = polling_at_once(server, 2)
        server.handshake()
        assert client.answer().body == b"2"
        assert client.answer().body == b"1"
        assert server.ends.take().reason == "ping timeout"

    def test_poll_that_comes_with_the_time_limit(self, serving: Start) -> None:
        """The timer comes first, also when the server sees both at once."""
        server = serving(**BRISK)
        client = polling_at_once(server, 1)

        def stand_still(socket: Socket) -> None:
            client.request(target(socket))
            time.sleep(PING_TIMEOUT + 0.1)

        server.when_pinged(stand_still)
        server.handshake()
        assert client.answer().body == b"2"
        answer = client.answer()
        assert (answer.status, answer.body) == (400, b'{"code":1,"message":"Session ID unknown"}')
        assert server.ends.take() == ("ping timeout", None)

    def test_ping_from_the_client(self, server: Serving) -> None:
        sid = server.handshake()
        assert server.post(sid, "2").status == 200
        assert server.ends.take().reason == "transport error"
        assert server.is_gone(sid)


class TestWebSocket:
    """Sessions by WebSocket."""

    def test_pings_go_on(self, serving: Start) -> None:
        client, _ = serving(**PATIENT).websocket_session()
        for _ in range(3):
            assert client.receive_message() == "2"
            client.send_message("3")

    def test_not_before_time(self, serving: Start) -> None:
        server = serving(**BRISK)
        before = time.monotonic()
        client, _ = server.websocket_session()
        assert client.receive_message() == "2"
        assert time.monotonic() - before >= PING_INTERVAL
        # The connection ends after that time too, counted from when the ping was sent.
        assert client.receive_close() == (1005, "")
        assert time.monotonic() - before >= PING_INTERVAL + PING_TIMEOUT
        assert server.ends.take() == ("ping timeout", None)

    def test_ping_from_the_client(self, server: Serving) -> None:
        client, _ = server.websocket_session()
        client.send_message("2")
        assert client.receive_close() == (1005, "")
        assert server.ends.take().reason == "transport error"

    def test_any_packet_extends_the_time_limit_once(self, serving: Start) -> None:
        server = serving(**BRISK)
        client = server.open()
        spoken: list[float] = []

        def speak(socket: Socket) -> None:
            # Half of the time limit is over when this is read.
            time.sleep(PING_TIMEOUT / 2)
            spoken.append(time.monotonic())
            client.send_message("4a")
            client.send_message("4b")

        server.when_pinged(speak)
        client.upgrade("/engine.io/?EIO=4&transport=websocket")
        assert str(client.receive_message())[0] == "0"
        assert [client.receive_message() for _ in range(3)] == ["2", "4a", "4b"]
        assert client.receive_close() == (1005, "")
        assert time.monotonic() - spoken[0] >= PING_TIMEOUT
        assert server.ends.take().reason == "ping timeout"

    def test_pong_that_nobody_asked_for(self, serving: Start) -> None:
        client, _ = serving(**PATIENT).websocket_session()
        client.send_message("3")
        assert client.receive_message() == "2"


class TestProtocol3:
    """The client sends the pings."""

    def test_pings_are_answered(self, serving: Start) -> None:
        server = serving(allow_eio3=True)
        client, _ = server.websocket_session("EIO=3")
        for _ in range(3):
            client.send_message("2")
            assert client.receive_message() == "3"

    def test_no_ping(self, serving: Start) -> None:
        server = serving(allow_eio3=True, **BRISK)
        before = time.monotonic()
        client, _ = server.websocket_session("EIO=3")
        assert client.receive_close() == (1005, "")
        assert time.monotonic() - before >= PING_INTERVAL + PING_TIMEOUT
        assert server.ends.take() == ("ping timeout", None)

    def test_pong_from_the_client(self, serving: Start) -> None:
        server = serving(allow_eio3=True)
        client, _ = server.websocket_session("EIO=3")
        client.send_message("3")
        assert client.receive_close() == (1005, "")
        assert server.ends.take().reason == "transport error"


def test_process_that_stood_still(serving: Start) -> None:
    """What clients sent meanwhile counts: the pong lies in the socket when the timer is late."""
    server = serving(**BRISK)
    client = server.open()

    def stand_still(socket: Socket) -> None:
        client.send_message("3")
        time.sleep(PING_TIMEOUT + 0.1)

    server.when_pinged(stand_still)
    client.upgrade("/engine.io/?EIO=4&transport=websocket")
    assert str(client.receive_message())[0] == "0"
    # Without the pong the end would come, not another ping.
    assert [client.receive_message() for _ in range(2)] == ["2", "2"]

"""Heartbeats (Engine.IO protocol, "Heartbeat") and their time limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.engineio_server.serving import PING_INTERVAL, PING_TIMEOUT, Serving

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own", "polling"], indirect=True)

Start = Callable[..., Serving]


class TestPolling:
    """Sessions that poll."""

    def test_pings_go_on(self, server: Serving) -> None:
        sid = server.handshake()
        for _ in range(3):
            assert server.poll(sid) == "2"
            assert server.post(sid, "3").status == 200

    def test_no_pong(self, server: Serving) -> None:
        sid = server.handshake()
        end = server.ends.take()
        assert end == ("ping timeout", None)
        assert server.is_gone(sid)

    def test_waiting_poll_is_released(self, server: Serving) -> None:
        sid = server.handshake()
        assert server.poll(sid) == "2"
        assert server.poll(sid) == "1"
        assert server.ends.take().reason == "ping timeout"

    def test_poll_that_comes_with_the_time_limit(self, server: Serving) -> None:
        """The timer comes first, also when the server sees both at once."""
        client = server.open()
        client.request("/engine.io/?EIO=4&transport=polling")
        sid = server.sockets.take().sid
        assert client.answer().status == 200
        target = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
        client.request(target)
        assert client.answer().body == b"2"

        def stand_still() -> None:
            client.request(target)
            time.sleep(PING_TIMEOUT + 0.1)

        server.call(stand_still)
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

    def test_pings_go_on(self, server: Serving) -> None:
        client, _ = server.websocket_session()
        for _ in range(3):
            assert client.receive_message() == "2"
            client.send_message("3")

    def test_not_before_time(self, server: Serving) -> None:
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
        server = serving(ping_timeout=0.4)
        client, _ = server.websocket_session()
        assert client.receive_message() == "2"
        before = time.monotonic()
        client.send_message("4a")
        assert client.receive_message() == "4a"
        client.send_message("4b")
        assert client.receive_message() == "4b"
        assert client.receive_close() == (1005, "")
        assert time.monotonic() - before >= 0.4
        assert server.ends.take().reason == "ping timeout"

    def test_pong_that_nobody_asked_for(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
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
        server = serving(allow_eio3=True)
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
    server = serving()
    client, sid = server.websocket_session()
    assert client.receive_message() == "2"

    def stand_still() -> None:
        client.send_message("3")
        time.sleep(PING_TIMEOUT + 0.1)

    server.call(stand_still)
    assert client.receive_message() == "2"
    assert server.call(lambda: sid in server.engine.clients)

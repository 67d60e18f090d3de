"""How sessions end, by either side."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.engineio_server.serving import Serving

from cooee.engineio import PyReceiver

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

Start = Callable[..., Serving]


class TestByTheClient:
    """The client ends the session."""

    def test_close_packet_releases_the_poll(self, server: Serving) -> None:
        sid = server.handshake()
        poll = server.begin_poll(sid)
        answer = server.post(sid, "1")
        assert (answer.status, answer.body) == (200, b"ok")
        assert poll.answer().body == b"6"
        assert server.ends.take() == ("transport close", None)
        assert server.is_gone(sid)

    def test_close_packet_without_a_poll(self, server: Serving) -> None:
        sid = server.handshake()
        assert server.post(sid, "4last\x1e1\x1e4too late").status == 200
        assert server.ends.take() == ("transport close", None)
        assert server.is_gone(sid)

    def test_close_packet_by_websocket(self, serving: Start) -> None:
        server = serving()
        client, sid = server.websocket_session()
        client.send_message("1")
        assert client.receive_close() == (1005, "")
        assert server.ends.take() == ("transport close", None)
        assert server.is_gone(sid)

    def test_close_frame(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        client.leave(1000)
        assert server.ends.take() == ("transport close", None)

    def test_lost_connection(self, serving: Start) -> None:
        server = serving()
        client, sid = server.websocket_session()
        client.close()
        assert server.ends.take().reason == "transport close"
        assert server.is_gone(sid)

    def test_reset(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        client.vanish()
        assert server.ends.take().reason in ("transport error", "transport close")


class TestByTheServer:
    """The application ends the session."""

    def test_with_a_poll_waiting(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        poll = server.begin_poll(sid)
        socket = server.sockets.take()
        server.call(socket.close)
        assert poll.answer().body == b"1"
        assert server.ends.take() == ("forced close", None)
        assert server.is_gone(sid)

    def test_with_the_next_poll(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        server.call(socket.close)
        assert socket.ready_state == "closing"
        assert server.poll(sid) == "6\x1e1"
        assert server.ends.take() == ("forced close", None)
        assert server.is_gone(sid)

    def test_what_is_queued_goes_first(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()

        def close() -> None:
            socket.send("last")
            socket.close()
            socket.close()
            socket.send("too late")

        server.call(close)
        assert server.poll(sid) == "4last"
        assert server.poll(sid) == "6\x1e1"
        assert server.ends.take() == ("forced close", None)

    def test_messages_that_come_meanwhile_are_dropped(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        server.call(server.sockets.take().close)
        assert server.post(sid, "4x").status == 200
        assert server.poll(sid) == "6\x1e1"

    def test_at_once(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        server.call(socket.send, "never sent")
        server.call(socket.close, True)
        assert server.ends.take() == ("forced close", None)
        assert server.is_gone(sid)

    def test_by_websocket(self, serving: Start) -> None:
        server = serving()
        client, sid = server.websocket_session()
        socket = server.sockets.take()

        def close() -> None:
            socket.send("last")
            socket.close()

        server.call(close)
        assert client.receive_message() == "4last"
        assert client.receive_close() == (1005, "")
        assert server.ends.take() == ("forced close", None)
        assert server.is_gone(sid)

    def test_in_a_handler(self, serving: Start) -> None:
        server = serving()

        class Leaver(PyReceiver):
            def message_received(self, data: str | bytes) -> None:
                socket.send("bye")
                socket.close(True)

        sid = server.handshake()
        socket = server.sockets.take()
        server.call(setattr, socket, "receiver", Leaver())
        poll = server.begin_poll(sid)
        assert server.post(sid, "4x\x1e4y").status == 200
        assert poll.answer().body == b"4bye"
        assert server.is_gone(sid)

    def test_close_handler_that_raises(self, serving: Start) -> None:
        class Broken(PyReceiver):
            def session_closed(self, reason: str, description: Exception | None) -> None:
                raise RuntimeError("broken")

        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        server.call(setattr, socket, "receiver", Broken())
        server.call(socket.close, True)
        assert server.is_gone(sid)


class TestShutdown:
    """The whole server closes."""

    def test_everything_ends(self, serving: Start) -> None:
        server = serving()
        polling = server.handshake()
        poll = server.begin_poll(polling)
        idle = server.handshake()
        client, _ = server.websocket_session()
        closed = server.call(server.server.close)
        assert poll.answer().body == b"1"
        assert client.receive_close() == (1005, "")
        client.send_close(None)
        assert client.rest() == b""
        server.until(lambda: closed.done)
        assert [server.ends.take().reason for _ in range(3)] == ["forced close"] * 3
        assert not server.engine.clients
        assert idle

    def test_client_that_does_not_answer_is_cut(self, serving: Start) -> None:
        server = serving(close_timeout=0.1)
        client, _ = server.websocket_session()
        closed = server.call(server.server.close)
        server.until(lambda: closed.done)
        assert client.wait_closed() == (1005, "")

    def test_no_new_sessions(self, serving: Start) -> None:
        server = serving()
        client = server.open()
        server.call(server.engine.close)
        client.request("/engine.io/?EIO=4&transport=polling")
        assert client.answer().status == 503


def test_mounting(serving: Start, driver: object) -> None:
    server = serving()
    with pytest.raises(RuntimeError, match="started before"):
        server.server.mount("/other/", server.engine)

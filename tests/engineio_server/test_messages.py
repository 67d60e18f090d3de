"""Messages over either transport, and what is malformed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from tests.drivers import PATIENCE
from tests.engineio_server.serving import Serving
from tests.protocol import oracle
from tests.rawclient import RawClient

from cooee.engineio import PacketError, Prepared, PyReceiver, Socket, TransportError
from cooee.reactor import Stream

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

Start = Callable[..., Serving]


def count_streams(server: Serving) -> int:
    """Connections that the server has."""
    return sum(isinstance(handle, Stream) for handle in server.driver.reactor.handles())


class TestPolling:
    """The polling transport."""

    def test_echo(self, server: Serving) -> None:
        sid = server.handshake()
        answer = server.post(sid, "4hello")
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.headers["content-type"] == "text/html"
        assert server.poll(sid) == "4hello"

    def test_waiting_poll_is_answered(self, server: Serving) -> None:
        sid = server.handshake()
        poll = server.begin_poll(sid)
        server.post(sid, "4hello")
        assert poll.answer().body == b"4hello"

    def test_several_packets(self, server: Serving) -> None:
        sid = server.handshake()
        server.post(sid, "4one\x1e4two\x1e4three")
        assert server.poll(sid) == "4one\x1e4two\x1e4three"

    def test_binary(self, server: Serving) -> None:
        sid = server.handshake()
        server.post(sid, "4text\x1ebAQIDBA==")
        assert server.poll(sid) == "4text\x1ebAQIDBA=="

    def test_text_beyond_ascii(self, server: Serving) -> None:
        sid = server.handshake()
        server.post(sid, "4日本語 €")
        assert server.poll(sid) == "4日本語 €"

    def test_many_packets(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        packets = "\x1e".join(f"4{number}" for number in range(2000))
        assert server.post(sid, packets).status == 200
        assert server.poll(sid) == packets

    def test_one_connection_for_all_requests(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        client = server.open()
        target = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
        for number in range(3):
            client.request(target, method="POST", body=b"4%d" % number)
            assert client.answer().body == b"ok"
            client.request(target)
            assert client.answer().body == b"4%d" % number

    @pytest.mark.parametrize("body", ["abc", "4a\x1e", "7", "bnot base64", "4a\x1e9"])
    def test_malformed(self, server: Serving, body: str) -> None:
        sid = server.handshake()
        assert server.post(sid, body).status == 400
        end = server.ends.take()
        assert end.reason == "parse error"
        assert isinstance(end.description, PacketError)
        assert server.is_gone(sid)

    def test_not_utf8(self, server: Serving) -> None:
        sid = server.handshake()
        assert server.post(sid, b"4\xff").status == 400
        assert server.ends.take().reason == "parse error"

    def test_malformed_with_a_poll_waiting(self, server: Serving) -> None:
        sid = server.handshake()
        poll = server.begin_poll(sid)
        assert server.post(sid, "abc").status == 400
        assert poll.answer().body == b"1"

    def test_binary_body(self, server: Serving) -> None:
        sid = server.handshake()
        answer = server.request(
            f"EIO=4&transport=polling&sid={sid}",
            {"Content-Type": "application/octet-stream"},
            method="POST",
            body=b"4x",
        )
        assert answer.status == 400
        assert server.ends.take().reason == "transport error"

    def test_body_too_large(self, serving: Start) -> None:
        server = serving(max_http_buffer_size=100)
        sid = server.handshake()
        assert server.post(sid, "4" + "x" * 99).status == 200
        assert server.post(sid, "4" + "x" * 100).status == 413
        # The session lives on, as in Node.
        assert server.poll(sid) == "4" + "x" * 99

    def test_body_far_too_large(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        client = server.open()
        client.request(
            f"/engine.io/?EIO=4&transport=polling&sid={sid}",
            {"Content-Length": "3000000"},
            method="POST",
        )
        assert client.answer().status == 413

    def test_large_bodies_when_allowed(self, serving: Start) -> None:
        server = serving(max_http_buffer_size=3_000_000)
        sid = server.handshake()
        body = "4" + "x" * 2_500_000
        assert server.post(sid, body).status == 200
        assert server.poll(sid) == body

    def test_overlapping_polls(self, server: Serving) -> None:
        sid = server.handshake()
        first = server.begin_poll(sid)
        second = server.request(f"EIO=4&transport=polling&sid={sid}")
        assert (second.status, second.body) == (400, b"")
        answer = first.answer()
        assert (answer.status, answer.body) == (200, b"1")
        end = server.ends.take()
        assert end.reason == "transport error"
        assert isinstance(end.description, TransportError)
        assert server.is_gone(sid)

    def begin_post(self, server: Serving, sid: str, size: int) -> RawClient:
        """A POST of which only the head has come, as the server has seen."""
        announced: list[object] = []
        announce = server.engine.announce
        server.engine.announce = lambda *args: announced.append(announce(*args))  # type: ignore[method-assign]
        client = server.open()
        target = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
        client.request(target, {"Content-Length": str(size)}, method="POST")
        server.until(lambda: announced)
        return client

    @pytest.mark.parametrize("in_pieces", [False, True])
    def test_overlapping_posts(self, server: Serving, in_pieces: bool) -> None:
        sid = server.handshake()
        first = self.begin_post(server, sid, 2)
        if in_pieces:
            second = self.begin_post(server, sid, 2)
            assert server.ends.take().reason == "transport error"
            second.send(b"4b")
            assert second.answer().status == 400
        else:
            assert server.post(sid, "4b").status == 400
            assert server.ends.take().reason == "transport error"
        first.send(b"4a")
        assert first.answer().status == 400
        assert server.is_gone(sid)

    def test_posts_one_after_another(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        for number in range(3):
            client = self.begin_post(server, sid, 2)
            client.send(b"4%d" % number)
            assert client.answer().status == 200
        # Given up by the client, and so not under way.
        client = self.begin_post(server, sid, 2)
        client.vanish()
        server.until(lambda: count_streams(server) == 3)
        assert server.post(sid, "43").status == 200
        assert server.poll(sid) == "40\x1e41\x1e42\x1e43"

    def test_poll_given_up(self, server: Serving) -> None:
        sid = server.handshake()
        server.begin_poll(sid).close()
        assert server.ends.take().reason == "transport error"
        assert server.is_gone(sid)

    def test_receiver_that_raises(self, serving: Start) -> None:
        class Broken(PyReceiver):
            def message_received(self, data: str | bytes) -> None:
                raise RuntimeError("broken")

        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        server.call(setattr, socket, "receiver", Broken())
        assert server.post(sid, "4x").status == 400
        assert server.is_gone(sid)
        client, _ = server.websocket_session()
        server.call(setattr, server.sockets.take(), "receiver", Broken())
        client.send_message("4x")
        assert client.receive_close()[0] == 1011
        server.until(lambda: not server.engine.clients)

    def test_separator_in_text(self, serving: Start) -> None:
        server = serving()
        server.handshake()
        socket = server.sockets.take()
        with pytest.raises(ValueError, match=r"U\+001E"):
            server.call(socket.send, "a\x1eb")
        assert server.call(lambda: socket.buffered_amount) == 0
        client, _ = server.websocket_session()
        server.call(server.sockets.take().send, "a\x1eb")
        assert client.receive_message() == "4a\x1eb"


class TestCompression:
    """Polling answers for clients that take them compressed."""

    @pytest.mark.parametrize(
        ("accepts", "coding"), [("gzip, deflate", "gzip"), ("deflate", "deflate"), ("br", None)]
    )
    def test_large_answers(self, serving: Start, accepts: str, coding: str | None) -> None:
        server = serving()
        sid = server.handshake()
        server.post(sid, "4" + "x" * 1023)
        answer = server.request(f"EIO=4&transport=polling&sid={sid}", {"Accept-Encoding": accepts})
        assert answer.headers.get("content-encoding") == coding
        unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding]
        assert unpack(answer.body) == b"4" + b"x" * 1023

    def test_not_below_the_threshold_and_not_when_off(self, serving: Start) -> None:
        for options, size in (({}, 1022), ({"http_compression": False}, 5000)):
            server = serving(**options)
            sid = server.handshake()
            server.post(sid, "4" + "x" * size)
            answer = server.request(
                f"EIO=4&transport=polling&sid={sid}", {"Accept-Encoding": "gzip"}
            )
            assert "content-encoding" not in answer.headers

    def test_not_for_messages_without_the_flag(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        server.call(socket.send, "x" * 5000, False)
        answer = server.request(f"EIO=4&transport=polling&sid={sid}", {"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers


class TestWebSocket:
    """The WebSocket transport."""

    def test_echo(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        for size in (0, 1, 124, 125, 4096, 4097, 65534, 65535, 200_000):
            client.send_message("4" + "x" * size)
            assert client.receive_message() == "4" + "x" * size
            client.send_message(b"x" * size)
            assert client.receive_message() == b"x" * size

    def test_text_beyond_ascii(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        client.send_message("4日本語 €")
        assert client.receive_message() == "4日本語 €"

    def test_binary_as_text(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        client.send_message("bAQIDBA==")
        assert client.receive_message() == b"\1\2\3\4"

    @pytest.mark.parametrize("packet", ["abc", "", "7"])
    def test_malformed(self, server: Serving, packet: str) -> None:
        client, sid = server.websocket_session()
        client.send_message(packet)
        assert client.receive_close() == (1005, "")
        assert server.ends.take().reason == "parse error"
        assert server.is_gone(sid)

    @pytest.mark.parametrize("packet", ["0", "5", "6"])
    def test_packets_without_meaning(self, serving: Start, packet: str) -> None:
        server = serving()
        client, _ = server.websocket_session()
        client.send_message(packet)
        client.send_message("4still here")
        assert client.receive_message() == "4still here"

    def test_message_too_large(self, serving: Start) -> None:
        server = serving(max_http_buffer_size=100)
        client, sid = server.websocket_session()
        client.send_message("4" + "x" * 100)
        # No reason, as with Node; the application has it.
        assert client.receive_close() == (1009, "")
        end = server.ends.take()
        assert end.reason == "transport error"
        assert "at most 100" in str(end.description)
        assert server.is_gone(sid)

    def test_protocol_violation(self, server: Serving) -> None:
        client, _ = server.websocket_session()
        client.frame(oracle.TEXT, b"4\xff")
        assert client.receive_close()[0] == 1007
        assert server.ends.take().reason == "transport error"

    def test_websocket_pings_are_answered(self, server: Serving) -> None:
        client, _ = server.websocket_session()
        client.frame(oracle.PING, b"abc")
        assert client.receive()[:2] == (oracle.PONG, b"abc")


class TestSending:
    """What an application may send, and what happens to it."""

    def test_kinds(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        socket = server.sockets.take()
        for data in (bytearray(b"a"), memoryview(b"b"), b"c"):
            server.call(socket.send, data)
        assert [client.receive_message() for _ in range(3)] == [b"a", b"b", b"c"]
        with pytest.raises(TypeError, match="not int"):
            server.call(socket.send, 1)
        with pytest.raises(UnicodeEncodeError):
            server.call(socket.send, "\ud800")

    def test_nothing_after_the_end(self, serving: Start) -> None:
        server = serving()
        server.handshake()
        socket = server.sockets.take()
        server.call(socket.close, True)
        server.call(socket.send, "x")
        server.call(socket.send_prepared, Prepared("x"))
        assert socket.buffered_amount == 0
        assert socket.ready_state == "closed"
        assert not socket.writable

    def test_writable(self, serving: Start) -> None:
        server = serving()
        sid = server.handshake()
        socket = server.sockets.take()
        assert not server.call(lambda: socket.writable)
        poll = server.begin_poll(sid)

        def send() -> list[bool]:
            states = [socket.writable]
            socket.send("x")
            return [*states, socket.writable]

        assert server.call(send) == [True, False]
        assert poll.answer().body == b"4x"
        client, _ = server.websocket_session()
        socket = server.sockets.take()
        server.until(lambda: socket.writable)
        if server.driver.name == "asyncio":
            assert server.call(send) == [True, False]
            assert client.receive_message() == "4x"
            server.until(lambda: socket.writable)

    def test_prepared(self, serving: Start) -> None:
        server = serving(allow_eio3=True)
        message = Prepared("text €", [b"\1\2", b"x" * 70_000])
        polling = server.handshake()
        polling3 = server.handshake("EIO=3&b64=1")
        websocket, _ = server.websocket_session()
        websocket3, _ = server.websocket_session("EIO=3")
        as_text, _ = server.websocket_session("EIO=3&b64=1")
        sockets = [server.sockets.take() for _ in range(5)]

        def broadcast() -> None:
            for socket in sockets:
                socket.send_prepared(message)

        server.call(broadcast)
        long = "eHh4" * 23333 + "eA=="
        assert server.poll(polling) == f"4text €\x1ebAQI=\x1eb{long}"
        assert server.poll(polling3, "EIO=3&b64=1") == f"7:4text €6:b4AQI={len(long) + 2}:b4{long}"
        assert websocket.receive_message() == "4text €"
        assert websocket.receive_message() == b"\1\2"
        assert websocket.receive_message() == b"x" * 70_000
        assert websocket3.receive_message() == "4text €"
        assert websocket3.receive_message() == b"\4\1\2"
        assert websocket3.receive_message() == b"\4" + b"x" * 70_000
        assert as_text.receive_message() == "4text €"
        assert as_text.receive_message() == "b4AQI="
        assert as_text.receive_message() == f"b4{long}"

    def test_prepared_bytes(self, serving: Start) -> None:
        server = serving()
        client, _ = server.websocket_session()
        sid = server.handshake()
        message = Prepared(b"\1")
        for socket in (server.sockets.take(), server.sockets.take()):
            server.call(socket.send_prepared, message)
        assert client.receive_message() == b"\1"
        assert server.poll(sid) == "bAQ=="

    def test_prepared_takes_no_other_types(self, driver: object) -> None:
        with pytest.raises(TypeError):
            Prepared(bytearray())  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            Prepared("", ["x"])  # type: ignore[list-item]


class TestLimits:
    """Clients that do not take what is sent to them."""

    def test_client_that_stops_polling(self, serving: Start) -> None:
        server = serving(max_buffered=10_000)
        sid = server.handshake()
        socket = server.sockets.take()

        def flood(socket: Socket) -> None:
            for _ in range(100):
                socket.send("x" * 1000)

        server.call(flood, socket)
        end = server.ends.take()
        assert end.reason == "transport error"
        assert "wait for a poll" in str(end.description)
        assert socket.buffered_amount == 0
        assert server.is_gone(sid)

    def test_small_messages_count_with_their_overhead(self, serving: Start) -> None:
        server = serving(max_buffered=10_000)
        server.handshake()
        socket = server.sockets.take()
        server.call(lambda: [socket.send("") for _ in range(200)])
        assert server.ends.take().reason == "transport error"

    def test_client_that_stops_reading(self, serving: Start) -> None:
        server = serving(max_buffered=100_000)
        client = server.open(receive_buffer=4096)
        client.upgrade("/engine.io/?EIO=4&transport=websocket")
        socket = server.sockets.take()

        def flood() -> bool:
            for _ in range(10):
                socket.send(b"x" * 100_000)
            return socket.ready_state == "open"

        # However much the system takes, it does not take all of it.
        for _ in range(1000):
            if not server.call(flood):
                break
        end = server.ends.take()
        assert end.reason == "transport error"
        assert "wait to be sent" in str(end.description)

    def test_waiting_for_a_slow_client(self, serving: Start) -> None:
        server = serving(high_water=1000)
        sid = server.handshake()
        socket = server.sockets.take()

        async def send() -> None:
            await socket.send("x" * 500)
            await socket.send("y" * 2000)

        sending = server.driver.begin(send)
        server.until(lambda: socket.buffered_amount > 2000)
        assert not sending.done()
        assert server.poll(sid) == "4" + "x" * 500 + "\x1e4" + "y" * 2000
        sending.result(PATIENCE)
        assert server.call(lambda: socket.receiver.drained) >= 1

    def test_waiting_ends_with_the_session(self, serving: Start) -> None:
        server = serving(high_water=1000)
        server.handshake()
        socket = server.sockets.take()

        async def send() -> None:
            await socket.send("y" * 2000)

        sending = server.driver.begin(send)
        server.until(lambda: socket.buffered_amount > 2000)
        server.call(socket.close, True)
        sending.result(PATIENCE)

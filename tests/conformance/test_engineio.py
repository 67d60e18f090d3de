"""Engine.IO 4 and 3: the clauses that ``tests/engineio_server`` leaves out (see the README)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.serving import build_3
from tests.engineio_server.serving import BRISK, Serving
from tests.protocol import oracle
from tests.rawclient import RawClient, frame

from cooee.engineio import Socket

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Engine = Callable[..., Serving]


class TestRequests:
    """ "HTTP long-polling"."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("query", ["EIO=4&sid={}", "EIO=4&sid={}&transport="])
    def test_mandatory_parameters_of_a_session(
        self, engine: Engine, method: str, query: str
    ) -> None:
        """ "If a mandatory query parameter is missing, ... an HTTP 400 error status"."""
        server = engine()
        sid = server.handshake()
        answer = server.request(query.format(sid), method=method)
        assert (answer.status, answer.body) == (400, b'{"code":0,"message":"Transport unknown"}')
        server.post(sid, "4x")
        assert server.poll(sid) == "4x"

    def test_cache_busting(self, engine: Engine) -> None:
        """``t`` and other parameters do not matter, nor does the order."""
        server = engine()
        answer = server.request("t=N8hyd6w&x=%20&transport=polling&EIO=4")
        assert answer.status == 200
        sid = answer.body.split(b'"sid":"')[1].split(b'"')[0].decode()
        server.post(sid, "4x", "t=1&EIO=4")
        assert server.poll(sid, "t=2&x&EIO=4") == "4x"

    @pytest.mark.parametrize(
        "content_type", [None, "text/plain", "text/plain;charset=UTF-8", "text/html"]
    )
    def test_content_type_of_text(self, engine: Engine, content_type: str | None) -> None:
        """ "Without an explicit Content-Type header, ... the data is plaintext"."""
        server = engine()
        sid = server.handshake()
        answer = server.request(
            f"EIO=4&transport=polling&sid={sid}",
            {"Content-Type": content_type},
            method="POST",
            body="4é€😀".encode(),
        )
        assert (answer.status, answer.body) == (200, b"ok")
        assert server.poll(sid) == "4é€😀"

    def test_content_type_of_binary(self, engine: Engine) -> None:
        """Base64 makes text of binary data: the answer's type says so."""
        server = engine()
        sid = server.handshake()
        server.post(sid, "bAQIDBA==")
        answer = server.request(f"EIO=4&transport=polling&sid={sid}")
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert answer.body == b"bAQIDBA=="

    def test_body_in_chunks(self, engine: Engine) -> None:
        """RFC 9112 §7.1."""
        server = engine()
        sid = server.handshake()
        client = chunked(server, sid)
        client.send(b"3\r\n4on\r\n1\r\ne\r\n0\r\n\r\n")
        assert client.answer().body == b"ok"
        assert server.poll(sid) == "4one"

    @pytest.mark.parametrize(("limit", "status"), [(127, 413), (128, 200), (3_000_000, 200)])
    def test_limit_of_a_body_in_chunks(self, engine: Engine, limit: int, status: int) -> None:
        """What is not announced is limited too; up to the limit it is taken, however large."""
        server = engine(max_http_buffer_size=limit)
        sid = server.handshake()
        client = chunked(server, sid)
        half = min(limit // 2, 1_250_000) if status == 200 else 64
        chunk = b"%x\r\n" % half + b"4" * half + b"\r\n"
        client.send(chunk + chunk + b"0\r\n\r\n")
        assert client.answer().status == status
        # The session lives on either way.
        server.post(sid, "4x")
        assert server.poll(sid).endswith("4x")

    def test_empty_body(self, engine: Engine) -> None:
        """No packet at all is none."""
        server = engine()
        sid = server.handshake()
        answer = server.request(
            f"EIO=4&transport=polling&sid={sid}", {"Content-Length": "0"}, method="POST"
        )
        assert answer.status == 400
        assert server.ends.take().reason == "parse error"

    @pytest.mark.parametrize("packet", ["0", "5", "6"])
    def test_packets_without_meaning(self, engine: Engine, packet: str) -> None:
        server = engine()
        sid = server.handshake()
        assert server.post(sid, f"{packet}\x1e4x").body == b"ok"
        assert server.poll(sid) == "4x"

    def test_record_separator(self, engine: Engine) -> None:
        """ "4hello\\x1e2\\x1e4world" of "Packet encoding", with a pong, as a client has it."""
        server = engine()
        sid = server.handshake()
        assert server.post(sid, "4hello\x1e3\x1e4world").body == b"ok"
        assert server.poll(sid) == "4hello\x1e4world"

    @pytest.mark.parametrize("packet", ["4", "b"])
    def test_empty_messages(self, engine: Engine, packet: str) -> None:
        server = engine()
        sid = server.handshake()
        assert server.post(sid, packet).body == b"ok"
        assert server.poll(sid) == packet

    def test_limit_to_the_byte(self, engine: Engine) -> None:
        """``maxPayload``: bytes, not characters."""
        server = engine()
        sid = server.handshake()
        assert server.post(sid, "4" + "é" * 499_999 + "x").status == 200
        assert server.post(sid, "4" + "é" * 500_000).status == 413


def chunked(server: Serving, sid: str) -> RawClient:
    """A POST in chunks, of which none has been sent."""
    client = server.open()
    target = f"/engine.io/?EIO=4&transport=polling&sid={sid}"
    client.request(target, {"Transfer-Encoding": "chunked"}, method="POST")
    return client


class TestWebSocket:
    """ "WebSocket"."""

    @pytest.mark.parametrize("query", ["transport=websocket", "EIO=4", "EIO=4&transport="])
    def test_mandatory_parameters(self, engine: Engine, query: str) -> None:
        """ "If a mandatory query parameter is missing, ... close the WebSocket connection"."""
        client = engine().open()
        client.request_upgrade("/engine.io/?" + query)
        assert client.answer().status == 400
        assert client.rest() == b""

    def test_frame_for_each_packet(self, engine: Engine) -> None:
        """ "Each packet (read or write) is sent its own WebSocket frame"."""
        server = engine()
        client, _ = server.websocket_session()
        socket = server.sockets.take()

        def send() -> None:
            for data in ("one", b"two", "", b"", "three"):
                socket.send(data)

        server.call(send)
        assert [client.receive() for _ in range(5)] == [
            (oracle.TEXT, b"4one", True),
            (oracle.BINARY, b"two", True),
            (oracle.TEXT, b"4", True),
            (oracle.BINARY, b"", True),
            (oracle.TEXT, b"4three", True),
        ]

    def test_packet_in_fragments(self, engine: Engine) -> None:
        """A receiver takes messages, in however many frames they come (RFC 6455 §5.4)."""
        server = engine()
        client, _ = server.websocket_session()
        euro = "€".encode()
        client.send(frame(oracle.TEXT, b"4" + euro[:1], fin=False))
        client.frame(oracle.PING, b"between")
        client.send(frame(oracle.CONTINUATION, euro[1:]))
        assert client.receive()[:2] == (oracle.PONG, b"between")
        assert client.receive_message() == "4€"

    def test_many_packets_in_one_segment(self, engine: Engine) -> None:
        server = engine()
        client, _ = server.websocket_session()
        client.send(b"".join(frame(oracle.TEXT, b"4%d" % number) for number in range(500)))
        assert [client.receive_message() for _ in range(500)] == [f"4{n}" for n in range(500)]

    @pytest.mark.parametrize("code", [None, 1000, 1001, 3000])
    def test_closing_handshake(self, engine: Engine, code: int | None) -> None:
        server = engine()
        client, _ = server.websocket_session()
        client.leave(code)
        assert server.ends.take().reason == "transport close"


class TestUpgrade:
    """ "Upgrade"."""

    @pytest.mark.parametrize("query", ["EIO=4", "EIO=3"])
    def test_post_under_way(self, engine: Engine, query: str) -> None:
        """A POST that is still being sent when the client changes over is not lost."""
        server = engine(allow_eio3=True)
        sid = server.handshake(query)
        socket = server.sockets.take()
        body = b"4late" if query == "EIO=4" else b"5:4late"
        post = server.open()
        target = f"/engine.io/?{query}&transport=polling&sid={sid}"
        post.request(target, {"Content-Length": str(len(body))}, method="POST")
        client = server.websocket(f"{query}&sid={sid}")
        client.send_message("2probe")
        assert client.receive_message() == "3probe"
        post.send(body)
        assert post.answer().body == b"ok"
        client.send_message("5")
        assert client.receive_message() == "4late"
        assert socket.transport_name == "websocket"

    def test_probe_twice(self, engine: Engine) -> None:
        server = engine()
        sid = server.handshake()
        client = server.websocket(f"EIO=4&sid={sid}")
        for _ in range(2):
            client.send_message("2probe")
            assert client.receive_message() == "3probe"
        client.send_message("5")
        client.send_message("4x")
        assert client.receive_message() == "4x"


class TestProtocol3:
    """Engine.IO 3, "Payload" and "Packet"."""

    @pytest.mark.parametrize("text", ["€", "😀", "é" * 300, "a:b", "2:4x", "\n\u2028\x1e"])
    def test_lengths_are_characters(self, engine: Engine, text: str) -> None:
        server = engine(allow_eio3=True)
        sid = server.handshake("EIO=3")
        payload = build_3([f"4{text}", "4x"])
        assert server.post(sid, payload, "EIO=3").body == b"ok"
        assert server.poll(sid, "EIO=3") == payload

    def test_binary_payload_of_the_document(self, engine: Engine) -> None:
        """As in "Example with binary", whose binary packet there lacks its type."""
        server = engine(allow_eio3=True)
        sid = server.handshake("EIO=3")
        payload = bytes.fromhex("00 04 ff 34 e2 82 ac 01 05 ff 04 01 02 03 04")
        answer = server.request(
            f"EIO=3&transport=polling&sid={sid}",
            {"Content-Type": "application/octet-stream"},
            method="POST",
            body=payload,
        )
        assert answer.body == b"ok"
        answer = server.request(f"EIO=3&transport=polling&sid={sid}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.body == payload

    @pytest.mark.parametrize(
        "payload", ["abc", "6:4hello6", "4hello", ":4a", "-1:4a", "1:7", "9" * 400 + ":4a"]
    )
    def test_malformed(self, engine: Engine, payload: str) -> None:
        server = engine(allow_eio3=True)
        sid = server.handshake("EIO=3")
        assert server.post(sid, payload, "EIO=3").status == 400
        assert server.ends.take().reason == "parse error"

    def test_overlapping_polls(self, engine: Engine) -> None:
        server = engine(allow_eio3=True)
        sid = server.handshake("EIO=3")
        first = server.begin_poll(sid, "EIO=3")
        assert server.request(f"EIO=3&transport=polling&sid={sid}").status == 400
        assert first.answer().body == b"1:1"
        assert server.is_gone(sid)

    def test_ping_timeout_by_polling(self, engine: Engine) -> None:
        """ "when it does not receive any data within pingTimeout + pingInterval"."""
        server = engine(allow_eio3=True, **BRISK)
        client = server.open()

        def ping(socket: Socket) -> None:
            # In the server's thread: in time.
            target = f"/engine.io/?EIO=3&transport=polling&sid={socket.sid}"
            client.request(target, method="POST", body=b"1:2")
            client.request(target)

        server.engine.on("connection", ping)
        sid = server.handshake("EIO=3")
        assert [client.answer().body for _ in range(2)] == [b"ok", b"1:3"]
        assert server.ends.take().reason == "ping timeout"
        assert server.is_gone(sid)

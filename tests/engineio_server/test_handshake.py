"""Handshakes, and every way in which they are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tests.engineio_server.serving import Serving
from tests.rawclient import RawClient

from cooee.engineio import Cookie, Server
from cooee.http import HttpConnection, Request
from cooee.reactor import Stream

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

Start = Callable[..., Serving]

# The server tells them in milliseconds.
FRACTIONS = {"ping_interval": 60.3, "ping_timeout": 20.2}


def error(code: int, message: str) -> bytes:
    """The body of a refusal."""
    return b'{"code":%d,"message":"%b"}' % (code, message.encode())


def connections(server: Serving) -> list[HttpConnection]:
    """Those that wait for an answer, or for the next request."""
    streams = [one for one in server.driver.reactor.handles() if isinstance(one, Stream)]
    return [one.protocol for one in streams if isinstance(one.protocol, HttpConnection)]


def begin_handshake(server: Serving, transport: str) -> RawClient:
    """A client that has asked for a session."""
    client = server.open()
    target = f"/engine.io/?EIO=4&transport={transport}"
    if transport == "polling":
        client.request(target)
    else:
        client.request_upgrade(target)
    return client


def undecided(serving: Start, transport: str) -> tuple[Serving, RawClient, asyncio.Future[bool]]:
    """A server, a client that waits for its ``allow_request``, and what that is going to say."""
    waiting: list[asyncio.Future[bool]] = []

    async def allow(request: Request) -> bool:
        waiting.append(asyncio.get_running_loop().create_future())
        return await waiting[-1]

    server = serving(allow_request=allow)
    client = begin_handshake(server, transport)
    server.until(lambda: waiting)
    return server, client, waiting[0]


class TestPolling:
    """A session that begins with a poll."""

    def test_open_packet(self, serving: Start) -> None:
        server = serving(**FRACTIONS)
        answer = server.request("EIO=4&transport=polling")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        text = answer.body.decode()
        assert text[0] == "0"
        handshake = json.loads(text[1:])
        sid = handshake.pop("sid")
        assert len(sid) == 20
        assert handshake == {
            "upgrades": ["websocket"],
            "pingInterval": 60300,
            "pingTimeout": 20200,
            "maxPayload": 1000000,
        }

    def test_order_of_keys_is_nodes(self, server: Serving) -> None:
        text = server.request("EIO=4&transport=polling").body.decode()
        assert list(json.loads(text[1:])) == [
            "sid",
            "upgrades",
            "pingInterval",
            "pingTimeout",
            "maxPayload",
        ]

    def test_ids_differ(self, server: Serving) -> None:
        assert len({server.handshake() for _ in range(20)}) == 20

    def test_no_upgrades_when_not_allowed(self, serving: Start) -> None:
        server = serving(allow_upgrades=False)
        text = server.request("EIO=4&transport=polling").body.decode()
        assert json.loads(text[1:])["upgrades"] == []

    def test_initial_packet(self, serving: Start) -> None:
        server = serving(initial_packet="welcome")
        answer = server.request("EIO=4&transport=polling")
        assert answer.body.endswith(b"}\x1e4welcome")
        client, _ = server.websocket_session()
        assert client.receive_message() == "4welcome"

    def test_cookie(self, serving: Start) -> None:
        server = serving(cookie=Cookie(max_age=5))
        answer = server.request("EIO=4&transport=polling")
        sid = json.loads(answer.body[1:])["sid"]
        assert answer.headers["set-cookie"] == (
            f"io={sid}; Max-Age=5; Path=/; HttpOnly; SameSite=Lax"
        )
        server.post(sid, "4x")
        later = server.request(f"EIO=4&transport=polling&sid={sid}")
        assert "set-cookie" not in later.headers

    def test_header_events(self, serving: Start) -> None:
        def prepare(engine: Server) -> None:
            engine.on("initial_headers", lambda headers, request: headers.add("X-First", "1"))
            engine.on("headers", lambda headers, request: headers.add("X-Each", request.method))

        server = serving(prepare=prepare)
        answer = server.request("EIO=4&transport=polling")
        assert (answer.headers["x-first"], answer.headers["x-each"]) == ("1", "GET")
        answer = server.post(json.loads(answer.body[1:])["sid"], "4x")
        assert "x-first" not in answer.headers
        assert answer.headers["x-each"] == "POST"
        client = server.open()
        upgraded = client.upgrade("/engine.io/?EIO=4&transport=websocket")
        assert (upgraded.headers["x-first"], upgraded.headers["x-each"]) == ("1", "GET")

    def test_what_the_session_knows(self, server: Serving) -> None:
        sid = server.handshake("EIO=4&token=a%20b")
        socket = server.sockets.take()
        assert socket.sid == sid
        assert socket.protocol == 4
        assert socket.transport_name == "polling"
        assert socket.ready_state == "open"
        assert socket.request.query["token"] == "a b"
        assert socket.remote_address[0] == "127.0.0.1"
        assert sid in repr(socket)

    def test_handler_that_raises_ends_the_session(self, serving: Start) -> None:
        def broken(socket: object) -> None:
            raise RuntimeError("broken")

        server = serving(prepare=lambda engine: engine.on("connection", broken))
        sid = server.handshake()
        assert server.ends.take().reason == "transport error"
        assert server.is_gone(sid)


class TestWebSocket:
    """A session that begins with a WebSocket."""

    def test_open_packet(self, serving: Start) -> None:
        server = serving(**FRACTIONS)
        client = server.websocket()
        packet = client.receive_message()
        assert isinstance(packet, str)
        handshake = json.loads(packet[1:])
        sid = handshake.pop("sid")
        assert packet[0] == "0"
        assert handshake == {
            "upgrades": [],
            "pingInterval": 60300,
            "pingTimeout": 20200,
            "maxPayload": 1000000,
        }
        socket = server.sockets.take()
        assert socket.sid == sid
        assert socket.transport_name == "websocket"

    def test_packets_sent_with_the_handshake(self, server: Serving) -> None:
        """As a client does that does not wait for the answer."""
        from tests.rawclient import message_frame

        client = server.open()
        client.request_upgrade("/engine.io/?EIO=4&transport=websocket")
        client.send(message_frame("4early"))
        assert client.answer().status == 101
        assert str(client.receive_message())[0] == "0"
        assert client.receive_message() == "4early"

    def test_not_a_websocket_key(self, server: Serving) -> None:
        client = server.open()
        client.request_upgrade(
            "/engine.io/?EIO=4&transport=websocket", {"Sec-WebSocket-Key": "short"}
        )
        assert client.answer().status == 400
        assert not server.call(lambda: server.engine.clients)


class TestRefusals:
    """The codes of Node's engine.io."""

    @pytest.mark.parametrize(
        ("query", "method", "code", "message"),
        [
            ("EIO=4", "GET", 0, "Transport unknown"),
            ("EIO=4&transport=abc", "GET", 0, "Transport unknown"),
            ("EIO=4&transport=constructor", "GET", 0, "Transport unknown"),
            ("EIO=4&transport=polling&sid=nobody", "GET", 1, "Session ID unknown"),
            ("EIO=4&transport=polling&sid=__proto__", "POST", 1, "Session ID unknown"),
            ("EIO=4&transport=polling", "POST", 2, "Bad handshake method"),
            ("EIO=4&transport=polling", "PUT", 2, "Bad handshake method"),
            ("EIO=4&transport=polling", "OPTIONS", 2, "Bad handshake method"),
            ("EIO=4&transport=websocket", "GET", 3, "Bad request"),
            ("transport=polling", "GET", 5, "Unsupported protocol version"),
            ("EIO=3&transport=polling", "GET", 5, "Unsupported protocol version"),
            ("EIO=abc&transport=polling", "GET", 5, "Unsupported protocol version"),
        ],
    )
    def test_polling(
        self, server: Serving, query: str, method: str, code: int, message: str
    ) -> None:
        answer = server.request(query, method=method)
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/json"
        assert answer.body == error(code, message)
        refusal = server.refusals.take()
        assert (refusal.code, refusal.message) == (code, message)

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("EIO=4", b"Transport unknown"),
            ("EIO=4&transport=abc", b"Transport unknown"),
            ("EIO=4&transport=websocket&sid=nobody", b"Session ID unknown"),
            ("EIO=abc&transport=websocket", b"Unsupported protocol version"),
        ],
    )
    def test_websocket(self, server: Serving, query: str, message: bytes) -> None:
        client = server.open()
        client.request_upgrade("/engine.io/?" + query)
        answer = client.answer()
        assert (answer.status, answer.body) == (400, message)
        assert answer.headers["connection"] == "close"
        assert client.rest() == b""

    def test_websocket_for_polling_is_closed(self, server: Serving) -> None:
        client = server.open()
        client.upgrade("/engine.io/?EIO=4&transport=polling")
        assert client.receive_close() == (1005, "")
        assert not server.call(lambda: server.engine.clients)

    def test_other_methods_of_a_session(self, server: Serving) -> None:
        sid = server.handshake()
        answer = server.request(f"EIO=4&transport=polling&sid={sid}", method="PUT")
        assert answer.status == 400
        assert server.post(sid, "4x").status == 200

    def test_other_transport_of_a_session(self, server: Serving) -> None:
        _, sid = server.websocket_session()
        answer = server.request(f"EIO=4&transport=polling&sid={sid}")
        assert (answer.status, answer.body) == (400, error(3, "Bad request"))

    def test_other_protocol_of_a_session(self, serving: Start) -> None:
        server = serving(allow_eio3=True)
        sid = server.handshake()
        answer = server.request(f"EIO=3&transport=polling&sid={sid}")
        assert (answer.status, answer.body) == (400, error(3, "Bad request"))

    def test_transport_not_on_offer(self, serving: Start) -> None:
        server = serving(transports=["websocket"])
        answer = server.request("EIO=4&transport=polling")
        assert (answer.status, answer.body) == (400, error(0, "Transport unknown"))
        server.websocket_session()

    def test_other_paths_are_the_servers(self, server: Serving) -> None:
        client = server.open()
        client.upgrade("/elsewhere")
        client.leave()


class TestAllowRequest:
    """The application's say in handshakes."""

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_refusal(self, serving: Start, asynchronous: bool) -> None:
        def allow(request: Request) -> bool | str:
            return {"a": True, "b": 'no "b" here'}.get(request.query["who"], False)

        async def allow_later(request: Request) -> bool | str:
            await asyncio.sleep(0)
            return allow(request)

        server = serving(allow_request=allow_later if asynchronous else allow)
        sid = server.handshake("EIO=4&who=a")
        assert server.post(sid, "4x").status == 200, "only asked once"
        answer = server.request("EIO=4&transport=polling&who=b")
        assert answer.status == 403
        assert json.loads(answer.body) == {"code": 4, "message": 'no "b" here'}
        answer = server.request("EIO=4&transport=polling&who=c")
        assert (answer.status, answer.body) == (403, error(4, "Forbidden"))
        client = server.open()
        client.request_upgrade("/engine.io/?EIO=4&transport=websocket&who=b")
        refused = client.answer()
        assert (refused.status, refused.body) == (400, b'no "b" here')
        assert str(server.websocket("EIO=4&who=a").receive_message())[0] == "0"

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_exception_refuses(self, serving: Start, asynchronous: bool) -> None:
        def allow(request: Request) -> bool:
            raise RuntimeError("broken")

        async def allow_later(request: Request) -> bool:
            return allow(request)

        server = serving(allow_request=allow_later if asynchronous else allow)
        answer = server.request("EIO=4&transport=polling")
        assert (answer.status, answer.body) == (403, error(4, "Forbidden"))

    @pytest.mark.parametrize("transport", ["polling", "websocket"])
    def test_no_answer_refuses(self, serving: Start, transport: str) -> None:
        async def never() -> bool:
            await asyncio.get_running_loop().create_future()
            return True

        def allow(request: Request) -> Awaitable[bool]:
            # Not before: the client may be slow to send its request.
            object.__setattr__(server.server.limits, "head_timeout", 0.05)
            return never()

        server = serving(allow_request=allow)
        client = begin_handshake(server, transport)
        assert b"allow_request took more than 0.05 s" in client.answer().body
        assert not server.call(lambda: server.engine.clients)

    @pytest.mark.parametrize("transport", ["polling", "websocket"])
    def test_client_that_does_not_wait(self, serving: Start, transport: str) -> None:
        server, client, answer = undecided(serving, transport)
        client.vanish()
        server.until(
            lambda: (
                not any(isinstance(handle, Stream) for handle in server.driver.reactor.handles())
            )
        )
        server.call(answer.set_result, True)
        assert not server.call(lambda: server.engine.clients)

    @pytest.mark.parametrize("transport", ["polling", "websocket"])
    def test_client_that_sends_no_more(self, serving: Start, transport: str) -> None:
        server, client, answer = undecided(serving, transport)
        client.end()
        server.until(lambda: any(one.disconnected for one in connections(server)))
        server.call(answer.set_result, True)
        server.until(lambda: not connections(server))
        assert not server.call(lambda: server.engine.clients)

    def test_forgotten_return_refuses(self, serving: Start) -> None:
        server = serving(allow_request=lambda request: None)
        assert server.request("EIO=4&transport=polling").status == 403


def test_wrong_options(driver: object) -> None:
    with pytest.raises(ValueError, match="ping_interval is 0"):
        Server(ping_interval=0)
    with pytest.raises(ValueError, match="transport 'carrier pigeon'"):
        Server(transports=["carrier pigeon"])
    with pytest.raises(ValueError, match="no event 'conection'"):
        Server().on("conection")

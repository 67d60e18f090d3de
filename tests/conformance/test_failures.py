"""
Where other servers are known to fail the published test suites, or their users: not here.

One test for each behaviour, named after it; over Engine.IO (``/engine.io/``) and over Socket.IO
(``/socket.io/``), whose clients meet the same server beneath.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.conformance.serving import Peer, Serving
from tests.engineio_server.serving import BRISK
from tests.engineio_server.serving import Serving as EngineServing
from tests.rawclient import RawClient

from cooee.engineio import Server as Engine
from cooee.http import Request
from cooee.protocol.headers import Headers

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Start = Callable[..., Serving]
AnyServing = EngineServing | Serving
Both = Callable[..., AnyServing]


@pytest.fixture(params=["engine.io", "socket.io"])
def both(
    request: pytest.FixtureRequest, engine: Callable[..., EngineServing], serving: Start
) -> Both:
    """Start a server of either protocol."""
    return engine if request.param == "engine.io" else serving


def engine_of(server: AnyServing) -> Engine:
    """The Engine.IO server."""
    return server.engine if isinstance(server, EngineServing) else server.io.engine


def begin_poll(server: AnyServing, sid: str) -> RawClient:
    """A poll that waits, as the server has seen."""
    client = server.begin(f"EIO=4&transport=polling&sid={sid}")
    server.driver.until(lambda: engine_of(server).clients[sid].writable)
    return client


def test_missing_transport_is_not_polling(both: Both) -> None:
    answer = both().request("EIO=4")
    assert (answer.status, answer.body) == (400, b'{"code":0,"message":"Transport unknown"}')


def test_put_is_400(both: Both) -> None:
    """Not 405: neither for a handshake nor for a session."""
    server = both()
    answer = server.request("EIO=4&transport=polling", method="PUT")
    assert (answer.status, answer.body) == (400, b'{"code":2,"message":"Bad handshake method"}')
    sid = server.handshake()
    assert server.request(f"EIO=4&transport=polling&sid={sid}", method="PUT").status == 400


def test_post_is_answered_ok(both: Both) -> None:
    """In lower case, the whole body."""
    server = both()
    sid = server.handshake()
    answer = server.post(sid, "40")
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("seconds", [0.3, 0.015, 1.5])
def test_ping_interval_below_a_second_is_told(both: Both, seconds: float) -> None:
    server = both(ping_interval=seconds, ping_timeout=seconds)
    handshake = json.loads(server.request("EIO=4&transport=polling").body[1:])
    assert handshake["pingInterval"] == round(seconds * 1000)
    assert handshake["pingTimeout"] == round(seconds * 1000)


@pytest.mark.parametrize("body", ["abc", "4a\x1eabc"])
def test_malformed_polling_body_ends_the_session(both: Both, body: str) -> None:
    server = both()
    sid = server.handshake()
    assert server.post(sid, body).status == 400
    assert server.is_gone(sid)


def test_second_concurrent_poll_ends_the_session(both: Both) -> None:
    server = both()
    sid = server.handshake()
    first = begin_poll(server, sid)
    assert server.request(f"EIO=4&transport=polling&sid={sid}").status == 400
    answer = first.answer()
    assert (answer.status, answer.body) == (200, b"1")
    assert server.is_gone(sid)


def test_cancelled_poll_ends_the_session(both: Both) -> None:
    server = both()
    sid = server.handshake()
    begin_poll(server, sid).close()
    server.driver.until(lambda: sid not in engine_of(server).clients)
    assert server.is_gone(sid)


def test_session_past_ping_timeout_is_not_served(both: Both) -> None:
    """Also when it has never polled, so that the ping has not even been delivered."""
    server = both(**BRISK)
    sid = server.handshake()
    server.driver.until(lambda: sid not in engine_of(server).clients)
    assert server.is_gone(sid)


def test_close_packet_releases_the_poll_with_noop(both: Both) -> None:
    server = both()
    sid = server.handshake()
    poll = begin_poll(server, sid)
    assert server.post(sid, "1").body == b"ok"
    answer = poll.answer()
    assert (answer.status, answer.body) == (200, b"6")
    assert server.is_gone(sid)


def upgraded(server: AnyServing, sid: str) -> RawClient:
    """The WebSocket of a session after its upgrade."""
    client = server.websocket(f"EIO=4&sid={sid}")
    client.send_message("2probe")
    assert client.receive_message() == "3probe"
    client.send_message("5")
    return client


def test_no_noop_after_the_upgrade(both: Both) -> None:
    server = both()
    sid = server.handshake()
    client = upgraded(server, sid)
    client.send_message("40" if isinstance(server, Serving) else "4hello")
    assert str(client.receive_message())[0] == "4"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_after_the_upgrade_is_400(both: Both, method: str) -> None:
    server = both()
    sid = server.handshake()
    client = server.websocket(f"EIO=4&sid={sid}")
    client.send_message("2probe")
    client.send_message("5")
    assert client.receive_message() == "3probe"
    server.driver.until(lambda: engine_of(server).clients[sid].transport_name == "websocket")
    answer = server.request(f"EIO=4&transport=polling&sid={sid}", method=method)
    assert (answer.status, answer.body) == (400, b'{"code":3,"message":"Bad request"}')


def test_second_websocket_is_accepted_then_closed(both: Both) -> None:
    server = both()
    sid = server.handshake()
    client = upgraded(server, sid)
    # The opening handshake succeeds (``websocket`` sees to that).
    second = server.websocket(f"EIO=4&sid={sid}")
    assert second.receive_close() == (1005, "")
    client.send_message("40" if isinstance(server, Serving) else "4hello")
    assert str(client.receive_message())[0] == "4"


def test_unknown_namespace_is_told_as_invalid(server: Serving) -> None:
    peer = Peer(server)
    peer.send("0/random")
    assert peer.receive() == '4/random,{"message":"Invalid namespace"}'


def test_unknown_session_is_json(both: Both) -> None:
    answer = both().request("EIO=4&transport=polling&sid=nobody")
    assert (answer.status, answer.body) == (400, b'{"code":1,"message":"Session ID unknown"}')
    assert answer.headers["content-type"] == "application/json"


def test_body_too_large_is_413(both: Both) -> None:
    server = both(max_http_buffer_size=100)
    sid = server.handshake()
    assert server.post(sid, "4" + "x" * 100).status == 413


def test_several_cookies_and_request_headers(both: Both) -> None:
    """A handshake's answer may set several cookies; its request's headers can be read."""
    server = both()
    seen: list[str | None] = []

    def headers(headers: Headers, request: Request) -> None:
        seen.append(request.headers.get("x-custom"))
        headers.add("Set-Cookie", "a=1")
        headers.add("Set-Cookie", "b=2")

    server.call(engine_of(server).on, "initial_headers", headers)
    client = server.begin("EIO=4&transport=polling", {"X-Custom": "yes", "Connection": "close"})
    head = client.rest().split(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert [line for line in head if line.startswith(b"set-cookie")] == [
        b"set-cookie: a=1",
        b"set-cookie: b=2",
    ]
    assert seen == ["yes"]


def test_event_may_be_left_unacknowledged(server: Serving) -> None:
    """What a handler returns is no acknowledgement."""
    server.io.on("connection", lambda socket: socket.on("decline", lambda ack: "returned"))
    peer = Peer(server)
    peer.connect()
    peer.send('21["decline"]')
    peer.goes_on()


def test_recovery(serving: Start) -> None:
    """A client that lost its connection comes back to its socket, and gets what it missed."""
    server = serving(connection_state_recovery=True)
    peer = Peer(server)
    peer.send("0")
    first = json.loads(peer.receive_text()[1:])
    assert list(first) == ["sid", "pid"]
    offset = json.loads(peer.receive_text()[1:])[-1]
    peer.websocket.vanish()
    assert server.left.take().reason.startswith("transport ")
    server.call(lambda: server.io.to(first["sid"]).emit("missed", 1))
    again = Peer(server)
    again.send("0" + json.dumps({"pid": first["pid"], "offset": offset}))
    assert json.loads(again.receive_text()[1:]) == first
    assert json.loads(again.receive_text()[1:])[:2] == ["missed", 1]


@pytest.mark.parametrize("count", [16, 17, 1000])
def test_payload_of_many_packets_is_not_dropped(serving: Start, count: int) -> None:
    """(a) A POST with more than 16 packets: each arrives."""
    server = serving()
    peer = Peer(server, "polling")
    peer.connect()
    assert peer.send_packets(*(f'42["message",{number}]' for number in range(count))) == 200
    received = [peer.receive() for _ in range(count)]
    assert received == [f'2["message-back",{number}]' for number in range(count)]


def test_payload_of_many_messages_is_not_dropped(engine: Callable[..., EngineServing]) -> None:
    """(a), one layer below."""
    server = engine()
    sid = server.handshake()
    body = "\x1e".join(f"4{number}" for number in range(1000))
    assert server.post(sid, body).body == b"ok"
    assert server.poll(sid) == body


@pytest.mark.parametrize("eio", [4, 3])
def test_binary_broadcast_to_both_transports(serving: Start, eio: int) -> None:
    """(b) A room that holds a WebSocket and a polling client: each gets binary its own way."""
    server = serving(allow_eio3=True)
    peers = [Peer(server, transport, 4) for transport in ("websocket", "polling", "websocket")]
    for peer in peers:
        peer.connect()
    for transport in ("polling", "websocket"):
        peers.append(Peer(server, transport, eio))
        if eio == 4:
            peers[-1].connect()
        else:
            assert [peers[-1].receive(), peers[-1].receive()] == ["0", '2["auth",{}]']
    server.call(lambda: server.io.emit("picture", {"data": b"\0\xff"}, b""))
    placeholders = '{"data":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}'
    for peer in peers:
        assert peer.receive() == f'52-["picture",{placeholders}]'
        assert [peer.receive(), peer.receive()] == [b"\0\xff", b""]
    for peer in peers:
        peer.goes_on()

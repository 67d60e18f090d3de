"""The change from polling to WebSocket (Engine.IO protocol, "Upgrade")."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.engineio_server.serving import BRISK, PATIENT, Serving
from tests.rawclient import RawClient

from cooee.engineio import Prepared, Socket

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

Start = Callable[..., Serving]


def upgraded(server: Serving, sid: str, query: str = "EIO=4") -> RawClient:
    """The WebSocket of a session after its upgrade."""
    client = probed(server, sid, query)
    client.send_message("5")
    return client


def probed(server: Serving, sid: str, query: str = "EIO=4") -> RawClient:
    """A WebSocket that has been probed."""
    client = server.websocket(f"{query}&sid={sid}")
    client.send_message("2probe")
    assert client.receive_message() == "3probe"
    return client


@pytest.mark.parametrize("query", ["EIO=4", "EIO=3"])
def test_upgrade(serving: Start, query: str) -> None:
    server = serving(allow_eio3=True)
    upgrades: list[object] = []
    server.engine.on("upgrade", upgrades.append)
    sid = server.handshake(query)
    socket = server.sockets.take()
    client = upgraded(server, sid, query)
    client.send_message("4hello")
    # And nothing before it: no NOOP.
    assert client.receive_message() == "4hello"
    assert socket.transport_name == "websocket"
    assert upgrades == [socket]


def test_waiting_poll_is_released(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    poll = server.begin_poll(sid)
    client = probed(server, sid)
    assert poll.answer().body == b"6"
    client.send_message("5")
    client.send_message("4hello")
    assert client.receive_message() == "4hello"


def test_polls_are_released_while_the_probe_lasts(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    probed(server, sid)
    for _ in range(3):
        assert server.poll(sid) == "6"


def test_client_that_does_not_wait_for_its_poll(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    client = server.websocket(f"EIO=4&sid={sid}")
    poll = server.begin_poll(sid)
    client.send_message("5")
    assert poll.answer().body == b"6"
    client.send_message("4x")
    assert client.receive_message() == "4x"


def test_nothing_is_lost_or_doubled(serving: Start) -> None:
    """Messages go on all the while; what waited for a poll goes out over the WebSocket."""
    server = serving()
    sid = server.handshake()
    socket = server.sockets.take()
    sent: list[int] = []

    def send(count: int) -> None:
        for _ in range(count):
            sent.append(len(sent))
            socket.send(str(sent[-1]))

    server.call(send, 5)
    received = server.poll(sid).split("\x1e")
    poll = server.begin_poll(sid)
    server.call(send, 2)
    received += poll.answer().body.decode().split("\x1e")
    client = probed(server, sid)
    server.call(send, 5)
    server.call(socket.send_prepared, Prepared("12"))
    sent.append(12)
    client.send_message("5")
    server.until(lambda: socket.transport_name == "websocket")
    server.call(send, 5)
    while len(received) < 18:
        received.append(str(client.receive_message()))
    assert received == [f"4{number}" for number in range(18)]


def test_messages_of_the_client_keep_their_order(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    server.post(sid, "4a")
    client = probed(server, sid)
    server.post(sid, "4b\x1e4c")
    client.send_message("5")
    client.send_message("4d")
    assert [client.receive_message() for _ in range(4)] == ["4a", "4b", "4c", "4d"]


def test_requests_after_the_upgrade(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    client = upgraded(server, sid)
    client.send_message("4x")
    assert client.receive_message() == "4x"
    for method in ("GET", "POST"):
        answer = server.request(f"EIO=4&transport=polling&sid={sid}", method=method)
        assert (answer.status, answer.body) == (400, b'{"code":3,"message":"Bad request"}')
    client.send_message("4y")
    assert client.receive_message() == "4y"


def test_second_websocket(serving: Start) -> None:
    """Accepted, then closed; also while the first is being probed."""
    server = serving()
    sid = server.handshake()
    client = probed(server, sid)
    assert server.websocket(f"EIO=4&sid={sid}").receive_close() == (1005, "")
    client.send_message("5")
    client.send_message("4x")
    assert client.receive_message() == "4x"
    second = server.websocket(f"EIO=4&sid={sid}")
    assert second.receive_close() == (1005, "")
    client.send_message("4y")
    assert client.receive_message() == "4y"


def test_websocket_on_a_session_by_websocket(serving: Start) -> None:
    server = serving()
    client, sid = server.websocket_session()
    assert server.websocket(f"EIO=4&sid={sid}").receive_close() == (1005, "")
    client.send_message("4y")
    assert client.receive_message() == "4y"


@pytest.mark.parametrize("packet", ["4early", "2", "2prob", "x", b"\1"])
def test_wrong_probe(serving: Start, packet: str | bytes) -> None:
    server = serving()
    sid = server.handshake()
    client = server.websocket(f"EIO=4&sid={sid}")
    client.send_message(packet)
    assert client.receive_close() == (1005, "")
    # The session goes on as before, and may try again.
    server.post(sid, "4x")
    assert server.poll(sid) == "4x"
    client = upgraded(server, sid)
    client.send_message("4y")
    assert client.receive_message() == "4y"


def test_probe_that_goes_away(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    socket = server.sockets.take()
    probed(server, sid).close()
    server.until(lambda: not socket.upgrading)
    server.post(sid, "4x")
    assert server.poll(sid) == "4x"


def test_upgrade_timeout(serving: Start) -> None:
    server = serving(upgrade_timeout=0.1)
    sid = server.handshake()
    client = server.open()

    def probe() -> None:
        client.request_upgrade(f"/engine.io/?EIO=4&transport=websocket&sid={sid}")
        client.send_message("2probe")

    # In the server's thread, so that the probe is there when the time begins.
    server.call(probe)
    assert client.answer().status == 101
    assert client.receive_message() == "3probe"
    assert client.receive_close() == (1005, "")
    server.post(sid, "4x")
    assert server.poll(sid) == "4x"


def test_session_that_ends_while_probed(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    client = probed(server, sid)
    server.post(sid, "1")
    assert client.receive_close() == (1005, "")
    assert server.ends.take() == ("transport close", None)


def test_session_that_is_closing(serving: Start) -> None:
    server = serving()
    sid = server.handshake()
    socket = server.sockets.take()
    client = probed(server, sid)

    def close() -> None:
        socket.send("last")
        socket.close()

    server.call(close)
    client.send_message("5")
    assert client.receive_message() == "4last"
    assert client.receive_close() == (1005, "")
    assert server.ends.take() == ("forced close", None)


def test_heartbeats_go_on(serving: Start) -> None:
    server = serving(**PATIENT)
    client = upgraded(server, server.handshake())
    for _ in range(2):
        assert client.receive_message() == "2"
        client.send_message("3")
    assert client.receive_message() == "2"


def test_silence_ends_it(serving: Start) -> None:
    server = serving(**BRISK)
    client = server.open()

    def upgrade(socket: Socket) -> None:
        # All at once, and so before any time limit.
        client.request_upgrade(f"/engine.io/?EIO=4&transport=websocket&sid={socket.sid}")
        client.send_message("2probe")
        client.send_message("5")

    server.engine.on("connection", upgrade)
    server.handshake()
    assert client.answer().status == 101
    assert [client.receive_message() for _ in range(2)] == ["3probe", "2"]
    assert client.receive_close() == (1005, "")
    assert server.ends.take() == ("ping timeout", None)


def test_ping_under_way_at_the_upgrade(serving: Start) -> None:
    server = serving(**PATIENT)
    sid = server.handshake()
    assert server.poll(sid) == "2"
    client = upgraded(server, sid)
    client.send_message("3")
    assert client.receive_message() == "2"

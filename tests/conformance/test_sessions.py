"""The sample sessions of the Socket.IO documents, and the change of transport beneath a socket."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.conformance.serving import Left, Peer, Serving
from tests.engineio_server.serving import PATIENT

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)

Start = Callable[..., Serving]

ONE = '{"_placeholder":true,"num":0}'


def test_sample_session(server: Serving) -> None:
    """Socket.IO 5, "Sample session"; the requests are numbered as there."""
    # 1: open packet
    answer = server.request("EIO=4&transport=polling&t=N8hyd6w")
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    handshake = json.loads(answer.body[1:])
    assert list(handshake) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
    sid = handshake["sid"]
    # 2 and 3: namespace connection request and approval
    answer = server.post(sid, "40")
    assert (answer.status, answer.body) == (200, b"ok")
    connected, auth = server.poll(sid).split("\x1e")
    assert list(json.loads(connected[2:])) == ["sid"]
    assert (connected[:2], auth) == ("40", '42["auth",{}]')
    # 4 and 5: messages of both
    assert server.post(sid, '42["message","hello"]\x1e42["message","world"]').body == b"ok"
    assert server.poll(sid) == '42["message-back","hello"]\x1e42["message-back","world"]'
    # 6: upgrade
    client = server.websocket(f"EIO=4&sid={sid}")
    client.send_message("2probe")
    assert client.receive_message() == "3probe"
    client.send_message("5")
    client.send_message('42["message","hello"]')
    assert client.receive_message() == '42["message-back","hello"]'
    client.send_message("40/custom,")
    connected = str(client.receive_message())
    assert connected.startswith('40/custom,{"sid":"')
    assert client.receive_message() == '42/custom,["auth",{}]'
    client.send_message(f'451-/custom,1["message-with-ack",{ONE}]')
    client.send_message(b"tellme")
    assert client.receive_message() == f"461-/custom,1[{ONE}]"
    assert client.receive_message() == b"tellme"
    client.send_message("1")
    assert client.receive_close() == (1005, "")
    assert {server.left.take(), server.left.take()} == {
        Left("/", "transport close"),
        Left("/custom", "transport close"),
    }
    assert server.is_gone(sid)


@pytest.mark.parametrize("eio", [4, 3])
def test_sockets_survive_the_upgrade(serving: Start, eio: int) -> None:
    server = serving(allow_eio3=True)
    peer = Peer(server, "polling", eio)
    if eio == 4:
        peer.connect()
    else:
        assert [peer.receive(), peer.receive()] == ["0", '2["auth",{}]']
    peer.send('2["ask",1]')
    packet = peer.receive_text()
    assert packet.endswith('["question",1]')
    peer.upgrade()
    # What was asked over one transport may be answered over the other.
    peer.send(f'3{packet[1:].partition("[")[0]}["yes"]')
    assert peer.receive() == '2["answer","yes"]'
    peer.goes_on()


def test_events_under_way_at_the_upgrade(server: Serving) -> None:
    """What waits for a poll goes out over the WebSocket, binary as binary, in order."""
    peer = Peer(server, "polling")
    peer.connect()
    peer.send('2["message",1]')
    peer.send(f'51-["message",{ONE}]', b"\1\2")
    peer.send('2["message",3]')
    peer.upgrade()
    assert [peer.receive() for _ in range(4)] == [
        '2["message-back",1]',
        f'51-["message-back",{ONE}]',
        b"\1\2",
        '2["message-back",3]',
    ]


def test_attachment_by_the_other_transport(server: Serving) -> None:
    """A packet begun by POST may end by WebSocket: the order of the messages counts, no more."""
    peer = Peer(server, "polling")
    peer.connect()
    peer.send(f'51-["message",{ONE}]')
    peer.upgrade()
    peer.send_packets(b"\1\2")
    assert peer.receive() == f'51-["message-back",{ONE}]'
    assert peer.receive() == b"\1\2"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_heartbeats_beneath_a_socket(serving: Start, transport: str) -> None:
    """Engine.IO 4, "Heartbeat": as long as pings are answered; how it ends is in TestDisconnect."""
    peer = Peer(serving(**PATIENT), transport)
    assert (peer.handshake["pingInterval"], peer.handshake["pingTimeout"]) == (300, 20000)
    peer.connect()
    for _ in range(3):
        peer.answer_ping()
    peer.goes_on()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_payload_limit(serving: Start, transport: str) -> None:
    """``maxPayload`` of the handshake is what one packet may have, to the byte."""
    server = serving(max_http_buffer_size=1000)
    peer = Peer(server, transport)
    assert peer.handshake["maxPayload"] == 1000
    peer.connect()
    overhead = len('42["message",""]')
    peer.send(f'2["message","{"x" * (1000 - overhead)}"]')
    assert peer.receive() == f'2["message-back","{"x" * (1000 - overhead)}"]'
    status = peer.send(f'2["message","{"x" * (1001 - overhead)}"]')
    if transport == "polling":
        # The session lives on, as with Node.
        assert status == 413
        peer.goes_on()
    else:
        assert peer.websocket.receive_close()[0] == 1009
        assert server.left.take().namespace == "/"

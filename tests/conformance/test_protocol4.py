"""
Socket.IO 4, as clients of version 2 speak it over Engine.IO 3 (``allow_eio3``).

What it shares with protocol 5 (the encoding of events, acknowledgements, attachments) is tried here
once over each transport; violations are in ``test_data``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.serving import Left, Peer, Serving
from tests.engineio_server.serving import BRISK

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Start = Callable[..., Serving]

over = pytest.mark.parametrize("transport", ["polling", "websocket"])

ONE = '{"_placeholder":true,"num":0}'
TWO = '{"_placeholder":true,"num":1}'


@pytest.fixture
def server(serving: Start) -> Serving:
    """A server that serves them."""
    return serving(allow_eio3=True)


def joined(server: Serving, transport: str, query: str = "") -> Peer:
    """A peer in the default namespace."""
    peer = Peer(server, transport, eio=3, query=query)
    assert peer.receive() == "0"
    assert peer.receive() == '2["auth",{}]'
    return peer


class TestDefaultNamespace:
    """ "Connection to the default namespace"."""

    @over
    def test_connect_comes_unasked(self, server: Serving, transport: str) -> None:
        """ "The server always send a CONNECT packet for the default namespace"; no payload."""
        joined(server, transport).goes_on()

    @over
    @pytest.mark.parametrize("packet", ["0", "0/"])
    def test_no_second(self, server: Serving, transport: str, packet: str) -> None:
        peer = joined(server, transport)
        peer.send(packet)
        assert peer.ended() == []
        assert server.left.take().namespace == "/"

    def test_not_without_being_allowed(self, serving: Start) -> None:
        answer = serving().request("EIO=3&transport=polling")
        assert (answer.status, answer.body) == (
            400,
            b'{"code":5,"message":"Unsupported protocol version"}',
        )

    def test_beside_protocol_5(self, server: Serving) -> None:
        old, new = joined(server, "websocket"), Peer(server)
        new.connect()
        new.goes_on()
        old.goes_on()


class TestOtherNamespaces:
    """ "Connection to a non-default namespace" and the disconnection from it."""

    @over
    def test_connect(self, server: Serving, transport: str) -> None:
        """The answer has no payload."""
        peer = joined(server, transport)
        peer.send("0/custom,")
        assert peer.receive() == "0/custom,"
        assert peer.receive() == '2/custom,["auth",{}]'
        peer.goes_on("/custom,")

    @over
    @pytest.mark.parametrize("end", ["", ","])
    def test_query(self, server: Serving, transport: str, end: str) -> None:
        """ "The client may include additional information in the namespace field"."""
        peer = joined(server, transport)
        peer.send("0/custom?token=1234&uid=a%20b" + end)
        # The name in the answer has no query, as with Node.
        assert peer.receive() == "0/custom,"
        assert peer.receive() == '2/custom,["auth",{"token":"1234","uid":"a b"}]'
        peer.goes_on("/custom,")

    @over
    def test_error(self, server: Serving, transport: str) -> None:
        """ERROR, with "a payload indicating the reason of the refusal": a string."""
        peer = joined(server, transport)
        peer.send("0/random,")
        assert peer.receive() == '4/random,"Invalid namespace"'
        peer.send("0/guarded,")
        assert peer.receive() == '4/guarded,"Not authorized"'
        peer.goes_on()

    @over
    def test_data_of_an_error(self, server: Serving, transport: str) -> None:
        """Where the application gives data, they are the payload, as with Node."""
        peer = joined(server, transport)
        peer.send("0/guarded?token=1,")
        assert peer.receive() == '4/guarded,{"code":7}'

    @over
    def test_disconnect(self, server: Serving, transport: str) -> None:
        """ "And vice versa. No response is expected from the other-side"."""
        peer = joined(server, transport)
        for packet in ("1/custom,", '2/custom,["leave"]'):
            peer.send("0/custom,")
            assert peer.receive() == "0/custom,"
            assert peer.receive() == '2/custom,["auth",{}]'
            peer.send(packet)
        assert peer.receive() == "1/custom,"
        assert server.left.take() == Left("/custom", "client namespace disconnect")
        assert server.left.take() == Left("/custom", "server namespace disconnect")
        peer.goes_on()


class TestData:
    """ "Packet encoding"."""

    @over
    def test_event(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send('2["message",1,"é€😀",{"a":null}]')
        assert peer.receive() == '2["message-back",1,"é€😀",{"a":null}]'

    @over
    def test_binary_event(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send(f'52-["message",{ONE},[{TWO}]]', b"\1\2\3", b"")
        assert peer.receive() == f'52-["message-back",{ONE},[{TWO}]]'
        assert [peer.receive(), peer.receive()] == [b"\1\2\3", b""]

    @over
    def test_ack(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send('2456["message-with-ack"]')
        assert peer.receive() == "3456[]"
        peer.send('2["ask",1]')
        packet = peer.receive_text()
        id, _, rest = packet[1:].partition("[")
        assert rest == '"question",1]'
        peer.send(f"3{id}[2]")
        assert peer.receive() == '2["answer",2]'

    @over
    def test_binary_ack(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send(f'51-456["message-with-ack",{ONE}]', b"\3\2\1")
        assert peer.receive() == f"61-456[{ONE}]"
        assert peer.receive() == b"\3\2\1"

    @over
    @pytest.mark.parametrize("packet", ["abc", "2{}", "2", '2abc["message"]', "51-", '51["a"]'])
    def test_violations(self, server: Serving, transport: str, packet: str) -> None:
        peer = joined(server, transport)
        peer.send(packet)
        assert peer.ended() == []
        assert server.left.take() == Left("/", "parse error")


class TestHeartbeat:
    """Engine.IO 3, "Timeouts": the client sends the pings."""

    @over
    def test_pings(self, serving: Start, transport: str) -> None:
        peer = joined(serving(allow_eio3=True), transport)
        for _ in range(3):
            peer.send_packets("2")
            peer.goes_on()

    @over
    def test_no_pings(self, serving: Start, transport: str) -> None:
        server = serving(allow_eio3=True, **BRISK)
        peer = Peer(server, transport, eio=3)
        assert server.left.take() == Left("/", "ping timeout")
        assert server.is_gone(peer.sid)

    def test_upgrade(self, server: Serving) -> None:
        """ "Sample session", request 4."""
        peer = joined(server, "polling")
        peer.upgrade()
        peer.send("0/custom,")
        assert peer.receive() == "0/custom,"
        assert peer.receive() == '2/custom,["auth",{}]'
        peer.send('2/custom,1["message-with-ack","tellme"]')
        assert peer.receive() == '3/custom,1["tellme"]'
        peer.send_packets("2")
        assert peer.websocket.receive_message() == "3"
        peer.send_packets("1")
        assert peer.ended() == []

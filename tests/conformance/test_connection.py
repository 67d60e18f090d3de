"""Socket.IO 5, "Connection to a namespace" and "Disconnection from a namespace"."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.conformance.serving import Peer, Serving
from tests.engineio_server.serving import BRISK

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Start = Callable[..., Serving]

over = pytest.mark.parametrize("transport", ["polling", "websocket"])


class TestConnect:
    """ "At the beginning of a Socket.IO session, the client MUST send a CONNECT packet"."""

    @over
    @pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
    @pytest.mark.parametrize(
        ("sent", "prefix"),
        [
            ("0", ""),
            ("0/,", ""),
            ("0/custom,", "/custom,"),
            ("0/custom", "/custom,"),
            ("0/dynamic-1,", "/dynamic-1,"),
        ],
    )
    def test_allowed(
        self, server: Serving, transport: str, sent: str, prefix: str, auth: str
    ) -> None:
        """ "a CONNECT packet if the connection is successful, with the session ID"."""
        if auth and not sent.endswith(","):
            sent = "0" if sent == "0" else sent + ","
        peer = Peer(server, transport)
        peer.send(sent + auth)
        packet = peer.receive_text()
        assert packet.startswith(f"0{prefix}{{")
        assert list(json.loads(packet[1 + len(prefix) :])) == ["sid"]
        # What the handlers of the connection emit comes after it.
        assert peer.receive() == f'2{prefix}["auth",{auth or "{}"}]'
        peer.goes_on(prefix)

    def test_ids(self, server: Serving) -> None:
        """Session ids differ, also from the Engine.IO session's, which is a secret."""
        peer, other = Peer(server), Peer(server)
        ids = {peer.connect(), peer.connect("/custom"), other.connect(), peer.sid, other.sid}
        assert len(ids) == 5

    @over
    def test_unknown_namespace(self, server: Serving, transport: str) -> None:
        """ "a CONNECT_ERROR packet if the connection is not allowed"."""
        peer = Peer(server, transport)
        peer.send("0/random,")
        assert peer.receive() == '4/random,{"message":"Invalid namespace"}'
        # Another may be asked for.
        peer.connect("/custom")
        peer.goes_on("/custom,")

    @pytest.mark.parametrize(
        "name", ["/dynamic-", "/dynamic-x", "/Custom", "/custom/", "/__proto__", "/é€😀", "/a b"]
    )
    def test_names_are_compared_as_they_are(self, server: Serving, name: str) -> None:
        peer = Peer(server)
        peer.send(f"0{name},")
        assert peer.receive() == f'4{name},{{"message":"Invalid namespace"}}'

    @over
    def test_not_authorized(self, server: Serving, transport: str) -> None:
        """ "in case the connection is refused"; with data for the application."""
        peer = Peer(server, transport)
        peer.send("0/guarded,")
        assert peer.receive() == '4/guarded,{"message":"Not authorized"}'
        peer.send('0/guarded,{"token":"abc"}')
        assert peer.receive() == '4/guarded,{"message":"Not authorized","data":{"code":7}}'
        peer.connect()
        peer.goes_on()

    @over
    @pytest.mark.parametrize(
        "packet",
        ['2["message"]', '2/custom,["message"]', "1", "31[]", '4{"message":"x"}', "abc", "7", ""],
    )
    def test_not_first(self, server: Serving, transport: str, packet: str) -> None:
        """ "If the server does not receive a CONNECT packet first" it closes immediately."""
        peer = Peer(server, transport)
        assert peer.send(packet) in (0, 200)
        assert peer.ended() == []

    @over
    def test_binary_first(self, server: Serving, transport: str) -> None:
        peer = Peer(server, transport)
        peer.send('51-["message",{"_placeholder":true,"num":0}]', b"\1")
        assert peer.ended() == []

    def test_attachment_first(self, server: Serving) -> None:
        peer = Peer(server)
        peer.send_packets(b"\1")
        assert peer.ended() == []

    @over
    def test_several_namespaces(self, server: Serving, transport: str) -> None:
        """ "A client MAY be connected to multiple namespaces at the same time"."""
        peer = Peer(server, transport)
        peer.connect("/custom")
        peer.connect()
        peer.connect("/dynamic-2")
        peer.send('2/dynamic-2,["message",2]')
        assert peer.receive() == '2/dynamic-2,["message-back",2]'
        peer.send('2["message",0]')
        assert peer.receive() == '2["message-back",0]'
        peer.send('2/custom,["message",1]')
        assert peer.receive() == '2/custom,["message-back",1]'

    def test_event_of_a_namespace_not_joined(self, server: Serving) -> None:
        peer = Peer(server)
        peer.connect()
        peer.send('2/custom,["message"]')
        assert peer.ended() == []

    @over
    def test_twice(self, server: Serving, transport: str) -> None:
        """A second CONNECT to the same namespace is an offence."""
        peer = Peer(server, transport)
        peer.connect("/custom")
        peer.send("0/custom,")
        assert peer.ended() == []
        assert server.left.take() == ("/custom", "parse error")

    @pytest.mark.parametrize("auth", ["[]", '"text"', "true", "{", "nul"])
    def test_auth_that_is_none(self, server: Serving, auth: str) -> None:
        """The payload of CONNECT is an object."""
        peer = Peer(server)
        peer.send(f"0/custom,{auth}")
        assert peer.ended() == []


class TestConnectTimeout:
    """Clients that join nothing are not kept (``connect_timeout``)."""

    @over
    def test_nothing_sent(self, serving: Start, transport: str) -> None:
        # Long before the first ping, which therefore has no part in it.
        peer = Peer(serving(connect_timeout=0.5), transport)
        assert peer.ended() == []

    def test_only_refused(self, serving: Start) -> None:
        peer = serving(connect_timeout=0.5).hurried("websocket", "0/random,")
        assert peer.ended() == ['4/random,{"message":"Invalid namespace"}']

    @over
    def test_joined_in_time(self, serving: Start, transport: str) -> None:
        """What follows the CONNECT takes as long as it likes."""
        server = serving(connect_timeout=0.5)
        peer = server.hurried(transport, "0/custom,")
        peer.admitted("/custom")
        # The time of one that came later is over.
        assert Peer(server).ended() == []
        peer.goes_on("/custom,")

    def test_joined_and_left(self, serving: Start) -> None:
        """The time limit is for the first namespace alone."""
        server = serving(connect_timeout=0.5)
        peer = server.hurried("websocket", "0/custom,")
        peer.admitted("/custom")
        peer.send("1/custom,")
        assert Peer(server).ended() == []
        peer.connect()
        peer.goes_on()


class TestDisconnect:
    """ "At any time, one side can end the connection to a namespace"."""

    @over
    @pytest.mark.parametrize("packet", ["1/custom,", "1/custom"])
    def test_by_the_client(self, server: Serving, transport: str, packet: str) -> None:
        """No response; the low-level connection is kept for the other namespaces."""
        peer = Peer(server, transport)
        peer.connect()
        peer.connect("/custom")
        peer.send(packet)
        assert server.left.take() == ("/custom", "client namespace disconnect")
        peer.goes_on()

    @over
    def test_and_again(self, server: Serving, transport: str) -> None:
        """A namespace may be joined again, by a new socket."""
        peer = Peer(server, transport)
        first = peer.connect("/custom")
        peer.send("1/custom,")
        assert peer.connect("/custom") != first
        peer.goes_on("/custom,")

    @over
    def test_from_all(self, server: Serving, transport: str) -> None:
        """The low-level connection MAY be kept alive: it is, as with Node."""
        peer = Peer(server, transport)
        peer.connect()
        peer.send("1")
        assert server.left.take() == ("/", "client namespace disconnect")
        peer.connect()
        peer.goes_on()

    @over
    def test_by_the_server(self, server: Serving, transport: str) -> None:
        peer = Peer(server, transport)
        peer.connect()
        peer.connect("/custom")
        peer.send('2/custom,["leave"]')
        assert peer.receive() == "1/custom,"
        assert server.left.take() == ("/custom", "server namespace disconnect")
        peer.goes_on()

    @over
    def test_of_the_client_by_the_server(self, server: Serving, transport: str) -> None:
        """All namespaces are told, then the session ends."""
        peer = Peer(server, transport)
        peer.connect()
        peer.connect("/custom")
        peer.send('2/custom,["leave all"]')
        assert peer.ended() == ["1", "1/custom,"]
        left = {server.left.take(), server.left.take()}
        assert left == {
            ("/", "server namespace disconnect"),
            ("/custom", "server namespace disconnect"),
        }

    @over
    def test_end_of_the_session(self, server: Serving, transport: str) -> None:
        """The CLOSE packet ends all namespaces."""
        peer = Peer(server, transport)
        peer.connect()
        peer.connect("/custom")
        peer.send_packets("1")
        left = {server.left.take(), server.left.take()}
        assert left == {("/", "transport close"), ("/custom", "transport close")}
        assert peer.ended() == []

    @over
    def test_ping_timeout(self, serving: Start, transport: str) -> None:
        server = serving(**BRISK)
        peer = server.hurried(transport, "0")
        assert server.left.take() == ("/", "ping timeout")
        assert server.is_gone(peer.sid)

    @over
    def test_shutdown(self, serving: Start, transport: str) -> None:
        server = serving()
        peer = Peer(server, transport)
        peer.connect()
        server.call(server.io.close)
        assert server.left.take() == ("/", "server shutting down")
        if transport == "websocket":
            assert peer.receive() is None

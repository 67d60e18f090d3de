"""Socket.IO 5, "Sending and receiving data", "Acknowledgement" and "Packet encoding"."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.serving import SEPARATOR, Left, Peer, Serving
from tests.protocol import oracle

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

Start = Callable[..., Serving]

over = pytest.mark.parametrize("transport", ["polling", "websocket"])
within = pytest.mark.parametrize("namespace", ["/", "/custom"])

ONE = '{"_placeholder":true,"num":0}'
TWO = '{"_placeholder":true,"num":1}'


def joined(server: Serving, transport: str = "websocket", namespace: str = "/") -> Peer:
    """A peer that is in a namespace."""
    peer = Peer(server, transport)
    peer.connect(namespace)
    return peer


def prefixed(namespace: str) -> str:
    """How packets name it ("Format": only if it is not the main one)."""
    return "" if namespace == "/" else f"{namespace},"


class TestEvent:
    """EVENT and BINARY_EVENT."""

    @over
    @within
    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            ',1,"2",{"3":[true]}',
            ",null,false,-0.5,1e300,9007199254740993",
            ',"日本語 €😀","\\u0000\\n\\"\\\\"',
            ',[],{},[[]],""',
            f",{ONE}",
        ],
    )
    def test_text(self, server: Serving, transport: str, namespace: str, arguments: str) -> None:
        """ "a payload": any JSON values, in the order in which they were given."""
        prefix = prefixed(namespace)
        peer = joined(server, transport, namespace)
        peer.send(f'2{prefix}["message"{arguments}]')
        assert peer.receive() == f'2{prefix}["message-back"{arguments}]'

    @over
    @within
    @pytest.mark.parametrize(
        ("payload", "attachments"),
        [
            (ONE, [b"\1\2\3\4"]),
            (f"{ONE},{TWO}", [b"\1\2\3", b"\4\5\6"]),
            (f'{{"a":[{ONE},"x",{{"b":{TWO}}}]}},1', [b"", b"\0" * 70_000]),
            (ONE, [bytes(range(256))]),
        ],
    )
    def test_binary(
        self,
        server: Serving,
        transport: str,
        namespace: str,
        payload: str,
        attachments: list[bytes],
    ) -> None:
        """ "<# of binary attachments>-", then "binary attachments extracted"."""
        prefix = prefixed(namespace)
        peer = joined(server, transport, namespace)
        peer.send(f'5{len(attachments)}-{prefix}["message",{payload}]', *attachments)
        assert peer.receive() == f'5{len(attachments)}-{prefix}["message-back",{payload}]'
        assert [peer.receive() for _ in attachments] == attachments

    def test_nothing_comes_between_a_packet_and_its_attachments(self, server: Serving) -> None:
        """Not even what a handler emits once a poll that waited has taken what was emitted."""
        peer = joined(server, "polling")
        engine = server.io.engine.clients[peer.sid]
        (socket,) = server.io.sockets.sockets.values()

        def emit() -> None:
            socket.once("drain", lambda: socket.emit("drained"))
            socket.emit("binary", b"\1")

        poll = server.begin(f"EIO=4&transport=polling&sid={peer.sid}")
        server.driver.until(lambda: engine.writable)
        server.call(emit)
        assert poll.answer().body.decode() == f'451-["binary",{ONE}]{SEPARATOR}bAQ=='
        assert peer.receive() == '2["drained"]'

    def test_placeholders_may_be_in_any_order(self, server: Serving) -> None:
        peer = joined(server)
        peer.send(f'52-["message",{TWO},{ONE}]', b"first", b"second")
        assert peer.receive() == f'52-["message-back",{ONE},{TWO}]'
        assert [peer.receive(), peer.receive()] == [b"second", b"first"]

    @over
    def test_many_at_once(self, server: Serving, transport: str) -> None:
        """Packets of one payload, or of many frames, keep their order."""
        peer = joined(server, transport)
        peer.send_packets(*(f'42["message",{number}]' for number in range(200)))
        assert [peer.receive() for _ in range(200)] == [
            f'2["message-back",{number}]' for number in range(200)
        ]

    def test_unhandled_events_are_ignored(self, server: Serving) -> None:
        peer = joined(server)
        peer.send('2["nobody listens",1]')
        peer.goes_on()

    def test_in_fragments(self, server: Serving) -> None:
        """ "Each packet is sent in its own frame" is for senders; messages may be fragmented."""
        peer = joined(server)
        peer.send_fragments(oracle.TEXT, b'451-["mess', b'age",', ONE.encode() + b"]")
        peer.websocket.frame(oracle.PING, b"x")
        assert peer.websocket.receive()[:2] == (oracle.PONG, b"x")
        peer.send_fragments(oracle.BINARY, b"\1", b"", b"\2\3")
        assert peer.receive() == f'51-["message-back",{ONE}]'
        assert peer.receive() == b"\1\2\3"


class TestAcknowledgement:
    """ACK and BINARY_ACK."""

    @over
    @within
    @pytest.mark.parametrize("id", ["0", "1", "456", "9007199254740991"])
    @pytest.mark.parametrize("arguments", ["", ',1,"2",{"3":[false]}'])
    def test_by_the_server(
        self, server: Serving, transport: str, namespace: str, id: str, arguments: str
    ) -> None:
        """ "an ACK packet with the same event ID"; an array, possibly empty."""
        prefix = prefixed(namespace)
        peer = joined(server, transport, namespace)
        peer.send(f'2{prefix}{id}["message-with-ack"{arguments}]')
        assert peer.receive() == f"3{prefix}{id}[{arguments[1:]}]"

    @over
    @within
    def test_binary_by_the_server(self, server: Serving, transport: str, namespace: str) -> None:
        prefix = prefixed(namespace)
        peer = joined(server, transport, namespace)
        peer.send(f'52-{prefix}789["message-with-ack",{ONE},{TWO}]', b"\1\2\3", b"\4\5\6")
        assert peer.receive() == f"62-{prefix}789[{ONE},{TWO}]"
        assert [peer.receive(), peer.receive()] == [b"\1\2\3", b"\4\5\6"]

    @over
    @within
    def test_by_the_client(self, server: Serving, transport: str, namespace: str) -> None:
        """The server may ask as well; its ids are of the namespace."""
        prefix = prefixed(namespace)
        peer = joined(server, transport, namespace)
        for number in range(2):
            peer.send(f'2{prefix}["ask",{number}]')
            packet = peer.receive_text()
            assert packet.startswith(f"2{prefix}")
            id, _, rest = packet.removeprefix(f"2{prefix}").partition("[")
            assert rest == f'"question",{number}]'
            peer.send(f'3{prefix}{id}["bar",{number}]')
            assert peer.receive() == f'2{prefix}["answer","bar",{number}]'

    @over
    def test_binary_by_the_client(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send(f'51-["ask",{ONE}]', b"\1")
        packet = peer.receive_text()
        id, _, rest = packet.removeprefix("51-").partition("[")
        assert rest == f'"question",{ONE}]'
        assert peer.receive() == b"\1"
        peer.send(f'61-{id}["bar",{ONE}]', b"\2\3")
        assert peer.receive() == f'51-["answer","bar",{ONE}]'
        assert peer.receive() == b"\2\3"

    def test_once(self, server: Serving) -> None:
        """The second acknowledgement of an event, and one that nobody asked for, do nothing."""
        peer = joined(server)
        peer.send('2["ask"]')
        id = peer.receive_text()[1:].partition("[")[0]
        peer.send(f"3{id}[1]")
        assert peer.receive() == '2["answer",1]'
        peer.send(f"3{id}[2]")
        peer.send("3999[3]")
        peer.goes_on()

    def test_ids_of_other_namespaces(self, server: Serving) -> None:
        """An acknowledgement is for the namespace of its event."""
        peer = joined(server)
        peer.connect("/custom")
        peer.send('2["ask"]')
        id = peer.receive_text()[1:].partition("[")[0]
        peer.send(f"3/custom,{id}[1]")
        peer.goes_on("/custom,")
        peer.send(f"3{id}[2]")
        assert peer.receive() == '2["answer",2]'


class TestInvalid:
    """ "If that's not the case, then the receiver MUST close the connection", and all else."""

    @over
    @pytest.mark.parametrize(
        "packet",
        [
            pytest.param("abc", id="packet type: unknown"),
            pytest.param("", id="packet type: none"),
            pytest.param("7[]", id="packet type: 7"),
            pytest.param("2", id="event payload: none"),
            pytest.param("2{}", id="event payload: not an array"),
            pytest.param("2[]", id="event payload: empty array"),
            pytest.param("2[1", id="event payload: not JSON"),
            pytest.param('2["message"] ["message"]', id="event payload: two"),
            pytest.param('2[{"a":1}]', id="event name: an object"),
            pytest.param('2["connect"]', id="event name: connect"),
            pytest.param('2["disconnect"]', id="event name: disconnect"),
            pytest.param('2["connect_error"]', id="event name: connect_error"),
            pytest.param('2["disconnecting"]', id="event name: disconnecting"),
            pytest.param('2["newListener"]', id="event name: newListener"),
            pytest.param('2["removeListener"]', id="event name: removeListener"),
            pytest.param('2abc["message"]', id="ack id: not a number"),
            pytest.param('2-1["message"]', id="ack id: negative"),
            pytest.param("31", id="ack payload: none"),
            pytest.param("31{}", id="ack payload: not an array"),
            pytest.param('1{"a":1}', id="disconnect payload: not allowed"),
            pytest.param('5["message"]', id="attachments: no number"),
            pytest.param('5x-["message"]', id="attachments: not a number"),
            pytest.param('51["message"]', id="attachments: no hyphen"),
            pytest.param('50-["message"]', id="attachments: none"),
            pytest.param(f'51-["message",{TWO}]', id="attachments: more placeholders"),
            pytest.param('511-["message"]', id="attachments: too many"),
            pytest.param('2/custom["message"]', id="namespace: no comma"),
        ],
    )
    def test_packet(self, server: Serving, transport: str, packet: str) -> None:
        peer = joined(server, transport)
        attachments = [b"\1"] if TWO in packet else []
        peer.send(packet, *attachments)
        assert peer.ended() == []
        assert server.left.take().namespace == "/"

    @over
    def test_text_instead_of_an_attachment(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send(f'51-["message",{ONE}]')
        peer.send('2["message"]')
        assert peer.ended() == []
        assert server.left.take() == Left("/", "parse error")

    @over
    def test_attachment_of_nothing(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send_packets(b"\1")
        assert peer.ended() == []
        assert server.left.take() == Left("/", "parse error")

    @over
    def test_more_attachments_than_announced(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send(f'51-["message",{ONE}]', b"\1", b"\2")
        assert peer.ended() in ([f'51-["message-back",{ONE}]', b"\1"], [])
        assert server.left.take() == Left("/", "parse error")

    @over
    def test_connect_error_from_a_client(self, server: Serving, transport: str) -> None:
        peer = joined(server, transport)
        peer.send('4{"message":"no"}')
        assert peer.ended() == []

    @over
    def test_what_came_before_counts(self, server: Serving, transport: str) -> None:
        """The packets before an invalid one are handled, those behind it are not."""
        server.io.on("connection", lambda socket: socket.on("seen", seen.append))
        seen: list[int] = []
        peer = joined(server, transport)
        peer.send_packets('42["seen",1]', "42{}", '42["seen",2]')
        peer.ended()
        assert server.left.take() == Left("/", "parse error")
        assert seen == [1]

    def test_neighbours_notice_nothing(self, server: Serving) -> None:
        other, peer = joined(server), joined(server)
        peer.send("2{}")
        assert peer.ended() == []
        other.goes_on()

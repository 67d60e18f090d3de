"""Protocol 3: clients of Socket.IO 2 and older."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from tests.engineio_server.serving import Serving

pytestmark = pytest.mark.parametrize("driver", ["asyncio", "own"], indirect=True)


@pytest.fixture
def server(serving: Callable[..., Serving]) -> Iterator[Serving]:
    """A server that serves them."""
    return serving(allow_eio3=True)


@pytest.mark.parametrize("query", ["EIO=3&", "", "EIO=2&"])
def test_open_packet(server: Serving, query: str) -> None:
    text = server.request(f"{query}transport=polling").body.decode()
    size, packet = text.split(":", 1)
    assert int(size) == len(packet)
    assert packet[0] == "0"
    assert json.loads(packet[1:])["pingInterval"] == 60000
    assert server.sockets.take().protocol == 3


def test_polling(server: Serving) -> None:
    sid = server.handshake("EIO=3")
    assert server.post(sid, "6:4hello2:4€", "EIO=3").body == b"ok"
    assert server.poll(sid, "EIO=3") == "6:4hello2:4€"


def test_binary_payload(server: Serving) -> None:
    sid = server.handshake("EIO=3")
    answer = server.request(
        f"EIO=3&transport=polling&sid={sid}",
        {"Content-Type": "application/octet-stream"},
        method="POST",
        body=b"\x00\x02\xff4a\x01\x04\xff\x04\1\2\3",
    )
    assert answer.status == 200
    answer = server.request(f"EIO=3&transport=polling&sid={sid}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.body == b"\x00\x02\xff4a\x01\x04\xff\x04\1\2\3"


def test_binary_as_text(server: Serving) -> None:
    sid = server.handshake("EIO=3&b64=1")
    assert server.post(sid, "10:b4AQIDBA==", "EIO=3&b64=1").body == b"ok"
    assert server.poll(sid, "EIO=3&b64=1") == "10:b4AQIDBA=="


def test_malformed(server: Serving) -> None:
    sid = server.handshake("EIO=3")
    assert server.post(sid, "99:4hello", "EIO=3").status == 400
    assert server.ends.take().reason == "parse error"


def test_websocket(server: Serving) -> None:
    client, _ = server.websocket_session("EIO=3")
    client.send_message("4hello")
    assert client.receive_message() == "4hello"
    client.send_message(b"\4\1\2")
    assert client.receive_message() == b"\4\1\2"


def test_websocket_of_a_client_without_binary(server: Serving) -> None:
    client, _ = server.websocket_session("EIO=3&b64=1")
    client.send_message("b4AQIDBA==")
    assert client.receive_message() == "b4AQIDBA=="


def test_closing(server: Serving) -> None:
    sid = server.handshake("EIO=3")
    poll = server.begin_poll(sid, "EIO=3")
    assert server.post(sid, "1:1", "EIO=3").body == b"ok"
    assert poll.answer().body == b"1:6"


class TestJsonp:
    """Payloads in scripts and forms."""

    def test_round_trip(self, server: Serving) -> None:
        text = server.request("EIO=3&transport=polling&j=0").body.decode()
        assert text.startswith('___eio[0]("')
        assert text.endswith('");')
        payload = json.loads(text[len("___eio[0](") : -2])
        sid = json.loads(payload[payload.index("{") :])["sid"]
        query = f"EIO=3&transport=polling&sid={sid}"
        # A newline comes escaped, a backslash with an n twice so.
        body = "d=" + quote("12:4a\\nb\\\\nc\u2028\u2029def")
        answer = server.request(f"{query}&j=1", method="POST", body=body.encode())
        assert answer.body == b"ok"
        text = server.request(f"{query}&j=alert(2)").body.decode()
        assert text == '___eio[2]("12:4a\\nb\\\\nc\\u2028\\u2029def");'

    def test_form_without_the_field(self, server: Serving) -> None:
        text = server.request("EIO=3&transport=polling&j=0").body.decode()
        sid = json.loads(json.loads(text[10:-2]).split(":", 1)[1][1:])["sid"]
        answer = server.request(
            f"EIO=3&transport=polling&sid={sid}&j=0", method="POST", body=b"x=1"
        )
        assert answer.body == b"ok"

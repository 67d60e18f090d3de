"""The same requests to Node's Engine.IO server and to ours: the same answers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import peers
from tests.drivers import Driver
from tests.engineio_server.serving import Clients, Echo, Serving
from tests.rawclient import Answer

from cooee.engineio import Cookie, Cors, Socket

SCRIPT = Path(__file__).with_name("reference.cjs")

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

# Seconds; no heartbeat is met.
PING_INTERVAL = 25
PAGE = "https://example.com"
# Those of an answer that are Engine.IO's.
HEADERS = (
    "content-type",
    "content-encoding",
    "cache-control",
    "set-cookie",
    "vary",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
    "access-control-expose-headers",
    "x-xss-protection",
)

Scenario = Callable[[Clients], list[object]]


class EchoUntilEnd(Echo):
    """As the reference does."""

    def message_received(self, data: str | bytes) -> None:
        if data == "end":
            self.socket.close()
        else:
            self.socket.send(data)


@contextmanager
def reference(node: str, options: dict[str, Any]) -> Iterator[Clients]:
    """Node's server."""
    package = peers.npm_package("engine.io")
    command = [node, str(SCRIPT), str(package), json.dumps(options)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        clients = Clients(("127.0.0.1", int(process.stdout.readline())))
        try:
            yield clients
        finally:
            for client in clients.clients:
                client.close()
            process.stdin.close()


def told(answer: Answer) -> tuple[object, ...]:
    """What an answer says, with the session's id and compressed bodies left out."""
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    body = answer.body
    if "content-encoding" in headers:
        body = b""
    text = re.sub(rb'sid(\\?":\\?")[\w-]{20}', rb"sid\1...", body)
    if "set-cookie" in headers:
        headers["set-cookie"] = re.sub(r"=[\w-]{20};", "=...;", headers["set-cookie"])
    return answer.status, headers, text


def refusals(to: Clients) -> list[object]:
    """Everything that is not a handshake."""
    sid = to.handshake()
    requests = [
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("GET", "EIO=4&transport=websocket"),
        ("GET", "EIO=4&transport=polling&sid=abc"),
        ("POST", "EIO=4&transport=polling&sid=abc"),
        ("POST", "EIO=4&transport=polling"),
        ("PUT", "EIO=4&transport=polling"),
        ("DELETE", "EIO=4&transport=polling"),
        ("OPTIONS", "EIO=4&transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "transport=polling"),
        ("GET", f"EIO=4&transport=websocket&sid={sid}"),
        ("GET", f"EIO=3&transport=polling&sid={sid}"),
    ]
    return [told(to.request(query, method=method)) for method, query in requests]


def refused_upgrades(to: Clients) -> list[object]:
    """WebSockets that are not wanted."""
    results: list[object] = []
    for query in ("EIO=4", "EIO=4&transport=abc", "EIO=4&transport=websocket&sid=abc"):
        client = to.open()
        client.request_upgrade("/engine.io/?" + query)
        answer = client.answer()
        results.append((answer.status, answer.headers["content-type"], answer.body))
    client = to.open()
    client.upgrade("/engine.io/?EIO=4&transport=polling")
    results.append(client.receive_close())
    return results


def polling(to: Clients) -> list[object]:
    """Messages by polling."""
    results: list[object] = [told(to.request("EIO=4&transport=polling"))]
    sid = to.handshake()
    query = f"EIO=4&transport=polling&sid={sid}"
    for body in ("4hello", "4", "4a\x1e4b\x1ebAQIDBA==", "4€日本😀", "4" + "x" * 5000):
        results.append(told(to.post(sid, body)))
        results.append(told(to.request(query)))
    for coding in ("gzip", "deflate, gzip", "br", "gzip;q=0", "*"):
        to.post(sid, "4" + "x" * 5000)
        results.append(told(to.request(query, {"Accept-Encoding": coding})))
    results.append(told(to.post(sid, "4" + "x" * 100_000)))
    results.append(told(to.request(query, {"User-Agent": "Mozilla/5.0 (Trident/7.0)"})))
    return results


def closing(to: Clients) -> list[object]:
    """Sessions that end."""
    results: list[object] = []
    sid = to.handshake()
    results.append(told(to.post(sid, "1")))
    results.append(told(to.request(f"EIO=4&transport=polling&sid={sid}")))
    sid = to.handshake()
    results.append(told(to.post(sid, "4last\x1e4end\x1e4too late")))
    results += [told(to.request(f"EIO=4&transport=polling&sid={sid}")) for _ in range(3)]
    client, _ = to.websocket_session()
    client.send_message("4end")
    results.append(client.receive_close())
    client, _ = to.websocket_session()
    client.send_message("abc")
    results.append(client.receive_close())
    client, _ = to.websocket_session()
    client.send_message("2")
    results.append(client.receive_close())
    return results


def upgrade(to: Clients) -> list[object]:
    """From polling to WebSocket."""
    results: list[object] = []
    sid = to.handshake()
    to.post(sid, "4queued\x1ebAQID")
    client = to.websocket(f"EIO=4&sid={sid}")
    client.send_message("2probe")
    results.append(client.receive_message())
    second = to.websocket(f"EIO=4&sid={sid}")
    results.append(second.receive_close())
    client.send_message("5")
    client.send_message("4x")
    results += [client.receive_message() for _ in range(3)]
    results.append(told(to.request(f"EIO=4&transport=polling&sid={sid}")))
    results.append(to.websocket(f"EIO=4&sid={sid}").receive_close())
    client.send_message("4end")
    results.append(client.receive_close())
    sid = to.handshake()
    client = to.websocket(f"EIO=4&sid={sid}")
    client.send_message("4x")
    results.append(client.receive_close())
    to.post(sid, "4y")
    results.append(to.poll(sid))
    return results


def protocol3(to: Clients) -> list[object]:
    """Clients of Socket.IO 2."""
    results: list[object] = [
        told(to.request("EIO=3&transport=polling")),
        told(to.request("EIO=3&transport=polling&b64=1")),
        told(to.request("EIO=3&transport=polling&j=7")),
        told(to.request("transport=polling")),
    ]
    for option in ("", "&b64=1"):
        sid = to.handshake("EIO=3" + option)
        query = f"EIO=3&transport=polling&sid={sid}"
        for body in ("6:4hello2:4€", "3:4😀", "10:b4AQIDBA==2:4a", "1:2"):
            results.append(told(to.post(sid, body, "EIO=3")))
            results.append(told(to.request(query)))
        results.append(told(to.post(sid, "1:1", "EIO=3")))
        results.append(told(to.request(query)))
        client, _ = to.websocket_session("EIO=3" + option)
        for message in ("4hello", b"\4\1\2", "b4AQID", "2"):
            client.send_message(message)
            results.append(client.receive_message())
    return results


def jsonp(to: Clients) -> list[object]:
    """Payloads in scripts and forms."""
    text = to.request("EIO=3&transport=polling&j=0").body.decode()
    payload = json.loads(text[len("___eio[0](") : -2])
    sid = json.loads(payload[payload.index("{") :])["sid"]
    query = f"EIO=3&transport=polling&sid={sid}&j=0"
    form = b"d=13%3A4a%5Cnb%5C%5Cncd%E2%80%A8e%3C%22f"
    results: list[object] = [told(to.request(query, method="POST", body=form))]
    results.append(told(to.request(query)))
    return results


def cors(to: Clients) -> list[object]:
    """What pages of other origins are told."""
    results: list[object] = []
    for origin in (PAGE, "https://evil.example"):
        headers = {"Origin": origin, "Access-Control-Request-Headers": "x-token,x-other"}
        results.append(told(to.request("EIO=4&transport=polling", headers, method="OPTIONS")))
        results.append(told(to.request("EIO=4&transport=polling", headers)))
        results.append(told(to.request("EIO=4&transport=abc", headers)))
        sid = to.handshake("EIO=4", headers)
        query = f"EIO=4&transport=polling&sid={sid}"
        results.append(told(to.request(query, headers, method="POST", body=b"4x")))
        results.append(told(to.request(query, headers)))
    return results


COMPARED: list[tuple[str, Scenario, dict[str, Any], dict[str, Any]]] = [
    ("refusals", refusals, {}, {}),
    ("refused upgrades", refused_upgrades, {}, {}),
    ("polling", polling, {}, {}),
    ("closing", closing, {}, {}),
    ("upgrade", upgrade, {}, {}),
    ("protocol 3", protocol3, {"allowEIO3": True}, {"allow_eio3": True}),
    ("jsonp", jsonp, {"allowEIO3": True}, {"allow_eio3": True}),
    (
        "cookie",
        polling,
        {"cookie": {"name": "x", "secure": True}},
        {"cookie": Cookie(name="x", secure=True)},
    ),
    ("initial packet", polling, {"initialPacket": "hi"}, {"initial_packet": "hi"}),
    ("cors all", cors, {"cors": {}}, {"cors": Cors()}),
    ("cors one", cors, {"cors": {"origin": PAGE}}, {"cors": Cors(origin=PAGE)}),
    (
        "cors some",
        cors,
        {"cors": {"origin": [PAGE], "credentials": True, "maxAge": 5, "methods": ["GET", "POST"]}},
        {"cors": Cors(origin=[PAGE], credentials=True, max_age=5, methods=["GET", "POST"])},
    ),
    (
        "cors pattern",
        cors,
        {
            "cors": {
                "origin": {"pattern": "example\\.com$"},
                "exposedHeaders": ["X-A", "X-B"],
                "allowedHeaders": ["x-token"],
            }
        },
        {
            "cors": Cors(
                origin=re.compile(r"example\.com$"),
                exposed_headers=["X-A", "X-B"],
                allowed_headers="x-token",
            )
        },
    ),
    ("cors true", cors, {"cors": {"origin": True}}, {"cors": Cors(origin=True)}),
]


@pytest.mark.parametrize(
    ("scenario", "theirs", "ours"),
    [entry[1:] for entry in COMPARED],
    ids=[entry[0] for entry in COMPARED],
)
def test_same_answers(
    serving: Callable[..., Serving],
    driver: Driver,
    node: str,
    scenario: Scenario,
    theirs: dict[str, Any],
    ours: dict[str, Any],
) -> None:
    with reference(node, {"pingInterval": PING_INTERVAL * 1000, **theirs}) as clients:
        expected = scenario(clients)
    server = serving(ping_interval=PING_INTERVAL, ping_timeout=20, **ours)

    def connected(socket: Socket) -> None:
        socket.receiver = EchoUntilEnd(socket, server.ends)

    server.engine.on("connection", connected)
    for theirs_, ours_ in zip(expected, scenario(server), strict=True):
        assert ours_ == theirs_

"""
Answers whose head is put together once are those that are made one by one.

A listener that does nothing has the server make them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.engineio_server.serving import Serving
from tests.rawclient import Answer

from cooee.engineio import Cors, Server

Start = Callable[..., Serving]

OPTIONS: tuple[Mapping[str, Any], ...] = (
    {},
    {"server_options": {"server_header": None}},
    {"allow_eio3": True},
    {"cors": "*"},
    {"cors": Cors(origin="http://a.example", credentials=True, exposed_headers="X-A")},
    {"cors": Cors(credentials=True)},
    {"cors": ["http://a.example"]},
)
HEADERS: tuple[Mapping[str, str | None], ...] = (
    {},
    {"Connection": "keep-alive"},
    {"Connection": "close"},
    {"Connection": "Keep-Alive, Close"},
    {"Origin": "http://a.example"},
    {"Origin": "http://b.example"},
    {"User-Agent": "Mozilla/5.0 (compatible;MSIE 9.0)"},
    {"User-Agent": "Mozilla/5.0 Trident/7.0"},
    {"Accept-Encoding": "gzip"},
)


def answers(server: Serving) -> list[Answer]:
    """To a POST and a poll with each of the headers, small and large, and in protocol 3."""
    found = []
    for query in ("EIO=4", "EIO=4&j=1", "EIO=3", "EIO=3&b64=1"):
        if server.request(f"{query}&transport=polling").status != 200:
            continue
        sid = server.call(lambda: list(server.engine.clients)[-1])
        target = f"{query}&transport=polling&sid={sid}"
        for headers in HEADERS:
            for text in ("x", "y" * 3000, "z" * 30000):
                body = f"{len(text) + 1}:4{text}" if "EIO=3" in query else f"4{text}"
                if "j=" in query:
                    body = f"d={body}"
                found.append(server.request(target, headers, method="POST", body=body.encode()))
                found.append(server.request(target, headers))
    for answer in found:
        assert answer.status == 200
        answer.headers.pop("date")
    return found


@pytest.mark.parametrize("options", OPTIONS)
def test_they_are_the_same(serving: Start, options: Mapping[str, Any]) -> None:
    def listen(engine: Server) -> None:
        engine.on("headers", lambda headers, request: None)

    together = answers(serving(**options))
    assert together == answers(serving(prepare=listen, **options))
    assert len({str(answer.headers) for answer in together}) > 4


def test_a_listener_may_come_later(server: Serving) -> None:
    sid = server.handshake()
    assert "x-a" not in server.post(sid, "4x").headers

    @server.engine.on("headers")
    def listen(headers: Any, request: Any) -> None:
        headers["X-A"] = request.method

    assert server.post(sid, "4x").headers["x-a"] == "POST"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_by_websocket_is_not_polled(server: Serving, method: str) -> None:
    client, sid = server.websocket_session()
    answer = server.request(f"EIO=4&transport=websocket&sid={sid}", method=method)
    assert (answer.status, answer.body) == (400, b"")
    client.send_message("4still here")
    assert client.receive_message() == "4still here"

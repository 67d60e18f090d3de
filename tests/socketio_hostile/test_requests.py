"""Requests that no client makes: forged ids and origins, endless bodies, transports mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from tests.socketio_hostile.serving import PATH, Hostility, PollingSession, Session

from cooee.engineio import Cors

Start = Callable[..., Hostility]

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'
POLLING = "EIO=4&transport=polling"

FORGED = [
    *("a", "0", "null", "undefined", "true", "__proto__", "constructor", "toString", "length"),
    *("../../etc/passwd", "%00", "\0", "\r\nX-Forged: 1", "é", "\udcff", "{}", "[]", "'", '" or 1'),
    *("a" * 6000, "AAAAAAAAAAAAAAAAAAAA", " ", "%", "\u202e", "🦘" * 100),
]


@pytest.mark.parametrize("sid", FORGED, ids=lambda sid: ascii(sid)[:30])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_forged_ids(server: Hostility, bystander: Session, sid: str, method: str) -> None:
    name = quote(sid.encode("utf-8", "surrogateescape"))
    answer = server.request(
        f"?{POLLING}&sid={name}", method=method, body=b"4x" if method == "POST" else b""
    )
    assert answer.status == 400
    assert answer.body == UNKNOWN
    assert "x-forged" not in answer.headers
    with server.connect() as client:
        client.request_upgrade(f"{PATH}?EIO=4&transport=websocket&sid={name}")
        assert client.answer().body == b"Session ID unknown"


def test_ids_nearly_right(server: Hostility, bystander: Session) -> None:
    session = server.join("polling")
    changed = session.sid[:-1] + ("A" if session.sid[-1] != "A" else "B")
    for sid in (changed, session.sid[:-1], session.sid + "A", session.sid.swapcase(), ""):
        answer = server.request(f"?{POLLING}&sid={sid}", method="POST", body=b"1")
        # Without an id it is a handshake, which is no POST's.
        expected = {"code": 1, "message": "Session ID unknown"}
        if not sid:
            expected = {"code": 2, "message": "Bad handshake method"}
        assert (answer.status, json.loads(answer.body)) == (400, expected)
    # A public id is no secret, and opens nothing.
    socket = server.sockets.take()
    answer = server.request(f"?{POLLING}&sid={socket.id}", method="POST", body=b"1")
    assert answer.body == UNKNOWN
    # Of several the first counts.
    answer = server.request(f"?{POLLING}&sid=x&sid={session.sid}", method="POST", body=b"1")
    assert answer.body == UNKNOWN
    session.check_echo()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_an_id_by_another_transport(server: Hostility, bystander: Session, transport: str) -> None:
    session = server.join(transport)
    if transport == "websocket":
        for method, body in (("GET", b""), ("POST", b"1")):
            answer = server.request(f"?{POLLING}&sid={session.sid}", method=method, body=body)
            assert (answer.status, answer.body) == (400, b'{"code":3,"message":"Bad request"}')
    # A WebSocket that is not the client's, with whatever to say but the probe, takes nothing over.
    for message in ("4x", '42["echo","stolen"]', "1", "2", "2prob", b"2probe", "", "6"):
        with server.connect() as client:
            client.upgrade(f"{PATH}?EIO=4&transport=websocket&sid={session.sid}")
            client.send_message(message)
            client.receive_close()
    session.check_echo()
    assert all(event != ["echo", "stolen"] for event in events(server))


def test_two_candidates_at_once(server: Hostility, bystander: Session) -> None:
    session = server.join("polling")
    query = f"{PATH}?EIO=4&transport=websocket&sid={session.sid}"
    first, second = server.connect(), server.connect()
    first.upgrade(query)
    first.send_message("2probe")
    assert first.receive_message() == "3probe"
    second.upgrade(query)
    second.send_message("2probe")
    second.send_message("5")
    second.receive_close()
    # The first is still on its way.
    first.send_message("5")
    first.send_message('42["echo",1]')
    while first.receive_message() != '42["echo",1]':
        pass


def events(server: Hostility) -> list[list[object]]:
    """All that handlers have heard."""
    found = []
    while not server.events.empty():
        found.append(server.events.take())
    return found


def test_bodies_that_never_end(server: Hostility, bystander: Session) -> None:
    """Sessions are not bound to them, nor is the server."""
    sessions = [server.join("polling") for _ in range(20)]
    for session in sessions:
        assert isinstance(session, PollingSession)
        session.posts.send(
            f"POST {PATH}{session.query} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 900000\r\n\r\n".encode()
            + b"4" * 1000
        )
    bystander.check_echo()
    # They go with their sessions: the second POST is one too many.
    for session in sessions:
        answer = server.request(session.query, method="POST", body=b"42[]")  # type: ignore[attr-defined]
        assert answer.status == 400
        session.wait_ended()
    assert server.sessions == 1


def test_two_polls_at_once(server: Hostility, bystander: Session) -> None:
    session = server.join("polling")
    assert isinstance(session, PollingSession)
    clients = server.io.engine.clients
    session.polls.request(PATH + session.query)
    server.until(lambda: clients[session.sid].writable)
    answer = server.request(session.query)
    assert answer.status == 400
    # The one that waited is let go.
    assert session.polls.answer().body == b"1"
    server.until(lambda: session.sid not in clients)
    assert server.ends.take() == ("/", "transport error")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\x1e", 400),
        (b"9", 400),
        (b"4\xff", 400),
        (b"b!", 400),
        (b"bA", 400),
        (b"0", 200),
        (b"6", 200),
        (b"5", 200),
        (b"2", 200),
        (b"4" + b"x" * 1_000_000, 413),
        (b"\0\x02\xff40", 400),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_bodies(server: Hostility, bystander: Session, body: bytes, status: int) -> None:
    session = server.join("polling")
    assert isinstance(session, PollingSession)
    # A connection that is cut while it sends what is too large may lose the answer.
    assert session.post(body) in ((status, None) if status == 413 else (status,))
    bystander.check_echo()


GOOD = "https://good.example"
FORGED_ORIGINS = [
    *("null", "", "*", "http://good.example", "https://good.example.evil.example", "good.example"),
    *("https://evil.example/https://good.example", "https://good.example:443", "https://good"),
    *("https://evil.example#https://good.example", "https://user@good.example", "HTTPS://GOOD"),
    *("https://good.example/", "https://good.example https://evil.example", "https://good.exämple"),
]


@pytest.mark.parametrize("origin", FORGED_ORIGINS, ids=ascii)
@pytest.mark.parametrize("allowed", [[GOOD], lambda origin: origin == GOOD])
def test_forged_origins_may_read_nothing(serving: Start, origin: str, allowed: object) -> None:
    server = serving(cors=Cors(origin=allowed, credentials=True))  # type: ignore[arg-type]
    for method in ("GET", "OPTIONS"):
        answer = server.request(f"?{POLLING}", {"Origin": origin}, method=method)
        assert "access-control-allow-origin" not in answer.headers
        assert "origin" in answer.headers["vary"].lower()
    answer = server.request(f"?{POLLING}", {"Origin": GOOD})
    assert answer.headers["access-control-allow-origin"] == GOOD


def test_an_origin_does_not_write_headers(serving: Start) -> None:
    server = serving(cors=Cors(origin=True))
    for origin in ("a\tb", "é", "\x80", "x" * 8000):
        answer = server.request(f"?{POLLING}", {"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") in (None, origin)
    for origin in ("a\rX-Forged: 1", "a\nX-Forged: 1", "a\0b", "a\x7f"):
        answer = server.request(f"?{POLLING}", {"Origin": origin})
        assert answer.status == 400 or origin.startswith("a\n")
        assert "x-forged" not in answer.headers


def test_no_origin_reads_what_no_cors_allows(server: Hostility, bystander: Session) -> None:
    for origin in ("https://evil.example", "null", "http://localhost"):
        answer = server.request(f"?{POLLING}", {"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_who_is_refused_by_the_application_gets_nothing(serving: Start, transport: str) -> None:
    server = serving(allow_request=lambda request: request.headers.get("origin") == GOOD)
    for origin in FORGED_ORIGINS:
        with server.connect() as client:
            query = f"{PATH}?EIO=4&transport={transport}"
            if transport == "websocket":
                client.request_upgrade(query, {"Origin": origin})
            else:
                client.request(query, {"Origin": origin})
            assert client.answer().status in (400, 403)
    assert server.sessions == 0

"""Opening handshakes: what the application sees of them, and what it may decide."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.rawclient import RawClient, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo, echo_coroutine

from cooee import Request, Response
from cooee.websocket import Session

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


def refused(serving: Serving, target: str = "/", headers: Any = None) -> Any:
    """The answer to a handshake that is not accepted."""
    client = serving.open()
    client.request_upgrade(target, headers)
    answer = client.answer()
    assert answer.status != 101
    return answer


def round_trip(client: RawClient) -> None:
    """See that the connection works."""
    client.send_message("HelloWorld")
    assert client.receive_message() == "HelloWorld"


# The request


def test_the_request_before_and_after(serve: Serve) -> None:
    seen: Inbox[Any] = Inbox()

    def look(request: Request) -> None:
        seen.put((request, request.path, request.query["room"], request.headers["X-Name"]))

    def handler(session: Session) -> None:
        seen.put(session)
        echo(session)

    serving = serve(handler, process_request=look)
    client = serving.connect(
        "/chat%20room/%C3%A9?room=1&room=2&name=a+b",
        {"X-Name": "value", "Cookie": 'sid=abc; theme="dark"'},
    )
    name = client.sock.getsockname()
    request, *before = seen.take()
    assert before == ["/chat room/é", "1", "value"]
    session = seen.take()

    def after() -> None:
        assert session.request is request
        assert session.path == "/chat room/é"
        assert request.method == "GET"
        assert request.http_version == "1.1"
        assert request.target == "/chat%20room/%C3%A9?room=1&room=2&name=a+b"
        assert request.query.get_all("room") == ["1", "2"]
        assert request.query["name"] == "a b"
        assert request.headers["host"] == "localhost"
        assert request.cookies == {"sid": "abc", "theme": "dark"}
        assert request.remote_address == session.remote_address == name
        assert session.subprotocol is None
        assert session.owner is serving.server

    serving.call(after)
    client.leave()
    serving.until(lambda: session.ready_state == 3)
    serving.call(lambda: request.headers["x-name"])


def test_ready_states(serve: Serve) -> None:
    states: Inbox[int] = Inbox()

    def handler(session: Session) -> None:
        states.put(session.ready_state)
        session.on("message", lambda data: (session.close(), states.put(session.ready_state)))
        session.on("close", lambda code, reason: states.put(session.ready_state))

    client = serve(handler).connect()
    assert states.take() == 1  # OPEN
    client.send_message("close")
    assert states.take() == 2  # CLOSING
    assert client.receive_close() == (1000, "")
    assert states.empty()
    client.send_close(1000)
    assert states.take() == 3  # CLOSED


# process_request


def deny(request: Request) -> Response | None:
    """A decision that depends on the path."""
    if request.path == "/redirect":
        return Response.redirect("/elsewhere")
    if request.path == "/unauthorized":
        return Response(401, "who are you?", {"WWW-Authenticate": "Basic"})
    status = request.path.removeprefix("/")
    return Response(int(status), f"status {status}") if status else None


async def deny_later(request: Request) -> Response | None:
    """The same, later."""
    await asyncio.sleep(0)
    return deny(request)


@pytest.mark.parametrize("hook", [deny, deny_later])
def test_process_request_answers_instead(serve: Serve, hook: object) -> None:
    serving = serve(echo, process_request=hook)
    for status in (403, 404, 503, 200):
        answer = refused(serving, f"/{status}")
        assert (answer.status, answer.body) == (status, b"status %d" % status)
    answer = refused(serving, "/unauthorized")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Basic")
    answer = refused(serving, "/redirect")
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert serving.sessions.empty()
    round_trip(serving.connect())


def test_a_refused_connection_may_try_again(serve: Serve) -> None:
    """A refusal is a response like others: the connection stays open for another request."""
    serving = serve(echo, process_request=deny)
    client = serving.open()
    client.request_upgrade("/401")
    assert client.answer().status == 401
    client.upgrade()
    round_trip(client)


@pytest.mark.parametrize("hook", [deny, deny_later])
def test_process_request_that_raises(
    serve: Serve, hook: object, caplog: pytest.LogCaptureFixture
) -> None:
    serving = serve(echo, process_request=hook)
    neighbour = serving.connect()
    answer = refused(serving, "/x")  # int("x")
    assert answer.status == 500
    assert answer.headers["connection"] == "close"
    assert b"invalid literal" not in answer.body
    assert "invalid literal for int()" in caplog.text
    round_trip(neighbour)


def test_what_comes_while_process_request_decides_is_kept(serve: Serve) -> None:
    decide: list[asyncio.Future[None]] = []

    async def hook(request: Request) -> None:
        decide.append(asyncio.get_running_loop().create_future())
        await decide[0]

    messages: Inbox[str | bytes] = Inbox()
    serving = serve(lambda session: session.on("message", messages.put), process_request=hook)
    client = serving.open()
    client.request_upgrade()
    serving.until(lambda: decide)
    for n in range(20):
        client.send_message(f"early {n}")
    # Whether they have come or are on their way, nothing may get lost.
    serving.call(decide[0].set_result, None)
    client.send_message("late")
    assert client.answer().status == 101
    assert [messages.take() for _ in range(21)] == [f"early {n}" for n in range(20)] + ["late"]
    client.leave()


def test_a_client_that_leaves_while_process_request_decides(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    decide: list[asyncio.Future[Response | None]] = []

    async def hook(request: Request) -> Response | None:
        decide.append(asyncio.get_running_loop().create_future())
        return await decide[-1]

    serving = serve(echo, process_request=hook)
    for answer in (None, Response(403)):
        client = serving.open()
        client.request_upgrade()
        serving.until(lambda: decide)
        client.vanish()
        streams = len(decide)
        assert streams == 1
        serving.until(lambda: not list(serving.server._requests.connections()))
        serving.call(decide.pop().set_result, answer)
    serving.call(lambda: None)
    assert serving.sessions.empty()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_process_request_has_the_time_of_the_handshake(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(request: Request) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.put(request.path)

    def hook(request: Request) -> Awaitable[None]:
        # Not before: the client may be slow to send its request.
        object.__setattr__(serving.server.limits, "head_timeout", 0.05)
        return never(request)

    cancelled: Inbox[str] = Inbox()
    serving = serve(echo, process_request=hook)
    # So that the request is there before the time begins.
    with serving.driver.busy():
        client = serving.open()
        client.request_upgrade("/slow")
    answer = client.answer()
    assert (answer.status, answer.body) == (503, b"process_request took more than 0.05 s\n")
    assert cancelled.take() == "/slow"
    assert "process_request took more than 0.05 s" in caplog.text


def test_a_timeout_of_process_request_s_own_is_an_error(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def hook(request: Request) -> None:
        await asyncio.sleep(0)
        raise TimeoutError("of the database")

    assert refused(serve(echo, process_request=hook)).status == 500
    assert "TimeoutError: of the database" in caplog.text


def test_messages_in_the_packet_of_the_handshake(serve: Serve) -> None:
    for handler in (echo, echo_coroutine):
        client = serve(handler).open()
        client.send(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            + b"".join(message_frame(f"{n}") for n in range(10))
            + message_frame("split")[:4]
        )
        assert client.answer().status == 101
        assert [client.receive_message() for _ in range(10)] == [f"{n}" for n in range(10)]
        client.send(message_frame("split")[4:])
        assert client.receive_message() == "split"


def test_a_handshake_byte_by_byte(serve: Serve) -> None:
    client = serve(echo).open()
    for octet in (
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        + message_frame("HelloWorld")
    ):
        client.send(bytes([octet]))
    assert client.answer().status == 101
    assert client.receive_message() == "HelloWorld"
    client.leave()


# Accepted forms of the request


@one_driver
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Connection": "foo,UPGRADE , bar"},
        {"Upgrade": "WebSocket"},
        {"Upgrade": "websocket, h2c"},
        {"Upgrade": "h2c, websocket"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Protocol": "chat"},
        {"Origin": "http://localhost"},
        {"Host": "localhost:80", "Origin": "http://localhost"},
        {"Host": ""},
        {"Host": "[::1]:6080"},
        {"Content-Length": "0"},
        {"Pragma": "no-cache", "Cache-Control": "no-cache", "User-Agent": "x"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(
    "options",
    [{}, {"http": lambda request: Response(404)}, {"process_request": deny}],
    ids=["plain", "http", "process_request"],
)
def test_forms_of_the_request(serve: Serve, headers: dict[str, str], options: Any) -> None:
    serving = serve(echo, **options)
    client = serving.open()
    client.request_upgrade("/", headers)
    answer = client.answer()
    assert answer.status == 101
    assert "sec-websocket-extensions" not in answer.headers
    assert "sec-websocket-protocol" not in answer.headers
    round_trip(client)


@one_driver
def test_a_body_before_the_upgrade(serve: Serve) -> None:
    """RFC 9110 §7.8: the request's content comes first, then the other protocol."""
    client = serve(echo).open()
    client.request_upgrade("/", body=b"ignored")
    assert client.answer().status == 101
    round_trip(client)


# Subprotocols


def choose_last(request: Request, offered: list[str]) -> str | None:
    return offered[-1] if request.path != "/none" else None


def choose_mine(request: Request, offered: list[str]) -> str:
    return "mine"


@one_driver
@pytest.mark.parametrize(
    ("supported", "offered", "chosen"),
    [
        (["chat", "superchat"], "superchat, chat", "superchat"),
        (["chat"], "foo,chat", "chat"),
        ("chat", "c, h, chat", "chat"),
        (["chat"], "Chat", None),
        (["chat"], None, None),
        (["chat"], "foo", None),
        ([], "foo", None),
        (None, "foo", None),
        (choose_last, "a, b, c", "c"),
        (choose_last, None, None),
        (choose_mine, None, None),
    ],
)
def test_subprotocols(
    serve: Serve, supported: Any, offered: str | None, chosen: str | None
) -> None:
    serving = serve(echo, subprotocols=supported)
    client = serving.open()
    answer = client.upgrade("/", {"Sec-WebSocket-Protocol": offered})
    assert answer.headers.get("sec-websocket-protocol") == chosen
    session = serving.sessions.take()
    assert serving.call(lambda: session.subprotocol) == chosen
    round_trip(client)


@one_driver
def test_subprotocols_by_request(serve: Serve) -> None:
    serving = serve(echo, subprotocols=choose_last)
    answer = serving.open().upgrade("/none", {"Sec-WebSocket-Protocol": "a, b"})
    assert "sec-websocket-protocol" not in answer.headers


@one_driver
@pytest.mark.parametrize("process_request", [None, deny, deny_later])
@pytest.mark.parametrize("offer", ["chat chat", "chat, chat", "(chat)", ""])
def test_malformed_offers_get_400(
    serve: Serve, offer: str, process_request: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    serving = serve(echo, subprotocols=["chat"], process_request=process_request)
    answer = refused(serving, "/", {"Sec-WebSocket-Protocol": offer})
    assert answer.status == 400
    assert b"Sec-WebSocket-Protocol" in answer.body
    assert "Sec-WebSocket-Protocol" in caplog.text
    assert not any(record.exc_info for record in caplog.records)


@one_driver
def test_choosing_what_was_not_offered(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    serving = serve(echo, subprotocols=choose_mine)
    assert refused(serving, "/", {"Sec-WebSocket-Protocol": "yours"}).status == 500
    assert "subprotocol 'mine' chosen, not offered" in caplog.text


# Origins


@one_driver
@pytest.mark.parametrize(
    ("policy", "origin", "allowed"),
    [
        ("default", None, True),
        ("default", "http://example.com", True),
        ("default", "http://EXAMPLE.com:80", True),
        ("default", "http://evil.com", False),
        ("default", "http://example.com:8080", False),
        ("default", "null", False),
        ("*", "http://evil.com", True),
        ("*", None, True),
        (["https://game.example", None], "https://game.example", True),
        (["https://game.example", None], "https://other.example", False),
        (["https://game.example", None], None, True),
        (["https://game.example"], None, False),
        ([re.compile(r"https://\w+\.example")], "https://a.example", True),
        ([re.compile(r"https://\w+\.example")], "https://a.example.evil.com", False),
        (lambda origin: origin == "http://a", "http://a", True),
        (lambda origin: origin == "http://a", "http://b", False),
        (lambda origin: origin == "http://a", None, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("process_request", [None, deny])
def test_origins(
    serve: Serve,
    policy: Any,
    origin: str | None,
    allowed: bool,
    process_request: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    options = {} if policy == "default" else {"origins": policy}
    serving = serve(echo, process_request=process_request, **options)
    client = serving.open()
    client.request_upgrade("/", {"Host": "example.com", "Origin": origin})
    answer = client.answer()
    if allowed:
        assert answer.status == 101
        round_trip(client)
    else:
        assert answer.status == 403
        assert b"not allowed" in answer.body
        assert f"origin {origin!r} not allowed" in caplog.text
        assert serving.sessions.empty()


# Headers of the response


@one_driver
def test_further_headers_of_the_response(serve: Serve) -> None:
    answer = serve(echo, headers={"X-Server": "a", "Set-Cookie": "sid=1"}).open().upgrade()
    assert answer.headers["x-server"] == "a"
    assert answer.headers["set-cookie"] == "sid=1"
    assert answer.headers["server"].startswith("cooee/")
    assert "content-length" not in answer.headers


@one_driver
def test_the_server_header(serve: Serve) -> None:
    serving = serve(echo, server_header="mine/1")
    assert serving.open().upgrade().headers["server"] == "mine/1"
    serving = serve(echo, server_header=None)
    assert "server" not in serving.open().upgrade().headers
    client = serving.open()
    client.request("/")
    assert "server" not in client.answer().headers


# Other requests


def answer_path(request: Request) -> Response:
    if request.path == "/raise":
        raise RuntimeError("no such luck")
    return Response(200, f"{request.method} {request.path} {request.body.decode()}")


async def answer_path_later(request: Request) -> Response:
    await asyncio.sleep(0)
    return answer_path(request)


http_handlers = pytest.mark.parametrize("http", [answer_path, answer_path_later])


@http_handlers
def test_requests_are_answered_and_the_connection_kept(
    serve: Serve, http: Callable[[Request], Any]
) -> None:
    serving = serve(echo, http=http)
    client = serving.open()
    client.request("/one")
    assert client.answer().body == b"GET /one "
    client.request("/two", method="POST", body=b"content")
    assert client.answer().body == b"POST /two content"
    client.request("/three", method="HEAD")
    # As long as that of GET, but not sent.
    status, headers, _ = client.answer(head_only=True)
    assert (status, headers["content-length"]) == (200, str(len(b"HEAD /three ")))
    client.upgrade("/four")
    round_trip(client)


@http_handlers
def test_http_handlers_that_raise(
    serve: Serve, http: Callable[[Request], Any], caplog: pytest.LogCaptureFixture
) -> None:
    serving = serve(echo, http=http)
    neighbour = serving.connect()
    client = serving.open()
    client.request("/raise")
    assert client.answer().status == 500
    assert client.rest() == b""
    assert "no such luck" in caplog.text
    round_trip(neighbour)


def test_without_an_http_handler(serve: Serve) -> None:
    serving = serve(echo)
    client = serving.open()
    client.request("/")
    answer = client.answer()
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
    assert "Upgrade" in answer.headers["connection"]
    client.request("/", method="POST", body=b"x")
    answer = client.answer()
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    client.request("/", {"Connection": "Upgrade", "Upgrade": "h2c"})
    assert client.answer().status == 426
    # The connection is still good.
    client.upgrade()
    round_trip(client)


@one_driver
def test_other_upgrades_go_to_the_http_handler(serve: Serve) -> None:
    client = serve(echo, http=answer_path).open()
    client.request("/h2", {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})
    assert client.answer().body == b"GET /h2 "


@one_driver
def test_a_body_beyond_the_limit(serve: Serve) -> None:
    serving = serve(echo, http=answer_path)
    client = serving.open()
    client.request("/", {"Content-Length": str(1024 * 1024 + 1)}, method="POST")
    assert client.answer().status == 413
    assert client.rest() == b""
    client = serving.open()
    client.request("/", method="POST", body=b"x" * 1024 * 1024)
    assert client.answer().status == 200


@one_driver
def test_pipelined_requests_and_an_upgrade(serve: Serve) -> None:
    client = serve(echo, http=answer_path_later).open()
    client.request("/one")
    client.request("/two")
    client.request_upgrade("/three")
    assert client.answer().body == b"GET /one "
    assert client.answer().body == b"GET /two "
    assert client.answer().status == 101
    round_trip(client)


# After close()


def test_handshakes_that_come_too_late_get_503(serve: Serve) -> None:
    decide: list[asyncio.Future[None]] = []

    async def hook(request: Request) -> None:
        decide.append(asyncio.get_running_loop().create_future())
        await decide[0]

    serving = serve(echo, process_request=hook)
    client = serving.open()
    client.request_upgrade()
    serving.until(lambda: decide)
    closed = serving.call(serving.server.close)
    assert not serving.call(lambda: closed.done)
    serving.call(decide[0].set_result, None)
    assert client.answer().status == 503
    assert client.rest() == b""
    serving.until(lambda: closed.done)

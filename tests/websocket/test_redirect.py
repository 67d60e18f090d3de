"""Redirects of the opening handshake: where they lead, and what goes along."""

import contextlib
import socket
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.rawserver import RawServer, random_path
from tests.websocket.test_connect import nothing_left, one_driver, opened

from cooee import HandshakeError
from cooee.protocol.headers import Headers
from cooee.protocol.urls import parse_websocket_url
from cooee.websocket.opening import OpeningOptions
from cooee.websocket.redirect import follow

HEADERS = Headers({"Authorization": "x"})


def answer(location: str, status: int = 302) -> HandshakeError:
    return HandshakeError("no", status, [("Server", "x"), ("location", location)], b"body")


@pytest.mark.parametrize(
    ("url", "location", "there", "headers"),
    [
        ("ws://a/b/c", "/d?e", "ws://a/d?e", True),
        ("ws://a/b/c", "d", "ws://a/b/d", True),
        ("ws://a/b/c?x", "?y", "ws://a/b/c?y", True),
        ("ws://a/b/c", "../d", "ws://a/d", True),
        ("ws://a/b/c", "ws://a/d", "ws://a/d", True),
        ("ws://a/b/c", "http://a/d", "ws://a/d", True),
        ("ws://a/b/c", "http://A:80/d", "ws://a/d", True),
        ("ws://a/b/c", "//b/d", "ws://b/d", False),
        ("ws://a/b/c", "http://a:81/d", "ws://a:81/d", False),
        ("ws://a/b/c", "https://a/d", "wss://a/d", False),
        ("wss://a/b/c", "wss://b/d", "wss://b/d", False),
        ("ws://a/b/c", "/d#fragment", "ws://a/d", True),
        ("ws://u:p@a/b", "/d", "ws://u:p@a/d", True),
        ("ws://u:p@a/b", "ws://a/d", "ws://u:p@a/d", True),
        ("ws://u:p@a/b", "ws://v:q@a/d", "ws://v:q@a/d", True),
        ("ws://u:p@a/b", "ws://b/d", "ws://b/d", False),
        ("ws://u:p@a/b", "ws://v:q@b/d", "ws://v:q@b/d", False),
        ("ws://[::1]:81/", "/d", "ws://[::1]:81/d", True),
    ],
)
@pytest.mark.once
def test_where_it_leads(url: str, location: str, there: str, headers: bool) -> None:
    options = OpeningOptions(headers=HEADERS, origin="https://o")
    onward = follow(parse_websocket_url(url), options, answer(location))
    assert onward is not None
    assert onward[0].href == there
    assert onward[1].headers == (HEADERS if headers else None)
    assert onward[1].origin == "https://o"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.once
def test_redirects(status: int) -> None:
    assert follow(parse_websocket_url("ws://a/"), OpeningOptions(), answer("/b", status))


@pytest.mark.parametrize("status", [101, 200, 300, 304, 305, 400, None])
@pytest.mark.once
def test_no_redirects(status: int) -> None:
    assert follow(parse_websocket_url("ws://a/"), OpeningOptions(), answer("/b", status)) is None


@pytest.mark.once
def test_no_location() -> None:
    error = HandshakeError("no", 302, [("Server", "x")])
    assert follow(parse_websocket_url("ws://a/"), OpeningOptions(), error) is None


@pytest.mark.parametrize(
    ("url", "location", "options", "why"),
    [
        ("wss://a/", "ws://a/b", {}, "from wss to ws"),
        ("wss://a/", "http://a/b", {}, "from wss to ws"),
        ("ws://a/", "ftp://a/b", {}, "ftp"),
        ("ws://a/", "ws://[a/b", {}, ""),
        ("ws://a/", "ws://a:99999/b", {}, "99999"),
        ("ws://a/", "javascript:alert(1)", {}, "javascript"),
        ("ws://a/", "ws://b/", {"unix": "/x"}, "Unix socket"),
        ("ws://a/", "/b", {"sock": "given"}, "socket given"),
    ],
)
@pytest.mark.once
def test_not_followed(url: str, location: str, options: Any, why: str) -> None:
    with pytest.raises(HandshakeError, match="not followed") as caught:
        follow(parse_websocket_url(url), OpeningOptions(**options), answer(location))
    assert why in str(caught.value)
    assert location in str(caught.value)
    assert (caught.value.status, caught.value.body) == (302, b"body")


def test_followed(driver: Driver, server: RawServer) -> None:
    url = server.url.replace("ws://", "ws://user:secret@")
    with RawServer() as other:
        future = driver.begin(
            lambda: opened(f"{url}/one", headers={"Cookie": "a=b"}, subprotocols=["chat"])
        )
        peer = server.take()
        assert peer.read_request().target == "/one"
        peer.respond("307 Temporary Redirect", {"Location": "/two", "Content-Length": "0"})
        assert peer.rest() == b""
        peer = server.take()
        request = peer.read_request()
        assert request.target == "/two"
        assert request.headers["cookie"] == "a=b"
        assert request.headers["authorization"].startswith("Basic ")
        peer.respond("301 Moved Permanently", {"Location": f"{other.url}/three"}, b"there")
        request = other.take().accept({"Sec-WebSocket-Protocol": "chat"})
        assert request.target == "/three"
        assert request.headers["host"] == f"127.0.0.1:{other.port}"
        assert not {"cookie", "authorization"} & request.headers.keys()
        session = future.result(PATIENCE)
        assert session.subprotocol == "chat"
        driver.call(session.terminate)


@one_driver
def test_too_many(driver: Driver, server: RawServer) -> None:
    future = driver.begin(lambda: opened(server.url, max_redirects=2))
    for _ in range(3):
        peer = server.take()
        peer.read_request()
        peer.respond("302 Found", {"Location": "/again"})
    with pytest.raises(HandshakeError, match="3 redirects, at most 2") as caught:
        future.result(PATIENCE)
    assert caught.value.status == 302
    nothing_left(driver)


@one_driver
def test_none_wanted(driver: Driver, server: RawServer) -> None:
    future = driver.begin(lambda: opened(server.url, max_redirects=0))
    peer = server.take()
    peer.read_request()
    peer.respond("302 Found", {"Location": "/again"})
    with pytest.raises(HandshakeError, match="HTTP status 302 Found") as caught:
        future.result(PATIENCE)
    assert ("Location", "/again") in caught.value.headers


@one_driver
def test_time_limit_is_for_all_together(driver: Driver, server: RawServer) -> None:
    redirects = 0
    server.sock.settimeout(0.01)
    # As long as it takes for two, however slow this machine is.
    for open_timeout in (0.2, 2.0, 20.0):
        options: dict[str, Any] = {"open_timeout": open_timeout, "max_redirects": 10**6}
        future = driver.begin(lambda options=options: opened(server.url, **options))
        while not future.done():
            with contextlib.suppress(TimeoutError, ConnectionError):
                sock, _ = server.sock.accept()
                with sock:
                    if sock.recv(4096):
                        sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n")
                        redirects += 1
        assert isinstance(future.exception(), TimeoutError)
        if redirects > 1:
            break
    assert redirects > 1


@one_driver
def test_on_a_unix_socket(driver: Driver, tmp_path: Any) -> None:
    path = random_path(tmp_path)
    with RawServer(path=path) as server:
        future = driver.begin(lambda: opened("ws://localhost/", unix=path))
        peer = server.take()
        peer.read_request()
        peer.respond("302 Found", {"Location": "/again"})
        assert server.take().accept().target == "/again"
        driver.call(future.result(PATIENCE).terminate)


@one_driver
def test_on_a_socket_that_is_given(driver: Driver, server: RawServer) -> None:
    sock = socket.create_connection(("127.0.0.1", server.port))
    future = driver.begin(lambda: opened("ws://localhost/", sock=sock))
    peer = server.take()
    peer.read_request()
    peer.respond("302 Found", {"Location": "/again"})
    with pytest.raises(HandshakeError, match="cannot connect again"):
        future.result(PATIENCE)

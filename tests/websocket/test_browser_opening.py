"""Opening handshakes of the browser's class that fail, or are slow, on every driver."""

import contextlib
import errno
import logging
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers import PATIENCE, Driver
from tests.rawserver import BlackHole, RawPeer, RawServer, unused_port
from tests.reactor.test_dial import needs_black_hole, needs_ipv6, no_such_name
from tests.websocket.browsing import Browse, Page
from tests.websocket.conftest import Serve
from tests.websocket.serving import echo

from cooee import HandshakeError, WebSocket
from cooee.reactor import get_reactor

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


def answer(status: str, body: bytes = b"", **headers: str) -> Callable[[RawPeer], None]:
    """Answer like that; an underscore in a name stands for a dash."""

    def respond(peer: RawPeer) -> None:
        peer.read_request()
        fields: dict[str, str | None] = {"Content-Length": str(len(body))}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        # The client may have seen enough before the end.
        with contextlib.suppress(ConnectionError):
            peer.respond(status, fields, body)

    return respond


def accept(**headers: str | None) -> Callable[[RawPeer], None]:
    """Accept, with other headers than are right."""

    def respond(peer: RawPeer) -> None:
        peer.accept({name.replace("_", "-"): value for name, value in headers.items()})

    return respond


def send(data: bytes) -> Callable[[RawPeer], None]:
    """Send this, and no more."""

    def respond(peer: RawPeer) -> None:
        peer.read_request()
        # The client may have seen enough before the end.
        with contextlib.suppress(OSError):
            peer.send(data)
            peer.end()

    return respond


ACCEPTED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize(
    ("respond", "status", "text"),
    [
        (
            answer("200 OK", b"<html>"),
            200,
            "HTTP status 200 OK, 101 needed (RFC 6455 §4.1): <html>",
        ),
        (answer("200 OK"), 200, "HTTP status 200 OK, 101 needed (RFC 6455 §4.1)"),
        (answer("400 ", b"a\n\nb"), 400, "HTTP status 400, 101 needed (RFC 6455 §4.1): a b"),
        (answer("403 No", b"x" * 201), 403, "x" * 200 + "..."),
        (answer("500 No", b"x" * 100_000), 500, "x" * 200 + "..."),
        (answer("500 No", b"\xff"), 500, "\ufffd"),
        # WHATWG: redirects are not followed.
        (answer("301 Moved", Location="/elsewhere"), 301, "HTTP status 301 Moved"),
        (answer("401 Unauthorized", WWW_Authenticate="Basic"), 401, "HTTP status 401"),
        (accept(Sec_WebSocket_Accept=None), 101, "Sec-WebSocket-Accept None"),
        (accept(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), 101, "Sec-WebSocket-Accept"),
        (accept(Upgrade=None), 101, "Upgrade None"),
        (accept(Upgrade="h2c"), 101, "Upgrade 'h2c'"),
        (accept(Connection="close"), 101, "Connection 'close'"),
        (accept(Sec_WebSocket_Protocol="chat"), 101, "'chat' was not offered"),
        (accept(Sec_WebSocket_Extensions="permessage-deflate"), 101, "was not offered"),
        (send(b"garbage\r\n\r\n"), None, "not HTTP"),
        (send(b"HTTP/1.1 101 Switching\nUpgrade: websocket\n\n"), None, "not HTTP"),
        (send(b"\x81\x05Hello"), None, "not HTTP"),
        (send(b"HTTP/1.0 101 Switching\r\n\r\n"), 101, "HTTP/1.0"),
        (send(b"HTTP/1.1 101 Switching\r\n" + b"X: y\r\n" * 20_000), None, "too large"),
        (send(b"HTTP/1.1 404 Not Found\r\n\r\nno length"), 404, "no length"),
        (send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\nhalf"), 404, "half"),
    ],
    ids=range(22),
)
def test_wrong_answers(
    browse: Browse,
    server: RawServer,
    respond: Callable[[RawPeer], None],
    status: int | None,
    text: str,
) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    respond(peer)
    exc = page.take_failure()
    assert isinstance(exc, HandshakeError)
    assert text in str(exc)
    assert exc.status == status
    # The connection is closed.
    peer.rest()


@one_driver
def test_what_the_error_tells(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    answer("429 Too Many Requests", b"x" * 5000, Retry_After="5")(server.take())
    exc = page.take_failure()
    assert isinstance(exc, HandshakeError)
    assert ("Retry-After", "5") in exc.headers
    assert exc.body == b"x" * 4096


@pytest.mark.parametrize("chosen", [None, "three"])
@one_driver
def test_server_that_chooses_none_of_the_subprotocols(
    browse: Browse, server: RawServer, chosen: str | None
) -> None:
    """WHATWG WebSockets, "establish a WebSocket connection": unlike in RFC 6455, a failure."""
    page = browse(f"{server.url}/", ["one", "two"])
    server.take().accept({"Sec-WebSocket-Protocol": chosen})
    assert isinstance(page.take_failure(), HandshakeError)
    assert page.call(lambda: page.ws.protocol) == ""


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgr", "in the middle of its answer"),
    ],
    ids=["nothing", "half"],
)
@pytest.mark.parametrize("how", ["end", "close", "vanish"])
def test_server_that_goes_away(
    browse: Browse, server: RawServer, sent: bytes, text: str, how: str
) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    peer.read_request()
    peer.send(sent)
    getattr(peer, how)()
    exc = page.take_failure()
    assert isinstance(exc, ConnectionResetError)
    # A reset may overtake what was sent before.
    assert text in str(exc) or how == "vanish"
    assert f"127.0.0.1:{server.port} closed the connection" in str(exc)


def test_nobody_there(browse: Browse) -> None:
    port = unused_port()
    exc = browse(f"ws://127.0.0.1:{port}/").take_failure()
    assert isinstance(exc, ConnectionRefusedError)
    assert f"127.0.0.1 port {port}" in str(exc)


def test_unknown_host(browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    exc = browse("ws://name.invalid/").take_failure()
    assert isinstance(exc, socket.gaierror)
    assert "name.invalid" in str(exc)


@needs_ipv6
def test_name_with_two_addresses(
    browse: Browse, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = unused_port("::1")
    found = [
        (socket.AF_INET6, 1, 6, "", ("::1", refusing, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    page = browse("ws://name.test/")
    assert server.take().accept().headers["host"] == "name.test"
    assert page.take() == ("open", 1)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 101 Switching Protocols\r\n"])
@one_driver
def test_nothing_within_the_time(browse: Browse, server: RawServer, sent: bytes) -> None:
    # Where to connect and to ask takes longer than that, the time is up before: then once more.
    for open_timeout in (0.02, 0.2, 2.0):
        page = browse(f"{server.url}/", open_timeout=open_timeout)
        while page.events.empty():
            if select.select([server.sock], [], [], 0.01)[0]:
                peer = server.take()
                with contextlib.suppress(EOFError, ConnectionError):
                    peer.read_request()
                    peer.send(sent)
                assert peer.rest() == b""
                break
        exc = page.take_failure()
        assert isinstance(exc, TimeoutError)
        assert exc.errno == errno.ETIMEDOUT
        if "handshake" in str(exc):
            break
    assert f"not over after {open_timeout} s" in str(exc)


@one_driver
def test_body_that_does_not_end(
    browse: Browse, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only explains: the refusal is told without its end."""
    monkeypatch.setattr("cooee.websocket.opening._BODY_PATIENCE", 0.05)
    page = browse(f"{server.url}/", open_timeout=None)
    peer = server.take()
    peer.read_request()
    peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\nbecause")
    exc = page.take_failure()
    assert isinstance(exc, HandshakeError)
    assert (exc.status, exc.body) == (503, b"because")


@needs_black_hole
@one_driver
def test_no_connection_within_the_time(browse: Browse) -> None:
    with BlackHole() as hole:
        exc = browse(f"ws://127.0.0.1:{hole.port}/", open_timeout=0.02).take_failure()
    assert isinstance(exc, TimeoutError)


@one_driver
def test_answer_in_pieces(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    request = peer.read_request()
    head = f"{ACCEPTED}Sec-WebSocket-Accept: {request.accept}\r\n\r\n".encode()
    for index in range(len(head)):
        peer.send(head[index : index + 1])
    assert page.take() == ("open", 1)


@one_driver
def test_interim_answers(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    request = peer.read_request()
    peer.send(
        b"HTTP/1.1 103 Early Hints\r\n\r\n"
        + f"{ACCEPTED}Sec-WebSocket-Accept: {request.accept}\r\n\r\n".encode()
    )
    assert page.take() == ("open", 1)


# close() at each stage


@one_driver
def test_close_during_the_lookup(browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    page = browse("ws://name.test/")
    assert begun.wait(PATIENCE)
    page.call(lambda: page.ws.close())
    assert isinstance(page.take_failure(), HandshakeError)
    go.set()


@needs_black_hole
@one_driver
def test_close_during_the_connection(browse: Browse) -> None:
    with BlackHole() as hole:
        page = browse(f"ws://127.0.0.1:{hole.port}/")
        page.call(lambda: None)
        page.call(lambda: page.ws.close())
        assert isinstance(page.take_failure(), HandshakeError)


@one_driver
def test_close_during_the_answer(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    peer.read_request()
    peer.send(ACCEPTED.encode())
    page.call(lambda: page.ws.close())
    assert isinstance(page.take_failure(), HandshakeError)
    assert peer.rest() == b""


# One at a time (RFC 6455 §4.1 step 2)


def test_one_connection_at_a_time(browse: Browse, server: RawServer) -> None:
    pages = [browse(f"{server.url}/{number}") for number in range(4)]
    first = server.take()
    assert first.read_request().target == "/0"
    assert not server.waiting()
    # Established, failed, given up: each lets the next one in.
    pages[2].call(lambda: pages[2].ws.close())
    assert isinstance(pages[2].take_failure(), HandshakeError)
    first.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(pages[0].take_failure(), HandshakeError)
    second = server.take()
    assert second.accept().target == "/1"
    assert pages[1].take() == ("open", 1)
    third = server.take()
    assert third.read_request().target == "/3"
    pages[3].call(lambda: pages[3].ws.close())
    assert isinstance(pages[3].take_failure(), HandshakeError)
    second.close()


@one_driver
def test_other_servers_do_not_wait(browse: Browse, server: RawServer) -> None:
    browse(f"{server.url}/")
    peer = server.take()
    peer.read_request()
    with RawServer() as other:
        page = browse(f"{other.url}/")
        other.take().accept()
        assert page.take() == ("open", 1)


@one_driver
def test_names_of_the_same_server_wait(
    browse: Browse, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    first, second = browse("ws://one.test/"), browse("ws://two.test/")
    peer = server.take()
    host = peer.accept().headers["host"]
    peers = [peer, server.take()]
    assert {host, peers[1].accept().headers["host"]} == {"one.test", "two.test"}
    assert first.take() == second.take() == ("open", 1)


@one_driver
def test_many_that_fail(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    """Those that wait do not pile up on the stack when the ones before fail at once."""
    caplog.set_level(logging.CRITICAL)
    port = unused_port()
    closed: list[int] = []

    def make() -> None:
        for _ in range(500):
            ws = WebSocket(f"ws://127.0.0.1:{port}/")
            ws.onclose = lambda event: closed.append(event.code)

    driver.call(make)
    driver.until(lambda: len(closed) == 500)
    assert set(closed) == {1006}
    driver.call(lambda: _no_queues())


def _no_queues() -> None:
    assert not any(get_reactor().registry.values())


def test_many_that_open(serve: Serve, driver: Driver, browse: Browse) -> None:
    serving = serve(echo)
    pages = [browse(f"ws://127.0.0.1:{serving.address[1]}/") for _ in range(50)]
    for page in pages:
        assert page.take() == ("open", 1)
        page.call(lambda page=page: page.ws.send("x"))
    for page in pages:
        assert page.take() == ("message", "x")


def test_reactor_that_is_given(driver: Driver, server: RawServer) -> None:
    """Made outside of the driver's turns, on the driver's thread."""
    page = Page(driver, f"{server.url}/", reactor=driver.reactor)
    peer = server.take()
    peer.accept()
    assert page.take() == ("open", 1)
    peer.close()
    page.take_failure()

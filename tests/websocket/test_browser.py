"""The browser's class: what the WHATWG standard says, on every driver."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from tests.drivers import Driver, limit_send_buffer
from tests.protocol import oracle
from tests.rawserver import RawServer, random_path, server_frame, server_message
from tests.websocket.browsing import Browse, Opened, websockets_echo, websockets_server
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, echo

from cooee import (
    Blob,
    InvalidAccessError,
    InvalidStateError,
    NotSupportedError,
    ProtocolError,
    WebSocket,
)
from cooee.protocol import errors

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

# The constructor


@pytest.mark.parametrize(
    ("url", "serialised"),
    [
        ("ws://localhost", "ws://localhost/"),
        ("  WS://LocalHost:80/a/../b?c d ", "ws://localhost/b?c%20d"),
        ("http://localhost:6080/ws", "ws://localhost:6080/ws"),
        ("ws://[::1]:6080/", "ws://[::1]:6080/"),
        ("ws://user:secret@localhost/", "ws://user:secret@localhost/"),
        ("ws://localhost:6080/\ud800", "ws://localhost:6080/%EF%BF%BD"),
    ],
)
@one_driver
def test_url_is_serialised(driver: Driver, url: str, serialised: str) -> None:
    def check() -> None:
        ws = WebSocket(url)
        assert ws.url == serialised
        assert ws.ready_state == ws.CONNECTING == WebSocket.CONNECTING == 0
        assert (WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED) == (1, 2, 3)
        assert ws.protocol == ws.extensions == ""
        assert ws.binary_type == "blob"
        assert ws.buffered_amount == 0
        assert ws.onopen is ws.onmessage is ws.onerror is ws.onclose is None
        assert repr(ws) == f"<WebSocket {serialised} CONNECTING>"
        ws.onerror = lambda event: None
        ws.close()

    driver.call(check)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "/relative",
        "//host/path",
        "ftp://localhost",
        "mailto:a@b",
        "ws://localhost/#",
        "ws://localhost/#fragment",
        "ws://localhost:65536/",
        "ws://localhost:port/",
        "ws:///",
        "ws://ho st/",
        "ws://[::1/",
        None,
        5,
    ],
)
@pytest.mark.once
def test_bad_url(url: Any) -> None:
    with pytest.raises(errors.SyntaxError) as caught:
        WebSocket(url)
    assert caught.value.name == "SyntaxError"


@pytest.mark.parametrize(
    "protocols",
    ["", " ", "a b", "a,b", "é", ["a", ""], ["a", "a"], ["a", "b", "a"], "a\0", "a\x7f"],
)
@pytest.mark.once
def test_bad_protocols(protocols: Any) -> None:
    with pytest.raises(errors.SyntaxError):
        WebSocket("ws://localhost/", protocols)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"headers": {"Sec-WebSocket-Key": "x"}}, ValueError),
        ({"headers": {"X": "a\nb"}}, ValueError),
        ({"headers": {"Origin": "x"}, "origin": "y"}, ValueError),
        ({"ping_interval": -1}, ValueError),
        ({"unknown": 1}, TypeError),
    ],
)
@pytest.mark.once
def test_bad_options(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        WebSocket("ws://localhost/", **options)


@pytest.mark.once
def test_no_tls_yet() -> None:
    with pytest.raises(NotSupportedError, match="wss"):
        WebSocket("wss://localhost/")


@one_driver
def test_request(browse: Browse, server: RawServer) -> None:
    page = browse(
        f"{server.url.replace('ws://', 'ws://user:pass%20word@')}/path?query",
        ["one", "two"],
        origin="https://example.com",
        headers={"X-Game": "pong"},
    )
    request = server.take().accept({"Sec-WebSocket-Protocol": "two"})
    assert (request.method, request.target) == ("GET", "/path?query")
    headers = request.headers
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["sec-websocket-protocol"] == "one, two"
    assert headers["origin"] == "https://example.com"
    assert headers["x-game"] == "pong"
    assert headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
    assert headers["user-agent"].startswith("cooee/")
    assert page.take() == ("open", 1)
    assert page.call(lambda: page.ws.protocol) == "two"
    assert page.call(lambda: page.ws.extensions) == ""


@one_driver
def test_request_without_extras(browse: Browse, server: RawServer) -> None:
    browse(f"{server.url}/", user_agent=None)
    headers = server.take().accept().headers
    assert headers.keys() == {
        "host",
        "upgrade",
        "connection",
        "sec-websocket-key",
        "sec-websocket-version",
    }


# A life


def test_life(serve: Serve, browse: Browse) -> None:
    serving = serve(echo)
    page = browse(f"ws://127.0.0.1:{serving.address[1]}/ws")
    assert page.take() == ("open", 1)
    page.call(lambda: page.ws.send("HelloWorld"))
    assert page.take() == ("message", "HelloWorld")
    page.call(lambda: setattr(page.ws, "binary_type", "arraybuffer"))
    page.call(lambda: page.ws.send(b"\0\1"))
    assert page.take() == ("message", b"\0\1")
    page.call(lambda: page.ws.close(4000, "bye"))
    assert page.call(lambda: page.ws.ready_state) in (2, 3)
    # Our server answers with the code alone (RFC 6455 §5.5.1).
    assert page.take() == ("close", 4000, "", True, 3)
    assert page.events.empty()


def test_life_with_another_server(browse: Browse) -> None:
    with websockets_server(websockets_echo, subprotocols=["chat"]) as url:
        page = browse(url, "chat")
        assert page.take() == ("open", 1)
        assert page.call(lambda: page.ws.protocol) == "chat"
        for size in (0, 1, 125, 126, 65535, 65536, 300_000):
            page.call(lambda size=size: page.ws.send("x" * size))
            assert page.take() == ("message", "x" * size)
            page.call(lambda size=size: page.ws.send(b"y" * size))
            kind, blob = page.take()
            assert (kind, bytes(blob)) == ("message", b"y" * size)
        page.call(lambda: page.ws.close())
        assert page.take() == ("close", 1005, "", True, 3)


def test_server_closes(opened: Opened) -> None:
    page, peer = opened()
    peer.send_message("last")
    peer.send_close(4001, "gone")
    assert page.take() == ("message", "last")
    assert peer.receive_close() == (4001, "")
    # A client waits for the server to close the connection (RFC 6455 §7.1.1).
    assert page.call(lambda: page.ws.ready_state) == 2
    peer.close()
    assert page.take() == ("close", 4001, "gone", True, 3)


@one_driver
def test_server_that_never_closes_the_connection(opened: Opened) -> None:
    page, peer = opened(close_timeout=0.01)
    peer.send_close(1000)
    assert page.take() == ("close", 1000, "", True, 3)


@one_driver
def test_server_that_never_answers_close(opened: Opened) -> None:
    page, peer = opened(close_timeout=0.01)
    page.call(lambda: page.ws.close(1000))
    assert peer.receive_close() == (1000, "")
    # No failure: this side wanted to close.
    assert page.take() == ("close", 1006, "", False, 3)


@one_driver
def test_server_that_goes_instead_of_answering_close(opened: Opened) -> None:
    page, peer = opened()
    page.call(lambda: page.ws.close())
    assert peer.receive_close() == (1005, "")
    peer.close()
    assert page.take() == ("close", 1006, "", False, 3)


def test_loss(opened: Opened) -> None:
    page, peer = opened()
    peer.close()
    assert "1006" in str(page.take_failure())


@one_driver
def test_reset(opened: Opened) -> None:
    page, peer = opened()
    peer.vanish()
    assert isinstance(page.take_failure(), ConnectionResetError)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (server_frame(1, b"\xff"), 1007),
        (server_frame(3), 1002),
        (server_frame(1, b"masked", mask=b"abcd"), 1002),
        (server_frame(8, b"\0"), 1002),
        (server_frame(2, bytes(1001)), 1009),
    ],
    ids=["utf8", "opcode", "masked", "close", "large"],
)
def test_violation(opened: Opened, data: bytes, code: int) -> None:
    page, peer = opened(max_message_size=1000)
    peer.send_message("before")
    peer.send(data + server_message("after"))
    assert page.take() == ("message", "before")
    assert peer.receive_close()[0] == code
    peer.close()
    exc = page.take_failure()
    assert isinstance(exc, ProtocolError)
    assert exc.code == code


def test_frames_in_the_packet_of_the_answer(opened: Opened) -> None:
    page, peer = opened(
        rest=server_message("one") + server_frame(9, b"ping") + server_message("two")[:3]
    )
    assert page.take() == ("message", "one")
    assert peer.receive() == (oracle.PONG, b"ping", True)
    peer.send(server_message("two")[3:])
    assert page.take() == ("message", "two")


def test_close_in_the_packet_of_the_answer(opened: Opened) -> None:
    page, peer = opened(rest=server_message("one") + server_frame(8, b"\x0f\xa0bye"))
    assert page.take() == ("message", "one")
    assert peer.receive_close() == (4000, "")
    peer.close()
    assert page.take() == ("close", 4000, "bye", True, 3)


@one_driver
def test_closed_while_being_opened(browse: Browse, server: RawServer) -> None:
    """In the open event, with messages on their way: they are not delivered any more."""
    page = browse(
        f"{server.url}/",
        prepare=lambda ws: ws.add_event_listener("open", lambda event: event.target.close(1000)),
    )
    peer = server.take()
    peer.accept(rest=server_message("late"))
    assert page.take() == ("open", 1)
    assert peer.receive_close() == (1000, "")
    peer.send_close(1000)
    peer.close()
    assert page.take() == ("close", 1000, "", True, 3)


def test_messages_are_dropped_once_closing(opened: Opened) -> None:
    page, peer = opened()
    page.call(lambda: page.ws.close(1000))
    assert peer.receive_close() == (1000, "")
    peer.send_message("late")
    peer.send_close(1000)
    peer.close()
    assert page.take() == ("close", 1000, "", True, 3)


@one_driver
def test_ping_is_answered_and_none_is_sent(opened: Opened) -> None:
    page, peer = opened()
    peer.frame(9, b"ping")
    assert peer.receive() == (oracle.PONG, b"ping", True)
    assert page.events.empty()


@one_driver
def test_keepalive_on_request(opened: Opened) -> None:
    page, peer = opened(ping_interval=0.08, ping_timeout=1000)
    frame = peer.receive()
    assert frame.opcode == oracle.PING
    peer.frame(oracle.PONG, frame.payload)
    page.driver.until(lambda: page.ws.latency is not None)
    peer.receive()
    peer.close()
    page.take_failure()


@one_driver
def test_keepalive_that_gets_no_answer(opened: Opened) -> None:
    page, _ = opened(ping_interval=0.08, ping_timeout=0.01)
    assert "keepalive ping timeout" in str(page.take_failure())


@one_driver
def test_open_websocket_stays_alive(driver: Driver, server: RawServer) -> None:
    """WHATWG WebSockets §7, "garbage collection"."""
    inbox: Inbox[Any] = Inbox()

    def make() -> "weakref.ref[WebSocket]":
        ws = WebSocket(f"{server.url}/")
        ws.onmessage = lambda event: inbox.put(event.data)
        ws.onclose = lambda event: inbox.put(event.code)
        return weakref.ref(ws)

    alive = driver.call(make)
    driver.call(gc.collect)
    peer = server.take()
    driver.call(gc.collect)
    peer.accept()
    driver.call(gc.collect)
    assert alive() is not None
    peer.send_message("there?")
    assert inbox.take() == "there?"
    peer.send_close(1000)
    peer.close()
    assert inbox.take() == 1000

    def gone() -> bool:
        gc.collect()
        return alive() is None

    driver.until(gone)


@one_driver
def test_unix_socket(driver: Driver, browse: Browse, tmp_path: Path) -> None:
    path = random_path(tmp_path)
    with RawServer(path=path) as server:
        page = browse("ws://game.test/", unix=path)
        peer = server.take()
        assert peer.accept().headers["host"] == "game.test"
        assert page.take() == ("open", 1)
        page.call(lambda: page.ws.send("x"))
        assert peer.receive_message() == "x"
        peer.close()
        page.take_failure()


# close()


@pytest.mark.parametrize("code", [0, 999, 1001, 1005, 1006, 1015, 2999, 5000, 65536, -1])
@pytest.mark.parametrize("opening", [True, False], ids=["connecting", "open"])
@one_driver
def test_close_codes_that_are_not_allowed(
    browse: Browse, opened: Opened, code: int, opening: bool, server: RawServer
) -> None:
    page = browse(f"{server.url}/") if opening else opened()[0]
    with pytest.raises(InvalidAccessError) as caught:
        page.call(lambda: page.ws.close(code))
    assert caught.value.name == "InvalidAccessError"
    with pytest.raises(InvalidAccessError):
        page.call(lambda: page.ws.close(code, "x" * 124))
    assert page.call(lambda: page.ws.ready_state) == (0 if opening else 1)


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "\ud800" * 42])
@one_driver
def test_close_reason_that_is_too_long(opened: Opened, reason: str) -> None:
    page, _ = opened()
    for code in (None, 1000):
        with pytest.raises(errors.SyntaxError) as caught:
            page.call(lambda code=code: page.ws.close(code, reason))
        assert caught.value.name == "SyntaxError"
    assert page.call(lambda: page.ws.ready_state) == 1


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        ((), b""),
        ((None,), b""),
        ((None, ""), b""),
        ((1000,), b"\x03\xe8"),
        ((3000,), b"\x0b\xb8"),
        ((4999, ""), b"\x13\x87"),
        ((None, "why"), b"\x03\xe8why"),
        ((4000, "x" * 123), b"\x0f\xa0" + b"x" * 123),
        ((4000, "é" * 61), b"\x0f\xa0" + "é".encode() * 61),
        ((4000, "\ud800"), b"\x0f\xa0\xef\xbf\xbd"),
        ((4000, "\ud83d\ude00"), b"\x0f\xa0" + "😀".encode()),
    ],
)
@one_driver
def test_close_frame(opened: Opened, arguments: Any, payload: bytes) -> None:
    page, peer = opened()
    page.call(lambda: page.ws.close(*arguments))
    assert page.call(lambda: page.ws.ready_state) == 2
    frame = peer.receive()
    assert frame == (oracle.CLOSE, payload, True)
    # Later calls do nothing, but look at their arguments.
    page.call(lambda: page.ws.close(4444, "again"))
    with pytest.raises(InvalidAccessError):
        page.call(lambda: page.ws.close(1))
    peer.send(server_frame(8, payload))
    peer.close()
    code = int.from_bytes(payload[:2], "big") if payload else 1005
    assert page.take() == ("close", code, payload[2:].decode(), True, 3)
    page.call(lambda: page.ws.close())


def test_what_was_sent_goes_out_before_the_close(opened: Opened) -> None:
    page, peer = opened()

    def send_and_close() -> None:
        for number in range(100):
            page.ws.send(str(number))
        page.ws.close()

    page.call(send_and_close)
    assert [peer.receive_message() for _ in range(100)] == [str(number) for number in range(100)]
    assert peer.receive_close() == (1005, "")


def test_close_while_connecting(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    peer = server.take()
    peer.read_request()
    page.call(lambda: page.ws.close(1000, "never mind"))
    assert page.call(lambda: page.ws.ready_state) in (2, 3)
    assert "before the connection was established" in str(page.take_failure())
    assert peer.rest() == b""


def test_close_at_once(driver: Driver, browse: Browse, server: RawServer) -> None:
    states = []

    def close(ws: WebSocket) -> None:
        ws.close()
        states.append(ws.ready_state)
        # Nothing has happened yet that a listener could have missed.
        ws.close()
        states.append(ws.ready_state)

    page = browse(f"{server.url}/", prepare=close)
    page.take_failure()
    assert states == [2, 2]


@one_driver
def test_close_in_every_event(browse: Browse, server: RawServer) -> None:
    def close_always(ws: WebSocket) -> None:
        for kind in ("open", "message", "error", "close"):
            ws.add_event_listener(kind, lambda event: event.target.close(1000))

    page = browse(f"{server.url}/", prepare=close_always)
    peer = server.take()
    peer.accept()
    assert page.take() == ("open", 1)
    peer.close()
    assert page.take() == ("close", 1006, "", False, 3)
    assert page.events.empty()


# send()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", ""),
        ("text ☃ 😀", "text ☃ 😀"),
        ("\ud800", "\ufffd"),
        ("a\udc00\ud83d\ude00b\ud83d", "a\ufffd😀b\ufffd"),
        (b"", b""),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"view")[1:], b"iew"),
        (memoryview(b"view")[::-1], b"weiv"),
        (Blob(["blob", b"\0"]), b"blob\0"),
        (b"x" * 100_000, b"x" * 100_000),
    ],
    ids=range(11),
)
@one_driver
def test_send(opened: Opened, data: Any, message: str | bytes) -> None:
    page, peer = opened()
    page.call(lambda: page.ws.send(data))
    assert peer.receive_message() == message


@pytest.mark.parametrize("data", [None, 1, 1.5, ["x"], {"x": 1}, object()])
@one_driver
def test_send_what_cannot_be_sent(opened: Opened, data: Any) -> None:
    page, peer = opened()
    with pytest.raises(TypeError):
        page.call(lambda: page.ws.send(data))
    page.call(lambda: page.ws.send("fine"))
    assert peer.receive_message() == "fine"


@one_driver
def test_send_while_connecting(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    for data in ("text", b"bytes", None):
        with pytest.raises(InvalidStateError) as caught:
            page.call(lambda data=data: page.ws.send(data))
        assert caught.value.name == "InvalidStateError"
    assert page.call(lambda: page.ws.buffered_amount) == 0


@one_driver
def test_what_is_sent_later_is_not_changed(opened: Opened) -> None:
    page, peer = opened()

    def send() -> None:
        array = bytearray(b"before" * 2000)
        page.ws.send(array)
        array[:] = b"after!" * 2000

    page.call(send)
    assert peer.receive_message() == b"before" * 2000


# buffered_amount


# Of the messages that wait in the tests below, and with the header and the masking key.
SIZE = 100_000
FRAME = SIZE + 14


def send_backlog(ws: WebSocket, count: int = 20) -> int:
    """Send several times what the system takes, and return how much that is in all."""
    limit_send_buffer(ws.stream)
    for _ in range(count):
        ws.send(bytes(SIZE))
    return count * SIZE


def payload_of(unsent: int) -> int:
    """How much of the unsent bytes of such frames is payload."""
    # Of the oldest frame the header went first.
    whole, rest = divmod(unsent, FRAME)
    return whole * SIZE + min(rest, SIZE)


@pytest.mark.parametrize(
    ("data", "size"),
    [("text", 4), ("é☃😀", 9), ("\ud800", 3), (b"bytes", 5), (Blob(["blob"]), 4), ("", 0)],
)
@pytest.mark.parametrize("driver", ["asyncio", "uvloop"], indirect=True)
def test_amount_counts_payload(opened: Opened, data: Any, size: int) -> None:
    page, peer = opened()

    def send() -> list[int]:
        amounts = [page.ws.buffered_amount]
        for _ in range(3):
            page.ws.send(data)
            amounts.append(page.ws.buffered_amount)
        return amounts

    assert page.call(send) == [0, size, 2 * size, 3 * size]
    for _ in range(3):
        peer.receive()
    page.driver.until(lambda: page.ws.buffered_amount == 0)


def test_amount_falls_as_the_network_takes_it(opened: Opened) -> None:
    page, peer = opened()
    count = 20

    def check() -> int:
        amount = page.ws.buffered_amount
        assert amount == payload_of(page.ws.stream.buffered_amount)
        return amount

    page.call(send_backlog, page.ws, count)
    amounts = [page.call(check)]
    for _ in range(count):
        peer.receive()
        amounts.append(page.call(check))
    assert amounts == sorted(amounts, reverse=True)
    # Nothing counts as sent that the system cannot have taken yet.
    assert amounts[0] > count * SIZE // 2 > amounts[count // 2] > 0
    assert amounts[-1] == 0


@one_driver
def test_amount_does_not_count_control_frames(opened: Opened) -> None:
    page, peer = opened()
    page.call(send_backlog, page.ws)
    for _ in range(3):
        peer.frame(9, b"ping")
    # A header of 2 bytes, a masking key, the payload.
    pongs = 3 * (6 + 4)

    def pongs_wait() -> bool:
        unsent: int = page.ws.stream.buffered_amount
        return page.ws.buffered_amount == payload_of(unsent - pongs)

    page.driver.until(pongs_wait)

    def send() -> int:
        before = page.ws.buffered_amount
        page.ws.send("more")
        return page.ws.buffered_amount - before

    assert page.call(send) == 4
    while page.call(lambda: page.ws.buffered_amount) > 0:
        peer.receive()


@one_driver
def test_amount_of_many_small_messages(opened: Opened) -> None:
    """The record of what is not yet sent grows, and moves up as it is sent."""
    page, peer = opened()
    total = 0
    for count in (1, 31, 32, 33, 100, 5000, 3):

        def send(count: int = count) -> int:
            for number in range(count):
                page.ws.send("x" * (number % 200))
            return page.ws.buffered_amount

        assert page.call(send) == sum(number % 200 for number in range(count))
        total += count
        for number in range(count):
            assert len(peer.receive().payload) == number % 200
        page.driver.until(lambda: page.ws.buffered_amount == 0)


@one_driver
def test_amount_grows_when_closing_and_closed(opened: Opened) -> None:
    page, peer = opened()

    def close_and_send() -> list[int]:
        page.ws.send("out")
        page.ws.close()
        amounts = []
        for data in ("text", b"bytes", Blob(["blob"]), "\ud800"):
            page.ws.send(data)
            amounts.append(page.ws.buffered_amount)
        return amounts

    assert page.call(close_and_send) == [7, 12, 16, 19]
    assert peer.receive_message() == "out"
    peer.receive_close()
    page.driver.until(lambda: page.ws.buffered_amount == 16)
    peer.send_close(None)
    peer.close()
    assert page.take()[0] == "close"
    page.call(lambda: page.ws.send("more"))
    assert page.call(lambda: page.ws.buffered_amount) == 20
    with pytest.raises(TypeError):
        page.call(lambda: page.ws.send(None))  # type: ignore[arg-type]


@one_driver
def test_amount_after_a_failed_connection(browse: Browse, server: RawServer) -> None:
    page = browse(f"{server.url}/")
    server.take().close()
    page.take_failure()
    page.call(lambda: page.ws.send("never"))
    assert page.call(lambda: page.ws.buffered_amount) == 5


def test_amount_is_not_reset_by_a_loss(opened: Opened) -> None:
    page, peer = opened()
    total = page.call(send_backlog, page.ws)
    peer.receive()
    peer.vanish()
    page.take_failure()
    amount = page.call(lambda: page.ws.buffered_amount)
    assert 0 < amount < total
    page.call(lambda: page.ws.send(b"12345"))
    assert page.call(lambda: page.ws.buffered_amount) == amount + 5


@one_driver
def test_full(opened: Opened) -> None:
    """More is waiting than may: flagged as full, and closed."""
    page, _ = opened(max_buffered=1_000_000)

    def send() -> tuple[int, int]:
        for _ in range(11):
            page.ws.send(bytes(100_000))
        return page.ws.ready_state, page.ws.buffered_amount

    state, amount = page.call(send)
    assert state == 2
    assert amount == 1_100_000
    assert "1008" in str(page.take_failure())


# Binary types


@one_driver
def test_binary_type(opened: Opened) -> None:
    page, peer = opened()

    def set_type(value: str) -> str:
        page.ws.binary_type = value
        return page.ws.binary_type

    peer.send_message(b"first")
    kind, blob = page.take()
    assert kind == "message"
    assert isinstance(blob, Blob)
    assert (bytes(blob), blob.type) == (b"first", "")
    assert page.call(set_type, "arraybuffer") == "arraybuffer"
    for ignored in ("", "Blob", "bytes", None, 5):
        assert page.call(set_type, ignored) == "arraybuffer"
    peer.send_message(b"second")
    assert page.take() == ("message", b"second")
    peer.send_message("text")
    assert page.take() == ("message", "text")
    assert page.call(set_type, "blob") == "blob"
    peer.send_message(b"third")
    assert isinstance(page.take()[1], Blob)


@one_driver
def test_origin_of_a_message(opened: Opened, server: RawServer) -> None:
    origins: Inbox[str] = Inbox()
    _, peer = opened(
        prepare=lambda ws: ws.add_event_listener("message", lambda e: origins.put(e.origin))
    )
    peer.send_message("x")
    assert origins.take() == server.url

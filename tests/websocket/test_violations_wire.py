"""
What a client must not do, over the wire: the answer, the log, and the neighbours.

Each violation ends its own connection with the close code or HTTP status that the specification
asks for and a reason that says what was wrong; a connection beside it notices nothing.
"""

import logging
import re
import select
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.protocol.oracle import build
from tests.rawclient import KEY, MASK, RawClient, frame, masked, message_frame
from tests.websocket.conftest import Serve
from tests.websocket.serving import Inbox, Serving, echo

from cooee import HttpLimits, Response
from cooee.protocol.errors import ProtocolError
from cooee.websocket import Session

LIMIT = 1000

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Violation(NamedTuple):
    """What is sent, the close code, and what the reason says."""

    data: bytes
    code: int
    reason: str


def close(payload: bytes) -> bytes:
    return frame(CLOSE, payload)


FRAMES = {
    # §5.2
    **{
        f"reserved opcode {opcode}": Violation(
            frame(opcode, b"x"), 1002, f"reserved opcode {opcode} (RFC 6455 §5.2)"
        )
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    **{
        f"reserved bits {rsv:03b}": Violation(
            frame(TEXT, b"x", rsv=rsv), 1002, f"reserved bits {rsv:03b} set"
        )
        for rsv in range(1, 8)
    },
    "reserved bits of a control frame": Violation(
        frame(PING, b"x", rsv=4), 1002, "reserved bits 100 set"
    ),
    "reserved bits of a continuation": Violation(
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"y", rsv=4), 1002, "reserved bits 100"
    ),
    # §5.1
    "unmasked text": Violation(frame(TEXT, b"x", mask=None), 1002, "not masked (RFC 6455 §5.1)"),
    "unmasked empty": Violation(frame(TEXT, mask=None), 1002, "not masked (RFC 6455 §5.1)"),
    "unmasked ping": Violation(frame(PING, mask=None), 1002, "not masked (RFC 6455 §5.1)"),
    "unmasked close": Violation(
        frame(CLOSE, b"\x03\xe8", mask=None), 1002, "not masked (RFC 6455 §5.1)"
    ),
    # §5.2: the minimal number of bytes
    "length 125 in 2 bytes": Violation(
        frame(BINARY, bytes(125), length_form=2), 1002, "length 125 not in its shortest form"
    ),
    "length 0 in 2 bytes": Violation(
        frame(BINARY, b"", length_form=2), 1002, "length 0 not in its shortest form"
    ),
    "length 125 in 8 bytes": Violation(
        frame(BINARY, bytes(125), length_form=8), 1002, "length 125 not in its shortest form"
    ),
    "length 65535 in 8 bytes": Violation(
        build(BINARY, b"", mask=MASK, length=65535, length_form=8), 1002,
        "length 65535 not in its shortest form",
    ),
    "top bit of a length": Violation(
        build(BINARY, b"", mask=MASK, length=1 << 63, length_form=8), 1002,
        "64-bit length with its top bit set (RFC 6455 §5.2)",
    ),
    # §5.4
    "continuation of nothing": Violation(
        frame(CONTINUATION, b"x"), 1002, "continuation frame without a message (RFC 6455 §5.4)"
    ),
    "continuation after the end": Violation(
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"y") + frame(CONTINUATION, b"z"),
        1002, "continuation frame without a message",
    ),
    "text inside text": Violation(
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002, "new message inside a fragmented"
    ),
    "binary inside text": Violation(
        frame(TEXT, b"x", fin=False) + frame(BINARY, b"y"), 1002, "new message inside a fragmented"
    ),
    # §5.5
    "fragmented ping": Violation(
        frame(PING, b"x", fin=False), 1002, "fragmented control frame (RFC 6455 §5.5)"
    ),
    "fragmented close": Violation(
        frame(CLOSE, b"\x03\xe8", fin=False), 1002, "fragmented control frame"
    ),
    "ping of 126 bytes": Violation(
        frame(PING, bytes(126)), 1002, "control frame of more than 125 bytes (RFC 6455 §5.5)"
    ),
    "pong of 65536 bytes": Violation(
        build(PONG, b"", mask=MASK, length=65536), 1002, "control frame of more than 125 bytes"
    ),
    "close of 126 bytes": Violation(
        close(b"\x03\xe8" + bytes(124)), 1002, "control frame of more than 125 bytes"
    ),
    # §5.5.1 and §7.4
    "close of 1 byte": Violation(close(b"\x03"), 1002, "Close payload of 1 byte"),
    **{
        f"close code {code}": Violation(
            close(code.to_bytes(2, "big")), 1002, f"Close frame with code {code} "
        )
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close reason not UTF-8": Violation(
        close(b"\x03\xe8ok\xff"), 1007, "Close reason is not UTF-8 at byte 2"
    ),
    "close reason cut short": Violation(
        close(b"\x03\xe8" + "é".encode()[:1]), 1007, "Close reason is not UTF-8"
    ),
    # §8.1
    "text not UTF-8": Violation(
        frame(TEXT, b"abc\xff"), 1007, "text message not UTF-8 from byte 3 on (RFC 6455 §8.1)"
    ),
    "overlong": Violation(frame(TEXT, b"\xc0\xaf"), 1007, "text message not UTF-8"),
    "surrogate": Violation(frame(TEXT, b"\xed\xa0\x80"), 1007, "text message not UTF-8"),
    "beyond U+10FFFF": Violation(frame(TEXT, b"\xf4\x90\x80\x80"), 1007, "text message not UTF-8"),
    "text that ends in a sequence": Violation(
        frame(TEXT, "☃".encode()[:2]), 1007, "text message"
    ),
    "not UTF-8 across fragments": Violation(
        frame(TEXT, "☃".encode()[:2], fin=False) + frame(CONTINUATION, b"x"), 1007,
        "text message not UTF-8 from byte 2 on",
    ),
    "fragments that end in a sequence": Violation(
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, "☃".encode()[:2]), 1007,
        "text message ends within a UTF-8 sequence (RFC 6455 §8.1)",
    ),
    "not UTF-8 in an unfinished fragment": Violation(
        frame(TEXT, b"x\xff", fin=False), 1007, "text message not UTF-8 from byte 1 on"
    ),
    "not UTF-8 in an unfinished frame": Violation(
        build(TEXT, b"", mask=MASK, length=500) + masked(b"x\xff", MASK), 1007,
        "text message not UTF-8 from byte 1 on",
    ),
    # §7.4.1
    "message too big": Violation(
        frame(BINARY, bytes(LIMIT + 1)), 1009, f"message of {LIMIT + 1} bytes or more, at most"
    ),
    "message announced too big": Violation(
        build(BINARY, b"", mask=MASK, length=LIMIT + 1), 1009, f"at most {LIMIT}"
    ),
    "message announced far too big": Violation(
        build(TEXT, b"", mask=MASK, length=(1 << 63) - 1), 1009, f"message of {(1 << 63) - 1} bytes"
    ),
    "fragments too big together": Violation(
        frame(BINARY, bytes(LIMIT), fin=False) + frame(CONTINUATION, b"x"), 1009,
        f"message of {LIMIT + 1} bytes or more",
    ),
    "fragments whose sizes wrap around": Violation(
        frame(BINARY, b"xx", fin=False)
        + build(CONTINUATION, b"", mask=MASK, length=(1 << 63) - 1), 1009, f"at most {LIMIT}",
    ),
}  # fmt: skip

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


@pytest.fixture
def errors() -> Inbox[Any]:
    """What error handlers were called with."""
    return Inbox()


@pytest.fixture
def serving(serve: Serve, errors: Inbox[Any]) -> Serving:
    """A server that echoes, with a low limit."""

    def handler(session: Session) -> None:
        echo(session)
        session.on("error", errors.put)
        session.on("close", lambda code, reason: errors.put((code, reason)))

    serving: Serving = serve(handler, max_message_size=LIMIT)
    return serving


def round_trip(client: RawClient) -> None:
    """See that the connection works."""
    client.send_message("HelloWorld")
    assert client.receive_message() == "HelloWorld"


@one_driver
@pytest.mark.parametrize("pieces", ["at once", "byte by byte", "after a message"])
@pytest.mark.parametrize("name", FRAMES)
def test_frames(
    serving: Serving,
    errors: Inbox[Any],
    name: str,
    pieces: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, code, reason = FRAMES[name]
    neighbour = serving.connect()
    client = serving.connect()
    host, port = client.sock.getsockname()
    if pieces == "after a message":
        client.send(message_frame("before") + data)
        assert client.receive_message() == "before"
    elif pieces == "byte by byte" and len(data) < 200:
        for octet in data:
            client.send_until_gone(bytes([octet]))
    else:
        client.send(data)
    while (received := client.receive()).opcode != CLOSE:
        assert received.opcode in (TEXT, BINARY)  # What was valid has come back.
    assert int.from_bytes(received.payload[:2], "big") == code
    got_reason = received.payload[2:].decode()
    assert reason in got_reason
    assert client.rest() == b""
    assert not client.reset
    client.close()
    error = errors.take()
    assert isinstance(error, ProtocolError)
    assert (error.code, error.reason) == (code, got_reason)
    assert errors.take() == (1006, "")
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage() == (
        f"connection with ('{host}', {port}) failed, {code}: {got_reason}"
    )
    round_trip(neighbour)


def test_on_every_driver(serving: Serving, errors: Inbox[Any]) -> None:
    """The table above takes one; here a few of it take all."""
    for name in ("reserved opcode 3", "unmasked text", "text not UTF-8", "message too big"):
        data, code, _ = FRAMES[name]
        client = serving.connect()
        client.send(data)
        assert client.receive_close()[0] == code
        assert client.rest() == b""
        client.close()
        assert isinstance(errors.take(), ProtocolError)
        assert errors.take() == (1006, "")


@pytest.mark.parametrize("name", ["unmasked text", "message too big"])
def test_one_that_keeps_sending_still_gets_the_close_frame(serving: Serving, name: str) -> None:
    """What it sends is received and dropped for a moment, since a reset would take it away."""
    client = serving.connect()
    data, code, _ = FRAMES[name]
    client.send(data)
    for _ in range(100):
        client.send_until_gone(bytes(10_000))
    assert client.receive_close()[0] == code
    assert not client.reset


def test_messages_before_the_violation_are_delivered(serving: Serving) -> None:
    client = serving.connect()
    client.send(b"".join(message_frame(f"{n}") for n in range(50)) + b"\xff")
    assert [client.receive_message() for _ in range(50)] == [f"{n}" for n in range(50)]
    assert client.receive_close()[0] == 1002


@one_driver
def test_the_limit_itself_is_allowed(serving: Serving) -> None:
    client = serving.connect()
    client.send(frame(BINARY, bytes(LIMIT)))
    assert client.receive_message() == bytes(LIMIT)
    client.send(frame(BINARY, bytes(LIMIT), fin=False) + frame(CONTINUATION))
    assert client.receive_message() == bytes(LIMIT)
    client.leave()


@one_driver
def test_limits_of_none_and_of_nothing(serve: Serve) -> None:
    client = serve(echo, max_message_size=None).connect()
    client.send(frame(BINARY, bytes(3_000_000)))
    assert client.receive_message() == bytes(3_000_000)
    client = serve(echo, max_message_size=0).connect()
    client.send_message("")
    assert client.receive_message() == ""
    client.send_message("x")
    assert client.receive_close()[0] == 1009


@one_driver
def test_a_huge_announcement_takes_no_memory(serve: Serve) -> None:
    """Room comes with the bytes, not with their announcement."""
    serving = serve(echo, max_message_size=None)
    for length in (1 << 40, (1 << 62)):
        client = serving.connect()
        client.send(build(BINARY, b"", mask=MASK, length=length) + bytes(1000))
        client.close()
    round_trip(serving.connect())


@one_driver
def test_endless_fragments(serve: Serve) -> None:
    client = serve(echo).connect()
    wire = frame(BINARY, fin=False) + frame(CONTINUATION, fin=False) * 140_000
    client.send_until_gone(wire)
    code, reason = client.receive_close()
    assert code == 1009
    assert "frames" in reason


# Opening handshakes

UPGRADE: dict[str, str | None] = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


class Refusal(NamedTuple):
    """Changes to the request, the status, and what body and log say."""

    changes: dict[str, str | None]
    status: int
    text: str
    options: dict[str, Any] = {}


REFUSALS = {
    # §4.2.1
    "method POST": Refusal({}, 405, "method POST, GET needed", {"method": "POST"}),
    "method get": Refusal({}, 400, "malformed request", {"method": "get"}),
    "HTTP/1.0": Refusal({}, 426, "HTTP/1.0, at least HTTP/1.1", {"version": "HTTP/1.0"}),
    "HTTP/2.0": Refusal({}, 505, "only HTTP/1.1 and 1.0", {"version": "HTTP/2.0"}),
    "HTTP/0.9": Refusal({}, 400, "is not 'method target HTTP/1.x'", {"version": "HTTP/0.9"}),
    "no Host": Refusal({"Host": None}, 400, "no Host"),
    "two Hosts": Refusal({"host": "other"}, 400, "more than one Host"),
    "malformed Host": Refusal({"Host": "a b"}, 400, "Host 'a b' is malformed"),
    "no Upgrade": Refusal({"Upgrade": None}, 426, "Upgrade is missing, 'websocket' needed"),
    "other Upgrade": Refusal({"Upgrade": "h2c"}, 426, "Upgrade 'h2c' lacks 'websocket'"),
    "no Connection": Refusal({"Connection": None}, 426, "Connection is missing"),
    "other Connection": Refusal({"Connection": "keep-alive"}, 426, "lacks 'Upgrade'"),
    "no key": Refusal({"Sec-WebSocket-Key": None}, 400, "Sec-WebSocket-Key is missing"),
    "short key": Refusal({"Sec-WebSocket-Key": "AAAA"}, 400, "is not base64 of 16 bytes"),
    "long key": Refusal({"Sec-WebSocket-Key": "A" * 28}, 400, "is not base64 of 16 bytes"),
    "no base64": Refusal({"Sec-WebSocket-Key": "!" * 24}, 400, "is not base64 of 16 bytes"),
    "unpadded key": Refusal({"Sec-WebSocket-Key": "A" * 22}, 400, "is not base64 of 16 bytes"),
    "two keys": Refusal({"sec-websocket-key": KEY}, 400, "Sec-WebSocket-Key given 2 times"),
    "no version": Refusal({"Sec-WebSocket-Version": None}, 400, "Sec-WebSocket-Version is missing"),
    "version 8": Refusal({"Sec-WebSocket-Version": "8"}, 426, "Sec-WebSocket-Version '8', 13"),
    "two versions": Refusal(
        {"sec-websocket-version": "13"}, 400, "Sec-WebSocket-Version given 2 times"
    ),
    "two Origins": Refusal(
        {"Origin": "http://localhost", "origin": "http://localhost"}, 400, "Origin given more than"
    ),
    "other origin": Refusal({"Origin": "http://evil.com"}, 403, "origin 'http://evil.com' not"),
    # RFC 9112
    "space before the colon": Refusal({"X-Name ": "x"}, 400, "malformed request"),
    "folded line": Refusal({"X-Name": "a\r\n b"}, 400, "malformed request"),
    "NUL in a value": Refusal({"X-Name": "a\0b"}, 400, "malformed request"),
    "bare CR in a value": Refusal({"X-Name": "a\rb"}, 400, "malformed request"),
    "length and coding": Refusal(
        {"Content-Length": "3", "Transfer-Encoding": "chunked"}, 400, ""
    ),
    # Limits
    "long request line": Refusal(
        {}, 414, " bytes or more, at most 8192", {"target": "/" + "a" * 9000}
    ),
    "long header": Refusal({"X-Name": "a" * 20_000}, 431, "at most 16384"),
    "many headers": Refusal(
        {f"X-Name-{n}": "x" for n in range(200)}, 431, "205 header fields, at most 128"
    ),
}  # fmt: skip


def log_of(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged about the connection."""
    return "\n".join(record.getMessage() for record in caplog.records)


# The usual handshake is answered by a short cut, which servers with more to decide do without.
ways = pytest.mark.parametrize(
    "server_options", [{}, {"process_request": lambda request: None}], ids=["usual", "unusual"]
)


@one_driver
@ways
@pytest.mark.parametrize("name", REFUSALS)
def test_handshakes(
    serve: Serve, name: str, server_options: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    changes, status, text, options = REFUSALS[name]
    serving = serve(echo, **server_options)
    neighbour = serving.connect()
    client = serving.open()
    host, port = client.sock.getsockname()
    client.request(options.get("target", "/"), {**UPGRADE, **changes}, **{
        key: value for key, value in options.items() if key != "target"
    })  # fmt: skip
    answer = client.answer()
    assert answer.status == status, answer
    assert text in answer.body.decode()
    if status == 426:
        assert answer.headers["upgrade"] == "websocket"
        assert "Upgrade" in answer.headers["connection"]
    if "Version" in name or "version" in name:
        assert answer.headers["sec-websocket-version"] == "13"
    if status == 405:
        assert answer.headers["allow"] == "GET"
    assert text in log_of(caplog)
    assert re.search(rf"{host}\D+{port}", log_of(caplog))
    assert not any(record.levelno >= logging.ERROR for record in caplog.records)
    assert len(serving.call(lambda: serving.server.sessions)) == 1
    round_trip(neighbour)


def endless(client: RawClient, start: bytes, piece: bytes) -> Any:
    """Send and go on sending until the server has had enough."""
    client.send(start)
    while not select.select([client.sock], [], [], 0)[0]:
        client.send_until_gone(piece)
    return client.answer()


@one_driver
@ways
@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (b"GET /", b"a" * 1000, {414}),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 1000, {431}),
        (b"GET / HTTP/1.1\r\n", b"X-Name: value\r\n" * 50, {431}),
        # Which comes first depends on how much comes at once.
        (b"G", b"G" * 1000, {400, 414}),
        (b"\0", b"\0" * 1000, {400, 414}),
        (b"\x16\x03\x01", bytes(1000), {400}),
        (b"\r\n", b"\r\n" * 500, set()),
    ],
    ids=["request line", "header", "headers", "method", "NULs", "TLS", "empty lines"],
)
def test_floods(
    serve: Serve, start: bytes, piece: bytes, status: set[int], server_options: Any
) -> None:
    """Nobody can make the server keep more than its limits, and the answer arrives."""
    serving = serve(echo, **server_options)
    neighbour = serving.connect()
    client = serving.open()
    if not status:
        # RFC 9112 §2.2: empty lines before a request are skipped, and cost nothing.
        client.send(start + piece * 100)
        client.upgrade()
        round_trip(client)
    else:
        assert endless(client, start, piece).status in status
    round_trip(neighbour)


@one_driver
@ways
def test_lower_limits(serve: Serve, server_options: Any) -> None:
    limits = HttpLimits(max_request_line=50, max_header_size=300, max_headers=8)
    serving = serve(echo, limits=limits, **server_options)
    client = serving.open()
    client.request_upgrade("/" + "a" * 50)
    assert client.answer().status == 414
    client = serving.open()
    client.request_upgrade("/", {"X": "a" * 300})
    assert client.answer().status == 431
    client = serving.open()
    client.request_upgrade("/", {f"X{n}": "x" for n in range(4)})
    assert client.answer().status == 431
    round_trip(serving.connect())


@ways
@pytest.mark.parametrize("sent", [0, 1, 30], ids=["nothing", "a byte", "a part"])
def test_slow_handshakes(
    serve: Serve, sent: int, server_options: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """408, or no word to someone who said none."""
    caplog.set_level(logging.INFO)
    serving = serve(echo, handshake_timeout=0.05, **server_options)
    # So that what is sent is there before the time begins.
    with serving.driver.busy():
        client = serving.open()
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n"[:sent])
    if sent == 0:
        assert client.rest() == b""
        return
    answer = client.answer()
    assert answer.status == 408
    assert b"head not complete after 0.05 s" in answer.body
    assert client.rest() == b""
    assert "408: head not complete" in log_of(caplog)


@one_driver
def test_the_handshake_s_time_ends_with_the_handshake(serve: Serve) -> None:
    """An established connection may be silent for longer."""
    serving = serve(echo, handshake_timeout=0.02, http=lambda request: Response(200))
    with serving.driver.busy():
        client = serving.open()
        client.request_upgrade()
    assert client.answer().status == 101
    slow = serving.open()
    assert slow.rest() == b""
    round_trip(client)


@ways
def test_handshakes_whose_client_sends_no_more(serve: Serve, server_options: Any) -> None:
    """It may have closed its sending half and still wait for the answer; a part is no request."""
    serving = serve(echo, **server_options)
    client = serving.open()
    client.request_upgrade("/", {"Sec-WebSocket-Version": "8"})
    client.end()
    assert client.answer().status == 426
    client = serving.open()
    client.send(b"GET / HTTP/1.1\r\nHost: loc")
    client.end()
    assert client.rest() == b""


@one_driver
@pytest.mark.parametrize("handler", [echo, None])
def test_garbage_harms_nobody(serve: Serve, handler: Callable[..., Any] | None) -> None:
    """Whatever comes first: an answer, or the end, in finite time."""
    import random

    rng = random.Random(6455)
    impatient = serve(handler, handshake_timeout=0.1)
    with impatient.driver.busy():
        witness = impatient.open()
        witness.request_upgrade()
    assert witness.answer().status == 101
    for _ in range(60):
        client = impatient.open()
        client.send_until_gone(rng.randbytes(rng.randrange(1, 3000)))
        client.rest()
    serving = serve(handler)
    neighbour = serving.connect()
    for _ in range(60):
        client = serving.connect()
        client.send_until_gone(rng.randbytes(rng.randrange(1, 3000)))
        client.end()
        client.rest()
    for one in (witness, neighbour):
        one.frame(PING, b"well")
        assert one.receive() == (PONG, b"well", True)

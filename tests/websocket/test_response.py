"""Reading the answer to an opening handshake."""

import pytest

from cooee.protocol.errors import HandshakeError
from cooee.websocket.response import MAX_BODY, MAX_HEAD, ResponseReader

pytestmark = pytest.mark.once

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def read(*pieces: bytes) -> ResponseReader:
    reader = ResponseReader()
    for piece in pieces:
        assert not reader.complete
        reader.feed(piece)
    return reader


def bytewise(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("pieces", [[UPGRADE], bytewise(UPGRADE)], ids=["whole", "bytes"])
def test_upgrade(pieces: list[bytes]) -> None:
    reader = read(*pieces)
    assert (reader.status, reader.reason, reader.http_version) == (
        101,
        "Switching Protocols",
        "1.1",
    )
    assert reader.headers.items() == [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    assert reader.complete
    assert reader.rest == reader.body == b""


def test_frames_behind_the_head() -> None:
    assert read(UPGRADE + b"\x81\x02hi").rest == b"\x81\x02hi"
    assert read(UPGRADE[:-1], UPGRADE[-1:] + b"\x81\x02hi").rest == b"\x81\x02hi"
    # As many bytes as there may be: they are no part of the head.
    frames = bytes(2 * MAX_HEAD)
    assert read(UPGRADE + frames).rest == frames


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_upgrade_has_no_body(field: bytes) -> None:
    reader = read(UPGRADE[:-2] + field + b"\r\n\r\n\x81\x02hi")
    assert (reader.status, reader.complete, reader.rest) == (101, True, b"\x81\x02hi")


def test_101_that_does_not_upgrade() -> None:
    reader = read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    assert (reader.status, reader.complete) == (101, True)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"Content-Length: 4\r\n\r\nbody", b"body"),
        (b"Content-Length: 4\r\n\r\nbodyand more", b"body"),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n", b"body"),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nTrailer: x\r\n\r\n", b"body"),
        (b"Connection: close\r\nContent-Length: 4\r\n\r\nbodymore", b"body"),
    ],
)
def test_refusal(answer: bytes, body: bytes) -> None:
    answer = b"HTTP/1.1 403 Forbidden\r\n" + answer
    reader = read(answer)
    assert (reader.status, reader.reason) == (403, "Forbidden")
    assert (reader.complete, reader.body) == (True, body)
    assert "Trailer" not in reader.headers
    slow = ResponseReader()
    for piece in bytewise(answer):
        if not slow.complete:
            slow.feed(piece)
    assert (slow.complete, slow.body) == (True, body)


def test_body_until_the_end_of_the_connection() -> None:
    reader = read(b"HTTP/1.1 400 Bad Request\r\n\r\nwhy", b" not")
    assert (reader.status, reader.complete, reader.body) == (400, False, b"why not")


def test_long_body() -> None:
    reader = read(b"HTTP/1.0 400 Bad Request\r\n\r\n" + b"x" * (MAX_BODY - 1))
    assert not reader.complete
    reader.feed(b"yz")
    assert reader.complete
    assert reader.body == b"x" * (MAX_BODY - 1) + b"y"
    assert reader.http_version == "1.0"


def test_redirect_is_complete_with_its_head() -> None:
    reader = read(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1000\r\n\r\n")
    assert (reader.status, reader.complete) == (302, True)
    assert reader.headers["location"] == "/x"


def test_interim_responses_are_skipped() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    for pieces in ([early + UPGRADE], bytewise(early + UPGRADE)):
        reader = read(*pieces)
        assert (reader.status, reader.reason) == (101, "Switching Protocols")
        assert "Link" not in reader.headers


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 1x1 Switching\r\n\r\n",
        b"HTTP/1.1 101 Switching\nUpgrade: websocket\n\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade : websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade:\r\n websocket\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        UPGRADE[1:],
    ],
)
def test_garbage(answer: bytes) -> None:
    with pytest.raises(HandshakeError, match="not HTTP"):
        read(answer)
    reader = ResponseReader()
    with pytest.raises(HandshakeError, match="not HTTP"):
        for piece in bytewise(answer):
            reader.feed(piece)
    assert reader.begun


def test_garbage_in_the_body() -> None:
    with pytest.raises(HandshakeError, match="not HTTP"):
        read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n")


@pytest.mark.parametrize("piece_size", [100, 1 << 20])
@pytest.mark.parametrize(
    ("line", "overhead"), [(b"X: " + b"y" * 1000 + b"\r\n", 27), (b"X:\r\n", 29)]
)
def test_large_head(line: bytes, overhead: int, piece_size: int) -> None:
    """The size counts, and so does what each field costs in memory."""

    def feed(count: int) -> ResponseReader:
        reader = ResponseReader()
        head = UPGRADE[:-2] + line * count + b"\r\n"
        for start in range(0, len(head), piece_size):
            reader.feed(head[start : start + piece_size])
        return reader

    most = (MAX_HEAD - 200) // (len(line) + overhead)
    assert feed(most).complete
    with pytest.raises(HandshakeError, match=f"at most {MAX_HEAD} bytes"):
        feed(most + 10)


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 101 " + b"x" * 1000, b"HTTP/1.1 103 Early\r\n\r\n", b"X: " + b"y" * 1000],
    ids=["reason", "interim", "value"],
)
def test_head_without_end(line: bytes) -> None:
    reader = ResponseReader()
    if line.startswith(b"X"):
        reader.feed(b"HTTP/1.1 101 Switching\r\n")
    with pytest.raises(HandshakeError, match=f"at most {MAX_HEAD} bytes"):
        for count in range(MAX_HEAD):
            reader.feed(line if count == 0 or line.endswith(b"\n") else b"x" * 1000)


def test_nothing() -> None:
    reader = ResponseReader()
    assert not reader.begun
    assert reader.status is None

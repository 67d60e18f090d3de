"""Requests out of bytes: what is one, what is not, and where it ends (RFC 9112)."""

import contextlib
import itertools
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.http import HttpLimits, Request
from cooee.http.errors import RequestRejected
from cooee.http.reader import RequestReader

pytestmark = pytest.mark.once

LIMITS = HttpLimits()
HOST = b"Host: example.com\r\n"


def read(pieces: Iterable[bytes], limits: HttpLimits = LIMITS) -> list[Request]:
    """Every request in the pieces."""
    reader = RequestReader(limits, ("192.0.2.1", 1))
    requests = []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next()) is not None:
            requests.append(request)
    return requests


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def rejection(pieces: Iterable[bytes], limits: HttpLimits = LIMITS) -> RequestRejected:
    """How the pieces are rejected."""
    with pytest.raises(RequestRejected) as caught:
        read(pieces, limits)
    return caught.value


def outline(request: Request) -> tuple[str, str, list[tuple[str, str]], bytes]:
    return request.method, request.target, request.headers.items(), request.body


GET = b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
EMPTY = b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
CHUNKED_HEAD = b"PUT /c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED = CHUNKED_HEAD + b"3\r\nhel\r\n02;a=b;c\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
OLD = b"GET /old HTTP/1.0\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\n"
    + HOST
    + b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
)
UPGRADE_WITH_BODY = (
    b"POST /h2 HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"
)
UPGRADE_CHUNKED = CHUNKED.replace(
    b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 1
)

VALID = {
    "get": (GET, b""),
    "post": (POST, b"hello"),
    "empty": (EMPTY, b""),
    "chunked": (CHUNKED, b"hello"),
    "old": (OLD, b""),
    "upgrade": (UPGRADE, b""),
    "upgrade with body": (UPGRADE_WITH_BODY, b"hello"),
    "upgrade chunked": (UPGRADE_CHUNKED, b"hello"),
    "empty lines first": (b"\r\n\r\n" + GET, b""),
    "absolute form": (b"GET http://h/p?q HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "authority": (b"CONNECT h:443 HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "connect with a length": (
        b"CONNECT h:443 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n",
        b"",
    ),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b""),
    "obs-text": (b"GET / HTTP/1.1\r\n" + HOST + b"X: \xe9\xff\r\n\r\n", b""),
    "spaces around the value": (b"GET / HTTP/1.1\r\nHost:\t h \t\r\n\r\n", b""),
    "chunk size with zeros": (
        CHUNKED_HEAD + b"000000000000000000000000000001\r\nx\r\n00\r\n\r\n",
        b"x",
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_valid_requests_whole_and_byte_by_byte(name: str) -> None:
    data, body = VALID[name]
    (whole,) = read([data])
    (by_byte,) = read(bytewise(data))
    assert outline(whole) == outline(by_byte)
    assert whole.body == body
    assert whole.is_upgrade == by_byte.is_upgrade == name.startswith("upgrade")


@pytest.mark.parametrize("name", VALID)
def test_every_split_in_two(name: str) -> None:
    data, body = VALID[name]
    for at in range(1, len(data)):
        (request,) = read([data[:at], data[at:]])
        assert request.body == body


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_pipelined_requests(size: int) -> None:
    kinds = [GET, CHUNKED, POST, UPGRADE_WITH_BODY, EMPTY, UPGRADE_CHUNKED, GET]
    data = b"".join(kinds)
    requests = read(data[i : i + size] for i in range(0, len(data), size))
    assert [outline(one) for one in requests] == [outline(read([kind])[0]) for kind in kinds]


def test_what_follows_an_upgrade_is_left() -> None:
    for frames in (b"", b"\x81\x80abcd", GET):
        reader = RequestReader(LIMITS)
        reader.feed(UPGRADE + frames)
        request = reader.next()
        assert request is not None
        assert request.is_upgrade
        assert reader.buffered == len(frames)
        assert reader.rest() == frames
        assert reader.rest() == b""


def test_http_1_0_cannot_upgrade() -> None:
    (request,) = read([UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0")])
    assert not request.is_upgrade
    assert request.upgrade == ""


def test_the_remote_address_is_the_peer() -> None:
    (request,) = read([GET])
    assert request.remote_address == ("192.0.2.1", 1)


MALFORMED: dict[str, tuple[bytes, int]] = {
    # start line, RFC 9112 §3
    "garbage": (b"\x00\x01\x02\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "lower-case method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "unknown method": (b"FETCH / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space in target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "control in target": (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "not ASCII in target": (b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "relative target": (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces before version": (b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space at the end": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /\r\n" + HOST + b"\r\n", 400),
    "version 0.9": (b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", 400),
    "version 1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    "version 2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "version 3.0": (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 505),
    "version of two digits": (b"GET / HTTP/1.11\r\n" + HOST + b"\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "ICE": (b"SOURCE / ICE/1.0\r\n" + HOST + b"\r\n", 400),
    "lower-case http": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    # line ends, RFC 9112 §2.2
    "bare LF": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "bare LF after a field": (b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
    "bare CR in the line": (b"GET / HTTP/1.1\rHost: h\r\n\r\n", 400),
    "bare CR in a value": (b"GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", 400),
    "CR CR LF": (b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400),
    # fields, RFC 9112 §5
    "obs-fold": (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
    "obs-fold after nothing": (b"GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n", 400),
    "obs-fold with tab": (b"GET / HTTP/1.1\r\nHost: h\r\n\tfolded\r\n\r\n", 400),
    "space before the first field": (b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
    "space before the colon": (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\n" + HOST + b"Name\r\n\r\n", 400),
    "no name": (b"GET / HTTP/1.1\r\n" + HOST + b": value\r\n\r\n", 400),
    "NUL in a name": (b"GET / HTTP/1.1\r\n" + HOST + b"A\0: b\r\n\r\n", 400),
    "NUL in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"A: \0\r\n\r\n", 400),
    "control in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"A: \x01\r\n\r\n", 400),
    "brackets in a name": (b"GET / HTTP/1.1\r\n" + HOST + b"A[]: b\r\n\r\n", 400),
    "obs-text in a name": (b"GET / HTTP/1.1\r\n" + HOST + b"\xe9: b\r\n\r\n", 400),
    # Host, RFC 9112 §3.2
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n", 400),
    "two Hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    # length of the body, RFC 9112 §6
    "length and coding": (
        CHUNKED_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n",
        400,
    ),
    "coding and length": (
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (POST.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"), 400),
    "two different lengths": (POST.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n"), 400),
    "list of lengths": (POST.replace(b": 5", b": 5, 5"), 400),
    "signed length": (POST.replace(b": 5", b": +5"), 400),
    "negative length": (POST.replace(b": 5", b": -5"), 400),
    "hexadecimal length": (POST.replace(b": 5", b": 0x5"), 400),
    "length with a fraction": (POST.replace(b": 5", b": 5.0"), 400),
    "two numbers": (POST.replace(b": 5", b": 5 5"), 400),
    "no length": (POST.replace(b": 5", b": "), 400),
    "length with underscore": (POST.replace(b": 5", b": 1_0"), 400),
    "length beyond 64 bits": (POST.replace(b": 5", b": " + b"9" * 30), 400),
    "length beyond the limit": (POST.replace(b": 5", b": 9999999999999999999"), 413),
    "chunked in HTTP/1.0": (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "unknown coding": (CHUNKED.replace(b": chunked", b": gzip, chunked"), 501),
    "coding without chunked": (CHUNKED.replace(b": chunked", b": gzip"), 400),
    "chunked is not last": (CHUNKED.replace(b": chunked", b": chunked, gzip"), 400),
    "chunked twice": (CHUNKED.replace(b": chunked", b": chunked, chunked"), 400),
    "two codings": (
        CHUNKED.replace(b": chunked", b": chunked\r\nTransfer-Encoding: chunked"),
        400,
    ),
    "xchunked": (CHUNKED.replace(b": chunked", b": xchunked"), 400),
    "chunked with VT": (CHUNKED.replace(b": chunked", b": \x0bchunked"), 400),
    "identity": (CHUNKED.replace(b": chunked", b": identity"), 400),
    "no coding": (CHUNKED.replace(b": chunked", b":"), 400),
    "upgrade, length and coding": (
        UPGRADE_CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n", 1),
        400,
    ),
    # chunks, RFC 9112 §7.1
    "chunk size is no number": (CHUNKED_HEAD + b"x\r\n", 400),
    "negative chunk size": (CHUNKED_HEAD + b"-1\r\n", 400),
    "chunk size with 0x": (CHUNKED_HEAD + b"0x1\r\nx\r\n0\r\n\r\n", 400),
    "chunk size with underscore": (CHUNKED_HEAD + b"1_0\r\n", 400),
    "no chunk size": (CHUNKED_HEAD + b"\r\nx\r\n", 400),
    "space after the chunk size": (CHUNKED_HEAD + b"1 \r\nx\r\n", 400),
    "space before the chunk size": (CHUNKED_HEAD + b" 1\r\nx\r\n", 400),
    "chunk size ends in LF": (CHUNKED_HEAD + b"1\nx\r\n", 400),
    "chunk size beyond 64 bits": (CHUNKED_HEAD + b"1" + b"0" * 16 + b"\r\n", 400),
    "chunk size beyond the limit": (CHUNKED_HEAD + b"f" * 16 + b"\r\n", 413),
    "bare CR in an extension": (CHUNKED_HEAD + b"1;a\rb\r\nx\r\n", 400),
    "bare LF in an extension": (CHUNKED_HEAD + b"1;a\nb\r\nx\r\n", 400),
    "bare LF in a quoted extension": (CHUNKED_HEAD + b'1;a="\nb"\r\nx\r\n', 400),
    "chunk longer than its size": (CHUNKED_HEAD + b"1\r\nxx\r\n", 400),
    "chunk ends in LF": (CHUNKED_HEAD + b"1\r\nx\n0\r\n\r\n", 400),
    "length in the trailer": (CHUNKED_HEAD + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    "obs-fold in the trailer": (CHUNKED_HEAD + b"0\r\nA: b\r\n c\r\n\r\n", 400),
    "trailer ends in LF": (CHUNKED_HEAD + b"0\r\nA: b\n\n", 400),
    # RFC 9110 §10.1.1
    "unknown expectation": (POST.replace(b"\r\n\r\n", b"\r\nExpect: 200-ok\r\n\r\n"), 417),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(name: str) -> None:
    data, status = MALFORMED[name]
    assert rejection([data]).status == status
    assert rejection(bytewise(data)).status == status


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_after_a_good_one(name: str) -> None:
    data, status = MALFORMED[name]
    reader = RequestReader(LIMITS)
    reader.feed(GET + POST + data)
    assert reader.next() is not None
    assert reader.next() is not None
    with pytest.raises(RequestRejected) as caught:
        reader.next()
    assert caught.value.status == status


def test_malformed_starts_are_rejected_before_the_end_of_the_head() -> None:
    assert rejection([b"GET / HTTP/1.1\n"]).status == 400
    assert rejection([b"GET / HTTP/1.1\r\nA b"]).status == 400
    assert rejection([b"SSH-2.0-OpenSSH_9.9\r\n"]).status == 400


def test_a_parser_that_met_an_error_is_not_used_again() -> None:
    for name in itertools.islice(itertools.cycle(MALFORMED), 3 * len(MALFORMED)):
        rejection([MALFORMED[name][0]])
        assert len(read([CHUNKED, GET])) == 2


def test_reasons_name_the_fact_and_the_clause() -> None:
    assert str(rejection([b"GET / HTTP/1.1\r\n\r\n"])) == "no Host (RFC 9112 §3.2)"
    assert "TLS" in str(rejection([MALFORMED["tls"][0]]))


# Limits


def head(line: int, fields: int) -> bytes:
    """A head with a request line and header fields of so many bytes."""
    start = b"GET /" + b"a" * (line - len(b"GET / HTTP/1.1")) + b" HTTP/1.1\r\n"
    return start + HOST + b"X: " + b"x" * (fields - len(HOST) - 5) + b"\r\n\r\n"


@pytest.mark.parametrize("step", [1, 1000, 100_000])
def test_the_request_line_is_limited(step: int) -> None:
    limits = HttpLimits(max_request_line=8192)

    def pieces(data: bytes) -> list[bytes]:
        return [data[i : i + step] for i in range(0, len(data), step)]

    assert len(read(pieces(head(8192, 100)), limits)) == 1
    assert rejection(pieces(head(8193, 100)), limits).status == 414
    assert rejection(pieces(b"GET /" + b"a" * 8192), limits).status == 414


@pytest.mark.parametrize("step", [1, 1000, 100_000])
def test_header_fields_are_limited(step: int) -> None:
    limits = HttpLimits(max_header_size=2000)

    def pieces(data: bytes) -> list[bytes]:
        return [data[i : i + step] for i in range(0, len(data), step)]

    for line in (20, 4000):
        assert len(read(pieces(head(line, 2000)), limits)) == 1
        assert rejection(pieces(head(line, 2001)), limits).status == 431
    assert rejection(pieces(head(20, 2005)[:-4]), limits).status == 431


def test_the_number_of_fields_is_limited() -> None:
    limits = HttpLimits(max_headers=10)

    def data(count: int) -> bytes:
        return b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * (count - 1) + b"\r\n"

    assert len(read([data(10)], limits)) == 1
    assert rejection([data(11)], limits).status == 431
    assert rejection(bytewise(data(11)), limits).status == 431


def test_more_fields_than_are_counted() -> None:
    limits = HttpLimits(max_header_size=1 << 20)
    data = b"GET / HTTP/1.1\r\n" + HOST + b"a:\r\n" * (1 << 16) + b"\r\n"
    assert rejection([data], limits).status == 431


def test_the_body_is_limited() -> None:
    limits = HttpLimits(max_body_size=10)

    def plain(size: int) -> bytes:
        return POST.replace(b": 5", b": %d" % size).replace(b"hello", b"x" * size)

    (request,) = read([plain(10)], limits)
    assert request.body == b"x" * 10
    # At once, not when it is there.
    assert rejection([plain(11).removesuffix(b"x" * 11)], limits).status == 413


def test_a_chunked_body_is_limited() -> None:
    limits = HttpLimits(max_body_size=10)
    (request,) = read([CHUNKED_HEAD + b"5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n"], limits)
    assert request.body == b"abcdefghij"
    assert rejection([CHUNKED_HEAD + b"5\r\nabcde\r\n6\r\n"], limits).status == 413
    assert rejection([CHUNKED_HEAD + b"b\r\n"], limits).status == 413


def test_no_body_at_all_can_be_allowed() -> None:
    limits = HttpLimits(max_body_size=0)
    assert len(read([GET, EMPTY, CHUNKED_HEAD + b"0\r\n\r\n"], limits)) == 3
    assert rejection([POST], limits).status == 413
    assert rejection([CHUNKED], limits).status == 413


def test_chunk_extensions_are_limited() -> None:
    limits = HttpLimits(max_header_size=100)
    chunk = b"1;" + b"e" * 60 + b"\r\nx\r\n"
    end = b"0\r\n\r\n"
    assert read([CHUNKED_HEAD, chunk * 2, end], limits)[0].body == b"xx"
    assert rejection([CHUNKED_HEAD, chunk * 3, end], limits).status == 413
    assert rejection([CHUNKED_HEAD, b"1;", b"e" * 200], limits).status == 413


def test_trailer_fields_are_limited() -> None:
    limits = HttpLimits(max_header_size=100)
    field = b"A: 34567\r\n"
    assert len(read([CHUNKED_HEAD, b"0\r\n", field * 10, b"\r\n"], limits)) == 1
    assert rejection([CHUNKED_HEAD, b"0\r\n", field * 11], limits).status == 431
    assert rejection([CHUNKED_HEAD, b"0\r\n", b"A: " + b"x" * 200], limits).status == 431


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="max_body_size"):
        HttpLimits(max_body_size=-1)
    with pytest.raises(ValueError, match="head_timeout"):
        HttpLimits(head_timeout=0)


# Expect: 100-continue


def test_expectation() -> None:
    data = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n")
    start, body = data[:-5], data[-5:]
    reader = RequestReader(LIMITS)
    reader.feed(start)
    assert reader.next() is None
    assert reader.in_body
    assert reader.take_expectation()
    assert not reader.take_expectation()
    reader.feed(body)
    assert reader.next() is not None
    # Some of the body is there already: it waits for nothing.
    reader.feed(start + body[:1])
    assert reader.next() is None
    assert not reader.take_expectation()


def test_no_expectation_without_a_body_or_in_http_1_0() -> None:
    expect = b"Expect: 100-continue\r\n"
    reader = RequestReader(LIMITS)
    reader.feed(GET.replace(HOST, HOST + expect))
    assert reader.next() is not None
    assert not reader.take_expectation()
    reader.feed(POST[:-5].replace(HOST, HOST + expect).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert reader.next() is None
    assert not reader.take_expectation()


# Properties

tokens = st.text("abcXYZ019-_~!", min_size=1, max_size=12)
values = st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), max_size=30)
bodies = st.binary(max_size=300)


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, tuple[str, str, list[tuple[str, str]], bytes]]:
    """A valid request on the wire, and its outline."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]))
    target = "/" + draw(st.text("abc/%20?&=+", max_size=30))
    fields = [("Host", "h")] + [
        (f"X-{name}", value) for name, value in draw(st.lists(st.tuples(tokens, values)))
    ]
    body = draw(bodies)
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "none":
        wire, body = b"", b""
    elif framing == "length":
        fields.append(("Content-Length", str(len(body))))
        wire = body
    else:
        fields.append(("Transfer-Encoding", "chunked"))
        size = draw(st.integers(1, 100))
        wire = b"".join(
            b"%x\r\n%b\r\n" % (len(body[i : i + size]), body[i : i + size])
            for i in range(0, len(body), size)
        )
        wire += b"0\r\n\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")
    start = f"{method} {target} HTTP/1.1\r\n".encode()
    return start + lines + b"\r\n" + wire, (method, target, fields, body)


@given(st.lists(messages(), min_size=1, max_size=5), st.data())
def test_round_trip_in_any_pieces(
    sent: list[tuple[bytes, tuple[str, str, list[tuple[str, str]], bytes]]], data: st.DataObject
) -> None:
    wire = b"".join(one for one, _ in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=20)))
    pieces = [wire[a:b] for a, b in itertools.pairwise([0, *cuts, len(wire)])]
    assert [outline(one) for one in read(pieces)] == [expected for _, expected in sent]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    for pieces in ([data], bytewise(data), [GET + data], [CHUNKED_HEAD + data]):
        with contextlib.suppress(RequestRejected):
            read(pieces)


def test_nothing_is_kept_between_requests() -> None:
    reader = RequestReader(LIMITS)
    for data in (GET, POST, CHUNKED, UPGRADE):
        reader.feed(data)
        assert reader.next() is not None
        before = sys.getrefcount(data)
        other = RequestReader(LIMITS)
        other.feed(data)
        request = other.next()
        held = sys.getrefcount(data) - before
        # Only by the request, whose head the input may be.
        assert held == (request is not None and request.body == b"")

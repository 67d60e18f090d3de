"""Responses and their form on the wire (RFC 9110 §15, RFC 9112 §4)."""

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.http import Response
from cooee.http.response import reason_phrase
from cooee.protocol.headers import Headers

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the example in RFC 9110 §5.6.7."""
    monkeypatch.setattr(time, "time", lambda: 784111777.5)


DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT"


def lines(one: Response, **options: Any) -> list[str]:
    head = one.serialize_head(**options).decode("latin-1")
    assert head.endswith("\r\n\r\n")
    return head[:-4].split("\r\n")


def test_the_least() -> None:
    one = Response()
    assert (one.status, one.reason, one.body) == (200, "OK", b"")
    assert lines(one) == ["HTTP/1.1 200 OK", DATE, "Content-Length: 0"]


def test_text_is_utf_8() -> None:
    one = Response(404, "näh")
    assert one.body == b"n\xc3\xa4h"
    assert lines(one) == [
        "HTTP/1.1 404 Not Found",
        DATE,
        "Content-Type: text/plain; charset=utf-8",
        "Content-Length: 4",
    ]
    assert Response(200, "<p>", {"content-type": "text/html"}).headers.items() == [
        ("content-type", "text/html")
    ]


@pytest.mark.parametrize("body", [b"\0\xff", bytearray(b"\0\xff"), memoryview(b"\0\xff")])
def test_bytes_go_as_they_are(body: bytes | bytearray | memoryview) -> None:
    one = Response(200, body)
    assert one.body == b"\0\xff"
    assert type(one.body) is bytes
    assert one.headers.items() == []


@pytest.mark.parametrize(
    "headers", [{"A": "b"}, [("A", "b")], Headers([("A", "b")]), iter([("A", "b")])]
)
def test_headers_of_any_kind_are_copied(headers: Any) -> None:
    one = Response(200, "text", headers)
    assert one.headers["A"] == "b"
    if isinstance(headers, Headers):
        assert "content-type" not in headers


def test_own_date_and_server_count() -> None:
    one = Response(200, None, {"date": "then", "SERVER": "mine"})
    assert lines(one, server="cooee") == [
        "HTTP/1.1 200 OK",
        "date: then",
        "SERVER: mine",
        "Content-Length: 0",
    ]
    assert "Server: cooee" in lines(Response(), server="cooee")


def test_the_date_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for second in (1000, 1000.9, 2000):
        monkeypatch.setattr(time, "time", lambda second=second: second)
        assert parsedate_to_datetime(lines(Response())[1][6:]).timestamp() == int(second)


def test_connection_options() -> None:
    assert "Connection: close" in lines(Response(), connection="close")
    one = Response(426, "no", {"Connection": "Upgrade", "Upgrade": "websocket"})
    assert not one.closes
    assert "Connection: Upgrade, close" in lines(one, connection="close")
    assert "Connection: Upgrade" in lines(one)
    one = Response(200, None, {"connection": "Close"})
    assert one.closes
    assert "connection: Close" in lines(one, connection="close")
    # Nothing of this stays.
    assert one.headers.items() == [("connection", "Close")]


def test_statuses_without_content() -> None:
    for status in (204, 304):
        assert not any("Length" in line for line in lines(Response(status)))
    assert "Content-Length: 0" in lines(Response(205))
    for status in (204, 205, 304):
        with pytest.raises(ValueError, match="no content"):
            Response(status, "x")


def test_reasons() -> None:
    assert lines(Response(299))[0] == "HTTP/1.1 299 "
    assert lines(Response(200, reason="Très bien"))[0] == "HTTP/1.1 200 Très bien"
    assert reason_phrase(426) == "Upgrade Required"
    assert reason_phrase(599) == ""
    for reason in ("a\r\nB: c", "a\0", "☺"):
        with pytest.raises(ValueError, match="reason"):
            Response(200, reason=reason)


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 199, 600, 1000])
def test_statuses_that_are_not_final(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        Response(status)


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "b\r\nC: d"},
        {"A": "b\nC: d"},
        {"A": "b\rc"},
        {"A": "b\0"},
        {"A": "☺"},
        {"A\r\nB": "c"},
        {"A b": "c"},
        {"A:": "b"},
        {"": "a"},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
    ],
)
def test_headers_that_would_break_the_message(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Response(200, "text", headers)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_framing_cannot_be_added_later_either(name: str) -> None:
    one = Response()
    one.headers[name] = "5"
    with pytest.raises(ValueError, match=name.lower()):
        one.serialize_head()


def test_json() -> None:
    one = Response.json({"a": ["ä", 1, None]}, 400, {"X": "y"})
    assert one.status == 400
    assert one.body == '{"a":["ä",1,null]}'.encode()
    assert one.headers.items() == [("X", "y"), ("Content-Type", "application/json")]
    with pytest.raises(TypeError):
        Response.json(object())
    with pytest.raises(ValueError):
        Response.json(float("nan"))


def test_redirect() -> None:
    one = Response.redirect("/a b/ä?q=%20\r\nX: y#f")
    assert (one.status, one.body) == (302, b"")
    assert one.headers["location"] == "/a%20b/%C3%A4?q=%20%0D%0AX:%20y#f"
    assert Response.redirect("https://[::1]:8/", 308).headers["location"] == "https://[::1]:8/"
    with pytest.raises(ValueError, match="300"):
        Response.redirect("/", 300)


def test_repr() -> None:
    assert repr(Response(404, "no")) == "<Response 404 Not Found, 2 bytes>"


@given(
    st.integers(200, 599),
    st.binary() | st.text() | st.none(),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
    st.text(max_size=9),
)
def test_nothing_breaks_out_of_a_head(
    status: int, body: bytes | str | None, headers: dict[str, str], reason: str
) -> None:
    try:
        one = Response(status, body, headers, reason=reason)
    except ValueError:
        return
    found = lines(one)
    assert found[0] == f"HTTP/1.1 {status} {reason}"
    assert [line for line in found if re.match(r"(?i)content-length:", line)] == (
        [] if status in (204, 304) else [f"Content-Length: {len(one.body)}"]
    )
    for line, (name, value) in zip(found[2:], one.headers.items(), strict=False):
        assert line == f"{name}: {value}"

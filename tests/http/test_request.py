"""What a request says of itself (RFC 9110, RFC 9112 §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.http import Query, Request
from cooee.http.cookies import parse_cookies
from cooee.http.target import decode_path, split_target
from cooee.protocol.headers import Headers

pytestmark = pytest.mark.once

HEAD = (
    b"GET /a%20b/%E4%BD%A0?x=1&y=a+b&x=2#f HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"X-Empty:\r\n"
    b"X-Spaces: \t a b \t \r\n"
    b"COOKIE: a=1; b=2\r\n"
    b"Cookie: c=3\r\n"
    b"X-Text: \xe9\r\n"
    b"\r\n"
)


def request(target: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> Request:
    lines = [f"{method} {target} HTTP/{version}", *fields, "", ""]
    return Request("\r\n".join(lines).encode("latin-1"))


def test_everything_that_a_head_says() -> None:
    one = Request(HEAD, b"body", ("192.0.2.1", 5))
    assert one.method == "GET"
    assert one.target == "/a%20b/%E4%BD%A0?x=1&y=a+b&x=2#f"
    assert one.path == "/a b/你"
    assert one.query_string == "x=1&y=a+b&x=2"
    assert one.query == {"x": "1", "y": "a b"}
    assert one.query.get_all("x") == ["1", "2"]
    assert one.http_version == "1.1"
    assert one.headers.items() == [
        ("Host", "example.com"),
        ("X-Empty", ""),
        ("X-Spaces", "a b"),
        ("COOKIE", "a=1; b=2"),
        ("Cookie", "c=3"),
        ("X-Text", "é"),
    ]
    assert one.cookies == {"a": "1", "b": "2", "c": "3"}
    assert one.body == b"body"
    assert one.remote_address == ("192.0.2.1", 5)
    assert not one.is_upgrade
    assert one.upgrade == ""
    assert one.keep_alive
    assert repr(one) == "<Request GET /a%20b/%E4%BD%A0?x=1&y=a+b&x=2#f>"


PARTS = ("a", "b", "ab", "=", "&", "?", "#", "%61", "%", "+", "/", "x", "\xe9")


@given(st.lists(st.sampled_from(PARTS)).map("".join), st.sampled_from(["a", "ab", "x"]))
def test_path_and_parameters_are_those_of_the_whole_target(target: str, name: str) -> None:
    for prefix in ("/", "/?", "/?a=", "http://a/", "a"):
        one = request(prefix + target)
        assert one.path == decode_path(split_target(one.target)[0])
        assert one.parameter(name.encode()) == one.query.get(name)


def test_a_parameter_has_a_name() -> None:
    with pytest.raises(TypeError, match="not None"):
        Request(HEAD).parameter(None)  # type: ignore[arg-type]


def test_derived_objects_are_kept_until_compact() -> None:
    one = Request(HEAD)
    headers, query, cookies = one.headers, one.query, one.cookies
    assert (one.headers, one.query, one.cookies) == (headers, query, cookies)
    assert one.headers is headers
    assert one.query is query
    assert one.cookies is cookies
    one.compact()
    assert one.headers is not headers
    assert (one.headers, one.query, one.cookies) == (headers, query, cookies)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b" / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.11\r\n\r\n",
    ],
)
def test_what_is_not_the_outline_of_a_head(head: bytes) -> None:
    with pytest.raises(ValueError, match="RFC 9112"):
        Request(head)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/a/b?c?d", "/a/b", "c?d"),
        ("//a", "//a", ""),
        ("/a#b?c", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("*", "*", ""),
        ("http://h", "/", ""),
        ("http://h?q", "/", "q"),
        ("http://h:1/p/q?r", "/p/q", "r"),
        ("http://h?a/b", "/", "a/b"),
        ("h:443", "", ""),
        ("/http://h/p", "/http://h/p", ""),
    ],
)
def test_forms_of_the_target(target: str, path: str, query: str) -> None:
    assert split_target(target) == (path, query)
    assert request(target).path == path
    assert request(target).query_string == query


def test_a_path_that_is_not_utf_8() -> None:
    assert request("/%ff%41%").path == "/\ufffdA%"
    assert request("/%ff%41%").target == "/%ff%41%"


def test_keep_alive() -> None:
    assert request().keep_alive
    assert not request("/", "Connection: close").keep_alive
    assert not request("/", "connection: Keep-Alive, CLOSE").keep_alive
    assert not request("/", "Connection: x", "Connection: close").keep_alive
    assert request("/", "Connection: disclose").keep_alive
    assert not request(version="1.0").keep_alive
    assert request("/", "Connection: Keep-Alive", version="1.0").keep_alive


def test_upgrade() -> None:
    wish = ["Connection: keep-alive, Upgrade", "Upgrade: WebSocket, h2c"]
    assert request("/", *wish).is_upgrade
    assert request("/", *wish).upgrade == "websocket, h2c"
    assert not request("/", *wish, version="1.0").is_upgrade
    assert not request("h:1", *wish, method="CONNECT").is_upgrade
    assert not request("/", wish[0]).is_upgrade
    assert not request("/", wish[1]).is_upgrade


def test_the_address_of_a_stream_is_asked_for_late() -> None:
    class Stream:
        peername = ("192.0.2.7", 7)

    stream = Stream()
    one = Request(HEAD, b"", stream)  # type: ignore[arg-type]
    stream.peername = ("192.0.2.8", 8)
    assert one.remote_address == ("192.0.2.8", 8)
    assert Request(HEAD, b"", "/run/socket").remote_address == "/run/socket"
    assert Request(HEAD).remote_address is None


def test_the_type_of_what_makes_a_request_is_checked() -> None:
    with pytest.raises(TypeError):
        Request(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Request(HEAD, "text")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        Request(HEAD).body = b""  # type: ignore[misc]


# Query


def test_query_of_several_values() -> None:
    query = Query("a=1&b=&c&a=2&=x&&%3D=%26&a%20b=c+d")
    assert dict(query) == {"a": "1", "b": "", "c": "", "": "x", "=": "&", "a b": "c d"}
    assert query.get_all("a") == ["1", "2"]
    assert query.get_all("nope") == []
    assert query.lists()["a"] == ["1", "2"]
    assert "a" in query
    assert query.get("nope") is None
    assert len(query) == 6
    assert repr(Query("a=1")) == "Query({'a': ['1']})"


def test_query_with_bytes_that_are_not_utf_8() -> None:
    assert dict(Query("a=%ff")) == {"a": "\ufffd"}


def test_changing_the_lists_does_not_change_the_query() -> None:
    query = Query("a=1")
    query.get_all("a").append("2")
    query.lists()["a"].append("2")
    assert query.get_all("a") == ["1"]


# Cookies


@pytest.mark.parametrize(
    ("text", "cookies"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c=3 ; d = 4", {"a": "1", "b": "2", "c": "3", "d": "4"}),
        ("a=1; a=2", {"a": "1"}),
        ('a="x y"; b="; c=""', {"a": "x y", "b": '"', "c": ""}),
        ("a; =b; ;; c=d=e", {"c": "d=e"}),
    ],
)
def test_cookies(text: str, cookies: dict[str, str]) -> None:
    assert parse_cookies(text) == cookies


# Headers are made natively; Headers itself is the oracle.


def test_a_line_that_is_a_mere_line_feed() -> None:
    with pytest.raises(ValueError, match="request line"):
        Request(b"\n\r\n\r\n")


names = st.text(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1
)
visible = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f").map(
        lambda character: " " if "\x7f" < character < "\xa0" else character
    )
)
common = st.sampled_from(["Host", "host", "Upgrade", "COOKIE", "Content-Length", "Connection"])


@given(st.lists(st.tuples(names | common, visible)))
def test_headers_as_headers_itself_makes_them(fields: list[tuple[str, str]]) -> None:
    one = request("/", *(f"{name}: {value}" for name, value in fields))
    expected = Headers.from_wire(
        (name.encode(), value.strip(" \t").encode("latin-1")) for name, value in fields
    )
    assert one.headers.items() == expected.items()
    assert one.headers.index() == expected.index()
    assert list(one.headers) == list(expected)

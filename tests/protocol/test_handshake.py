"""The opening handshake (RFC 6455 §4): each demand of the clause, for both roles."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol import errors, handshake
from cooee.protocol.headers import Extension, Headers
from cooee.protocol.urls import parse_websocket_url

# RFC 6455 §1.3
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

REQUEST = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
RESPONSE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT}


def changed(fields: dict[str, str], name: str, *values: str) -> Headers:
    """Return the fields with this one missing, other than it was, or repeated."""
    others = [(key, value) for key, value in fields.items() if key != name]
    return Headers(others + [(name, value) for value in values])


def test_accept_key() -> None:
    assert handshake.accept_key(KEY) == ACCEPT


def test_make_key() -> None:
    assert handshake.make_key(b"the sample nonce") == KEY
    with pytest.raises(ValueError, match="nonce of 15 bytes, 16 needed"):
        handshake.make_key(bytes(15))


# --- server ---------------------------------------------------------------------------------


def test_check_request() -> None:
    assert handshake.check_request("GET", "1.1", Headers(REQUEST)) == KEY


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Upgrade", ["WebSocket"]),
        ("Upgrade", ["h2c, websocket"]),
        ("Upgrade", ["h2c", "websocket"]),
        ("Connection", ["upgrade"]),
        ("Connection", ["keep-alive, Upgrade"]),  # Firefox
        ("Connection", ["keep-alive", "UPGRADE"]),
        ("Host", [""]),  # RFC 9112 §3.2
        ("Host", ["localhost:6080"]),
        ("Host", ["[::1]:6080"]),
        ("Host", ["EXAMPLE.com."]),
        ("Origin", ["null"]),
        ("Origin", []),
        ("Sec-WebSocket-Key", ["/" * 22 + "=="]),
    ],
)
def test_variants_of_a_valid_request(name: str, values: list[str]) -> None:
    fields = changed(REQUEST, name, *values)
    assert handshake.check_request("GET", "1.1", fields) == fields["Sec-WebSocket-Key"]


def test_later_versions_of_http() -> None:
    assert handshake.check_request("GET", "2", Headers(REQUEST)) == KEY


UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
VERSION = [("Sec-WebSocket-Version", "13")]
NO_FIELDS: list[tuple[str, str]] = []


@pytest.mark.parametrize("method", ["POST", "HEAD", "get", "CONNECT", ""])
def test_method_must_be_get(method: str) -> None:
    with pytest.raises(errors.HandshakeError, match="GET needed") as caught:
        handshake.check_request(method, "1.1", Headers(REQUEST))
    assert caught.value.status == 405
    assert list(caught.value.headers) == [("Allow", "GET")]


@pytest.mark.parametrize("version", ["0.9", "1.0"])
def test_http_must_be_1_1(version: str) -> None:
    with pytest.raises(errors.HandshakeError, match=rf"HTTP/{version}, at least") as caught:
        handshake.check_request("GET", version, Headers(REQUEST))
    assert caught.value.status == 426
    assert list(caught.value.headers) == UPGRADE


@pytest.mark.parametrize(
    ("name", "values", "status", "message", "answer"),
    [
        ("Upgrade", [], 426, "Upgrade is missing", UPGRADE),
        ("Upgrade", ["h2c"], 426, "Upgrade 'h2c' lacks 'websocket'", UPGRADE),
        ("Upgrade", ["websocket2"], 426, "lacks 'websocket'", UPGRADE),
        ("Upgrade", ["h2c", "x"], 426, "lacks 'websocket'", UPGRADE),
        ("Connection", [], 426, "Connection is missing", UPGRADE),
        ("Connection", ["keep-alive"], 426, "'keep-alive' lacks 'Upgrade'", UPGRADE),
        ("Host", [], 400, "Host is missing", NO_FIELDS),
        ("Host", ["a", "a"], 400, "Host given 2 times", NO_FIELDS),
        ("Host", ["a b"], 400, "Host 'a b' is malformed", NO_FIELDS),
        ("Host", ["a/b"], 400, "malformed", NO_FIELDS),
        ("Host", ["user@a"], 400, "malformed", NO_FIELDS),
        ("Sec-WebSocket-Version", [], 400, "Version is missing", VERSION),
        ("Sec-WebSocket-Version", ["13", "13"], 400, "Version given 2 times", VERSION),
        ("Sec-WebSocket-Version", ["8"], 426, "Version '8', 13 needed", UPGRADE + VERSION),
        ("Sec-WebSocket-Version", ["13, 8"], 426, "13 needed", UPGRADE + VERSION),
        ("Sec-WebSocket-Version", ["013"], 426, "13 needed", UPGRADE + VERSION),
        ("Sec-WebSocket-Version", [""], 426, "13 needed", UPGRADE + VERSION),
        ("Sec-WebSocket-Key", [], 400, "Key is missing", NO_FIELDS),
        ("Sec-WebSocket-Key", [KEY, KEY], 400, "Key given 2 times", NO_FIELDS),
        ("Sec-WebSocket-Key", [""], 400, "not base64 of 16 bytes", NO_FIELDS),
        ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25j"], 400, "not base64", NO_FIELDS),
        ("Sec-WebSocket-Key", [KEY[:-1]], 400, "not base64", NO_FIELDS),
        ("Sec-WebSocket-Key", ["!" + KEY[1:]], 400, "not base64", NO_FIELDS),
        ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZXg="], 400, "not base64", NO_FIELDS),
        ("Sec-WebSocket-Key", [f"{KEY}, {KEY}"], 400, "not base64", NO_FIELDS),
        ("Sec-WebSocket-Key", ["\xe9"], 400, "not base64", NO_FIELDS),
        ("Origin", ["http://a", "http://a"], 400, "Origin given more than once", NO_FIELDS),
    ],
)
def test_requests_that_are_refused(
    name: str, values: list[str], status: int, message: str, answer: list[tuple[str, str]]
) -> None:
    with pytest.raises(errors.HandshakeError, match=message) as caught:
        handshake.check_request("GET", "1.1", changed(REQUEST, name, *values))
    assert caught.value.status == status
    assert list(caught.value.headers) == answer
    assert "(RFC " in str(caught.value)


def test_long_garbage_is_not_repeated_in_full() -> None:
    fields = changed(REQUEST, "Sec-WebSocket-Key", "A" * 5000)
    with pytest.raises(errors.HandshakeError) as caught:
        handshake.check_request("M" * 5000, "1.1", fields)
    assert len(str(caught.value)) < 200
    with pytest.raises(errors.HandshakeError) as caught:
        handshake.check_request("GET", "1.1", fields)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("values", "protocols"),
    [
        ([], []),
        (["chat"], ["chat"]),
        (["chat, superchat"], ["chat", "superchat"]),
        (["chat", "superchat, Chat"], ["chat", "superchat", "Chat"]),
    ],
)
def test_offered_protocols(values: list[str], protocols: list[str]) -> None:
    fields = changed(REQUEST, "Sec-WebSocket-Protocol", *values)
    assert handshake.offered_protocols(fields) == protocols


@pytest.mark.parametrize("values", [[""], ["a b"], ["a, a"], ["a", "b, a"], ["a/b"]])
def test_offered_protocols_refuses(values: list[str]) -> None:
    fields = changed(REQUEST, "Sec-WebSocket-Protocol", *values)
    with pytest.raises(errors.HandshakeError, match="Sec-WebSocket-Protocol") as caught:
        handshake.offered_protocols(fields)
    assert caught.value.status == 400


def test_offered_extensions() -> None:
    assert handshake.offered_extensions(Headers(REQUEST)) == []
    fields = changed(REQUEST, "Sec-WebSocket-Extensions", "a; b=1", "c")
    assert handshake.offered_extensions(fields) == [("a", [("b", "1")]), ("c", [])]
    with pytest.raises(errors.HandshakeError, match="Sec-WebSocket-Extensions") as caught:
        handshake.offered_extensions(changed(REQUEST, "Sec-WebSocket-Extensions", "a;"))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        ([], ["a"], None),
        (["a"], [], None),
        (["a", "b"], ["b", "a"], "a"),
        (["x", "b"], ["a", "b"], "b"),
        (["A"], ["a"], None),
    ],
)
def test_select_protocol(offered: list[str], supported: list[str], chosen: str | None) -> None:
    assert handshake.select_protocol(offered, supported) == chosen


START = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)


def test_build_response() -> None:
    assert handshake.build_response(KEY) == START + b"\r\n"


def test_build_response_with_everything() -> None:
    response = handshake.build_response(
        KEY,
        protocol="chat",
        extensions=[("permessage-deflate", [("client_max_window_bits", "10")])],
        headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
    )
    assert response == START + (
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n"
        b"Set-Cookie: a=1\r\n"
        b"Set-Cookie: b=2\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("headers", [b"Server: x\r\n", Headers({"Server": "x"}), {"Server": "x"}])
def test_build_response_takes_headers_in_any_form(headers: bytes | Headers) -> None:
    assert handshake.build_response(KEY, headers=headers) == START + b"Server: x\r\n\r\n"


@pytest.mark.parametrize("protocol", ["", "a b", "a\r\nX: y", "é"])
def test_build_response_refuses_protocols_that_are_no_tokens(protocol: str) -> None:
    with pytest.raises(ValueError, match="not a token"):
        handshake.build_response(KEY, protocol=protocol)


RESERVED = [
    "Host",
    "UPGRADE",
    "connection",
    "Content-Length",
    "Transfer-Encoding",
    "Sec-WebSocket-Accept",
    "sec-websocket-anything",
]


@pytest.mark.parametrize("name", RESERVED)
def test_fields_of_the_handshake_cannot_be_given(name: str) -> None:
    with pytest.raises(ValueError, match="belongs to the handshake"):
        handshake.build_response(KEY, headers={name: "x"})
    with pytest.raises(ValueError, match="belongs to the handshake"):
        handshake.build_request(parse_websocket_url("ws://a"), KEY, headers=Headers({name: "x"}))


# --- client ---------------------------------------------------------------------------------


def request(url: str, key: str = KEY) -> list[str]:
    """Return the lines of a request for a URL."""
    return handshake.build_request(parse_websocket_url(url), key).decode().split("\r\n")


def test_build_request() -> None:
    assert handshake.build_request(parse_websocket_url("ws://localhost:6080/ws?a=1"), KEY) == (
        b"GET /ws?a=1 HTTP/1.1\r\n"
        b"Host: localhost:6080\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"\r\n"
    )


def test_build_request_with_everything() -> None:
    data = handshake.build_request(
        parse_websocket_url("wss://example.com"),
        KEY,
        protocols=["chat", "superchat"],
        extensions=[("permessage-deflate", [("client_max_window_bits", None)]), ("x", [])],
        origin="https://example.org",
        headers={"User-Agent": "test", "Cookie": "a=1"},
    )
    assert data.decode().split("\r\n") == [
        "GET / HTTP/1.1",
        "Host: example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        "Origin: https://example.org",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x",
        "User-Agent: test",
        "Cookie: a=1",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://a", "a"),
        ("ws://a:80", "a"),
        ("ws://a:443", "a:443"),
        ("wss://a:443", "a"),
        ("wss://a:80", "a:80"),
        ("ws://[::1]", "[::1]"),
        ("ws://[::1]:6080", "[::1]:6080"),
    ],
)
def test_host_leaves_out_the_default_port(url: str, host: str) -> None:
    assert request(url)[1] == f"Host: {host}"


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("ws://user:pass@a", "Basic dXNlcjpwYXNz"),
        ("ws://user@a", "Basic dXNlcjo="),
        ("ws://:pass@a", "Basic OnBhc3M="),
        ("ws://us%20er:p%C3%A9@a", "Basic dXMgZXI6cMOp"),
        ("ws://u:%FF@a", "Basic dTr/"),
    ],
)
def test_userinfo_becomes_basic_authentication(url: str, value: str) -> None:
    assert f"Authorization: {value}" in request(url)
    assert request(url)[1] == "Host: a"


def test_own_authorization_wins_over_userinfo() -> None:
    data = handshake.build_request(
        parse_websocket_url("ws://user:pass@a"), KEY, headers={"authorization": "Bearer x"}
    )
    assert b"authorization: Bearer x\r\n" in data
    assert b"Basic" not in data


def test_username_with_a_colon_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="username has a colon"):
        request("ws://a%3Ab:c@d")


def test_origin_twice_is_an_error() -> None:
    url = parse_websocket_url("ws://a")
    assert b"Origin: null\r\n" in handshake.build_request(url, KEY, headers={"Origin": "null"})
    with pytest.raises(ValueError, match="argument and as a header"):
        handshake.build_request(url, KEY, origin="http://a", headers={"Origin": "null"})


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        (None, []),
        ([], []),
        ("chat", ["chat"]),
        (["a", "b"], ["a", "b"]),
        (("a", "A"), ["a", "A"]),
        (iter(["a"]), ["a"]),
    ],
)
def test_validate_protocols(protocols: Sequence[str] | None, expected: list[str]) -> None:
    assert handshake.validate_protocols(protocols) == expected


@pytest.mark.parametrize(
    "protocols",
    ["", "a b", "a,b", "é", "a\r\n", ["a", ""], ["a", "b", "a"], ["\0"], ["a/b"], ["a\x7f"]],
)
def test_protocols_that_cannot_be_offered(protocols: str | list[str]) -> None:
    with pytest.raises(errors.SyntaxError, match=r"RFC 6455 §4\.1 item 10"):
        handshake.validate_protocols(protocols)
    with pytest.raises(errors.SyntaxError):
        handshake.build_request(parse_websocket_url("ws://a"), KEY, protocols=protocols)


@pytest.mark.parametrize(
    "fields",
    [
        Headers(RESPONSE),
        changed(RESPONSE, "Upgrade", "WebSocket"),
        changed(RESPONSE, "Connection", "keep-alive, upgrade"),
        changed(RESPONSE, "Connection", "keep-alive", "upgrade"),
        changed(RESPONSE, "Sec-WebSocket-Accept", f" {ACCEPT}\t"),
    ],
)
def test_check_response(fields: Headers) -> None:
    assert handshake.check_response(101, fields, KEY) == (None, [])


DEFLATE: Extension = ("permessage-deflate", [("client_max_window_bits", None)])


def test_check_response_returns_what_is_settled() -> None:
    fields = Headers(
        RESPONSE
        | {
            "Sec-WebSocket-Protocol": "b",
            "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits=10",
        }
    )
    negotiated = handshake.check_response(101, fields, KEY, ["a", "b"], [DEFLATE, DEFLATE])
    assert negotiated.protocol == "b"
    assert negotiated.extensions == [("permessage-deflate", [("client_max_window_bits", "10")])]


def test_no_subprotocol_is_refused_only_where_asked() -> None:
    fields = Headers(RESPONSE)
    assert handshake.check_response(101, fields, KEY, ["a"]).protocol is None
    assert handshake.check_response(101, fields, KEY, [], require_protocol=True).protocol is None
    with pytest.raises(errors.HandshakeError, match="none of the subprotocols"):
        handshake.check_response(101, fields, KEY, ["a"], require_protocol=True)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("Upgrade", [], "Upgrade None"),
        ("Upgrade", ["h2c"], "Upgrade 'h2c', 'websocket' needed"),
        ("Upgrade", ["websocket, h2c"], "'websocket' needed"),
        ("Upgrade", ["websocket", "websocket"], "'websocket' needed"),
        ("Connection", [], "Connection None lacks"),
        ("Connection", ["close"], "'close' lacks 'Upgrade'"),
        ("Sec-WebSocket-Accept", [], f"Accept None, '{ACCEPT[:-1]}.' needed".replace("+", ".")),
        ("Sec-WebSocket-Accept", [ACCEPT.lower()], "needed"),
        ("Sec-WebSocket-Accept", [ACCEPT, ACCEPT], "needed"),
        ("Sec-WebSocket-Protocol", ["c"], "subprotocol 'c' was not offered"),
        ("Sec-WebSocket-Protocol", ["A"], "subprotocol 'A' was not offered"),
        ("Sec-WebSocket-Protocol", [""], "subprotocol '' was not offered"),
        ("Sec-WebSocket-Protocol", ["a, b"], "subprotocol 'a, b' was not offered"),
        ("Sec-WebSocket-Protocol", ["a", "a"], "Sec-WebSocket-Protocol given more than once"),
        ("Sec-WebSocket-Extensions", ["y"], "extension 'y' was not offered"),
        ("Sec-WebSocket-Extensions", ["x, x"], "extension 'x' was not offered, or is chosen twice"),
        ("Sec-WebSocket-Extensions", ["x", "x"], "Extensions given more than once"),
        ("Sec-WebSocket-Extensions", ["x;"], "Extensions: list of extensions is malformed"),
        ("Sec-WebSocket-Extensions", [""], "Extensions: empty list"),
    ],
)
def test_responses_that_are_refused(name: str, values: list[str], message: str) -> None:
    fields = changed(RESPONSE, name, *values)
    with pytest.raises(errors.HandshakeError, match=message) as caught:
        handshake.check_response(101, fields, KEY, ["a", "b"], [("x", [])])
    assert caught.value.status == 101
    assert list(caught.value.headers) == fields.items()


@pytest.mark.parametrize("status", [100, 200, 204, 301, 401, 404, 426, 500])
def test_other_statuses(status: int) -> None:
    fields = changed(RESPONSE, "Location", "/elsewhere")
    with pytest.raises(errors.HandshakeError, match=f"HTTP status {status}, 101") as caught:
        handshake.check_response(status, fields, KEY)
    assert caught.value.status == status
    assert ("Location", "/elsewhere") in caught.value.headers


# --- the two together -----------------------------------------------------------------------


def parse(message: bytes) -> tuple[str, Headers]:
    """Return first line and headers, as plainly as can be."""
    head, _, rest = message.partition(b"\r\n\r\n")
    assert rest == b""
    line, *fields = head.split(b"\r\n")
    pairs = [field.split(b": ", 1) for field in fields]
    return line.decode(), Headers.from_wire([(name, value) for name, value in pairs])


@given(
    st.binary(min_size=16, max_size=16),
    st.lists(st.sampled_from(["a", "b", "c"]), unique=True),
    st.lists(st.sampled_from(["x", "y"]), unique=True),
)
def test_client_and_server_agree(nonce: bytes, protocols: list[str], names: list[str]) -> None:
    extensions: list[Extension] = [(name, [("p", None)]) for name in names]
    key = handshake.make_key(nonce)
    url = parse_websocket_url("ws://localhost:6080/ws")
    line, fields = parse(
        handshake.build_request(url, key, protocols=protocols, extensions=extensions)
    )
    method, target, version = line.split(" ")
    assert target == "/ws"
    assert handshake.check_request(method, version.removeprefix("HTTP/"), fields) == key
    assert handshake.offered_protocols(fields) == protocols
    assert handshake.offered_extensions(fields) == extensions

    chosen = handshake.select_protocol(protocols, ["b", "c"])
    response = handshake.build_response(key, protocol=chosen, extensions=extensions[:1])
    line, fields = parse(response)
    assert line == "HTTP/1.1 101 Switching Protocols"
    assert handshake.check_response(101, fields, key, protocols, extensions) == (
        chosen,
        extensions[:1],
    )


NAMES = [*REQUEST, *RESPONSE, "Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"]
VALUES = st.sampled_from([*REQUEST.values(), *RESPONSE.values(), "a"]) | st.text('a,;= "\xe9')


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES)))
def test_only_handshake_errors_escape(pairs: list[tuple[str, str]]) -> None:
    fields = Headers(list(REQUEST.items()) + list(RESPONSE.items())[2:] + pairs)
    for check in (
        lambda: handshake.check_request("GET", "1.1", fields),
        lambda: handshake.offered_protocols(fields),
        lambda: handshake.offered_extensions(fields),
        lambda: handshake.check_response(101, fields, KEY, ["a"], [("a", [])]),
    ):
        try:
            check()
        except errors.HandshakeError as exc:
            status = exc.status
            assert status in (101, 400, 426)

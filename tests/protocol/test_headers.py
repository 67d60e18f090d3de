"""The case-insensitive multi-dict and the list syntaxes (RFC 9110 §5, RFC 6455 §9.1)."""

import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol import headers
from cooee.protocol.headers import Extension, Headers

PAIRS = [("Host", "a"), ("Cookie", "x=1"), ("HOST", "b"), ("X-One", "1"), ("host", "c")]


def test_lookups_ignore_case() -> None:
    fields = Headers(PAIRS)
    for name in ("Host", "host", "hOsT"):
        assert fields.get(name) == fields[name] == "a"
        assert fields.get_all(name) == ["a", "b", "c"]
        assert name in fields
    assert fields["cookie"] == "x=1"
    assert fields.get_all("COOKIE") == ["x=1"]


def test_missing_names() -> None:
    fields = Headers(PAIRS)
    assert fields.get("nope") is None
    assert fields.get("nope", "default") == "default"
    assert fields.get_all("nope") == []
    assert fields.get_combined("nope") is None
    assert "nope" not in fields
    assert 5 not in fields
    with pytest.raises(KeyError):
        fields["nope"]
    with pytest.raises(KeyError):
        del fields["nope"]


def test_order_and_case_are_kept() -> None:
    fields = Headers(PAIRS)
    assert fields.items() == PAIRS
    assert fields.values() == ["a", "x=1", "b", "1", "c"]
    assert fields.keys() == list(fields) == ["Host", "Cookie", "X-One"]
    assert len(fields) == 3
    assert dict(fields) == {"Host": "a", "Cookie": "x=1", "X-One": "1"}
    assert repr(Headers({"A": "b"})) == "Headers([('A', 'b')])"


def test_combined() -> None:
    assert Headers(PAIRS).get_combined("host") == "a, b, c"
    assert Headers(PAIRS).get_combined("Cookie") == "x=1"


@pytest.mark.parametrize(
    "source", [None, [], {}, (), iter(()), Headers()], ids=lambda source: type(source).__name__
)
def test_empty(source: Iterable[tuple[str, str]] | None) -> None:
    fields = Headers(source)
    assert not fields
    assert (len(fields), fields.items(), fields.serialize()) == (0, [], b"")


@pytest.mark.parametrize(
    "source",
    [
        {"A": "1", "B": "2"},
        [("A", "1"), ("B", "2")],
        iter([("A", "1"), ("B", "2")]),
        Headers({"A": "1", "B": "2"}),
    ],
    ids=lambda source: type(source).__name__,
)
def test_construction(source: Iterable[tuple[str, str]]) -> None:
    assert Headers(source).items() == [("A", "1"), ("B", "2")]


def test_copies_are_independent() -> None:
    first = Headers(PAIRS)
    second = first.copy()
    second.add("New", "1")
    del second["Host"]
    assert first.items() == PAIRS
    assert "New" not in first


def test_get_all_gives_a_list_of_its_own() -> None:
    fields = Headers(PAIRS)
    fields.get_all("Host").clear()
    assert fields.get_all("Host") == ["a", "b", "c"]


def test_changes_show_after_a_lookup() -> None:
    fields = Headers({"A": "1"})
    assert fields.get_all("a") == ["1"]
    fields.add("a", "2")
    assert fields.get_all("a") == ["1", "2"]
    fields.extend({"A": "3", "B": "4"})
    assert fields.get_all("a") == ["1", "2", "3"]
    fields.extend(Headers({"B": "5"}))
    assert fields.get_all("b") == ["4", "5"]
    fields["C"] = "6"
    assert fields["c"] == "6"
    del fields["A"]
    assert "a" not in fields


def test_setting_replaces_the_first_and_drops_the_others() -> None:
    fields = Headers(PAIRS)
    fields["hOST"] = "z"
    assert fields.items() == [("hOST", "z"), ("Cookie", "x=1"), ("X-One", "1")]
    fields["new"] = "y"
    assert fields.items()[-1] == ("new", "y")


def test_setdefault() -> None:
    fields = Headers({"A": "1"})
    assert fields.setdefault("a", "2") == "1"
    assert fields.setdefault("b", "3") == "3"
    assert fields.items() == [("A", "1"), ("b", "3")]


def test_deleting_drops_every_field_of_the_name() -> None:
    fields = Headers(PAIRS)
    del fields["host"]
    assert fields.items() == [("Cookie", "x=1"), ("X-One", "1")]


def test_equality() -> None:
    assert Headers({"A": "1", "B": "2"}) == Headers({"b": "2", "a": "1"})
    assert Headers([("A", "1"), ("A", "2")]) != Headers([("A", "2"), ("A", "1")])
    assert Headers({"A": "1"}) != {"A": "1"}
    with pytest.raises(TypeError):
        hash(Headers())


def test_from_wire() -> None:
    fields = Headers.from_wire(
        [(b"Host", b"h"), (b"sec-websocket-key", b"k \t"), (b"X-\xe9", b"caf\xe9"), (b"E", b"")]
    )
    assert fields.items() == [("Host", "h"), ("sec-websocket-key", "k"), ("X-é", "café"), ("E", "")]
    assert fields["Sec-WebSocket-Key"] == "k"


def test_from_wire_shares_the_names_of_handshakes() -> None:
    first, second = (Headers.from_wire([(b"Sec-WebSocket-Key", b"k")]) for _ in range(2))
    assert first.items()[0][0] is second.items()[0][0]


def test_index_is_what_lookups_use() -> None:
    assert Headers(PAIRS).index() == {"host": ["a", "b", "c"], "cookie": "x=1", "x-one": "1"}


def test_serialize() -> None:
    fields = Headers([("Host", "a"), ("X", "caf\xe9\t!"), ("X", "")])
    assert fields.serialize() == b"Host: a\r\nX: caf\xe9\t!\r\nX: \r\n"


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\nb", "a\0", "(a)", 'a"', "a\n"])
def test_names_must_be_tokens(name: str) -> None:
    for change in (
        lambda: Headers({name: "v"}),
        lambda: Headers().add(name, "v"),
        lambda: Headers().__setitem__(name, "v"),
        lambda: Headers().setdefault(name, "v"),
        lambda: Headers().extend([(name, "v")]),
    ):
        with pytest.raises(ValueError, match=r"not a token \(RFC 9110"):
            change()


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0", "\x7f", "\x1b", "☃", "a\n"])
def test_values_must_fit_into_a_line(value: str) -> None:
    for change in (
        lambda: Headers({"A": value}),
        lambda: Headers().add("A", value),
        lambda: Headers().__setitem__("A", value),
    ):
        with pytest.raises(ValueError, match="value of header A"):
            change()


FIELDS = st.lists(
    st.tuples(st.sampled_from(["A", "a", "B", "b", "C-1"]), st.text("xyz\xe9 \t", max_size=3)),
    max_size=8,
)


@given(FIELDS)
def test_agrees_with_a_plain_search(pairs: list[tuple[str, str]]) -> None:
    fields = Headers(pairs)
    for name in ("A", "b", "c-1", "d"):
        found = [value for key, value in pairs if key.lower() == name.lower()]
        assert fields.get_all(name) == found
        assert fields.get(name) == (found[0] if found else None)
        assert (name in fields) == bool(found)
        assert fields.get_combined(name) == (", ".join(found) if found else None)
    assert len(fields) == len({key.lower() for key, _ in pairs})


@given(FIELDS)
def test_serialized_fields_come_back(pairs: list[tuple[str, str]]) -> None:
    lines = Headers(pairs).serialize().split(b"\r\n")[:-1]
    wire = [tuple(line.split(b": ", 1)) for line in lines]
    again = Headers.from_wire(wire)  # type: ignore[arg-type]
    assert again.items() == [(name, value.rstrip(" \t")) for name, value in pairs]


# --- lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "token", "expected"),
    [
        ("Upgrade", "upgrade", True),
        ("keep-alive, Upgrade", "upgrade", True),
        ("keep-alive,UPGRADE ,\tx", "upgrade", True),
        (" , ,upgrade", "upgrade", True),
        ("upgraded", "upgrade", False),
        ("upgrade/1", "upgrade", False),
        ("keep-alive upgrade", "upgrade", False),
        ("", "upgrade", False),
    ],
)
def test_has_token(value: str, token: str, expected: bool) -> None:
    assert headers.has_token(value, token) is expected


def test_is_token() -> None:
    characters = [chr(i) for i in range(0x180) if headers.is_token(chr(i))]
    assert "".join(characters) == (
        "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
    )
    assert headers.is_token("chat.v2")
    assert not headers.is_token("")
    assert not headers.is_token("a\n")


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("chat", ["chat"]),
        ("chat, superchat", ["chat", "superchat"]),
        ("a,b ,\tc", ["a", "b", "c"]),
        (",a,,b,", ["a", "b"]),
        ("a, a", ["a", "a"]),
    ],
)
def test_parse_tokens(value: str, tokens: list[str]) -> None:
    assert headers.parse_tokens(value) == tokens


@pytest.mark.parametrize("value", ["", " ", ",", "a b", "a, b/c", '"a"', "é", "a;b"])
def test_parse_tokens_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="RFC 9110"):
        headers.parse_tokens(value)


EXTENSIONS: list[tuple[str, list[Extension]]] = [
    ("foo", [("foo", [])]),
    ("foo, bar", [("foo", []), ("bar", [])]),
    ("foo; a; b=2", [("foo", [("a", None), ("b", "2")])]),
    (
        "permessage-deflate; client_max_window_bits; server_max_window_bits=10, "
        "permessage-deflate; client_max_window_bits",
        [
            (
                "permessage-deflate",
                [("client_max_window_bits", None), ("server_max_window_bits", "10")],
            ),
            ("permessage-deflate", [("client_max_window_bits", None)]),
        ],
    ),
]


@pytest.mark.parametrize(("value", "extensions"), EXTENSIONS)
def test_extensions_both_ways(value: str, extensions: list[Extension]) -> None:
    assert headers.parse_extensions(value) == extensions
    assert headers.format_extensions(extensions) == value


@pytest.mark.parametrize(
    ("value", "extensions"),
    [
        ('foo; a="b"', [("foo", [("a", "b")])]),
        (r'foo; a="\b\c"', [("foo", [("a", "bc")])]),
        ("  foo ;a = b\t,\tbar", [("foo", [("a", "b")]), ("bar", [])]),
        (",, foo,,bar ,", [("foo", []), ("bar", [])]),
        ("foo;a;a=1", [("foo", [("a", None), ("a", "1")])]),
    ],
)
def test_other_spellings_of_extensions(value: str, extensions: list[Extension]) -> None:
    assert headers.parse_extensions(value) == extensions


@pytest.mark.parametrize(
    "value",
    [
        "",
        " , ,",
        "foo bar",
        "foo;",
        "foo; ;",
        "foo; a=",
        "foo; =1",
        "foo; a=1 2",
        "foo; a==1",
        'foo; a="',
        'foo; a="b',
        'foo; a="\\',
        'foo; a=""',
        'foo; a="b c"',
        'foo; a="b,c"',
        'foo; a="b"c',
        'foo; a=b"c"',
        ";foo",
        "foo/1",
        "é",
        "foo, b@r",
    ],
)
def test_malformed_extensions(value: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 6455 §9\.1"):
        headers.parse_extensions(value)


@pytest.mark.parametrize(
    "extension",
    [("a b", []), ("", []), ("a", [("b c", None)]), ("a", [("b", "c,d")]), ("a", [("b", "")])],
)
def test_extensions_that_cannot_be_formatted(extension: Extension) -> None:
    with pytest.raises(ValueError, match="not a token"):
        headers.format_extensions([extension])


TOKENS = st.text("ab1-!", min_size=1, max_size=4)


@given(
    st.lists(
        st.tuples(TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=3)),
        min_size=1,
        max_size=4,
    )
)
def test_formatted_extensions_come_back(extensions: list[Extension]) -> None:
    assert headers.parse_extensions(headers.format_extensions(extensions)) == extensions


@given(st.text('ab;=," \t\\é'))
def test_only_value_errors_escape(value: str) -> None:
    for parse in (headers.parse_extensions, headers.parse_tokens):
        with contextlib.suppress(ValueError):
            assert parse(value)

"""HTTP Basic authentication (RFC 7617)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol.authorization import build_basic_auth, parse_basic_auth


@pytest.mark.parametrize(
    ("username", "password", "value"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 §2
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),  # RFC 7617 §2.1
        ("", "", "Basic Og=="),
        ("a", "b:c", "Basic YTpiOmM="),
    ],
)
def test_both_ways(username: str, password: str, value: str) -> None:
    assert build_basic_auth(username, password) == value
    assert parse_basic_auth(value) == (username, password)


@pytest.mark.parametrize(
    ("username", "password", "message"),
    [
        ("a:b", "c", "username has a colon"),
        ("a\n", "c", "control character"),
        ("a", "\0", "control character"),
        ("a", "\x7f", "control character"),
    ],
)
def test_refuses_what_cannot_be_sent(username: str, password: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"{message}.*\(RFC 7617 §2\)"):
        build_basic_auth(username, password)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Bearer Og==",
        "BasicOg==",
        "Basic Og",  # padding is missing
        "Basic O!g==",
        "Basic é",
        "Basic Og== Og==",
        "Basic YWJj",  # no colon
    ],
)
def test_malformed_values_are_none(value: str | None) -> None:
    assert parse_basic_auth(value) is None


def test_scheme_ignores_case_and_spaces_around() -> None:
    assert parse_basic_auth(" bAsIc   Og==\t") == ("", "")


def test_credentials_that_are_not_utf8() -> None:
    value = "Basic " + base64.b64encode(b"caf\xe9:x").decode()
    assert parse_basic_auth(value) == ("café", "x")
    assert build_basic_auth("caf\udce9", "x") == value


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":")),
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
)
def test_credentials_come_back(username: str, password: str) -> None:
    assert parse_basic_auth(build_basic_auth(username, password)) == (username, password)

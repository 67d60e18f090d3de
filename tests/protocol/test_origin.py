"""Origin policies (RFC 6455 §4.2.2 and §10.2)."""

import re

import pytest

from cooee.protocol.origin import SAME_ORIGIN, OriginPolicy, origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "example.com", True),
        (None, None, True),
        ("http://example.com", "example.com", True),
        ("http://example.com:6080", "example.com:6080", True),
        ("HTTP://Example.COM", "eXample.com", True),
        ("ws://example.com", "example.com", True),
        ("http://example.com", "example.com:80", True),
        ("http://example.com:80", "example.com", True),
        ("https://example.com", "example.com", True),
        ("https://example.com", "example.com:443", True),
        ("https://example.com:443", "example.com", True),
        ("wss://example.com", "example.com:443", True),
        ("http://[::1]:6080", "[::1]:6080", True),
        ("http://[::1]", "[::1]:80", True),
        ("http://example.com", None, False),
        ("http://example.com", "example.org", False),
        ("http://example.com", "example.com:6080", False),
        ("http://example.com:6080", "example.com", False),
        ("http://example.com:6080", "example.com:6081", False),
        ("http://example.com", "example.com:443", False),
        ("https://example.com", "example.com:80", False),
        ("http://sub.example.com", "example.com", False),
        ("http://example.com.evil", "example.com", False),
        ("http://[::1]:6080", "[::1]", False),
        ("http://[::2]", "[::1]", False),
        ("null", "example.com", False),
        ("null", "null", False),
        ("", "", False),
        ("http://", "", False),
        ("example.com", "example.com", False),
        ("file://", "", False),
        ("file://example.com", "example.com", False),
        ("chrome-extension://abc", "abc", False),
        ("http://a:b", "a:b:80", False),
        ("http://example.com:x", "example.com", False),
    ],
)
def test_same_origin(origin: str | None, host: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, host) is allowed
    assert origin_allowed(origin, host, SAME_ORIGIN) is allowed


LISTED: list[str | re.Pattern[str] | None] = [
    "https://example.com",
    "http://localhost:8000/",
    "chrome-extension://abc",
    "null",
    re.compile(r"https://[a-z]+\.example\.net(:\d+)?"),
]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://example.com", True),
        ("https://EXAMPLE.com:443", True),
        ("wss://example.com", True),
        ("http://example.com", False),
        ("https://example.com:444", False),
        ("https://example.com.evil", False),
        ("http://localhost:8000", True),
        ("http://localhost:8001", False),
        ("chrome-extension://abc", True),
        ("chrome-extension://abcd", False),
        ("null", True),
        ("https://a.example.net", True),
        ("https://a.example.net:8443", True),
        ("https://a.example.net.evil", False),
        ("https://evil?https://a.example.net", False),
        (None, False),
    ],
)
def test_list(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, "ignored", LISTED) is allowed


def test_none_in_a_list_lets_in_those_that_send_no_origin() -> None:
    policy = ["https://example.com", None]
    assert origin_allowed(None, "h", policy)
    assert origin_allowed("https://example.com", "h", policy)
    assert not origin_allowed("https://example.org", "h", policy)


def test_everyone() -> None:
    for origin in (None, "null", "https://example.org"):
        assert origin_allowed(origin, "h", "*")


def test_callable() -> None:
    seen = []

    def policy(origin: str | None) -> bool:
        seen.append(origin)
        return origin == "a"

    assert origin_allowed("a", "h", policy)
    assert not origin_allowed(None, "h", policy)
    assert seen == ["a", None]


def test_a_single_origin_is_no_policy() -> None:
    policy: OriginPolicy = "https://example.com"
    with pytest.raises(ValueError, match="a list of origins"):
        origin_allowed("https://example.com", "example.com", policy)

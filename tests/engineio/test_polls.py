"""What requests of sessions that poll mean, taken in C and split naively."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engineio.polls import LIMIT, SID, Protocol, Result, expected, parameter, post

from cooee.http import Request

pytestmark = pytest.mark.once

GOOD = {4: f"/?EIO=4&transport=polling&sid={SID}", 3: f"/?transport=polling&sid={SID}"}
BODIES = st.lists(
    st.sampled_from(
        [b"4", b"4a", b"b", b"AQ==", b"\x1e", b"1", b"2", b"3", b"6", b"9", b"x", b"\0", b"\xff"]
        + [b"1:4", b"2:4a", b"0:", b"\0\1\xff4", b"\1\2\xff\4a", "é".encode(), "🦘".encode()]
        + [b"4" + b"z" * (LIMIT // 2)]
    ),
    max_size=8,
).map(b"".join)
# What has no place in a request line is the parser's to refuse.
PIECES = st.sampled_from(
    ["EIO", "sid", "transport", "polling", SID, "4", "3", "=", "=", "&", "&", "?", "%", "%73id"]
    + ["%3D", "%26", "%00", "%FF", "+", ";", "/", "EIO=4", "transport=polling", f"sid={SID}"]
    + [f"&EIO=4&transport=polling&sid={SID}"]
)
TARGETS = st.lists(PIECES, max_size=10).map(lambda pieces: "/?" + "".join(pieces))
# Also what the parser does not let through, but Request is given by whoever makes one.
ANY = st.lists(PIECES | st.sampled_from(["#", "\0", "\x7f", "\x80", "\xff", "a" * 9000]))


@given(BODIES, st.sampled_from([3, 4]), st.booleans())
def test_payloads(body: bytes, protocol: Protocol, binary: bool) -> None:
    target = GOOD[protocol]
    found = post(target, body, protocol=protocol, binary=binary)
    assert found == expected(target, body, protocol=protocol, binary=binary)


@given(TARGETS, st.sampled_from([3, 4]))
def test_targets(target: str, protocol: Protocol) -> None:
    body = b"1:4" if protocol == 3 else b"4"
    assert post(target, body, protocol=protocol) == expected(target, body, protocol=protocol)


@given(ANY.map(lambda pieces: "/" + "".join(pieces)), st.sampled_from(["EIO", "sid", "a", "id"]))
def test_parameters(target: str, name: str) -> None:
    request = Request(f"GET {target} HTTP/1.1\r\n\r\n".encode("latin-1"))
    assert request.parameter(name.encode()) == parameter(target, name)
    assert request.query.get(name) == parameter(target, name)


@pytest.mark.parametrize(
    ("size", "result"),
    [
        (LIMIT - 1, Result(200, ["x" * (LIMIT - 2)], True)),
        (LIMIT, Result(200, ["x" * (LIMIT - 1)], True)),
        (LIMIT + 1, Result(413, [], True)),
    ],
)
def test_a_payload_at_the_limit(size: int, result: Result) -> None:
    assert post(GOOD[4], b"4" + b"x" * (size - 1), protocol=4) == result

"""
POSTs of sessions that poll, taken in C, against a naive reading of their targets and bodies.

Usage: python fuzz/fuzz_polls.py [seconds [seed]]
"""

import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz import harness  # noqa: E402

with harness.instrumented():
    from tests.engineio.polls import LIMIT, SID, Protocol, expected, parameter, post

    from cooee.http import Request

PROTOCOLS: tuple[Protocol, ...] = (3, 4)
NAMES = ["EIO", "transport", "sid", "si", "a"]
# Of a query: nothing that the parser refuses in a request line.
PARTS = [
    *("EIO=4", "EIO=3", "EIO", "transport=polling", "transport=", f"sid={SID}", "sid=", "sid=x"),
    *("%73id", f"sid={SID}%00", "&", "&", "=", "?", "%", "%3", "%ff", "%26", "+", ";", "/", "a=b"),
]
PIECES = [
    *(b"4", b"4hello", b"b", b"bAQID", b"bAA==", b"4\xe2\x82\xac", b"\x1e4", b"0", b"1", b"2"),
    *(b"3", b"5", b"6", b"7", b":", b"0:", b"1:4", b"2:4a", b"5:", b"\0\1\xff4", b"\1\2\xff\4a"),
    *(b"\xff", b"\0", b"\xc3\xa9", b"\xf0\x9f\xa6\x98", b"\xed\xa0\x80", b"z" * (LIMIT - 8)),
]


def requests(rng: Random) -> None:
    """A POST has the status, the messages and the end that are due."""
    protocol = rng.choice(PROTOCOLS)
    parts = ["EIO=4"] * (protocol == 4) + ["transport=polling", f"sid={SID}"]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 4])):
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(PARTS))
    target = "/?" + rng.choice(["&", "&", "&", "&", ""]).join(parts)
    separator = rng.choice([b"\x1e", b"\x1e", b""]) if protocol == 4 else b""
    body = bytearray(separator.join(rng.choices(PIECES, k=rng.choice([1, 1, 2, 3, 8]))))
    if body and rng.random() < 0.3:
        body[rng.randrange(len(body))] = rng.randrange(256)
    binary = rng.random() < (0.5 if protocol == 3 else 0.1)
    found = post(target, bytes(body), protocol=protocol, binary=binary)
    due = expected(target, bytes(body), protocol=protocol, binary=binary)
    assert found == due, f"POST {target} with {bytes(body)!r}: {found}, due is {due}"


def parameters(rng: Random) -> None:
    """A target says the same however it is read."""
    target = bytearray(b"/" + "".join(rng.choices([*PARTS, "#"], k=rng.randrange(12))).encode())
    if rng.random() < 0.5:
        # Anything but what ends a target.
        target.insert(rng.randint(1, len(target)), rng.choice([0, 9, 11, 33, 127, 128, 255]))
    text = target.decode("latin-1")
    request = Request(b"GET " + target + b" HTTP/1.1\r\n\r\n")
    for name in NAMES:
        values = {request.parameter(name.encode()), request.query.get(name), parameter(text, name)}
        assert len(values) == 1, f"{name} of {text!r}: {values}"


def target(rng: Random) -> None:
    """One of them."""
    rng.choice([requests, parameters])(rng)


if __name__ == "__main__":
    harness.main(target)

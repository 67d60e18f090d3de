"""
Feed mutated requests to HttpConnection: `python fuzz/fuzz_http.py [seconds [seed]]`.

Each input goes in twice, whole and in random pieces. Nothing may escape or be logged as an error;
what comes out must be well-formed responses; both runs must see the same requests, and the same
answers but for the reason of a rejection (which limit or fault is met first depends on the
pieces); and when the client has closed, nothing may be left, no timer either.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.http.links import MemoryLink, parse_answers  # noqa: E402

from cooee.http import HttpConnection, HttpLimits, Request, Response  # noqa: E402

HOST = b"Host: example.com\r\n"
SEEDS = [
    b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD /a%20b?c=d&e HTTP/1.1\r\n" + HOST + b"Cookie: a=b; c\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 11\r\n\r\nhello world",
    b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nT: x\r\n\r\n",
    b"PUT / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
]
TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\r\n\r\n", b"0\r\n\r\n"),
    *(b"\xff", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"-1", b"99999999999999999999", b"\x16\x03"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"A: " + b"b" * 300 + b"\r\n"),
    *(b"a" * 300, b"gzip, ", b"PRI * HTTP/2.0\r\n\r\n"),
]
LIMITS = HttpLimits(max_request_line=200, max_header_size=400, max_headers=12, max_body_size=64)


class Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def mutate(rng: random.Random) -> bytes:
    """Some valid requests with some mistakes."""
    data = bytearray(b"".join(rng.choices(SEEDS, k=rng.randint(1, 4))))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at:at] = rng.choice(TOKENS)
            case 1:
                del data[at : at + rng.choice((1, 1, 2, 10))]
            case 2:
                data[at : at + 1] = rng.randbytes(1)
            case 3:
                data[at : at + 1] = rng.choice(TOKENS)
            case 4:
                start = rng.randrange(len(data) + 1)
                data[at:at] = data[start : start + rng.randint(1, 40)]
            case _:
                if at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def run(pieces: list[bytes], late: bool) -> tuple[list[tuple[object, ...]], list[int]]:
    """What the application saw, and the statuses of the answers."""
    seen: list[tuple[object, ...]] = []
    waiting: list[Request] = []
    methods: list[str] = []

    def on_request(connection: HttpConnection, request: Request) -> None:
        methods.append(request.method)
        seen.append(
            (
                *(request.method, request.target, request.http_version, request.body),
                *(request.path, dict(request.query), request.cookies, request.headers.items()),
                *(request.is_upgrade, request.upgrade, request.keep_alive),
            )
        )
        if late:
            waiting.append(request)
        else:
            connection.respond(request, Response(200, "ok"))

    link = MemoryLink(on_request, limits=LIMITS)
    for piece in pieces:
        link.send(piece)
        while waiting:
            link.connection.respond(waiting.pop(), Response(200, "ok"))
            link.reactor.run()
    link.stream.peer_ends()
    assert link.stream.told_lost, "the connection stays open"
    assert link.reactor.active_timers == [], "a timer is left"
    # "100 Continue" has no place among the answers to the requests.
    received = bytes(link.received).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    heads = frozenset(i for i, method in enumerate(methods) if method == "HEAD")
    answers, rest = parse_answers(received, heads)
    assert rest == b"", f"no response: {rest!r}"
    statuses = [answer.status for answer in answers]
    assert statuses[: len(seen)] == [200] * len(seen)
    assert len(statuses) <= len(seen) + 1
    for answer in answers[len(seen) :]:
        assert 400 <= answer.status <= 505
        assert answer.headers["connection"] == "close"
    return seen, statuses


def main(seconds: float = 10, seed: int | None = None) -> None:
    """Go on for so many seconds."""
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    errors = Errors()
    logging.getLogger("cooee").addHandler(errors)
    logging.getLogger("cooee").propagate = False
    end = time.monotonic() + seconds
    count = rejected = 0
    while time.monotonic() < end:
        rng = random.Random(seed + count)
        count += 1
        data = mutate(rng)
        cuts = sorted(rng.choices(range(len(data) + 1), k=rng.choice((1, 3, 10))))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        try:
            whole = run([data], late=False)
            split = run(pieces, late=rng.random() < 0.5)
            by_byte = run([data[i : i + 1] for i in range(len(data))], late=False)
            assert whole[0] == split[0] == by_byte[0], "pieces make different requests"
            assert len(whole[1]) == len(split[1]) == len(by_byte[1]), "pieces make other answers"
            assert not errors.records, errors.records[0].getMessage()
        except BaseException:
            print(f"input {count} of seed {seed}: {data!r}")
            raise
        rejected += len(whole[1]) > len(whole[0])
    print(f"{count} inputs, {rejected} rejected, no fault")


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 10,
        int(sys.argv[2]) if len(sys.argv) > 2 else None,
    )

"""
Every way to break RFC 6455 that a stream of frames has: the close code, the clause that the message
names, and the byte at which the connection fails.

Each stream is fed whole and byte by byte, alone and behind valid frames. The oracle is asked too.
"""

from typing import NamedTuple

import pytest
from tests.protocol import streams
from tests.protocol.oracle import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from tests.protocol.streams import Frame
from tests.protocol.test_utf8 import INVALID, UNFINISHED

from cooee.protocol.decoder import Decoder
from cooee.protocol.errors import ProtocolError

pytestmark = pytest.mark.once

KEY = bytes.fromhex("37fa213d")
DATA = {"continuation": CONTINUATION, "text": TEXT, "binary": BINARY}
CONTROL = {"close": CLOSE, "ping": PING, "pong": PONG}


class Case(NamedTuple):
    """
    A violation.

    Attributes:
        frames: What the peer sends, masked as the role wants it; the last one is at fault.
        code: Close code.
        says: What the message contains, besides the clause.
        clause: The clause that it names.
        byte: Of the last frame, the byte at which it fails, counted from 1 without the masking key;
            None for the end of the payload.
        limit: max_message_size
    """

    frames: list[Frame]
    code: int
    says: str
    clause: str
    byte: int | None = None
    limit: int = 1024 * 1024


CASES: dict[str, Case] = {}

# §5.2: RSV1-3 must be 0 unless an extension is negotiated that defines them.
for bits in range(1, 8):
    for name, opcode in {"text": TEXT, "binary": BINARY, **CONTROL}.items():
        CASES[f"rsv {bits:03b} in {name}"] = Case(
            [Frame(opcode, b"", rsv=bits)], 1002, f"{bits:03b}", "§5.2", 1
        )
CASES["rsv 100 in continuation"] = Case(
    [Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b", rsv=4)], 1002, "reserved", "§5.2", 1
)

# §5.2: reserved opcodes.
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    CASES[f"opcode {opcode}"] = Case([Frame(opcode)], 1002, f"opcode {opcode}", "§5.2", 1)
    CASES[f"opcode {opcode} with payload"] = Case(
        [Frame(opcode, b"payload")], 1002, f"opcode {opcode}", "§5.2", 1
    )
    CASES[f"opcode {opcode} inside a message"] = Case(
        [Frame(TEXT, b"a", fin=False), Frame(opcode)], 1002, f"opcode {opcode}", "§5.2", 1
    )

# §5.2: "the minimal number of bytes MUST be used to encode the length".
for name, opcode in {"text": TEXT, "binary": BINARY}.items():
    for size in (0, 1, 125):
        CASES[f"16-bit length {size} of {name}"] = Case(
            [Frame(opcode, b"x" * size, length_form=2)], 1002, f"length {size} ", "§5.2", 4
        )
    for size in (0, 125, 126, 65_535):
        CASES[f"64-bit length {size} of {name}"] = Case(
            [Frame(opcode, b"x" * size, length_form=8)], 1002, f"length {size} ", "§5.2", 10
        )
    # §5.2: "the most significant bit MUST be 0".
    for length in (2**63, 2**63 + 5, 2**64 - 1):
        CASES[f"64-bit length {length:#x} of {name}"] = Case(
            [Frame(opcode, length_form=8, length=length)], 1002, "top bit", "§5.2", 3
        )

# §5.4: fragmentation.
CASES["continuation of nothing"] = Case(
    [Frame(CONTINUATION, b"x")], 1002, "without a message", "§5.4", 1
)
CASES["unfinished continuation of nothing"] = Case(
    [Frame(CONTINUATION, b"x", fin=False)], 1002, "without a message", "§5.4", 1
)
CASES["continuation behind a message"] = Case(
    [Frame(TEXT, b"a"), Frame(CONTINUATION, b"b")], 1002, "without a message", "§5.4", 1
)
CASES["continuation behind a fragmented message"] = Case(
    [Frame(TEXT, b"a", fin=False), Frame(CONTINUATION), Frame(CONTINUATION)],
    1002,
    "without a message",
    "§5.4",
    1,
)
CASES["continuation behind a ping"] = Case(
    [Frame(PING), Frame(CONTINUATION)], 1002, "without a message", "§5.4", 1
)
for outer in (TEXT, BINARY):
    for inner in (TEXT, BINARY):
        for fin in (True, False):
            CASES[f"opcode {inner}, fin {fin:d} inside opcode {outer}"] = Case(
                [Frame(outer, b"a", fin=False), Frame(PING), Frame(inner, b"b", fin=fin)],
                1002,
                "inside a fragmented",
                "§5.4",
                1,
            )

# §5.5: control frames.
for name, opcode in CONTROL.items():
    CASES[f"fragmented {name}"] = Case(
        [Frame(opcode, b"", fin=False)], 1002, "fragmented", "§5.5", 1
    )
    CASES[f"{name} of 126 bytes"] = Case([Frame(opcode, bytes(126))], 1002, "125", "§5.5", 2)
    CASES[f"{name} of 64 KiB"] = Case([Frame(opcode, bytes(65_536))], 1002, "125", "§5.5", 2)
    CASES[f"{name} with a 16-bit length of 5"] = Case(
        [Frame(opcode, b"12345", length_form=2)], 1002, "125", "§5.5", 2
    )

# §5.5.1 and §7.4: Close payloads.
CASES["close of 1 byte"] = Case([Frame(CLOSE, b"\x03")], 1002, "1 byte", "§5.5.1")
for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
    for reason in (b"", b"reason"):
        CASES[f"close code {code} {reason.decode()}".rstrip()] = Case(
            [Frame(CLOSE, code.to_bytes(2, "big") + reason)], 1002, f"{code}", "§7.4"
        )
for name, (data, _) in INVALID.items():
    CASES[f"close reason: {name}"] = Case([Frame(CLOSE, b"\x03\xe8" + data)], 1007, "UTF-8", "§8.1")
for name, data in UNFINISHED.items():
    CASES[f"close reason: {name}"] = Case([Frame(CLOSE, b"\x03\xe8" + data)], 1007, "UTF-8", "§8.1")

# §8.1: text that is not UTF-8 fails at the byte in error, wherever the frames end.
for name, (data, index) in INVALID.items():
    CASES[f"text: {name}"] = Case([Frame(TEXT, data)], 1007, "UTF-8", "§8.1", 2 + index + 1)
    CASES[f"long text: {name}"] = Case(
        [Frame(TEXT, b"x" * 200 + data + b"y" * 200)],
        1007,
        "UTF-8",
        "§8.1",
        4 + 200 + index + 1,
    )
    CASES[f"unfinished text: {name}"] = Case(
        [Frame(TEXT, data, fin=False)], 1007, "UTF-8", "§8.1", 2 + index + 1
    )
    # The first byte in error begins a frame; what belongs to it lies in those before.
    CASES[f"fragmented text: {name}"] = Case(
        [
            Frame(TEXT, data[:index], fin=False),
            Frame(PING, b"\xff"),
            Frame(CONTINUATION, b"", fin=False),
            Frame(CONTINUATION, data[index:], fin=False),
        ],
        1007,
        "UTF-8",
        "§8.1",
        3,
    )
for name, data in UNFINISHED.items():
    CASES[f"text ends after {name}"] = Case([Frame(TEXT, b"x" + data)], 1007, "UTF-8", "§8.1")
    CASES[f"fragmented text ends after {name}"] = Case(
        [Frame(TEXT, data, fin=False), Frame(CONTINUATION)], 1007, "UTF-8", "§8.1", 2
    )

# §10.4 and §7.4.1: size. The header is enough, however long its payload would be.
for limit in (0, 1, 125, 126, 65_535, 65_536):
    for name, opcode in {"text": TEXT, "binary": BINARY}.items():
        for announced in (limit + 1, 2**32, 2**63 - 1):
            # Keeps to the shortest form; without payload, so the header's end is the frame's.
            CASES[f"{name} of {announced} bytes, limit {limit}"] = Case(
                [Frame(opcode, length=announced)], 1009, f"at most {limit}", "§7.4.1", None, limit
            )
        CASES[f"{name} of {limit} bytes and 1 more"] = Case(
            [Frame(opcode, b"x" * limit, fin=False), Frame(CONTINUATION, length=1)],
            1009,
            f"at most {limit}",
            "§7.4.1",
            None,
            limit,
        )

# What comes before a violation, and must come out before it.
BEFORE = [Frame(TEXT), Frame(PING, b"p"), Frame(BINARY, fin=False), Frame(CONTINUATION)]
BEFORE_EVENTS = [("message", ""), ("ping", b"p"), ("message", b"")]


def build(frames: list[Frame], role: str) -> list[bytes]:
    """The frames as this role accepts their masking."""
    mask = KEY if role == "server" else None
    return [bytes(Frame(**{**vars(frame), "mask": mask})) for frame in frames]


def failing_byte(case: Case, built: list[bytes], role: str) -> int:
    """The byte of the stream at which it fails, counted from 1."""
    before = sum(map(len, built[:-1]))
    if case.byte is None:
        return before + len(built[-1])
    last = case.frames[-1]
    form = last.length_form
    size = len(last.payload)
    if form is None:
        form = 0 if size < 126 else 2 if size < 65_536 else 8
    # The masking key comes before the payload, and before what ends with an empty one.
    key = (
        4 if role == "server" and (case.byte > 2 + form or (size == 0 and case.code == 1007)) else 0
    )
    return before + case.byte + key


@pytest.mark.parametrize("role", streams.ROLES)
@pytest.mark.parametrize("name", CASES)
def test_violation(name: str, role: str) -> None:
    case = CASES[name]
    built = build(case.frames, role)
    stream = b"".join(built)
    at = failing_byte(case, built, role)

    decoder = Decoder(role, max_message_size=case.limit)  # type: ignore[arg-type]
    with pytest.raises(ProtocolError) as failure:
        decoder.feed(stream)
    assert failure.value.code == case.code
    assert case.says in failure.value.reason
    assert f"RFC 6455 {case.clause}" in failure.value.reason or (
        "RFC 6455" in failure.value.reason and case.clause in failure.value.reason
    )
    # It goes into a Close frame.
    assert len(failure.value.reason.encode()) <= 123
    assert decoder.ended
    assert decoder.feed(build([Frame(TEXT, b"late")], role)[0]) == []

    # By the byte: neither sooner nor later.
    pieces = [bytes([byte]) for byte in stream[:at]]
    outcome = streams.compare(pieces, role, case.limit)
    assert (outcome.code, outcome.consumed) == (case.code, at)
    assert streams.run(pieces[:-1], role, case.limit).code is None

    # Behind others, whose events are not lost.
    before = b"".join(build(BEFORE, role))
    outcome = streams.compare([before + stream], role, case.limit)
    assert outcome.code == case.code
    assert outcome.events[: len(BEFORE_EVENTS)] == BEFORE_EVENTS


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("size", [0, 5])
def test_masking_is_for_clients(opcode: int, size: int) -> None:
    # RFC 6455 §5.1: a server must not mask, a client must.
    payload = b"\x03\xe8xyz"[:size]
    masked, plain = bytes(Frame(opcode, payload, KEY)), bytes(Frame(opcode, payload))
    for role, frame, says in (("server", plain, "not masked"), ("client", masked, "masked")):
        decoder = Decoder(role)  # type: ignore[arg-type]
        with pytest.raises(ProtocolError, match=rf"{says} \(RFC 6455 §5\.1\)") as failure:
            decoder.feed(frame)
        assert failure.value.code == 1002
        # The bit is in the second byte, and no more is needed.
        outcome = streams.compare([frame[:1], frame[1:2]], role)
        assert (outcome.code, outcome.consumed) == (1002, 2)


@pytest.mark.parametrize("role", streams.ROLES)
def test_masking_changes_within_a_message(role: str) -> None:
    good, bad = (KEY, None) if role == "server" else (None, KEY)
    begun = bytes(Frame(TEXT, b"a", good, fin=False))
    outcome = streams.compare([begun + bytes(Frame(CONTINUATION, b"b", bad))], role)
    assert (outcome.events, outcome.code) == ([], 1002)


@pytest.mark.parametrize("role", streams.ROLES)
def test_violation_behind_close_is_ignored(role: str) -> None:
    # RFC 6455 §5.5.1: what follows a Close frame is discarded.
    stream = b"".join(build([Frame(CLOSE, b"\x03\xe8"), Frame(15, rsv=7)], role))
    assert streams.compare([stream], role) == (
        [("close", 1000, "")],
        None,
        len(stream) - len(build([Frame(15, rsv=7)], role)[0]),
    )


@pytest.mark.parametrize("role", streams.ROLES)
@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_valid_close_codes_are_none(code: int, role: str) -> None:
    stream = build([Frame(CLOSE, code.to_bytes(2, "big") + b"reason")], role)[0]
    assert streams.compare([stream], role).events == [("close", code, "reason")]

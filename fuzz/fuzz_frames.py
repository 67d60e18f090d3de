"""
Frame builder, masking and UTF-8 validation against their oracles.

Usage: python fuzz/fuzz_frames.py [seconds [seed]]
"""

import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz import harness  # noqa: E402

with harness.instrumented():
    from tests.protocol import oracle, streams

    from cooee.protocol import kernels
    from cooee.protocol.frames import build_frame


def build(rng: Random) -> None:
    """A frame is built as the oracle builds it, or refused for one of the reasons documented."""
    opcode = rng.randrange(16)
    payload = streams.make_bytes(rng, streams.make_size(rng))
    mask = rng.choice([None, rng.randbytes(4)])
    fin, rsv1 = rng.random() < 0.7, rng.random() < 0.1
    start = rng.randint(0, 8)
    view = memoryview(bytes(start) + payload)[start:]
    control = opcode in (oracle.CLOSE, oracle.PING, oracle.PONG)
    valid = opcode in (0, 1, 2) or (control and fin and len(payload) <= 125)
    refusal = ""
    try:
        frame = build_frame(opcode, view, mask=mask, fin=fin, rsv1=rsv1)
    except ValueError as exc:
        refusal = str(exc)
    if valid:
        assert not refusal
        assert frame == oracle.build(opcode, payload, mask=mask, fin=fin, rsv=4 * rsv1)
    else:
        assert "RFC 6455 §5" in refusal


def mask(rng: Random) -> None:
    """Masking at any alignment, offset and level, in place and not, touches what it should."""
    kernels._mask_level(rng.choice([-1, 0, 1, 2]))
    data = streams.make_bytes(rng, streams.make_size(rng))
    key, offset, start = rng.randbytes(4), rng.randrange(9), rng.randrange(80)
    expected = bytes(octet ^ key[(offset + i) % 4] for i, octet in enumerate(data))
    buffer = bytearray(b"\xa5" * start + data + b"\xa5" * 80)
    with memoryview(buffer)[start : start + len(data)] as view:
        assert kernels.mask(view, key, offset) == expected
        kernels.mask_in_place(view, key, offset)
    assert buffer == b"\xa5" * start + expected + b"\xa5" * 80


def validate(rng: Random) -> None:
    """Text in pieces is valid as far as CPython says it is."""
    text = streams.make_text(rng, streams.make_size(rng))
    at = rng.randint(0, len(text))
    bad = rng.choice([b"", *streams.BAD_SEQUENCES, *streams.UNFINISHED, rng.randbytes(2)])
    text = text[:at] + bad + text[at:]
    index, unfinished = oracle.first_utf8_error(text)
    done = state = 0
    for piece in streams.cut(rng, text, 8):
        valid, state = kernels.utf8_valid_prefix(piece, state)
        done += valid
        if valid < len(piece):
            break
    assert done == index
    assert index < len(text) or (state != 0) == unfinished


def target(rng: Random) -> None:
    """One of them."""
    rng.choice([build, mask, validate])(rng)


if __name__ == "__main__":
    harness.main(target)

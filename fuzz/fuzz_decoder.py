"""
The frame decoder against the oracle, on streams that are valid, broken, damaged, or noise.

Usage: python fuzz/fuzz_decoder.py [seconds [seed]]
"""

import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fuzz import harness  # noqa: E402

with harness.instrumented():
    from tests.protocol import streams

LIMITS = [2**20, 2**20, 2**20, None, None, 65_536, 1000, 125, 5, 0]


def compare(rng: Random) -> None:
    """Feed one stream in one way; decoder and oracle must agree, and nothing else be raised."""
    role = rng.choice(streams.ROLES)
    limit = rng.choice(LIMITS)
    if rng.randrange(8) == 7:
        stream = rng.randbytes(rng.randrange(200))
    else:
        stream = streams.make_stream(rng, role)
    pieces = streams.split(rng, stream)
    try:
        streams.compare(pieces, role, limit)
    except Exception as exc:
        cuts = [len(piece) for piece in pieces]
        exc.add_note(f"{role}, limit {limit}, cut {cuts[:50]}: {stream[:1000].hex()}")
        raise


if __name__ == "__main__":
    harness.main(compare)

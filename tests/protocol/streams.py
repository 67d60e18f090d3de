"""
Random streams of frames, valid and broken, and the comparison of the decoder with the oracle.

Everything random comes from a `random.Random`, which a property test, a fuzzer and a failure being
reproduced each bring in their own way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.protocol import oracle
from tests.protocol.oracle import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

from cooee.protocol.decoder import Decoder
from cooee.protocol.errors import ProtocolError

ROLES = ("server", "client")

# Payload sizes about the forms of the length (RFC 6455 §5.2) and the units of the kernels.
SMALL = [0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 65, 124, 125]
MIDDLE = [126, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025]
# ... and about the first room that the decoder gives a message.
LARGE = [65_535, 65_536, 65_537, 66_000, 131_072]

HUGE = [2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1]

CLOSE_CODES = [1000, 1001, 1003, 1007, 1014, 3000, 4000, 4999]
BAD_CLOSE_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]

# The first and last of each length of sequence, and of each side of the surrogates.
CHARACTERS = ["a", "\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff"]
CHARACTERS += ["\U00010000", "\U0010ffff", "HelloWorld ", "é", "你好", "🦘"]
# Each makes a text invalid, at one byte or another.
BAD_SEQUENCES = [
    bytes.fromhex(text)
    for text in (
        ["80", "bf", "c0af", "c1bf", "c328", "e08080", "e09fbf", "eda080", "edbfbf", "e28261"]
        + ["f0808080", "f08fbfbf", "f4908080", "f09f9861", "f5", "ff"]
    )
]
# Each does so at the end of a text only.
UNFINISHED = [bytes.fromhex(text) for text in ("c3", "e2", "e282", "f0", "f09f", "f09f98")]


@dataclass(frozen=True)
class Frame:
    """A frame to be built, valid or not; see `oracle.build`."""

    opcode: int
    payload: bytes = b""
    mask: bytes | None = None
    fin: bool = True
    rsv: int = 0
    length_form: int | None = None
    length: int | None = None

    def __bytes__(self) -> bytes:
        return oracle.build(
            self.opcode,
            self.payload,
            mask=self.mask,
            fin=self.fin,
            rsv=self.rsv,
            length_form=self.length_form,
            length=self.length,
        )


def make_size(rng: Random) -> int:
    """A size of a payload, small as a rule."""
    dice = rng.randrange(200)
    if dice < 90:
        return rng.choice(SMALL)
    if dice < 150:
        return rng.randrange(80)
    return rng.choice(MIDDLE) if dice < 199 else rng.choice(LARGE)


def make_bytes(rng: Random, size: int) -> bytes:
    """Bytes whose period is none of a masking key."""
    return (rng.randbytes(min(size, 13)) * (size // 13 + 1))[:size]


def make_text(rng: Random, size: int) -> bytes:
    """Valid UTF-8 of about a size, in runs, as text is."""
    text = bytearray()
    while len(text) < size:
        character = rng.choice(CHARACTERS).encode()
        text += character * min(rng.choice([1, 1, 2, 40]), (size - len(text)) // len(character) + 1)
    return bytes(text)


def make_payload(rng: Random, opcode: int) -> bytes:
    """A valid payload for a frame or message."""
    size = make_size(rng)
    match opcode:
        case oracle.TEXT:
            return make_text(rng, size)
        case oracle.CLOSE:
            if size == 0:
                return b""
            reason = make_text(rng, min(size, 110))[:123].decode(errors="ignore").encode()
            return rng.choice(CLOSE_CODES).to_bytes(2, "big") + reason
        case oracle.PING | oracle.PONG:
            return make_bytes(rng, min(size, 125))
        case _:
            return make_bytes(rng, size)


def cut(rng: Random, data: bytes, most: int) -> list[bytes]:
    """Up to `most` pieces that make up the data, some perhaps empty."""
    edges = sorted(rng.randint(0, len(data)) for _ in range(rng.randrange(most)))
    return [data[start:stop] for start, stop in itertools.pairwise([0, *edges, len(data)])]


def make_frames(rng: Random, role: str) -> list[Frame]:
    """A valid stream, as a server or a client receives it."""

    def key() -> bytes | None:
        if role == "client":
            return None
        return rng.choice([b"\0\0\0\0", rng.randbytes(4), rng.randbytes(4)])

    def controls() -> Iterable[Frame]:
        while rng.randrange(6) == 5:
            opcode = rng.choice([PING, PONG])
            yield Frame(opcode, make_payload(rng, opcode), key())

    frames = [*controls()]
    for _ in range(rng.randrange(6)):
        opcode = rng.choice([TEXT, BINARY])
        payload = make_payload(rng, opcode)
        pieces = cut(rng, payload, rng.choice([1, 1, 2, 8]))
        for index, piece in enumerate(pieces):
            fin = index == len(pieces) - 1
            frames.append(Frame(opcode if index == 0 else CONTINUATION, piece, key(), fin))
            frames += controls()
    if rng.randrange(3) == 0:
        frames.append(Frame(CLOSE, make_payload(rng, CLOSE), key()))
    return frames


def break_frame(rng: Random, frame: Frame) -> Frame:
    """The frame with one fault, or with what would be one elsewhere."""
    payload = frame.payload
    match rng.randrange(11):
        case 0:
            return replace(frame, rsv=rng.randrange(1, 8))
        case 1:
            return replace(frame, opcode=rng.randrange(16))
        case 2:
            return replace(frame, fin=not frame.fin)
        case 3:
            return replace(frame, mask=None if frame.mask else rng.randbytes(4))
        case 4:
            return replace(frame, length_form=2 if len(payload) < 65_536 else 8)
        case 5:
            return replace(frame, length_form=8)
        case 6:
            # More than there is, up to a length with its top bit set.
            length = rng.choice(
                [126, 65_535, 65_536, 2**20 + 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
            )
            return replace(frame, length_form=2 if length < 65_536 else 8, length=length)
        case 7:
            at = rng.randint(0, len(payload))
            bad = rng.choice(BAD_SEQUENCES + UNFINISHED)
            return replace(frame, payload=payload[:at] + bad + payload[at:])
        case 8:
            return replace(frame, payload=payload + rng.choice(UNFINISHED))
        case 9:
            code = rng.choice(CLOSE_CODES + BAD_CLOSE_CODES).to_bytes(2, "big")
            return replace(frame, payload=rng.choice([b"", code[:1], code, code + payload[2:]]))
        case _:
            return replace(frame, payload=payload[: rng.randint(0, len(payload))])


def make_stream(rng: Random, role: str) -> bytes:
    """A stream that is valid, has a broken frame, or has been damaged byte by byte."""
    frames = make_frames(rng, role)
    dice = rng.randrange(10)
    if dice < 6 and frames:
        at = rng.randrange(len(frames))
        match rng.randrange(8):
            case 0:
                del frames[at]
            case 1:
                frames.insert(at, rng.choice(frames))
            case _:
                frames[at] = break_frame(rng, frames[at])
    stream = bytearray(b"".join(map(bytes, frames)))
    if dice == 9 and stream:
        for _ in range(rng.randrange(1, 4)):
            # The first bytes are headers more often than the others.
            at = rng.randrange(min(len(stream), rng.choice([4, 16, 200, 200_000])))
            match rng.randrange(4):
                case 0:
                    stream[at] ^= 1 << rng.randrange(8)
                case 1:
                    stream[at] = rng.randrange(256)
                case 2:
                    stream.insert(at, rng.randrange(256))
                case _:
                    del stream[at : at + rng.randrange(1, 4)]
                    if not stream:
                        break
    return bytes(stream)


def split(rng: Random, stream: bytes) -> list[bytes]:
    """The stream as it may come from a socket: whole, by the byte, or in between."""
    match rng.randrange(5):
        case 0:
            return [stream]
        case 1 if len(stream) < 4096:
            return [stream[index : index + 1] for index in range(len(stream))]
        case 2:
            size = rng.choice([2, 3, 5, 7, 14, 16, 64, 1000])
            return [stream[at : at + size] for at in range(0, len(stream), size)]
        case _:
            return cut(rng, stream, 12)


def run(
    pieces: Iterable[bytes],
    role: str,
    max_message_size: int | None = 1024 * 1024,
    *,
    direct: bool = False,
) -> oracle.Outcome:
    """
    Feed pieces to the decoder under test, directly into messages or through its buffer.

    `consumed` counts whole pieces: those up to the one that ended the stream.
    """
    decoder = Decoder(role, max_message_size=max_message_size)  # type: ignore[arg-type]
    events: list[oracle.Event] = []
    consumed = 0
    failure = None
    for piece in pieces:
        consumed += len(piece)
        try:
            events += decoder.feed(piece, direct=direct)
        except ProtocolError as exc:
            failure = exc
        if failure is not None:
            assert "RFC 6455 §" in failure.reason, f"no clause: {failure}"
            assert decoder.ended
            events += failure.events  # type: ignore[attr-defined]
        if decoder.ended:
            # What follows is nobody's.
            assert decoder.feed(piece) == []
            break
    return oracle.Outcome(events, failure.code if failure else None, consumed)


def ends(pieces: Sequence[bytes], consumed: int) -> int:
    """The end of the piece in which a byte lies."""
    end = 0
    for piece in pieces:
        end += len(piece)
        if end >= consumed:
            break
    return end


def compare(
    pieces: Sequence[bytes], role: str, max_message_size: int | None = 1024 * 1024
) -> oracle.Outcome:
    """Assert that decoder and oracle agree: on events, on the close code, and on when it failed."""
    expected = oracle.decode(b"".join(pieces), role, max_message_size)
    for direct in (False, True):
        got = run(pieces, role, max_message_size, direct=direct)
        assert got.events == expected.events
        assert [type(e[1]) for e in got.events] == [type(e[1]) for e in expected.events]
        assert got.code == expected.code
        assert got.consumed == ends(pieces, expected.consumed)
    return expected

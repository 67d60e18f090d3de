"""
Incremental validation of UTF-8 (RFC 3629), as Autobahn's cases 6.* probe it.

The judge is CPython's own decoder; what the oracle makes of it is checked against a table here, so
that the two do not merely agree in error.
"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.oracle import first_utf8_error as judge

from cooee.protocol.kernels import utf8_valid_prefix

pytestmark = pytest.mark.once

KOSME = "κόσμε".encode()

# Valid texts; the last pair are noncharacters, which are characters for UTF-8 (Corrigendum #9).
VALID = {
    "empty": b"",
    "ascii": b"Hello, world!",
    "nul": b"\x00",
    "kosme": KOSME,
    "hello-mikro": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "chinese": "你好，世界".encode(),
    "emoji": "👋🏽🌏🦘".encode(),
    "first of 1": b"\x00",
    "last of 1": b"\x7f",
    "first of 2": b"\xc2\x80",
    "last of 2": b"\xdf\xbf",
    "first of 3": b"\xe0\xa0\x80",
    "last of 3": b"\xef\xbf\xbf",
    "first of 4": b"\xf0\x90\x80\x80",
    "last of 4": b"\xf4\x8f\xbf\xbf",
    "below surrogates": b"\xed\x9f\xbf",
    "above surrogates": b"\xee\x80\x80",
    "replacement": b"\xef\xbf\xbd",
    "byte order mark": b"\xef\xbb\xbf",
    "U+FFFE": b"\xef\xbf\xbe",
    "U+1FFFF": b"\xf0\x9f\xbf\xbf",
}

# Texts and the index of the first byte that cannot belong to valid text.
INVALID = {
    "lone continuation 80": (b"\x80", 0),
    "lone continuation BF": (b"\xbf", 0),
    "continuations": (b"\x80\xbf\x80\xbf", 0),
    "continuation after a character": (KOSME + b"\x80", len(KOSME)),
    "never a byte: C0": (b"\xc0", 0),
    "never a byte: C1": (b"\xc1\xbf", 0),
    "never a byte: F5": (b"\xf5\x80\x80\x80", 0),
    "never a byte: F8": (b"\xf8\x88\x80\x80\x80", 0),
    "never a byte: FC": (b"\xfc\x84\x80\x80\x80\x80", 0),
    "never a byte: FE": (b"\xfe", 0),
    "never a byte: FF": (b"\xff", 0),
    "2 cut short by ASCII": (b"\xc3 ", 1),
    "3 cut short by ASCII at 2": (b"\xe2 ", 1),
    "3 cut short by ASCII at 3": (b"\xe2\x82 ", 2),
    "4 cut short by ASCII at 2": (b"\xf0 ", 1),
    "4 cut short by ASCII at 3": (b"\xf0\x9f ", 2),
    "4 cut short by ASCII at 4": (b"\xf0\x9f\x98 ", 3),
    "2 cut short by a lead": (b"\xc3\xc3\xa9", 1),
    "3 cut short by a lead": (b"\xe2\x82\xe2\x82\xac", 2),
    "4 cut short by a lead": (b"\xf0\x9f\x98\xf0\x9f\x98\x80", 3),
    "overlong / in 2": (b"\xc0\xaf", 0),
    "overlong / in 3": (b"\xe0\x80\xaf", 1),
    "overlong / in 4": (b"\xf0\x80\x80\xaf", 1),
    "overlong, greatest in 2": (b"\xc1\xbf", 0),
    "overlong, greatest in 3": (b"\xe0\x9f\xbf", 1),
    "overlong, greatest in 4": (b"\xf0\x8f\xbf\xbf", 1),
    "overlong NUL in 2": (b"\xc0\x80", 0),
    "overlong NUL in 3": (b"\xe0\x80\x80", 1),
    "overlong NUL in 4": (b"\xf0\x80\x80\x80", 1),
    "surrogate D800": (b"\xed\xa0\x80", 1),
    "surrogate DB7F": (b"\xed\xad\xbf", 1),
    "surrogate DC00": (b"\xed\xb0\x80", 1),
    "surrogate DFFF": (b"\xed\xbf\xbf", 1),
    "surrogate pair (CESU-8)": (b"\xed\xa0\xbd\xed\xb8\x80", 1),
    "above U+10FFFF: F4 90": (b"\xf4\x90\x80\x80", 1),
    "above U+10FFFF: F4 BF": (b"\xf4\xbf\xbf\xbf", 1),
    # Autobahn 6.3.1 and 6.3.2: a surrogate among valid characters.
    "kosme, surrogate, edited": (KOSME + b"\xed\xa0\x80edited", len(KOSME) + 1),
    # Autobahn 6.4.*: the fourth byte of F4 90 80 80 must not be waited for.
    "kosme, F4 90 80 80, edited": (KOSME + b"\xf4\x90\x80\x80edited", len(KOSME) + 1),
}

# Beginnings of characters: valid so far, but no end for a text.
UNFINISHED = {
    "1 of 2": b"\xc3",
    "1 of 3": b"\xe2",
    "2 of 3": b"\xe2\x82",
    "1 of 4": b"\xf0",
    "2 of 4": b"\xf0\x9f",
    "3 of 4": b"\xf0\x9f\x98",
}

SAMPLES = VALID | UNFINISHED | {name: data for name, (data, _) in INVALID.items()}

# What may stand before: nothing, and lengths that put a text across the edges of words and vectors.
LENGTHS = [0, 1, 3, 5, 7, 8, 9, 13, 14, 15, 16, 17, 29, 31, 32, 33, 47, 61, 62, 63, 64, 65, 127]


def in_pieces(*pieces: bytes) -> tuple[int, int]:
    """The result of validating a text in pieces."""
    state = done = 0
    for piece in pieces:
        index, state = utf8_valid_prefix(piece, state)
        done += index
        if index < len(piece):
            break
    return done, state


@pytest.mark.parametrize("name", INVALID)
def test_judge(name: str) -> None:
    data, index = INVALID[name]
    assert judge(data) == (index, False)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", VALID)
def test_valid(name: str, length: int) -> None:
    for text in (b"x" * length + VALID[name], b"x" * length + VALID[name] + b"y" * length):
        assert utf8_valid_prefix(text) == (len(text), 0)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str, length: int) -> None:
    data, index = INVALID[name]
    for text in (b"x" * length + data, b"x" * length + data + b"y" * length):
        assert utf8_valid_prefix(text)[0] == length + index


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", UNFINISHED)
def test_unfinished(name: str, length: int) -> None:
    text = b"x" * length + UNFINISHED[name]
    index, state = utf8_valid_prefix(text)
    assert index == len(text)
    assert state != 0


@pytest.mark.parametrize("name", INVALID)
def test_fails_at_the_earliest_byte(name: str) -> None:
    """One byte at a time: nothing before the culprit fails, and the culprit does."""
    data, index = INVALID[name]
    state = 0
    for byte in data[:index]:
        valid, state = utf8_valid_prefix(bytes([byte]), state)
        assert valid == 1
    assert utf8_valid_prefix(data[index : index + 1], state)[0] == 0


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_anywhere(name: str) -> None:
    sample = SAMPLES[name]
    index, unfinished = judge(sample)
    for first, second in itertools.combinations_with_replacement(range(len(sample) + 1), 2):
        done, state = in_pieces(sample[:first], sample[first:second], sample[second:])
        assert done == index
        if done == len(sample):
            assert (state != 0) == unfinished


def test_every_sequence_of_two_bytes() -> None:
    for pair in itertools.product(range(256), repeat=2):
        data = bytes(pair)
        assert utf8_valid_prefix(data)[0] == judge(data)[0], data.hex()
        # Behind it, enough for the decoder of whole sequences.
        assert utf8_valid_prefix(data + b"zzzz")[0] == judge(data + b"zzzz")[0], data.hex()


def test_every_character() -> None:
    everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    text = "".join(everything).encode()
    assert utf8_valid_prefix(text) == (len(text), 0)
    for cut in range(1000, len(text), 65_521):
        assert in_pieces(text[:cut], text[cut:]) == (len(text), 0)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40).map(str.encode),
            st.text(alphabet="abc ", max_size=80).map(str.encode),
            st.sampled_from([data for data, _ in INVALID.values()]),
            st.sampled_from(list(UNFINISHED.values())),
            st.binary(max_size=3),
        ),
        max_size=8,
    ).map(b"".join),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_agrees_with_the_judge(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    done, state = in_pieces(*(data[start:stop] for start, stop in itertools.pairwise(edges)))
    index, unfinished = judge(data)
    assert done == index
    if done == len(data):
        assert (state != 0) == unfinished


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_bytes_like_objects(kind: type) -> None:
    assert utf8_valid_prefix(kind("é".encode())) == (2, 0)


def test_refuses_what_is_not_bytes_like() -> None:
    with pytest.raises(TypeError):
        utf8_valid_prefix("text")  # type: ignore[arg-type]

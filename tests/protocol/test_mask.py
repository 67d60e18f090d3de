"""Masking (RFC 6455 §5.3): every unit, length, alignment and offset against one line of Python."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol import kernels

pytestmark = pytest.mark.once

LEVELS = {"words": 0, "sse2 or neon": 1, "avx2": 2}

# Lengths below this are masked inline, whatever the level; see COOEE_MASK_SHORT.
SHORT = 128

KEY = bytes.fromhex("37fa213d")
TEXT = bytes(itertools.islice(itertools.cycle(range(251)), 70_000))


def naive(data: bytes, key: bytes, offset: int = 0) -> bytes:
    """RFC 6455 §5.3, word for word."""
    return bytes(octet ^ key[(offset + i) % 4] for i, octet in enumerate(data))


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """One unit after the other, as far as this processor has it."""
    name: str = request.param
    if kernels._mask_level(LEVELS[name]) != LEVELS[name]:
        kernels._mask_level()
        pytest.skip(f"no {name} on this processor")
    yield name
    kernels._mask_level()


def test_example_of_the_specification() -> None:
    # RFC 6455 §5.7: a single-frame masked text message, "Hello".
    assert kernels.mask(b"Hello", KEY) == bytes.fromhex("7f9f4d5158")
    assert kernels.mask(bytes.fromhex("7f9f4d5158"), KEY) == b"Hello"


@pytest.mark.parametrize("offset", range(4))
def test_every_short_length(offset: int) -> None:
    expected = naive(TEXT[:SHORT], KEY, offset)
    for size in range(SHORT + 1):
        assert kernels.mask(TEXT[:size], KEY, offset) == expected[:size]


@pytest.mark.parametrize("offset", range(4))
def test_every_length_up_to_300(level: str, offset: int) -> None:
    expected = naive(TEXT[:300], KEY, offset)
    for size in range(301):
        assert kernels.mask(TEXT[:size], KEY, offset) == expected[:size]


@pytest.mark.parametrize("size", [129, 200, 257, 1023, 1024, 1025, 1500])
def test_every_alignment_in_place(level: str, size: int) -> None:
    """In place, as the decoder unmasks, in the middle of octets that are not to be touched."""
    for start, offset in itertools.product(range(66), range(4)):
        buffer = bytearray(TEXT[: start + size + 66])
        with memoryview(buffer) as view:
            kernels.mask_in_place(view[start : start + size], KEY, offset)
        assert buffer[start : start + size] == naive(TEXT[start : start + size], KEY, offset)
        assert buffer[:start] == TEXT[:start]
        assert buffer[start + size :] == TEXT[start + size : start + size + 66]


@pytest.mark.parametrize("size", [4095, 4096, 16_384, 65_535, 65_536, 70_000])
def test_long_payloads(level: str, size: int) -> None:
    assert kernels.mask(TEXT[:size], KEY, 1) == naive(TEXT[:size], KEY, 1)


@given(st.binary(max_size=3000), st.binary(min_size=4, max_size=4), st.integers(0, 2**40))
def test_any_payload_key_and_offset(data: bytes, key: bytes, offset: int) -> None:
    masked = kernels.mask(data, key, offset)
    assert masked == naive(data, key, offset)
    assert kernels.mask(masked, key, offset) == data
    buffer = bytearray(data)
    kernels.mask_in_place(buffer, key, offset)
    assert buffer == masked


@given(st.binary(max_size=1500), st.lists(st.integers(0, 1500), max_size=6))
def test_pieces_mask_like_the_whole(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [
        kernels.mask(data[start:stop], KEY, start) for start, stop in itertools.pairwise(edges)
    ]
    assert b"".join(pieces) == kernels.mask(data, KEY)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_bytes_like_objects(kind: type) -> None:
    assert kernels.mask(kind(b"Hello"), kind(KEY)) == bytes.fromhex("7f9f4d5158")


def test_best_level_is_chosen_again() -> None:
    best = kernels._mask_level()
    assert best in LEVELS.values()
    assert kernels._mask_level(0) == 0
    assert kernels._mask_level() == best


@pytest.mark.parametrize("level", [-2, 3, 99])
def test_refuses_levels_that_do_not_exist(level: int) -> None:
    assert kernels._mask_level(level) == -1
    assert kernels.mask(TEXT[:1000], KEY) == naive(TEXT[:1000], KEY)


@pytest.mark.parametrize("key", [b"", b"123", b"12345"])
def test_refuses_keys_of_other_lengths(key: bytes) -> None:
    with pytest.raises(ValueError, match=rf"key of {len(key)} bytes, must be 4 \(RFC 6455 §5\.3\)"):
        kernels.mask(b"data", key)
    with pytest.raises(ValueError, match=rf"key of {len(key)} bytes, must be 4 \(RFC 6455 §5\.3\)"):
        kernels.mask_in_place(bytearray(b"data"), key)


def test_refuses_negative_offsets() -> None:
    with pytest.raises(ValueError, match="offset -1"):
        kernels.mask(b"data", KEY, -1)
    with pytest.raises(ValueError, match="offset -1"):
        kernels.mask_in_place(bytearray(b"data"), KEY, -1)


def test_refuses_what_is_not_bytes_like() -> None:
    with pytest.raises(TypeError):
        kernels.mask("data", KEY)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        kernels.mask(b"data", "1234")  # type: ignore[arg-type]


def test_refuses_to_mask_bytes_in_place() -> None:
    data = b"data"
    with pytest.raises(BufferError):
        kernels.mask_in_place(data, KEY)
    assert data == b"data"

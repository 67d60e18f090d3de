"""Random packets: the decoder against the oracle, and the encoder through the decoder."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.socketio import values

from cooee.socketio.parser import Decoder, Encoder

pytestmark = pytest.mark.once

RANDOM = st.randoms(use_true_random=False)
PROTOCOL = st.sampled_from([4, 5])


@given(RANDOM, PROTOCOL)
def test_like_the_oracle(rng: Random, protocol: int) -> None:
    values.compare(values.make_messages(rng, protocol), protocol=protocol)


@given(RANDOM)
def test_like_the_oracle_at_small_limits(rng: Random) -> None:
    values.compare(
        values.make_messages(rng),
        max_attachments=rng.randrange(3),
        max_depth=rng.randrange(5),
        max_namespace=rng.randrange(8),
    )


@given(st.text())
def test_any_text(text: str) -> None:
    values.compare([text])
    values.compare(["2" + text])
    values.compare(['2["' + text])


@given(st.text('[]{}",:\\ue1-0tf5_/'))
def test_any_structure(text: str) -> None:
    values.compare(["2[" + text])
    values.compare(["5" + text, b"a"])


@given(RANDOM, PROTOCOL)
def test_round_trip(rng: Random, protocol: int) -> None:
    packet = values.make_packet(rng, protocol=protocol)
    text, attachments = Encoder(protocol=protocol).encode(packet)
    expected = values.write_naively(packet)
    assert [text.count(","), attachments] == [str(expected[0]).count(","), expected[1:]]
    decoder = Decoder(protocol=protocol)
    received = decoder.add(text)
    for attachment in attachments:
        assert received is None
        assert decoder.reconstructing
        received = decoder.add(attachment)
    assert received == packet
    assert not decoder.reconstructing

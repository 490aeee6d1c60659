"""The n-gram model that language models are compared with is one: its probabilities add up to one."""

import math

import numpy as np
import pytest

from benchmarks._kneser_ney import bits_per_byte

LEARNT = b"pack my box with five dozen jugs, or pick my fox with live frozen bugs. " * 9 + bytes(range(97, 123))


@pytest.mark.parametrize("context", [b"pack m", b"zzzqqq", b"\0\1\2"])
def test_probabilities_of_what_follows_add_up_to_one(context):
    before = bits_per_byte(LEARNT, context, 4) * len(context)
    after = [bits_per_byte(LEARNT, context + bytes([last]), 4) * (len(context) + 1) for last in range(256)]
    assert np.sum(np.exp2(before - np.array(after))) == pytest.approx(1, abs=1e-9)


def test_a_longer_context_tells_more_of_what_was_learnt():
    bits = [bits_per_byte(LEARNT, b"with five dozen jugs", order) for order in (1, 2, 4)]
    assert 8 > bits[0] > bits[1] > bits[2]
    # Without a context, it is how many different bytes came before each.
    assert math.isfinite(bits_per_byte(LEARNT, b"\xff", 1))

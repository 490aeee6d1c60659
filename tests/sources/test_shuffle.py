"""The shuffle is a bijection, another one in each epoch, and none of them is more likely than another.

Seeds are fixed, so that a test cannot fail by chance once it has passed. Beyond one in a million is called bias.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from descend._shuffle import shuffled

BIAS = 1e-6
LARGE = [1797, 65_536, 99_991, 1_000_000]


def order(length, epoch=0, seed=1):
    """One epoch's order."""
    with np.errstate(over="ignore"):
        return shuffled(np.arange(length, dtype=np.uint32), np.uint32(epoch), np.uint32(seed), length)


def orders_of_epochs(length, count):
    """The orders of the first `count` epochs of one seed, a row each."""
    position, epoch = np.tile(np.arange(length, dtype=np.uint32), count), np.repeat(np.arange(count), length)
    with np.errstate(over="ignore"):
        return shuffled(position, epoch.astype(np.uint32), np.uint32(7), length).reshape(count, length)


def orders_of_seeds(length, count):
    """The first epoch's orders of the first `count` seeds, a row each."""
    position = jnp.arange(length, dtype=jnp.uint32)
    one = jax.vmap(lambda seed: shuffled(position, jnp.zeros(length, jnp.uint32), seed, length))
    return np.asarray(jax.jit(one)(jnp.arange(count, dtype=jnp.uint32)))


DRAWS = {"epochs": orders_of_epochs, "seeds": orders_of_seeds}


def probability(counts, degrees, scale=1.0):
    """How likely counts this uneven are, where all are equally likely."""
    expected = counts.mean()
    return chi2.sf(scale * ((counts - expected) ** 2).sum() / expected, degrees)


# ------------------------------------------------------------------------------------------------ bijections


def test_every_position_once_for_all_small_lengths():
    for length in range(1, 201):
        for epoch in (0, 1, 2**32 - 1):
            assert sorted(order(length, epoch, seed=length)) == list(range(length)), (length, epoch)


@pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1])
@pytest.mark.parametrize("length", LARGE)
def test_every_position_once(length, seed):
    assert np.bincount(order(length, seed=seed), minlength=length).tolist() == [1] * length


@pytest.mark.parametrize("length", [20, *LARGE])
def test_epochs_and_seeds_differ(length):
    base = order(length)
    for other in (order(length, epoch=1), order(length, seed=2), np.arange(length)):
        # Two random orders agree at one position on average, and at more than 12 once in 10⁹ times.
        assert (base == other).sum() <= 12
    assert np.array_equal(base, order(length))


@pytest.mark.parametrize("length", [1, 5, 1797])
def test_numpy_and_jax_agree(length):
    position, epoch = np.arange(length, dtype=np.uint32), (np.arange(length) % 3).astype(np.uint32)
    with np.errstate(over="ignore"):
        ours = shuffled(position, epoch, np.uint32(9), length)
    theirs = jax.jit(lambda *numbers: shuffled(*numbers, length))(position, epoch, np.uint32(9))
    np.testing.assert_array_equal(ours, theirs)


# ----------------------------------------------------------------------------------------------- uniformity


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_all_orders_are_equally_likely(length, draw):
    orders = DRAWS[draw](length, 100_000)
    number = {values: i for i, values in enumerate(itertools.permutations(range(length)))}
    codes = orders @ length ** np.arange(length)
    table = {int(np.dot(values, length ** np.arange(length))): i for values, i in number.items()}
    kinds, found = np.unique(codes, return_counts=True)
    counts = np.zeros(math.factorial(length))
    counts[[table[int(kind)] for kind in kinds]] = found
    assert probability(counts, len(counts) - 1) > BIAS, counts


@pytest.fixture(scope="module", params=DRAWS)
def hundred(request):
    return DRAWS[request.param](100, 20_000).astype(int)


def test_all_values_are_equally_likely_at_each_position(hundred):
    counts = np.stack([np.bincount(column, minlength=100) for column in hundred.T])
    # Rows and columns have fixed sums: 99² degrees of freedom, and a variance larger by 100 / 99.
    assert probability(counts, 99**2, scale=99 / 100) > BIAS


@pytest.mark.parametrize("gap", [1, 2, 50])
def test_all_differences_are_equally_likely(hundred, gap):
    differences = (hundred[:, gap:] - hundred[:, :-gap]) % 100
    counts = np.stack([np.bincount(column, minlength=100)[1:] for column in differences.T])
    assert probability(counts, 98 * len(counts)) > BIAS  # position by position
    assert probability(counts.sum(axis=0), 98) > BIAS  # and together


def test_all_pairs_of_first_values_are_equally_likely():
    orders = orders_of_epochs(20, 100_000)
    counts = np.bincount(orders[:, 0] * 20 + orders[:, 1], minlength=400)
    counts = counts[np.arange(400) % 21 != 0]  # no value stands at two positions
    assert probability(counts, 20 * 19 - 1) > BIAS


def test_following_epochs_are_independent():
    orders = orders_of_epochs(20, 100_000)
    counts = np.bincount(orders[:-1, 0] * 20 + orders[1:, 0], minlength=400)
    assert probability(counts, 399) > BIAS

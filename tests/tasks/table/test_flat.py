"""An ensemble as two arrays is the ensemble: the same numbers, the same scores, the same slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.tasks.table.networks.ensemble import DropoutLoss, Shape, TrainingLoss, build, hashed
from descend.tasks.table.networks.flat import Flat

RNG = np.random.default_rng(0)
ROWS, FEATURES, MEMBERS, WIDTH = 200, 4, 3, 32
X = RNG.normal(size=(ROWS, FEATURES)).astype(np.float32)
BATCH = tuple(map(jnp.asarray, (X, RNG.integers(0, 3, ROWS).astype(np.int32),
                                np.arange(ROWS, dtype=np.int32) % MEMBERS, np.ones(ROWS, np.float32))))


def drawn(hidden_layers):
    """An ensemble all of whose numbers are drawn, and in no order that an array could have by chance."""
    model = build(Shape("mlp", hidden_layers, "multiclass", FEATURES, 3, MEMBERS, WIDTH), 0)
    return jax.tree.map(lambda array: RNG.normal(size=array.shape).astype(np.float32), model)


@pytest.mark.parametrize("hidden_layers", [0, 3])
def test_what_is_laid_beside_each_other_is_found_again(hidden_layers):
    model = drawn(hidden_layers)
    flat = Flat.of(model)
    assert len(jax.tree.leaves(flat)) == 2
    # Weights decay, and are by themselves.
    assert flat.weights.shape == (MEMBERS, sum(inputs * outputs for inputs, outputs in model.shape.layers))
    for there in (flat, jax.tree.map(jnp.asarray, flat)):
        assert jax.tree.structure(there.ensemble) == jax.tree.structure(model)
        jax.tree.map(np.testing.assert_array_equal, there.ensemble, model)
    np.testing.assert_allclose(flat(X), model(X), rtol=1e-4, atol=1e-4)
    assert flat.named_parameters().keys() == model.named_parameters().keys()


def test_slopes_are_those_of_the_ensemble():
    model = drawn(3)
    slopes = jax.jit(jax.grad(lambda model: TrainingLoss("multiclass")(model, BATCH)))
    of_flat, of_model = slopes(Flat.of(model)), slopes(model)
    for found, expected in zip(jax.tree.leaves(of_flat), jax.tree.leaves(Flat.of(of_model)), strict=True):
        # Sums in another order: alike for the size of what is summed up.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_each_layer_leaves_out_its_share_independently_of_the_others():
    """Of activations that are 1, what is left is 0 or 1 / (1 − rate), and so many are 0 as a fair draw gives."""
    rate, seen = 0.25, []

    class Watched:
        shape = Shape("mlp", 3, "multiclass", FEATURES, 3, MEMBERS, WIDTH)

        def __call__(self, rows, hidden):
            seen.extend(hidden(jnp.ones((MEMBERS, ROWS, WIDTH)), layer) for layer in range(3))
            return jnp.zeros((MEMBERS, ROWS, 3))

    DropoutLoss("multiclass", rate)(Watched(), BATCH, jax.random.key(0))
    layers = np.stack([np.asarray(layer) for layer in seen])
    # The members share what is drawn.
    assert (layers == layers[:, :1]).all()
    kept = layers[:, 0] > 0
    np.testing.assert_allclose(layers[:, 0][kept], 1 / (1 - rate), rtol=1e-6)
    # Four standard errors of so many draws, of one layer and of two together.
    draws = ROWS * WIDTH
    shares = [*kept.mean(axis=(1, 2)), *((kept[i] & kept[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2)))]
    for share, expected in zip(shares, [1 - rate] * 3 + [(1 - rate) ** 2] * 3, strict=True):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg"])
@pytest.mark.parametrize("beside", ["itself", "the next place", "the next key"])
def test_each_bit_of_a_hash_is_a_fair_coin_whatever_is_known_of_its_neighbours(beside, generator):
    """Set in half of all places; and so is whether it is that of the neighbour."""
    keys, places = 256, (16, 32)
    length = jax.random.key_data(jax.random.key(0, impl=generator)).size
    given = [np.array([7] * (length - 1) + [key], np.uint32) for key in range(keys)]
    words = np.stack([hashed(jax.random.wrap_key_data(words, impl=generator), places) for words in given])
    if beside == "the next place":
        words = words[..., 1:] ^ words[..., :-1]
    elif beside == "the next key":
        words = words[1:] ^ words[:-1]
    bits = np.unpackbits(words.reshape(-1, 1).view(np.uint8), axis=1)
    # Of 32 bits, none is further than this but once in 2,000 times.
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 4.3 * 0.5 / np.sqrt(len(bits))
    assert len(np.unique(words)) > 0.99 * words.size

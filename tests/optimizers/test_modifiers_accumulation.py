"""Accumulation: several batches make the step that one large batch would have made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import ROWS, assert_close, assert_same_bits, batches, compiled_walk, start, step, walk

from descend.errors import InputError
from descend.optimizers import (
    EMA,
    SAM,
    SGD,
    Accumulate,
    Adam,
    ClipByNorm,
    PolyakStep,
    ReduceOnPlateau,
    SkipNonfinite,
    WeightDecay,
)
from descend.schedules import Cosine, InverseTime

K, LARGE = 3, 6  # batches to a step, steps
INNER = {
    "adam": Adam(InverseTime(0.1, decay=0.3)),
    "cosine": SGD(Cosine(0.1, steps=LARGE), momentum=0.9),
    "polyak": PolyakStep(f_star=0.5, max_rate=0.3),
    "plateau": ReduceOnPlateau(SGD(0.1), patience=0, threshold=0.5),
    "stack": ClipByNorm(WeightDecay(EMA(Adam(0.1), 0.8), 0.3), 0.5),
    "accumulating": Accumulate(SGD(0.1), 2, weight="tokens"),
}


def large(small):
    """`K` batches put together, for each step."""
    return tuple(np.concatenate(np.split(part, part.shape[0]), axis=1)[0].reshape(-1, K * ROWS, *part.shape[2:])
                 for part in small)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("inner", INNER)
def test_is_one_large_batch_of_unequal_ones(inner, dtype):
    small = batches(K * LARGE, dtype)
    got = walk(Accumulate(INNER[inner], K, weight="tokens"), small)
    wanted = walk(INNER[inner], large(small))
    assert got.read.pop("accumulated").tolist() == [1, 2, 0] * LARGE
    wanted.read.pop("accumulated", None)  # of the rule's own
    assert_close(jax.tree.map(lambda leaf: leaf[K - 1 :: K], got), wanted, 1e-12 if dtype == np.float64 else 1e-5)


def test_without_weights_it_is_the_mean_of_means():
    X, y, _ = batches(K * LARGE)
    small = (X, y, np.ones_like(y))
    got = walk(Accumulate(INNER["adam"], K), small)
    wanted = walk(INNER["adam"], large(small))
    assert_close(jax.tree.map(lambda leaf: leaf[K - 1 :: K], got.params), wanted.params, 1e-12)


@pytest.mark.parametrize("inner", ["adam", "stack"])
def test_between_steps_nothing_moves_bit_for_bit(inner):
    begin = {"layer": {"weight": np.array([-0.0, 0.0, 1e-300]), "bias": np.array(-0.0)}}
    seen = walk(Accumulate(INNER[inner], K, weight="tokens"), batches(K + 2), begin=begin).params
    first = jax.tree.map(lambda leaf: leaf[:2], seen)
    assert_same_bits(first, jax.tree.map(lambda leaf: np.stack([leaf, leaf]), begin))
    for i in (K, K + 1):
        assert_same_bits(jax.tree.map(lambda leaf: leaf[i], seen), jax.tree.map(lambda leaf: leaf[K - 1], seen))  # noqa: B023  # it is used at once


def test_compiled_steps_are_the_same():
    rule, small = Accumulate(INNER["stack"], K, weight="tokens"), batches(2 * K)
    with jax.enable_x64(True):
        assert_close(jax.jit(compiled_walk)(rule, small), walk(rule, small), 1e-12)


def test_accumulates_in_float32_at_least():
    """In float16, 2048 + 1 would be 2048."""
    rule, x = Accumulate(SGD(1.0), 9), np.zeros(1, np.float16)
    state = rule.init(x)
    for g in [2048] + [1] * 8:
        update, state = rule.update(np.full(1, g, np.float16), state, x)
    assert update == np.float16(-2056 / 9)


def test_a_large_batch_of_nothing_moves_nothing():
    rule, x = Accumulate(SGD(1.0), 2, weight="tokens"), np.ones(2)
    state = rule.init(x)
    for _ in range(2):
        update, state = rule.update(np.zeros(2), state, x, aux={"tokens": 0})
    assert_same_bits(x + update, x)


def test_a_schedule_counts_the_steps_of_the_rule():
    assert Accumulate(SGD(Cosine(0.1)), 4).over(100) == Accumulate(SGD(Cosine(0.1, steps=25)), 4)
    assert Accumulate(SGD(Cosine(0.1)), 4).over(3) == Accumulate(SGD(Cosine(0.1, steps=1)), 4)
    assert Accumulate(SGD(Cosine(0.1)), 4).over(None) == Accumulate(SGD(Cosine(0.1)), 4)


def test_sharpness_aware_around_it_takes_both_gradients_of_each_batch():
    """And so a large batch steps by the mean of the gradients at as many worst points."""
    rule, x = SAM(Accumulate(SGD(1.0), 2), radius=0.5), np.array([1.0])
    grad = lambda a: lambda x: (a * x @ x, 2 * a * x)
    state = rule.init(x)
    for a in (1.0, -3.0):
        value, g = grad(a)(x)
        update, state = rule.update(g, state, x, value=value, value_and_grad=grad(a))
    np.testing.assert_allclose(update, -np.mean([2 * 1.5, -6 * 0.5]))


def test_a_batch_that_is_not_finite_is_left_out():
    rule, x = SkipNonfinite(Accumulate(SGD(1.0), 2)), np.array([0.0])
    state = rule.init(x)
    for g in (1.0, np.nan, 3.0):
        update, state = rule.update(np.array([g]), state, x)
    assert (update, state.own["skipped"]) == (-2, 1)


# ------------------------------------------------------------------------------------------------- refused


def test_refuses_what_looks_at_other_points():
    with pytest.raises(InputError, match="of the batches only the last is there: put Accumulate inside of it"):
        walk(Accumulate(SAM(SGD()), 2), batches(2))


@pytest.mark.parametrize(
    ("aux", "message"),
    [
        (None, r"^Accumulate needs what the loss returned besides its value: update\(.*aux=\.\.\.\)$"),
        ({}, r"^Accumulate weighs batches by 'tokens', but .* returns nothing: let it return a dict with that number$"),
        ({"token": 1, "accuracy": 0.5}, r"^Accumulate weighs batches by 'tokens', but .* the loss returns token$"),
        ({"a": 1, "b": 0.5}, r"^Accumulate weighs batches by 'tokens', but .* the loss returns a, b$"),
    ],
)
def test_refuses_a_loss_that_does_not_tell_the_weight(aux, message):
    rule = Accumulate(SGD(), 2, weight="tokens")
    with pytest.raises(InputError, match=message):
        rule.update(np.ones(1), rule.init(np.ones(1)), aux=aux)


def test_refuses_no_batches():
    with pytest.raises(InputError, match=r"^Accumulate: batches must be at least 1, but is 0$"):
        Accumulate(SGD(), 0)


# ---------------------------------------------------------------------------------------------------- peers


@pytest.mark.peers
def test_accumulates_as_optax():
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    X, y, _ = batches(K * LARGE)
    small = (X, y, np.ones_like(y))
    with jax.enable_x64(True):
        peer = optax.MultiSteps(optax.adam(0.1), K, accumulator_dtype=np.float64)
        params = jax.tree.map(jnp.asarray, start())
        state, seen = peer.init(params), []
        update = jax.jit(lambda params, state, batch: step(peer, params, state, batch))
        for number in range(K * LARGE):
            params, state = update(params, state, tuple(part[number] for part in small))
            seen.append(jax.tree.map(np.asarray, params))
    wanted = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
    assert_close(walk(Accumulate(Adam(0.1), K), small).params, wanted, 1e-12)

"""Passing over steps that are not finite: as if their batches had never been drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import assert_close, assert_same_bits

from descend.errors import InputError
from descend.optimizers import EMA, SGD, Adam, PerGroup, SkipNonfinite

BAD = [np.nan, np.inf, -np.inf]
GOOD = np.random.default_rng(4).normal(size=(8, 2))


def steps(rule, gradients, values=None, begin=(-0.0, 1.0)):
    """The parameters after each step, and the last state."""
    x = np.asarray(begin)
    state, seen = rule.init(x), []
    for number, g in enumerate(gradients):
        extra = {} if values is None else {"value": values[number]}
        updates, state = rule.update(g, state, x, **extra)
        x = x + updates
        seen.append(x)
    return np.stack(seen), state


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.9), Adam(0.1), EMA(Adam(0.1), 0.8)], ids=repr)
def test_is_as_if_the_step_had_never_been(rule, bad):
    g = np.insert(GOOD, [0, 3, 3, 8], [bad, 1.0], axis=0)
    seen, state = steps(SkipNonfinite(rule), g)
    plain, inner = steps(rule, GOOD)
    kept = np.isfinite(g).all(axis=1)
    assert_same_bits(seen[kept], plain)
    assert_same_bits(state.rule, inner)
    assert state.own["skipped"] == 4
    assert_same_bits(seen[0], np.array([-0.0, 1.0]))


@pytest.mark.parametrize("bad", BAD)
def test_a_loss_that_is_not_finite_counts_too(bad):
    values = np.where(np.arange(8) == 3, bad, 1.0)
    seen, _ = steps(SkipNonfinite(SGD(0.1)), GOOD, values)
    plain, _ = steps(SGD(0.1), np.delete(GOOD, 3, axis=0))
    assert_same_bits(np.delete(seen, 3, axis=0), plain)


def test_updates_that_are_not_finite_count_too():
    seen, state = steps(SkipNonfinite(SGD(1e300)), [np.full(2, 1e10), np.full(2, 1e-300)])
    assert_same_bits(seen[0], np.array([-0.0, 1.0]))
    np.testing.assert_allclose(seen[1], [-1.0, 0.0], atol=1e-12)
    assert state.own["skipped"] == 1


def test_after_the_limit_the_next_is_made():
    g = np.array([1.0, np.nan, np.nan, 1.0, np.nan, np.nan, np.nan])
    rule = SkipNonfinite(SGD(1.0), limit=2)
    x = np.array([10.0])
    state, seen, passed = rule.init(x), [], []
    for each in g:
        updates, state = rule.update(np.array([each]), state, x)
        x = x + updates
        seen.append(float(x[0]))
        passed.append(bool(rule.skipped_update(state)))
    assert seen[:-1] == [9, 9, 9, 8, 8, 8]
    assert np.isnan(seen[-1])
    assert passed == [False, True, True, False, True, True, False]
    assert state.own["skipped"] == 4


def test_a_group_passes_over_by_itself():
    rule = PerGroup(SkipNonfinite(SGD(1.0)), {"b": SGD(1.0)})
    params = {"a": np.ones(1), "b": np.ones(1)}
    updates, state = rule.update({"a": np.array([np.nan]), "b": np.ones(1)}, rule.init(params), params)
    assert (updates["a"], updates["b"]) == (0, -1)
    assert not rule.skipped_update(state)  # as the other group was not asked


def test_is_compiled():
    rule, g = SkipNonfinite(Adam(0.1), limit=3), np.insert(GOOD, [2, 2, 5], np.nan, axis=0)

    @jax.jit
    def run(rule):
        def body(carry, g):
            x, state = carry
            updates, state = rule.update(g, state, x, value=g.sum())
            return (x + updates, state), x + updates

        return jax.lax.scan(body, (jnp.ones(2), rule.init(jnp.ones(2))), g)

    with jax.enable_x64(True):
        (_, state), seen = run(rule)
    plain, inner = steps(rule, g, g.sum(axis=1), begin=(1.0, 1.0))
    assert_close(np.asarray(seen), plain, 1e-12)
    assert (state.own["skipped"], inner.own["skipped"]) == (3, 3)


def test_refuses_a_limit_of_none():
    with pytest.raises(InputError, match=r"^SkipNonfinite: limit must be at least 1 step, but is 0$"):
        SkipNonfinite(SGD(), limit=0)


@pytest.mark.peers
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_passes_over_as_optax(limit):
    optax = pytest.importorskip("optax", reason="compares with Optax: pip install 'descend[peers]'")
    g = np.array([1.0, np.nan, np.inf, 2.0, np.nan, np.nan, np.nan, 1.0])
    peer, x, seen = optax.apply_if_finite(optax.sgd(1.0), limit), jnp.zeros(1), []
    state = peer.init(x)
    for each in g:
        updates, state = peer.update(jnp.full(1, each), state, x)
        x = x + updates
        seen.append(np.asarray(x))
    ours, _ = steps(SkipNonfinite(SGD(1.0), limit), g[:, None].astype(np.float32), begin=np.zeros(1, np.float32))
    np.testing.assert_array_equal(ours, np.stack(seen))

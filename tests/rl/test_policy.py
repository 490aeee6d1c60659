"""Policies as functions, and as files."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import CheckpointError, InputError
from descend.rl import ActorCritic, Policy
from descend.rl._moments import Moments
from descend.rl._network import HIDDEN
from descend.rl.environments import Box, Discrete

BOX, DISCRETE = Box((-0.1, -1.0), (0.1, 1.0)), Discrete(3)
MOMENTS = Moments(jnp.array([1.0, 2.0]), jnp.array([4.0, 9.0]), jnp.float32(7))
OBSERVATIONS = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)


def policy(actions, moments=None):
    network = ActorCritic.drawn((2,), actions, 0)
    network = jax.tree.map(lambda w: 3 * w, network)
    return Policy(network, "Toy", (2,), actions, moments)


def by_hand(found, observations):
    """The actor in NumPy, from its layers."""
    actor, _, _ = found.network.layers()
    x = observations
    for i, (W, b) in enumerate(actor):
        x = x @ np.asarray(W) + np.asarray(b)
        x = np.tanh(x) if i < len(actor) - 1 else x
    return x


@pytest.mark.parametrize("moments", [None, MOMENTS])
def test_does_what_it_thinks_best(moments):
    found, boxed = policy(DISCRETE, moments), policy(BOX, moments)
    seen = OBSERVATIONS if moments is None else (OBSERVATIONS - [1, 2]) / [2, 3]
    assert found(OBSERVATIONS).tolist() == by_hand(found, seen).argmax(1).tolist()
    expected = np.clip(by_hand(boxed, seen), BOX.low, BOX.high)
    np.testing.assert_allclose(boxed(OBSERVATIONS), expected, rtol=1e-4, atol=1e-5)
    assert found(OBSERVATIONS[0]) == found(OBSERVATIONS)[0]
    assert boxed(OBSERVATIONS[0].tolist()).shape == (2,)


def test_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"takes observations of shape \(2,\), but this one has \(3,\)"):
        policy(DISCRETE)([1.0, 2.0, 3.0])


@pytest.mark.parametrize("actions", [DISCRETE, BOX])
@pytest.mark.parametrize("moments", [None, MOMENTS])
def test_saved_and_loaded_is_the_same(tmp_path, actions, moments):
    found = policy(actions, moments)
    found.save(tmp_path / "policy")
    loaded = Policy.load(tmp_path / "policy")
    assert (loaded.environment, loaded.observation_shape, loaded.actions) == ("Toy", (2,), actions)
    assert np.array_equal(loaded(OBSERVATIONS), found(OBSERVATIONS))


def test_a_damaged_file_is_refused(tmp_path):
    file = tmp_path / "policy"
    policy(DISCRETE).save(file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        Policy.load(file)


def test_weights_are_orthogonal_at_first():
    actor, critic, log_std = ActorCritic.drawn((5,), BOX, 0).layers()
    gains = [2**0.5, 2**0.5, 0.01], [2**0.5, 2**0.5, 1.0]
    for layers, sizes in ((actor, (5, *HIDDEN, 2)), (critic, (5, *HIDDEN, 1))):
        assert [W.shape for W, _ in layers] == list(pairwise(sizes))
        for (W, b), gain in zip(layers, gains[layers is critic], strict=True):
            singular = np.linalg.svd(np.asarray(W), compute_uv=False)
            np.testing.assert_allclose(singular, gain, rtol=1e-5)
            assert not b.any()
    assert log_std.tolist() == [0.0, 0.0]
    assert ActorCritic.drawn((5,), DISCRETE, 0).layers()[2] is None

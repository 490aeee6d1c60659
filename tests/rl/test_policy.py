"""Policies as functions, and as files."""

import sys
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import CheckpointError, InputError
from descend.engine.storing import read_arrays, write_arrays
from descend.rl import ActorCritic, Policy
from descend.rl._distributions import environment_action
from descend.rl._moments import Moments
from descend.rl._network import HIDDEN
from descend.rl.environments import Box, Discrete
from descend.rl.playing import play

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


def test_parameters_are_named_in_their_order():
    network = ActorCritic.drawn((5,), BOX, 0)
    named = network.named_parameters()
    assert list(named)[::5] == ["actor layer 1 weights", "actor layer 3 biases", "critic layer 3 weights"]
    assert list(named)[-1] == "log σ"
    assert np.array_equal(np.concatenate([np.ravel(part) for part in named.values()]), network.weights)


FAR = Box((0.0, -1.0, -5e-3, 0.0, -np.inf), (1000.0, 1.0, 5e-3, np.inf, np.inf))


def test_only_intervals_that_are_far_from_plus_and_minus_one_have_units_of_their_own():
    assert FAR.units == ((500.0, 0.0, 0.0, 0.0, 0.0), (500.0, 1.0, 5e-3, 1.0, 1.0))
    for usual in (BOX, Box((-2.0,), (2.0,)), Box((0.0,), (1.0,)), Box((-0.4,), (0.4,)), Box((1.0,), (1.0,))):
        assert usual.units == ((0.0,) * usual.shape[0], (1.0,) * usual.shape[0])


def test_actions_are_in_the_units_of_their_interval():
    action = np.array([[-1.0, 0.5, 0.5, -3.0, 7.0], [0.4, 2.0, -9.0, 3.0, -7.0]], np.float32)
    expected = [[0.0, 0.5, 2.5e-3, 0.0, 7.0], [700.0, 1.0, -5e-3, 3.0, -7.0]]
    np.testing.assert_allclose(environment_action(FAR, action), expected, rtol=1e-6)


def changed(tmp_path, facts=None, arrays=None):
    """A policy's file that somebody has changed, behind a right checksum."""
    policy(BOX, MOMENTS).save(tmp_path / "policy")
    held, told = read_arrays(tmp_path / "policy")
    write_arrays(tmp_path / "policy", held | (arrays or {}), {"policy": told["policy"] | (facts or {})})
    return tmp_path / "policy"


@pytest.mark.parametrize(("facts", "said"), [
    ({"observation_shape": [10**9]}, "weights must be"),
    ({"observation_shape": "ab"}, "observation_shape must be whole numbers from 1 on"),
    ({"actions": {"n": 10**9}}, "weights must be"),
    ({"actions": {"n": True}}, "n must be a whole number"),
    ({"actions": {"low": [0.0, 0.0], "high": [1.0]}}, "high must be as many numbers as low"),
    ({"actions": []}, "actions must be named facts"),
    ({"environment": 3}, "environment must be a text"),
    ({"normalized": 1}, "normalized must be true or false"),
])  # fmt: skip
def test_facts_of_strangers_are_held_to_the_arrays(tmp_path, facts, said):
    with pytest.raises(CheckpointError, match=said):
        Policy.load(changed(tmp_path, facts))


@pytest.mark.parametrize(("name", "value", "said"), [
    ("network/weights", np.nan, "network/weights must be finite"),
    ("moments/mean", np.inf, "moments/mean must be finite"),
    ("moments/variance", -1.0, "variance must be at least 0"),
])  # fmt: skip
def test_numbers_of_strangers_are_numbers(tmp_path, name, value, said):
    held = read_arrays(changed(tmp_path))[0][name]
    with pytest.raises(CheckpointError, match=said):
        Policy.load(changed(tmp_path, arrays={name: np.full_like(held, value)}))


def test_no_module_is_imported_for_the_name_in_a_file(tmp_path):
    loaded = Policy.load(changed(tmp_path, {"environment": "antigravity:Env-v0"}))
    with pytest.raises(InputError, match="no module is imported because a file names it: say yourself"):
        play(loaded)
    assert "antigravity" not in sys.modules


def test_a_policy_is_played_only_where_it_fits(tmp_path):
    with pytest.raises(InputError, match=r"the policy has observations \(2,\), but CartPole-v1 has \(4,\)"):
        play(Policy.load(changed(tmp_path, {"environment": "CartPole-v1"})))

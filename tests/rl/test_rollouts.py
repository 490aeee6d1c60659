"""Rollouts: every step as the environment made it, each drawn once in an epoch, however the draws are made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_worlds import Counter, Walk

from descend.rl import ActorCritic, Categorical
from descend.rl._moments import Moments
from descend.rl._rollouts import Rollouts
from descend.rl._steps import EpisodeStatistics

KEY = jax.random.key(0)


def rollouts(environment=None, **settings):
    chosen = {"num_envs": 3, "num_steps": 8, "epochs": 2, "minibatches": 4, "gamma": 0.9, "gae_lambda": 0.8}
    return Rollouts(environment=environment or Counter(), **{**chosen, **settings})


def network(environment=None):
    environment = environment or Counter()
    return ActorCritic.drawn(environment.observation_shape, environment.actions, 0)


def in_time(source, cursor):
    return jax.tree.map(lambda a: np.asarray(a).reshape(source.num_steps, source.num_envs, *a.shape[1:]), cursor.steps)


def test_steps_are_those_of_the_environment():
    """A count that begins anew after its fifth step: seen are 0, 1, 2, 3, 4, 0, 1, …"""
    source = rollouts()
    plan = source.plan(source.init(KEY), network())
    seen = in_time(source, plan.cursor).observation[..., 0] - 0.5
    assert (seen == (np.arange(8) % 5)[:, None]).all()
    assert plan.cursor.live.elapsed.tolist() == [3, 3, 3]
    assert plan.cursor.live.earned.tolist() == [6.0, 6.0, 6.0]
    watch = plan.cursor.watch
    assert (watch.episodes, watch.episode_return, watch.episode_length, watch.environment_steps) == (3, 15, 5, 24)
    again = source.plan(plan.cursor._replace(position=jnp.int32(8)), network())
    assert (in_time(source, again.cursor).observation[..., 0] - 0.5 == (np.arange(8, 16) % 5)[:, None]).all()


@pytest.mark.parametrize("limit", [None, 5, 3])
def test_targets_tell_the_end_of_time_from_the_end(limit):
    """By hand: what a step is worth, with the critic's own values of what followed."""
    environment = Counter(end=4, time_limit=limit)
    source, policy = rollouts(environment, num_envs=1), network()
    steps = in_time(source, source.plan(source.init(KEY), policy).cursor)
    value = lambda count: float(policy(jnp.full((1, 1), count + 0.5))[1][0])
    length = min(4, limit or 4)
    expected, later = np.zeros(8), 0.0
    for t in reversed(range(8)):
        count = t % length + 1
        beyond = 0.0 if count == 4 else value(count)
        delta = count + 0.9 * beyond - value(count - 1)
        later = delta + 0.9 * 0.8 * (0.0 if count == length else later)
        expected[t] = later
    np.testing.assert_allclose(steps.advantage[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(steps.target, steps.advantage + steps.value, rtol=1e-6)


def test_every_step_once_in_each_epoch_and_in_another_order():
    source, policy = rollouts(), network()
    cursor, batches, draw = source.init(KEY), [], jax.jit(source.draw)
    for _ in range(source.draws):
        batch, cursor = draw(cursor, policy)
        batches.append(np.asarray(batch.steps.log_prob))
    first, second = np.array(batches).reshape(2, 24)
    assert len(set(first)) == 24
    assert sorted(first) == sorted(second)
    assert not np.array_equal(first, second)


def test_a_plan_that_was_begun_is_gone_on_with():
    """The batches of an iteration are the same, however it is divided into plans, and whatever the parameters are."""
    source, policy = rollouts(), network()
    other = jax.tree.map(lambda w: w + 1, policy)
    whole = source.plan(source.init(KEY), policy)
    cursor = source.after(whole.cursor, jnp.int32(3))
    rest = source.plan(cursor, other)
    assert (int(whole.count), int(rest.count)) == (8, 5)
    index, is_first = whole.draws
    assert is_first.tolist() == [True] + [False] * 7
    assert np.array_equal(rest.draws[0][:5], index[3:])
    assert not rest.draws[1].any()
    for mine, theirs in zip(jax.tree.leaves(rest.cursor.steps), jax.tree.leaves(whole.cursor.steps), strict=True):
        assert np.array_equal(mine, theirs)


def test_the_policy_of_the_moment_plays():
    """Actions that are certain, by a network that wants to the right."""
    said = lambda observations: Categorical(jnp.tile(jnp.array([-50.0, 50.0]), (len(observations), 1)))
    right = jax.tree_util.Partial(lambda observations: (said(observations), observations[:, 0]))
    source = rollouts(Walk())
    steps = in_time(source, source.plan(source.init(KEY), right).cursor)
    assert (steps.action == 1).all()
    assert (steps.observation[..., 0] == (np.arange(8) % 3)[:, None]).all()
    np.testing.assert_allclose(steps.log_prob, 0, atol=1e-6)


def test_observations_are_normalized_by_what_was_seen_before():
    source, policy = rollouts(normalize_observations=True), network()
    first = source.plan(source.init(KEY), policy).cursor
    assert (in_time(source, first).observation[..., 0] == (np.arange(8) % 5)[:, None] + 0.5).all()
    second = source.plan(first._replace(position=jnp.int32(8)), policy).cursor
    seen = np.repeat(np.arange(8) % 5, 3) + 0.5
    expected = ((np.arange(8, 16) % 5) + 0.5 - seen.mean()) / seen.std()
    np.testing.assert_allclose(in_time(source, second).observation[:, 0, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(second.moments.mean, seen.mean(), rtol=1e-6)


def test_rewards_are_scaled_by_the_spread_of_what_they_add_up_to():
    plain, scaled = rollouts(), rollouts(normalize_rewards=True, gae_lambda=0.0)
    policy = jax.tree.map(jnp.zeros_like, network())  # whose values are nothing: advantages are rewards then
    sums, total = [], 0.0
    for t in range(8):
        total = total * 0.9 + t % 5 + 1
        sums.append(total)
        total = 0.0 if t % 5 == 4 else total
    steps = in_time(scaled, scaled.plan(scaled.init(KEY), policy).cursor)
    np.testing.assert_allclose(steps.advantage[:, 0], (np.arange(8) % 5 + 1) / np.std(sums), rtol=1e-4)
    assert plain.init(KEY).scale is None


def test_moments_are_those_of_all_rows_together():
    rows = np.random.default_rng(0).normal(1e3, 2, (90, 2)).astype(np.float32)
    moments = Moments.none((2,))
    for part in np.split(rows, [10, 11, 50]):
        moments = moments.merged(jnp.asarray(part))
    np.testing.assert_allclose(moments.mean, rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, rows.astype(np.float64).var(0), rtol=1e-3)
    np.testing.assert_allclose(moments.normalized(rows[:3] + np.float32(1e6)), 10.0)


def test_the_watch_is_a_mean_over_about_the_last_hundred():
    watch = EpisodeStatistics.start()
    for number in range(300):
        watch = watch.after(np.array([True, False]), np.array([float(number >= 150), 9.0]), np.array([number, 0]))
    assert watch.episodes == 300
    assert 0.7 < float(watch.episode_return) < 0.85  # 1 − 0.99^150

"""The losses of policy gradients against loops over single steps."""

import jax
import numpy as np
import pytest

from descend.rl import Gaussian
from descend.rl._losses import LossState, PolicyLoss, StatefulPolicyLoss
from descend.rl._steps import EpisodeStatistics, Rollout, Steps

rng = np.random.default_rng(2)
B = 12
NEW, OLD = rng.normal(-1, 0.5, B), rng.normal(-1, 0.5, B)
ADVANTAGE, VALUE, OLD_VALUE, TARGET = (rng.normal(size=B) for _ in range(4))
ENTROPY = rng.random(B)


class Given:
    """A distribution whose numbers are given."""

    def __init__(self, log_prob):
        self._log_prob = log_prob

    def log_prob(self, action):
        return self._log_prob

    def entropy(self):
        return jax.numpy.asarray(ENTROPY)


def network(params):
    return lambda observation: (Given(params["log_prob"]), params["value"])


def called(loss, **changed):
    """The loss of the numbers above, by a network that gives them."""
    none = np.zeros(B)
    batch = Rollout(Steps(none, none, OLD, OLD_VALUE, ADVANTAGE, TARGET), EpisodeStatistics.start(), None, True)
    params = {"log_prob": jax.numpy.asarray(NEW), "value": jax.numpy.asarray(VALUE)} | changed
    return loss(network(params), batch)


def looped(loss):
    """The same, step by step."""
    advantage = ADVANTAGE
    if loss.normalize_advantage:
        advantage = (ADVANTAGE - ADVANTAGE.mean()) / (np.sqrt(((ADVANTAGE - ADVANTAGE.mean()) ** 2).mean()) + 1e-8)
    policy, value, clipped, kl = 0.0, 0.0, 0, 0.0
    for i in range(B):
        ratio = np.exp(NEW[i] - OLD[i])
        kl += (ratio - 1 - (NEW[i] - OLD[i])) / B
        if loss.clip is None:
            policy -= NEW[i] * advantage[i] / B
        else:
            cut = min(max(ratio, 1 - loss.clip), 1 + loss.clip)
            policy -= min(ratio * advantage[i], cut * advantage[i]) / B
            clipped += abs(ratio - 1) > loss.clip
        error = (VALUE[i] - TARGET[i]) ** 2
        if loss.value_clip is not None:
            move = min(max(VALUE[i] - OLD_VALUE[i], -loss.value_clip), loss.value_clip)
            error = max(error, (OLD_VALUE[i] + move - TARGET[i]) ** 2)
        value += error / B
    told = {"policy_loss": policy, "value_loss": value, "entropy": ENTROPY.mean(), "approx_kl": kl}
    if loss.clip is not None:
        told["clip_fraction"] = clipped / B
    return policy + loss.value_coefficient * value - loss.entropy * ENTROPY.mean(), told


LOSSES = [
    PolicyLoss(),
    PolicyLoss(normalize_advantage=False, value_coefficient=0.3, entropy=0.02),
    PolicyLoss(clip=0.2),
    PolicyLoss(clip=0.3, value_clip=0.2, entropy=0.01, normalize_advantage=False),
]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_is_that_of_a_loop(loss):
    value, told = called(loss)
    expected, parts = looped(loss)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert {name for name in told if not hasattr(EpisodeStatistics, name)} == set(parts)
    for name, part in parts.items():
        np.testing.assert_allclose(told[name], part, rtol=1e-5, err_msg=name)


def test_beyond_the_clip_nothing_is_gained():
    """The gradient of a step is nothing where its ratio has passed the clip in the direction of its advantage."""
    loss = PolicyLoss(clip=0.1, normalize_advantage=False)
    slope = np.asarray(jax.grad(lambda x: called(loss, log_prob=x)[0])(jax.numpy.asarray(NEW)))
    ratio = np.exp(NEW - OLD)
    passed = np.where(ADVANTAGE > 0, ratio > 1.1, ratio < 0.9)
    assert 0 < passed.sum() < B
    assert (slope[passed] == 0).all()
    assert (np.sign(slope[~passed]) == -np.sign(ADVANTAGE[~passed])).all()


def test_without_a_clip_it_is_the_gradient_of_the_policy():
    loss = PolicyLoss(normalize_advantage=False)
    slope = jax.grad(lambda x: called(loss, log_prob=x)[0])(jax.numpy.asarray(NEW))
    np.testing.assert_allclose(slope, -ADVANTAGE / B, rtol=1e-5)


@pytest.mark.parametrize(("before", "is_first", "target", "beyond"), [
    (False, False, 1e3, False), (True, False, 1e3, True), (True, True, 1e3, False), (False, True, 1e-9, True),
])  # fmt: skip
def test_what_is_left_of_a_rollout_is_passed_over(before, is_first, target, beyond):
    none = np.zeros(B)
    steps = Steps(none, none, OLD, OLD_VALUE, ADVANTAGE, TARGET)
    batch = Rollout(steps, EpisodeStatistics.start(), None, np.bool_(is_first))
    given = network({"log_prob": jax.numpy.asarray(NEW), "value": jax.numpy.asarray(VALUE)})
    _, kept, told = StatefulPolicyLoss(PolicyLoss(clip=0.2), target)(given, batch, LossState(None, np.bool_(before)))
    assert bool(kept.is_beyond) == bool(told["passed_over"]) == beyond


def test_spread_is_descended_on_as_the_density_has_it():
    """∂/∂σ of log π is (z² − 1) / σ."""
    log_std, action = jax.numpy.asarray([0.3]), jax.numpy.asarray([[1.7]])
    slope = jax.grad(lambda s: Gaussian(jax.numpy.zeros((1, 1)), s).log_prob(action)[0])(log_std)
    z = 1.7 / np.exp(0.3)
    np.testing.assert_allclose(slope, [z**2 - 1], rtol=1e-5)

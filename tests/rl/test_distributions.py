"""Distributions of actions against SciPy's, and their samples against their probabilities."""

import jax
import numpy as np
import pytest
from scipy import stats

from descend.rl import Categorical, Gaussian
from descend.rl._distributions import environment_action, host_noise_for, noise_for
from descend.rl.environments import Box, Discrete

rng = np.random.default_rng(1)
LOGITS = rng.normal(size=(7, 4)).astype(np.float32)
MEAN, LOG_STD = rng.normal(size=(7, 3)).astype(np.float32), np.array([-1.0, 0.0, 0.7], np.float32)
DRAWS = 20_000


def test_categorical_is_scipys():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    actions = np.array([0, 1, 2, 3, 0, 1, 2])
    law = Categorical(jax.numpy.asarray(LOGITS))
    np.testing.assert_allclose(law.log_prob(actions), np.log(p[np.arange(7), actions]), rtol=1e-5)
    np.testing.assert_allclose(law.entropy(), stats.entropy(p, axis=1), rtol=1e-5)
    assert law.mode().tolist() == LOGITS.argmax(1).tolist()


def test_gaussian_is_scipys():
    law, action = Gaussian(jax.numpy.asarray(MEAN), jax.numpy.asarray(LOG_STD)), rng.normal(size=(7, 3))
    normal = stats.norm(MEAN, np.exp(LOG_STD))
    np.testing.assert_allclose(law.log_prob(action.astype(np.float32)), normal.logpdf(action).sum(1), rtol=1e-5)
    np.testing.assert_allclose(law.entropy(), normal.entropy().sum(1), rtol=1e-5)
    assert np.array_equal(law.mode(), MEAN)


@pytest.mark.parametrize("on_host", [False, True])
def test_categorical_samples_have_their_probabilities(on_host):
    space = Discrete(4)
    noise = host_noise_for(space, rng, (DRAWS,)) if on_host else noise_for(space, jax.random.key(0), (DRAWS,))
    logits = LOGITS[0] if on_host else jax.numpy.asarray(LOGITS[0])
    counts = np.bincount(np.asarray(Categorical(logits).sample(noise)), minlength=4)
    p = np.exp(LOGITS[0]) / np.exp(LOGITS[0]).sum()
    assert stats.chisquare(counts, DRAWS * p).pvalue > 1e-4


@pytest.mark.parametrize("on_host", [False, True])
def test_gaussian_samples_have_their_mean_and_spread(on_host):
    space = Box((-1.0,) * 3, (1.0,) * 3)
    noise = host_noise_for(space, rng, (DRAWS,)) if on_host else noise_for(space, jax.random.key(0), (DRAWS,))
    array = np.asarray if on_host else jax.numpy.asarray
    sample = np.asarray(Gaussian(array(MEAN[0]), array(LOG_STD)).sample(noise))
    for i in range(3):
        assert stats.kstest(sample[:, i], stats.norm(MEAN[0, i], np.exp(LOG_STD[i])).cdf).pvalue > 1e-4


def test_vectors_are_cut_down_to_their_bounds():
    box = Box((-1.0, 0.0), (1.0, np.inf))
    far = np.array([[-3.0, -3.0], [3.0, 3.0]], np.float32)
    assert environment_action(box, far).tolist() == [[-1.0, 0.0], [1.0, 3.0]]
    assert environment_action(Discrete(3), np.array(2)) == 2

"""The temperature of probabilities, held to what is known of models that are right, or too sure by a known factor."""

import numpy as np
import pytest
from scipy.special import softmax

from descend.tasks.common.judging.temperature import at_temperature, fitted_temperature

ROWS = 4000


def world(classes, seed=0):
    """The logarithms of true probabilities, and classes that were drawn by them."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(ROWS, classes)) * 1.5
    chances = softmax(scores, axis=1)
    truth = (rng.random((ROWS, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return scores, truth


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_a_model_that_is_too_sure_by_a_factor_is_given_that_temperature(classes, factor):
    scores, truth = world(classes)
    found = fitted_temperature(softmax(factor * scores, axis=1).astype(np.float32), truth)
    assert found.value == pytest.approx(factor, rel=0.1)
    assert f"a temperature of {found.value:.3g} lowers the log-loss" in found.why
    np.testing.assert_allclose(at_temperature(softmax(factor * scores, axis=1), factor), softmax(scores, axis=1))


def test_a_model_that_is_right_is_left_in_most_worlds():
    # Two standard errors: one in twenty is changed by chance, of forty two on average.
    worlds = [world(2, seed) for seed in range(40)]
    found = [fitted_temperature(softmax(scores, axis=1), truth) for scores, truth in worlds]
    assert sum(one.value != 1 for one in found) <= 6
    left = next(one for one in found if one.value == 1)
    assert left.why.startswith("the probabilities stay as they are: a temperature of ")


def test_it_is_the_minimum_of_the_loss():
    scores, truth = world(3)
    chances = softmax(2 * scores, axis=1)
    found = fitted_temperature(chances, truth).value
    loss = lambda value: -np.log(at_temperature(chances, value)[np.arange(ROWS), truth]).mean()
    assert loss(found) <= min(loss(found * factor) for factor in (0.99, 1.01, 0.7, 1.4))


def test_a_row_of_weight_two_counts_as_two():
    scores, truth = world(3)
    chances, weights = softmax(2 * scores, axis=1), np.where(truth == 0, 2.0, 1.0)
    twice = np.concatenate([np.arange(ROWS), np.flatnonzero(truth == 0)])
    weighted, repeated = fitted_temperature(chances, truth, weights), fitted_temperature(chances[twice], truth[twice])
    assert weighted.value == pytest.approx(repeated.value, rel=1e-4)


def test_no_class_changes_places_and_sure_ones_stay_finite():
    chances = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3]])
    for value in (0.05, 20.0):
        made = at_temperature(chances, value)
        assert (made.argmax(axis=1) == [0, 1]).all()
        np.testing.assert_allclose(made.sum(axis=1), 1)
    assert at_temperature(chances, 1.0) is chances


def test_wholly_sure_and_wholly_right_stays():
    assert fitted_temperature(np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)).value == 1

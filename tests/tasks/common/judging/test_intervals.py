"""Conformal prediction, held to the theorem on rows that come in no order, and to the definition row by row."""

import math

import numpy as np
import pytest

from descend._facts import Facts
from descend.errors import CheckpointError, InputError
from descend.tasks.common.judging.intervals import MOST_SCORES, Conformal

LEVELS = (0.5, 0.8, 0.9, 0.95)


def drawn(rows, rng, fans_out=False):
    """Predictions, and truths around them; errors have heavy tails and may grow with the predictions."""
    predictions = rng.uniform(1, 10, rows)
    return predictions, predictions + rng.standard_t(3, rows) * (predictions if fans_out else 1)


@pytest.mark.parametrize("fans_out", [False, True])
@pytest.mark.parametrize("rows", [60, 600])
def test_intervals_hold_what_they_promise(rows, fans_out):
    rng = np.random.default_rng(rows)
    held = {level: [] for level in LEVELS}
    for _ in range(200):
        found = Conformal.of_numbers(*drawn(rows, rng, fans_out))
        predictions, truth = drawn(100, rng, fans_out)
        for level in LEVELS:
            low, high = found.around(predictions, level)
            held[level].append(np.mean((low <= truth) & (truth <= high)))
    for level, shares in held.items():
        # The theorem: at least the level, and above it by at most one row; besides, what 20,000 rows leave to chance.
        assert level - 0.012 <= np.mean(shares) <= level + 1 / rows + 0.012


def test_the_quantile_is_the_definitions_row():
    predictions, truth = drawn(137, np.random.default_rng(0))
    found = Conformal.of_numbers(predictions, truth)
    errors = np.sort(np.abs(truth - predictions))
    for level in (0.01, *LEVELS, 136 / 138, 137 / 138):
        assert found.quantile(level) == errors[math.ceil(level * 138 - 1e-9) - 1]
    with pytest.raises(InputError, match=r"intervals of 0\.995 need more rows .*: choose at most 0\.9927"):
        found.quantile(0.995)
    for level in (0.0, 1.0, 90.0, math.nan):
        with pytest.raises(InputError, match=r"must be between 0 and 1, as 0\.9 is, but is"):
            found.quantile(level)


def test_widths_follow_errors_only_where_these_differ():
    rng = np.random.default_rng(1)
    for fans_out in (False, True):
        found = Conformal.of_numbers(*drawn(2000, rng, fans_out))
        assert (len(found.spread.places) > 0) == fans_out
        predictions, truth = drawn(4000, rng, fans_out)
        low, high = found.around(predictions, 0.9)
        held = (low <= truth) & (truth <= high)
        # Also for small and for large predictions alone.
        assert min(held[predictions < 3].mean(), held[predictions > 8].mean()) > 0.86


def test_few_rows_and_exact_predictions_have_intervals_too():
    low, high = Conformal.of_numbers(np.arange(20.0), np.arange(20.0)).around(np.array([3.0]), 0.9)
    assert low == high == 3
    exact = Conformal.of_numbers(np.arange(2000.0), np.arange(2000.0) + (np.arange(2000) > 1000))
    assert np.isfinite(exact.around(np.array([5.0, 1500.0]), 0.9)).all()


@pytest.mark.parametrize("classes", [2, 6])
def test_sets_hold_the_true_class_as_often_and_are_never_empty(classes):
    rng = np.random.default_rng(classes)
    held, right = {level: [] for level in LEVELS}, []
    for _ in range(100):
        chances = rng.dirichlet(np.full(classes, 0.5), 400)
        # A model that is wrong about its probabilities: the promise hangs on none of them.
        drawn_from = (0.5 * chances + 0.5 / classes).cumsum(axis=1)
        truth = (rng.random((400, 1)) > drawn_from).sum(axis=1).clip(max=classes - 1)
        found = Conformal.of_classes(chances[:200], truth[:200])
        right.append(np.mean(chances.argmax(axis=1) == truth))
        for level in LEVELS:
            sets = found.possible(chances[200:], level)
            assert sets[np.arange(200), chances[200:].argmax(axis=1)].all()
            held[level].append(sets[np.arange(200), truth[200:]].mean())
    for level, shares in held.items():
        # As sets are not empty, they hold the truth as often as the most probable class is it.
        assert level - 0.012 <= np.mean(shares) <= max(level, np.mean(right)) + 0.02


def test_sets_are_the_definitions():
    chances = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    found = Conformal(np.array([0.0, 0.6, 0.9]), np.array([0.25, 0.5, 0.75]))
    np.testing.assert_array_equal(found.possible(chances, 0.25), [[True, False, False], [False, False, True]])
    np.testing.assert_array_equal(found.possible(chances, 0.5), [[True, True, False], [False, False, True]])
    np.testing.assert_array_equal(found.possible(chances, 0.75), [[True, True, True], [True, True, True]])


def test_a_row_of_weight_two_counts_as_two():
    predictions, truth = drawn(50, np.random.default_rng(2))
    weights = np.tile([1.0, 2.0], 25)
    weighted = Conformal.of_numbers(predictions, truth, weights)
    order = np.argsort(np.abs(truth - predictions))
    shares = weights[order].cumsum() / (weights.sum() + weights.mean())
    assert weighted.quantile(0.8) == np.abs(truth - predictions)[order][np.searchsorted(shares, 0.8)]


def test_of_many_rows_few_scores_are_kept_and_intervals_are_hardly_wider():
    predictions, truth = drawn(50_000, np.random.default_rng(3))
    found, errors = Conformal.of_numbers(predictions, truth), np.sort(np.abs(truth - predictions))
    assert len(found.scores) <= MOST_SCORES
    for level in LEVELS:
        exact = errors[math.ceil(level * 50_001) - 1]
        assert exact <= found.quantile(level) <= errors[math.ceil((level + 1 / MOST_SCORES) * 50_001)]


def through_parts(found):
    facts, arrays = found.to_parts()
    return Conformal.from_parts(Facts(facts, "model"), arrays)


def test_they_are_stored_to_the_last_bit_and_what_is_strange_is_refused():
    found = Conformal.of_numbers(*drawn(900, np.random.default_rng(4), fans_out=True))
    again, predictions = through_parts(found), np.linspace(-5, 20, 50)
    np.testing.assert_array_equal(again.around(predictions, 0.9), found.around(predictions, 0.9))
    facts, arrays = found.to_parts()
    strange = [
        {"scores": arrays["scores"][::-1].copy()}, {"scores": -arrays["scores"][::-1]}, {"scores": np.zeros(3)},
        {"shares": np.full(len(arrays["shares"]), np.nan)}, {"sizes": -arrays["sizes"]},
        {"places": arrays["places"][::-1].copy()},
    ]
    for change in strange:
        with pytest.raises(CheckpointError, match=r"model: .* must be"):
            Conformal.from_parts(Facts(facts, "model"), arrays | change)
    with pytest.raises(CheckpointError, match="scores must be a whole number from 1 to"):
        Conformal.from_parts(Facts(facts | {"scores": 10**9}, "model"), arrays)

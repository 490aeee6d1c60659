"""exp and log in plain arithmetic against NumPy's in extended precision; blocks of rows judged as single rows are."""

import numpy as np
import pytest

from descend.linear import _losses as losses
from descend.linear._kernels import block_losses, elementary
from descend.linear._losses import Loss
from descend.linear._losses.loss import Kind
from descend.linear.problems.matrix import NO_OFFSET

EPS = np.finfo(np.float64).eps
KINDS = [kind for kind in vars(losses).values() if isinstance(kind, Kind)]


def numbers(low: float, high: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, 20_000)


@pytest.mark.parametrize(("name", "oracle", "given"), [
    ("fast_exp", np.exp, numbers(-700, 0)),
    ("fast_exp", np.exp, -np.exp(numbers(-40, 3))),
    ("fast_exp", np.exp, np.array([0.0, -0.0, -1e-300, -np.log(2) / 2, -708.0])),
    ("fast_log1p", np.log1p, numbers(0, 1)),
    ("fast_log1p", np.log1p, np.exp(numbers(-600, 0))),
    ("fast_log1p", np.log1p, np.array([1.0, np.sqrt(2) - 1, 5e-324])),
    ("fast_log", np.log, np.exp(numbers(-690, 0))),
    ("fast_log", np.log, 1 - np.exp(numbers(-36, -1))),
    ("fast_log", np.log, np.array([1e-300, 0.5, np.sqrt(0.5), 0.75, 2.0, 1e10])),
])
def test_to_two_units_of_the_last_place(name: str, oracle: np.ufunc, given: np.ndarray) -> None:
    function = getattr(elementary, name)
    wanted = oracle(given.astype(np.longdouble))
    found = np.array([function(x) for x in given])
    assert np.all(np.abs(found - wanted) <= 2 * EPS * np.abs(wanted))


def test_where_they_are_exact() -> None:
    assert elementary.fast_exp(0.0) == 1
    assert elementary.fast_log(1.0) == 0
    assert elementary.fast_log1p(0.0) == 0
    assert 0 < elementary.fast_exp(-1e300) < 1e-300
    assert elementary.fast_exp(-np.inf) < 1e-300


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.module.split(".")[-1])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_block_is_judged_as_its_rows_are(kind: Kind, weighted: bool) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    count, first = 50, 3
    loss = Loss(kind, 1.3 if kind in (losses.HUBER, losses.TWEEDIE) else 0.7, 0.5)
    y = rng.choice([-1.0, 1.0], first + count) if kind.classes else np.abs(rng.normal(size=first + count))
    s = rng.uniform(0.5, 1, first + count) if weighted else np.array([0.25])
    old, scores = 2 * rng.normal(size=first + count), 2 * rng.normal(size=count)
    z, sums, (r, spare) = old.copy(), np.zeros(block_losses.SUMS_OF_A_PASS), block_losses.room(64, True)
    block_losses.evaluate_rows(
        kind.block_evaluator(y, z), first, count, *loss.parameters, y, s, NO_OFFSET, scores, z, r, spare, sums
    )
    wanted = np.zeros(block_losses.SUMS_OF_A_PASS)
    for i in range(count):
        k = first + i
        weight = s[k] if weighted else s[0]
        ahead = loss.slope(old[k], y[k]) + loss.curvature(old[k], y[k]) * (scores[i] - old[k])
        ahead = loss.feasible(ahead, y[k])
        side = int(ahead > 0)
        slope = loss.slope(scores[i], y[k])
        np.testing.assert_allclose(r[:, i], weight * np.array([slope, min(ahead, 0), max(ahead, 0)]), rtol=1e-14,
                                   atol=1e-16)
        wanted[0] += weight * loss.value(scores[i], y[k])
        wanted[1] += weight * slope
        wanted[2 + side] += weight * loss.conjugate(ahead, y[k])
        wanted[4 + side] += weight * ahead
        wanted[6] += weight * ahead**2
    np.testing.assert_allclose(sums, wanted, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(z, np.r_[old[:first], scores])
    z, sums, (alone, spare) = old.copy(), np.zeros(block_losses.SUMS_OF_A_PASS), block_losses.room(64, False)
    block_losses.evaluate_rows(
        kind.block_evaluator(y, z), first, count, *loss.parameters, y, s, NO_OFFSET, scores, z, alone, spare, sums
    )
    np.testing.assert_array_equal(alone[0, :count], r[0, :count])
    np.testing.assert_array_equal(sums, np.r_[sums[:2], np.zeros(block_losses.SUMS_OF_A_PASS - 2)])
    np.testing.assert_allclose(sums[:2], wanted[:2], rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_offset_is_a_part_of_the_scores_with_a_conjugate_of_its_own(kind: Kind) -> None:
    rng = np.random.default_rng(0)
    y = rng.choice([-1.0, 1.0], 40) if kind.classes else rng.uniform(0.1, 3, 40)
    offset, scores, old = rng.normal(size=40), rng.normal(size=40), rng.normal(size=40)
    loss, s, found = Loss(kind, 1.3, 0.5), np.array([0.25]), []
    for given, less in ((NO_OFFSET, 0.0), (offset, offset)):
        z, sums, (r, spare) = old.copy(), np.zeros(block_losses.SUMS_OF_A_PASS), block_losses.room(40, True)
        block_losses.evaluate_rows(
            kind.block_evaluator(y, z), 0, 40, *loss.parameters, y, s, given, scores - less, z, r, spare, sums
        )
        np.testing.assert_allclose(z, scores, rtol=1e-12, atol=1e-14)
        found.append((sums, r))
    (alone, r), (beside, _) = found
    alone[2:4] -= [r[1] @ offset, r[2] @ offset]
    np.testing.assert_allclose(beside, alone, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.module.split(".")[-1])
def test_curvatures(kind: Kind) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    y = rng.choice([-1.0, 1.0], 40) if kind.classes else rng.uniform(0.1, 3, 40)
    z, s, out = 3 * rng.normal(size=40), rng.uniform(0.5, 1, 40), np.empty(30)
    loss = Loss(kind, 1.3 if kind is losses.TWEEDIE else 0.7, 0.5)
    loss.curvatures(5, 35, y, s, z, out)
    wanted = [s[i] * loss.curvature(z[i], y[i]) for i in range(5, 35)]
    np.testing.assert_allclose(out, wanted, rtol=1e-14)

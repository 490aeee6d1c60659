"""Rate × sharpness along a descent: of quadratics as it must be, of networks as Cohen et al. found it."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from descend import SGD, Adam, InputError, begin, minimize
from descend.insight import edge
from descend.optimizers import LBFGS, Lion
from descend.schedules import Exponential

CURVATURES = np.array([4.0, 1.0])


def bowl(x):
    return (CURVATURES * x**2).sum() / 2


def fit(loss, optimizer, *data, steps=8, **others):
    start = np.array([1.0, 0.5])
    return minimize(loss, start, *data, optimizer=optimizer, steps=steps, stop=[], snapshots=True, **others)


def test_of_a_quadratic_it_is_the_rate_times_the_largest_eigenvalue():
    found = edge(fit(bowl, SGD(Exponential(0.2, decay=0.5))))
    assert found.steps.tolist() == [0, 1, 2, 4, 8]
    np.testing.assert_allclose(found.rates, 0.2 * np.exp(-0.5 * np.array([0, 0, 1, 3, 7])))  # of the last step
    np.testing.assert_allclose(found.product, 4 * found.rates)
    assert (found.limit, found.preconditioned) == (2, False)
    assert "the rule's limit is 2." in found.caption
    assert [trace.name for trace in found.plot().data] == ["learning rate × sharpness"]


@pytest.mark.parametrize("seed", range(4))
def test_eigenvectors_of_equal_parts_are_found_from_any_seed(seed):
    """Of two standardised columns that correlate: a direction of ±1 has no part along one of them."""
    hessian = np.array([[1.0, 0.6], [0.6, 1.0]])
    run = begin(lambda x: x @ hessian @ x / 2, np.array([1.0, 2.0]), optimizer=SGD(0.5))
    assert edge(run, seed=seed).sharpness == pytest.approx([1.6])


def test_is_divided_by_what_steps_are_divided_by():
    """Of gradients (4, ½) the roots of the mean squares are themselves: 4 / 4 and 1 / ½."""
    result = fit(bowl, Adam(1e-9, eps=1e-12))
    found = edge(result)
    assert np.isnan(found.sharpness[0])  # nothing is divided by before the first gradient
    np.testing.assert_allclose(found.sharpness[1:], 2, rtol=1e-6)
    assert (found.limit, found.preconditioned) == (pytest.approx(38), True)
    alone = edge(result.run)
    assert (alone.steps.tolist(), alone.sharpness[-1]) == ([8], found.sharpness[-1])


def test_batches_are_the_same_at_all_points():
    rows = np.random.default_rng(0).uniform(1, 9, size=(64, 2))
    result = fit(lambda x, rows: (rows * x**2).sum(axis=1).mean() / 2, SGD(1e-3), rows, batch_size=4)
    found = edge(result)
    np.testing.assert_allclose(found.sharpness, result.snapshots[0].batch().mean(axis=0).max(), rtol=1e-5)
    np.testing.assert_allclose(edge(result, rows).sharpness, rows.mean(axis=0).max(), rtol=1e-5)


def test_what_has_diverged_is_left_out():
    found = edge(fit(lambda x: (x**6).sum(), SGD(10.0), steps=20))
    assert np.isfinite(found.sharpness).tolist() == [True, True, True, False]
    assert found.plot() is not None
    assert "Rate × sharpness was" in found.caption


def test_rules_without_a_limit_or_a_rate():
    found = edge(fit(bowl, Lion(0.1)))
    assert (found.limit, found.preconditioned) == (None, False)
    np.testing.assert_allclose(found.sharpness, 4)
    assert "theory gives no limit for this rule" in found.caption
    with pytest.raises(InputError, match=r"^LBFGS tells no learning rate, so there is no edge to come to$"):
        edge(fit(bowl, LBFGS()))
    with pytest.raises(InputError, match=r"^there are no snapshots to look along: give minimize snapshots=True, or "):
        edge(minimize(bowl, np.ones(2), optimizer=SGD(0.1), steps=2))


def network(params, batch):
    x, y = batch
    x = jnp.tanh(x @ params["a"] + params["b"])
    x = jnp.tanh(x @ params["c"] + params["d"])
    return ((x @ params["e"] + params["f"] - y) ** 2).sum(axis=1).mean() / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "limit", "steps", "within"),
    [
        (SGD(0.3), 2.0, 6000, 0.05),
        (SGD(0.5), 2.0, 6000, 0.05),
        (SGD(0.6, momentum=0.9), 3.8, 3000, 0.07),
        (Adam(1e-3), 38.0, 6000, 0.05),
        (Adam(2e-3), 38.0, 6000, 0.05),
    ],
    ids=str,
)
def test_sharpness_rises_to_the_limit_and_stays_there(optimizer, limit, steps, within):
    """Gradient descent at 2 / η, the heavy ball at (2 + 2β) / η, Adam at 38 / η, whatever η is: Cohen et al., 2021 and
    2022. The network, of tanh and width 32, learns 500 digits by squares, all of them at each step."""
    X, y = load_digits(return_X_y=True)
    X, Y = ((X - X.mean(axis=0)) / 16).astype(np.float32)[:500], np.eye(10, dtype=np.float32)[y[:500]]
    rng = np.random.default_rng(0)
    drawn = lambda m, n, scale=1.0: scale * rng.normal(size=(m, n)) / np.sqrt(m)
    start = {"a": drawn(64, 32), "b": np.zeros(32), "c": drawn(32, 32), "d": np.zeros(32), "e": drawn(32, 10, 0.5),
             "f": np.zeros(10)}  # fmt: skip
    result = minimize(network, start, (X, Y), optimizer=optimizer, batch_size=500, steps=steps, stop=[], snapshots=True)
    found = edge(result)
    assert found.limit == pytest.approx(limit)
    assert np.nanmin(found.product) < limit / 1.7  # far below it at first
    np.testing.assert_allclose(found.product[-1], limit, rtol=within)
    later = [edge(run).product[0] for run in (result.run.advance(n)[0] for n in (50, 200))]
    np.testing.assert_allclose(later, limit, rtol=within)
    assert np.nanmax(found.residual * found.rates) < 0.03 * limit

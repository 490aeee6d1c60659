"""Bounds and several starts: beside SciPy's L-BFGS-B, by the conditions of Karush, Kuhn and Tucker, by known minima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from descend import SGD, InputError, minimize
from descend.optimizers import LBFGSB
from enforced import without_types


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def wood(x):
    return (100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + 90 * (x[3] - x[2] ** 2) ** 2 + (1 - x[2]) ** 2
            + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2) + 19.8 * (x[1] - 1) * (x[3] - 1))


RNG = np.random.default_rng(0)
FACTOR = RNG.normal(size=(20, 20))
SQUARE, LINE = FACTOR @ FACTOR.T + 0.1 * np.eye(20), 5 * RNG.normal(size=20)
quadratic = lambda x: x @ SQUARE @ x / 2 - LINE @ x

# Hock and Schittkowski's 1 to 5, 38, 45 and 110, with their minima, and two with many bounds at work.
PROBLEMS = {
    "HS1": (rosenbrock, [-2.0, 1.0], [-np.inf, -1.5], np.inf, 0.0),
    "HS2": (rosenbrock, [-2.0, 1.0], [-np.inf, 1.5], np.inf, 0.0504261879),
    "HS3": (lambda x: x[1] + 1e-5 * (x[1] - x[0]) ** 2, [10.0, 1.0], [-np.inf, 0.0], np.inf, 0.0),
    "HS4": (lambda x: (x[0] + 1) ** 3 / 3 + x[1], [1.125, 0.125], [1.0, 0.0], np.inf, 8 / 3),
    "HS5": (lambda x: jnp.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1, [0.0, 0.0], [-1.5, -3.0],
            [4.0, 3.0], -np.sqrt(3) / 2 - np.pi / 3),
    "HS38": (wood, [-3.0, -1.0, -3.0, -1.0], -10.0, 10.0, 0.0),
    "HS45": (lambda x: 2 - jnp.prod(x) / 120, [0.5] * 5, 0.0, [1.0, 2.0, 3.0, 4.0, 5.0], 1.0),
    "HS110": (lambda x: (jnp.log(x - 2) ** 2 + jnp.log(10 - x) ** 2).sum() - jnp.prod(x) ** 0.2, [9.0] * 10, 2.001,
              9.999, -45.77846971),
    "box": (rosenbrock, [-1.2, 1.0] * 5, -2.0, 0.5, None),
    "quadratic": (quadratic, [0.0] * 20, -0.5, 0.5, None),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_known_minima_and_scipys(name):
    loss, start, lower, upper, known = PROBLEMS[name]
    seen = []

    def inside(x):
        jax.debug.callback(lambda point: seen.append(np.asarray(point)), x)
        return loss(x)

    fit = minimize(inside, start, bounds=(lower, upper))
    jax.effects_barrier()
    x = np.asarray(fit.params)
    assert fit.reason.name == "converged"
    apart = 4 * np.finfo(float).eps * np.abs(x)  # by which the look around a point tells what rounding does
    assert len(seen) > 5
    assert all((point >= lower - apart).all() and (point <= upper + apart).all() for point in seen)
    assert (x >= lower).all()
    assert (x <= upper).all()
    if known is None:
        with jax.enable_x64(True):
            both = jax.jit(jax.value_and_grad(loss))
            limits = scipy.optimize.Bounds(np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape))
            told = lambda x: [np.asarray(part, float) for part in both(x)]
            known = scipy.optimize.minimize(told, start, jac=True, method="L-BFGS-B", bounds=limits,
                                            options={"ftol": 1e-14, "gtol": 1e-8}).fun
    np.testing.assert_allclose(fit.point.loss, known, rtol=1e-8, atol=1e-10)


def test_trees_and_their_bounds():
    loss = lambda p: ((p["a"] - 2) ** 2).sum() + (p["b"] + 3) ** 2
    bounds = {"a": np.array([-1.0, -1.0]), "b": -1.0}, {"a": np.array([1.0, 5.0]), "b": 9.0}
    fit = minimize(loss, {"a": np.zeros(2), "b": 0.0}, bounds=bounds)
    np.testing.assert_allclose(fit.params["a"], [1, 2], atol=1e-9)
    np.testing.assert_allclose(fit.params["b"], -1, atol=1e-12)
    assert fit.point.kind == "minimum"


def test_all_the_data_at_each_step():
    X = RNG.normal(size=(60, 8))
    y = X @ np.array([1.0, -2, 0, 3, -1, 0.5, 0, 2]) + RNG.normal(size=60)
    loss = lambda w, batch: ((batch[0] @ w - batch[1]) ** 2).mean()
    fit = minimize(loss, np.ones(8), (X, y), batch_size=60, bounds=(0.0, None), dtype=np.float64)
    np.testing.assert_allclose(fit.params, scipy.optimize.nnls(X, y)[0], atol=1e-5)


def test_a_start_outside_is_moved_to_the_bounds():
    fit = minimize(lambda x: (x**2).sum(), [-5.0, 5.0], bounds=(1.0, 3.0), steps=0)
    assert fit.params.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bounds": (2.0, 1.0)}, "lower bound of 'params' is above the upper"),
        ({"bounds": (np.nan, 1.0)}, "or one of them is NaN"),
        ({"bounds": 3.0}, r"bounds= are a pair, \(lower, upper\)"),
        ({"bounds": ({"a": 1.0}, 2.0)}, "lower bounds must be a number, or a tree like the parameters"),
        ({"bounds": (0.0, 1.0), "optimizer": SGD(0.1)}, "kept by LBFGSB, and by no other rule"),
        ({"bounds": (0.0, 1.0), "data": np.ones(100)}, "for a function, or for all the data"),
        ({"restarts": -1}, "restarts= is a number of descents"),
        ({"restarts": 2.5}, "restarts= is a number of descents"),
        ({"restarts": 2, "checkpoint": "run"}, "a checkpoint is of one"),
    ],
)
def test_bad_bounds(settings, message):
    loss = lambda x, *batch: (x**2).sum()
    with pytest.raises(InputError, match=message), without_types():
        minimize(loss, np.zeros(2), **settings)


@pytest.mark.parametrize("world", [np, jnp], ids=["numpy", "jax"])
def test_the_rule_by_itself(world):
    with jax.enable_x64(True):
        rule, x = LBFGSB(lower=np.array([1.0, -9.0, -9.0])), world.asarray([3.0, 3.0, 3.0])
        curvature, state = world.asarray([1.0, 10.0, 100.0]), rule.init(x)
        for _ in range(30):
            update, state = rule.update(curvature * x, state, x, value=curvature @ x**2 / 2)
            x = x + update
        np.testing.assert_allclose(rule.eval_params(state, x), [1, 0, 0], atol=1e-8)


# ---------------------------------------------------------------------------------------------------- several starts


def test_different_minima_are_told_apart_and_counted():
    """Himmelblau's function has four minima, all 0."""
    himmelblau = lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2
    fit = minimize(himmelblau, [0.0, 0.0], restarts=30)
    known = np.array([[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])
    found = np.stack([minimum.params for minimum in fit.minima])
    assert all(np.abs(known - x).max(axis=1).min() < 1e-5 for x in found)
    assert len(found) >= 3
    assert sum(minimum.found for minimum in fit.minima) <= 31


def test_the_lowest_is_the_result_and_the_same_one_by_the_same_seed():
    tilted = lambda x: ((x**2 - 1) ** 2).sum() + 0.2 * x.sum()
    several, again = (minimize(tilted, [0.9], restarts=25) for _ in range(2))
    assert several.minima[0].params[0] < 0 < several.minima[1].params[0]
    np.testing.assert_array_equal(several.params, several.minima[0].params)
    assert [m.found for m in several.minima] == [m.found for m in again.minima]
    assert several.minima[0].loss < several.minima[-1].loss
    np.testing.assert_array_equal(several.params, again.params)

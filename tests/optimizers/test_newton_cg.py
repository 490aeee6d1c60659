"""Newton's method by conjugate gradients: theory on quadratics, SciPy's minima, and what it does at saddle points."""

import itertools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from references import QUICK

from descend import InputError, minimize
from descend.optimizers import NewtonCG


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def stepping(rule, loss):
    def step(x, state):
        value, grads = jax.value_and_grad(loss)(x)
        update, state = rule.update(grads, state, x, value=value, value_fn=loss)
        return jax.tree.map(operator.add, x, update), state

    return jax.jit(step, compiler_options=QUICK)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def test_a_quadratic_within_the_radius_takes_the_steps_of_newtons_method_as_exactly_as_asked():
    """After a step, ‖g + Hp‖ ≤ min(½, √(‖g‖/‖g₀‖)) ‖g‖: the gradient falls at least as fast as that, superlinearly."""
    curvature = np.linspace(1, 50, 40)
    loss = lambda x: (curvature * (x - 1) ** 2).sum() / 2
    step = stepping(NewtonCG(radius=100.0), loss)
    x, state, norms = jnp.full(40, 2.0), NewtonCG().init(jnp.full(40, 2.0)), []
    for _ in range(12):
        norms.append(float(np.linalg.norm(curvature * (np.asarray(x) - 1))))
        x, state = step(x, state)
    for before, after in itertools.pairwise(norms):
        assert after <= min(0.5, np.sqrt(before / norms[0])) * before * 1.001 + 1e-13
    assert norms[-1] < 1e-12 * norms[0]


def test_the_step_is_steihaugs_within_the_radius():
    """A radius smaller than the way to the minimum: the first step goes along −g, exactly as far."""
    loss = lambda x: ((x - 3) ** 2).sum() / 2
    x = jnp.array([1.0, 1.0])
    moved, _ = stepping(NewtonCG(radius=0.1), loss)(x, NewtonCG(radius=0.1).init(x))
    np.testing.assert_allclose(np.linalg.norm(moved - x), 0.1 * np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose(moved - x, np.full(2, 0.1), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 40])
def test_it_comes_to_scipys_minimum(n):
    start = np.tile([-1.2, 1.0], n // 2)
    fit = minimize(rosenbrock, start, optimizer=NewtonCG())
    theirs = scipy.optimize.minimize(rosenbrock, start, method="trust-ncg", jac=jax.jit(jax.grad(rosenbrock)),
                                     hess=jax.jit(jax.hessian(rosenbrock)), options={"gtol": 1e-10})
    assert fit.reason.name == "converged"
    np.testing.assert_allclose(fit.params, theirs.x, atol=1e-8)
    assert fit.reason.step <= 2 * theirs.nfev


def test_it_leaves_a_saddle_by_the_way_down():
    double_well = lambda x: x[0] ** 4 - 2 * x[0] ** 2 + x[1] ** 2
    fit = minimize(double_well, [1e-9, 1.0], optimizer=NewtonCG())
    assert (fit.reason.name, fit.point.kind) == ("converged", "minimum")
    np.testing.assert_allclose(np.abs(fit.params), [1, 0], atol=1e-8)


def test_trees_of_any_shape():
    loss = lambda p: ((p["a"] - 1) ** 4).sum() + (p["b"][0] - p["a"].sum()) ** 2 + (p["b"][0] + 2.0) ** 2
    fit = minimize(loss, {"a": np.zeros((2, 1)), "b": [np.float64(0.0)]}, optimizer=NewtonCG())
    plain = lambda v: 2 * (v[0] - 1) ** 4 + (v[1] - 2 * v[0]) ** 2 + (v[1] + 2) ** 2
    exact = scipy.optimize.minimize(plain, [0.0, 0.0], tol=1e-14)
    np.testing.assert_allclose([fit.params["a"][0, 0], fit.params["b"][0]], exact.x, atol=1e-5)


def test_it_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    start = np.tile([-1.2, 1.0], 5)
    for steps in (15, 40):
        settings = {"steps": steps, "checkpoint": tmp_path / "run", "resume": True}
        parts = minimize(rosenbrock, start, optimizer=NewtonCG(), **settings)
    whole = minimize(rosenbrock, start, optimizer=NewtonCG(), steps=40)
    assert parts.params.tobytes() == whole.params.tobytes()


def test_what_it_needs():
    rule = NewtonCG()
    x = jnp.ones(2)
    with pytest.raises(InputError, match="NewtonCG needs the loss as a function of the parameters"):
        rule.update(x, rule.init(x), x, value=1.0)
    with pytest.raises(InputError, match="products must be"):
        NewtonCG(products=0)

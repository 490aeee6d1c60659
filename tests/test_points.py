"""What kind of point a descent ended at, and whether the word "converged" holds, by the theory of each function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, Convergence, GradientTolerance, minimize
from descend.optimizers import LBFGS, Freeze, NonlinearCG

double_well = lambda x: x[0] ** 4 - 2 * x[0] ** 2 + x[1] ** 2
monkey = lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2
valley = lambda x: (x[0] * x[1] - 1) ** 2
rosenbrock = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def kind_at(loss, x):
    """The kind of a point, as it is told of a descent that has not made a step."""
    return minimize(loss, x, steps=0).point.kind


@pytest.mark.parametrize(
    ("loss", "point", "kind"),
    [
        (double_well, [1.0, 0.0], "minimum"),
        (double_well, [0.0, 0.0], "saddle"),
        (double_well, [0.5, 0.0], "unknown"),
        (monkey, [0.0, 0.0], "saddle"),
        (valley, [2.0, 0.5], "flat minimum"),
        (lambda x: -jnp.cos(x).sum(), [np.pi, np.pi], "maximum"),
        (lambda x: -jnp.cos(x).sum(), [np.pi, 0.0], "saddle"),
        (lambda x: -jnp.cos(x).sum(), [0.0, 2 * np.pi], "minimum"),
        (lambda x: -(x**4).sum(), [0.0], "maximum"),
        (lambda x: (x**4).sum(), [0.0, 0.0], "flat minimum"),
        (lambda x: (x**3).sum(), [0.0], "saddle"),  # of one number: an inflection, below which it falls on
        (lambda x: x.sum(), [1.0], "unknown"),  # a slope without an end
        (lambda x: 0.0 * x.sum() + 3.0, [1.0], "flat minimum"),
        (lambda x: 1e12 + ((x - 3) ** 2).sum(), [3.0, 3.0], "minimum"),
    ],
)
def test_kinds(loss, point, kind):
    assert kind_at(loss, point) == kind


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_kind_does_not_depend_on_units(scale):
    units = np.array([scale, 1.0])
    assert kind_at(lambda x: double_well(x * units), [1 / scale, 0.0]) == "minimum"
    assert kind_at(lambda x: 1e-9 * double_well(x * units), [0.0, 0.0]) == "saddle"


def test_random_starts_of_a_double_well():
    for x in np.random.default_rng(0).normal(size=(8, 2)):
        fit = minimize(double_well, x)
        assert (fit.reason.name, fit.point.kind) == ("converged", "minimum")
        np.testing.assert_allclose(np.abs(fit.params), [1, 0], atol=1e-6)


def test_a_start_on_a_saddle_is_not_converged():
    fit = minimize(double_well, [0.0, 1.0])  # along its ridge to the saddle
    assert (fit.reason.name, fit.point.kind) == ("stationary", "saddle")
    assert "lower" in str(fit.reason)


def test_a_start_on_a_maximum_is_not_converged():
    fit = minimize(lambda x: jnp.cos(x).sum(), [0.0])
    assert (fit.reason.name, fit.reason.step, fit.point.kind) == ("stationary", 0, "maximum")


@pytest.mark.parametrize("steep", [1.0, 1e6, 1e12])
@pytest.mark.parametrize("rule", [LBFGS(), NonlinearCG()], ids=["LBFGS", "NonlinearCG"])
def test_converged_means_the_same_in_all_units(rule, steep):
    curvature = np.array([steep, 1.0, 1e-2])
    loss = lambda x: 1.0 + (curvature * (x - 1) ** 2).sum()
    fit = minimize(loss, np.zeros(3), optimizer=rule)
    assert fit.reason.name == "converged" or isinstance(rule, NonlinearCG)
    if fit.reason.name == "converged":
        assert float(loss(fit.params)) - 1 <= 2e-12
        np.testing.assert_allclose(fit.params, 1, atol=2e-5)


def test_a_gradient_that_is_small_enough_for_a_tolerance_need_not_be_at_a_minimum():
    fit = minimize(rosenbrock, [-1.2, 1.0], stop=GradientTolerance(relative=1e-2))
    assert fit.reason.name == "stationary"
    assert fit.point.kind == "unknown"
    assert minimize(rosenbrock, [-1.2, 1.0], stop=GradientTolerance()).reason.name == "stationary"
    assert minimize(rosenbrock, [-1.2, 1.0]).reason.name == "converged"


def test_a_looser_convergence_is_sooner():
    loss = lambda x: 1.0 + rosenbrock(x)
    loose, tight = (minimize(loss, [-1.2, 1.0], stop=Convergence(within)) for within in (1e-3, 1e-12))
    assert loose.reason.name == tight.reason.name == "converged"
    assert loose.reason.step < tight.reason.step
    assert 1e-12 < loose.loss - 1 <= 2e-3
    assert tight.loss - 1 <= 2e-12


def test_what_is_frozen_is_no_way_down():
    loss = lambda p: ((p["a"] - 1) ** 2).sum() - (p["b"] ** 2).sum()
    fit = minimize(loss, {"a": np.zeros(2), "b": np.zeros(1)}, optimizer=Freeze(SGD(0.3), "b"))
    assert (fit.reason.name, fit.point.kind) == ("converged", "minimum")


def test_a_loss_that_cannot_be_differentiated_twice_is_not_converged():
    @jax.custom_vjp
    def square(x):
        return (x**2).sum()

    square.defvjp(lambda x: (square(x), x), lambda x, g: (2 * g * x,))
    fit = minimize(square, [1.0, 2.0])
    assert (fit.reason.name, fit.point.kind) == ("stationary", "unknown")
    assert "second derivatives cannot be had" in str(fit.reason)


def test_many_parameters_are_looked_into_by_products_with_the_hessian():
    curvature = np.linspace(1, 3, 300)
    fit = minimize(lambda x: 1 + (curvature * (x - 1) ** 2).sum(), np.zeros(300))
    assert (fit.reason.name, fit.point.kind) == ("converged", "minimum")
    assert "as far as" in str(fit.reason)
    np.testing.assert_allclose(fit.params, 1, atol=1e-6)
    low = curvature * np.where(np.arange(300) == 7, -1, 1)
    assert kind_at(lambda x: (low * x**2).sum(), np.zeros(300)) == "saddle"


def test_a_descent_that_goes_on_from_its_checkpoint_looks_no_sooner(tmp_path):
    settings = {"checkpoint": tmp_path / "run", "resume": True}
    for steps in (30, 42, 100):
        parts = minimize(rosenbrock, [-1.2, 1.0], steps=steps, **settings)
    whole = minimize(rosenbrock, [-1.2, 1.0], steps=100)
    assert (parts.reason, parts.params.tobytes()) == (whole.reason, whole.params.tobytes())
    np.testing.assert_array_equal(parts.history["loss"], whole.history["loss"])


def test_results_of_functions_keep_their_precision():
    fit = minimize(rosenbrock, [-1.2, 1.0], steps=3)
    assert isinstance(fit.params, np.ndarray)
    assert (np.float64(1.0) * fit.params).dtype == np.float64
    assert minimize(rosenbrock, [-1.2, 1.0], steps=3, dtype=np.float32).params.dtype == np.float32


def test_a_parameter_that_all_but_vanished_is_no_trouble():
    # How far it may be moved is among the smallest numbers that there are.
    fit = minimize(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, [1.0, 0.0], optimizer=SGD(0.1), steps=4000)
    assert abs(fit.params[0]) < 1e-300
    assert fit.point.kind == "saddle"


def test_many_parameters_that_ran_away_are_at_no_minimum():
    """A model that is saturated: it is the same, far too high, whatever the parameters are there."""
    target = np.linspace(0.0, 0.5, 300)
    fit = minimize(lambda x: ((1 / (1 + jnp.exp(-x)) - target) ** 2).sum(), np.full(300, 800.0))
    assert fit.reason.name == "stationary"
    assert fit.point.kind == "flat minimum"


# Functions of "Dive into Deep Learning", chapters 12.1 to 12.3, with the kind that descents from anywhere end at.
BOOK = {
    "x cos(πx)": (lambda x: x[0] * jnp.cos(jnp.pi * x[0]) + 0.05 * x[0] ** 4, 1, {"minimum"}),
    "x²": (lambda x: (x**2).sum(), 1, {"minimum"}),
    "x₁² + 2x₂²": (lambda x: x[0] ** 2 + 2 * x[1] ** 2, 2, {"minimum"}),
    "0.1x₁² + 2x₂²": (lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2, 2, {"minimum"}),
    "cosh(x/2)": (lambda x: jnp.cosh(0.5 * x[0]), 1, {"minimum"}),
    "x⁴ − 2x² + y²": (double_well, 2, {"minimum"}),
    "(xy − 1)²": (valley, 2, {"flat minimum", "saddle"}),  # a saddle where a descent happens upon (0, 0)
    "monkey saddle": (monkey, 2, {"unknown"}),  # which has no end below
}


@pytest.mark.parametrize("name", BOOK)
def test_random_starts(name):
    loss, n, kinds = BOOK[name]
    for x in np.random.default_rng(1).uniform(-3, 3, size=(6, n)):
        fit = minimize(loss, x, steps=2000)
        assert fit.point.kind in kinds, (x, fit)
        assert (fit.reason.name == "converged") == (fit.point.is_converged), (x, fit)

"""Nonlinear least squares: estimates and errors beside SciPy's and the textbook's, in a descent like any other."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from descend import InputError, begin, least_squares
from descend.least_squares import half_sum_of_squares
from descend.optimizers import LBFGS, LevenbergMarquardt
from enforced import without_types

RNG = np.random.default_rng(0)
TIMES = np.linspace(0, 5, 60)
MEASURED = 2.5 * np.exp(-0.7 * TIMES) + 0.4 + 0.02 * RNG.normal(size=60)


def decay(params, data):
    time, measured = data
    return params["height"] * jnp.exp(-params["rate"] * time) + params["floor"] - measured


START = {"height": 1.0, "rate": 0.1, "floor": 0.0}


@pytest.fixture(scope="module")
def fit():
    return least_squares(decay, START, (TIMES, MEASURED))


def test_it_is_what_scipy_finds(fit):
    residuals = lambda b: b[0] * np.exp(-b[1] * TIMES) + b[2] - MEASURED
    found = scipy.optimize.least_squares(residuals, [1.0, 0.1, 0.0], method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    ours = [fit.params[name] for name in ("height", "rate", "floor")]
    np.testing.assert_allclose(ours, found.x, rtol=1e-7)
    np.testing.assert_allclose(fit.sum_of_squares, 2 * found.cost, rtol=1e-12)
    assert fit.reason.name == "converged"


def test_errors_are_those_of_the_linear_model_there(fit):
    rate, height = float(fit.params["rate"]), float(fit.params["height"])
    fall = np.exp(-rate * TIMES)
    jacobian = np.column_stack([np.ones(60), fall, -height * TIMES * fall])  # floor, height, rate, as the tree has them
    covariance = fit.sum_of_squares / 57 * np.linalg.inv(jacobian.T @ jacobian)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-7)
    errors = [fit.standard_errors[name] for name in ("floor", "height", "rate")]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-7)
    assert fit.degrees_of_freedom == 57


def test_what_the_residuals_do_not_determine_has_no_finite_error():
    fit = least_squares(lambda b: (b[0] + b[1]) * TIMES + b[2] - MEASURED, np.zeros(3))
    slope, _ = np.polyfit(TIMES, MEASURED, 1)
    np.testing.assert_allclose(fit.params[0] + fit.params[1], slope, rtol=1e-8)
    assert np.isinf(fit.standard_errors[:2]).all()
    assert np.isfinite(fit.standard_errors[2])
    assert fit.reason.name != "converged"  # to which of all that are as good, nobody can say
    assert fit.point.kind == "flat minimum"


def test_as_many_residuals_as_parameters_leave_nothing_for_errors():
    fit = least_squares(lambda b: jnp.stack([10 * (b[1] - b[0] ** 2), 1 - b[0]]), [-1.2, 1.0])
    np.testing.assert_allclose(fit.params, 1, rtol=1e-12)
    assert np.isinf(fit.standard_errors).all()


def test_units_of_parameters_do_not_matter():
    def steps(unit):
        scaled = lambda b: b[0] * jnp.exp(-b[1] * unit * TIMES) - MEASURED
        return least_squares(scaled, [1.0, 0.1 / unit])

    plain, scaled = steps(1.0), steps(1e9)
    np.testing.assert_allclose(scaled.params * [1, 1e9], plain.params, rtol=1e-6)
    assert abs(scaled.reason.step - plain.reason.step) <= 2


@pytest.mark.parametrize("rule", [LevenbergMarquardt(), LBFGS()], ids=["LevenbergMarquardt", "LBFGS"])
def test_a_descent_that_was_stopped_goes_on_to_the_same_bits(tmp_path, rule):
    settings = {"optimizer": rule, "checkpoint": tmp_path / "run", "resume": True}
    for steps in (3, 8):
        parts = least_squares(decay, START, (TIMES, MEASURED), steps=steps, **settings)
    whole = least_squares(decay, START, (TIMES, MEASURED), steps=8, optimizer=rule)
    for name in START:
        assert np.asarray(parts.params[name]).tobytes() == np.asarray(whole.params[name]).tobytes()
    np.testing.assert_array_equal(parts.history["loss"], whole.history["loss"])


def test_the_trace_shows_accepted_points_alone(fit):
    assert (np.diff(fit.history["loss"]) <= 1e-12).all()
    assert (fit.history["radius"][1:] > 0).all()


def test_a_run_of_it_can_be_taken_further_by_hand():
    loss = half_sum_of_squares(decay)
    run = begin(loss, START, (TIMES, MEASURED), optimizer=LevenbergMarquardt(), batch_size=60, dtype=np.float64)
    run, _ = run.advance(20)
    np.testing.assert_allclose(float(run.eval_params["rate"]), 0.7, atol=0.02)


def test_a_trial_that_is_not_finite_is_too_long():
    """log of what a first step makes negative."""
    residuals = lambda b: jnp.log(b[0]) * jnp.ones(3) - np.array([-3.0, -3.1, -2.9])
    fit = least_squares(residuals, [1.0], optimizer=LevenbergMarquardt(radius=1e3))
    np.testing.assert_allclose(fit.params, np.exp(-3.0), rtol=1e-9)
    assert fit.reason.name == "converged"


def test_what_is_no_function_is_refused():
    with pytest.raises(InputError, match="residuals must be a function"), without_types():
        least_squares(np.zeros(3), [1.0])


@pytest.mark.parametrize(
    ("returned", "message"),
    [(lambda b: b[0] > TIMES, "bool"), (lambda b: b[0] + 1j * TIMES, "complex128"), (lambda b: [], "none")],
    ids=["bool", "complex", "nothing"],
)
def test_residuals_that_are_none(returned, message):
    with pytest.raises(InputError, match=f"real floating-point numbers, but .*{message}"):
        least_squares(returned, [1.0])


def test_it_is_told_of_in_a_line(fit):
    assert repr(fit).startswith("LeastSquares(converged: ")
    assert "\n" not in repr(fit)


def test_the_rule_says_what_it_needs():
    with pytest.raises(InputError, match=r"LevenbergMarquardt needs the residuals as a function .*least_squares"):
        begin(lambda x: (x**2).sum(), [1.0], optimizer=LevenbergMarquardt()).advance(1)

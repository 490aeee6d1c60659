"""Every reason's evidence, held to an evaluation of the loss that is independent of the descent."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amounts import times
from descend import SGD, Adam, Plateau, Target, minimize
from descend.optimizers import LBFGS, NewtonCG, NonlinearCG

# Quartics in two variables, with minima, saddles, valleys and plateaus, in units that are drawn, too.
RNG = np.random.default_rng(0)
WAYS = RNG.normal(size=(400, 2))
coefficients = st.lists(st.floats(-2, 2).map(lambda x: round(x, 2)), min_size=5, max_size=5)


def quartic(p, x):
    a, b = x[0], x[1]
    return 0.1 * (a**4 + b**4) + p[0] * a**2 + p[1] * b**2 + p[2] * a * b + p[3] * a + p[4] * b


def drawn(x, batch):
    """Of coefficients and a unit that are data, so that a program serves all of them."""
    return quartic(batch[0], x * jnp.stack([batch[0, 5], 1.0]))


def lowest_nearby(loss, x, radius):
    """The lowest value at many points around, in plain NumPy."""
    steps = radius * WAYS / np.linalg.norm(WAYS, axis=1, keepdims=True)
    return min(float(loss(x + step)) for step in steps)


@settings(max_examples=times(20), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(coefficients, st.sampled_from([1e-3, 1.0, 1e4]), st.sampled_from([LBFGS(), NonlinearCG(), NewtonCG()]))
def test_whatever_it_says_is_so_on_quartics(p, unit, rule):
    data, start = np.asarray([[*p, unit]]), np.array([0.5 / unit, -0.5])
    fit = minimize(drawn, start, data, batch_size=1, optimizer=rule, steps=500, dtype=np.float64)
    x = np.asarray(fit.params) * [unit, 1.0]
    plain = lambda y: quartic(p, y)
    here = plain(x)
    allowed = 1e-11 * max(1.0, abs(here))
    if fit.reason.name == "converged":
        assert lowest_nearby(plain, x, 1e-4) >= here - allowed
        assert lowest_nearby(plain, x, 1e-6) >= here - allowed
    if fit.point.kind in ("saddle", "maximum"):
        assert min(lowest_nearby(plain, x, radius) for radius in (1e-4, 1e-3, 1e-2)) < here
    if fit.reason.name == "budget":
        assert fit.reason.step == 500
    np.testing.assert_allclose(fit.point.loss, here, rtol=1e-9, atol=1e-12)


def numbers(reason):
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", reason.evidence)]


def test_converged_tells_the_norm_and_the_loss_that_are_there():
    loss = lambda x: jnp.cosh(x - 1).sum() + 0.5 * x[0] * x[1]
    fit = minimize(loss, [3.0, -2.0])
    with jax.enable_x64(True):
        value, gradient = jax.value_and_grad(loss)(jnp.asarray(fit.params))
        start = jax.grad(loss)(jnp.array([3.0, -2.0]))
    told = numbers(fit.reason)
    np.testing.assert_allclose(told[0], np.linalg.norm(gradient), rtol=0.01)
    np.testing.assert_allclose(told[1], np.linalg.norm(start), rtol=0.01)
    np.testing.assert_allclose(told[2], float(value), rtol=1e-5)


def test_diverged_tells_what_became_infinite():
    fit = minimize(lambda x: (x**2).sum(), [1.0], optimizer=SGD(1e3), steps=200, stop=[], dtype=np.float32)
    x = np.float64(fit.params[0])
    with np.errstate(over="ignore"):
        assert np.isfinite(np.float32(x))
        assert not np.isfinite(np.float32(x - 1e3 * 2 * x) ** 2)  # the next loss, or the step to it
    assert "inf" in fit.reason.evidence


DATA = np.random.default_rng(1).normal(3.0, 1.0, 64)
distance = lambda x, batch: ((x - batch) ** 2).mean()


@pytest.mark.parametrize(
    ("stop", "name"), [(Plateau(patience=3), "plateau"), (Target("loss", at_most=4.0), "reached")]
)
def test_what_is_said_of_validations_is_in_the_history(stop, name):
    fit = minimize(distance, 0.0, DATA, batch_size=8, epochs=500, optimizer=Adam(0.1), validation=DATA[:16], stop=stop)
    assert fit.reason.name == name
    checks = fit.history.validation
    if name == "reached":
        assert checks["loss"][-1] <= 4.0 < min(checks["loss"][:-1])
        np.testing.assert_allclose(numbers(fit.reason)[0], checks["loss"][-1], rtol=1e-5)
    else:
        best = int(np.argmin(checks["loss"]))
        assert numbers(fit.reason)[0] == checks["step"][best]
        np.testing.assert_allclose(numbers(fit.reason)[1], min(checks["loss"]), rtol=1e-5)
        np.testing.assert_allclose(float(distance(fit.params, DATA[:16])), min(checks["loss"]), rtol=1e-5)

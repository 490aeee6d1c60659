"""Each loss and its gradient against independent references, and at extreme scores."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import gammaln, log_expit, log_softmax
from scipy.special import huber as scipy_huber
from scipy.stats import poisson as scipy_poisson
from sklearn import metrics

from descend import losses

N, CLASSES = 40, 5
rng = np.random.default_rng(3)
SCORES = rng.normal(scale=3, size=N)
REAL = rng.normal(scale=3, size=N)
PROBABILITY = rng.uniform(size=N)
BINARY = rng.integers(0, 2, size=N)
SIGN = 2 * BINARY - 1
COUNT = rng.poisson(3, size=N)
ROWS = rng.normal(scale=3, size=(N, CLASSES))
CLASS = rng.integers(0, CLASSES, size=N)


class Case(NamedTuple):
    """A loss, arguments, and NumPy's or SciPy's value of it, one per example."""

    loss: Callable[..., Any]
    prediction: np.ndarray
    target: np.ndarray
    reference: Callable[..., np.ndarray]


def cross_entropy(s, t):
    return -(t * log_expit(s) + (1 - t) * log_expit(-s))


CASES = {
    "squared": Case(losses.squared, SCORES, REAL, lambda p, t: (p - t) ** 2 / 2),
    "absolute": Case(losses.absolute, SCORES, REAL, lambda p, t: np.abs(p - t)),
    "huber": Case(losses.huber, SCORES, REAL, lambda p, t: scipy_huber(1.0, p - t)),
    "huber_wide": Case(partial(losses.huber, delta=2.5), SCORES, REAL, lambda p, t: scipy_huber(2.5, p - t)),
    "logistic": Case(losses.logistic, SCORES, BINARY, cross_entropy),
    "logistic_probability": Case(losses.logistic, SCORES, PROBABILITY, cross_entropy),
    "softmax_cross_entropy": Case(
        losses.softmax_cross_entropy, ROWS, CLASS, lambda s, t: -log_softmax(s, axis=1)[np.arange(len(t)), t]
    ),
    "hinge": Case(losses.hinge, SCORES, SIGN, lambda s, t: np.where(t * s < 1, 1 - t * s, 0)),
    "squared_hinge": Case(losses.squared_hinge, SCORES, SIGN, lambda s, t: np.where(t * s < 1, 1 - t * s, 0) ** 2),
    "poisson": Case(
        losses.poisson, SCORES, COUNT, lambda s, t: -scipy_poisson.logpmf(t, np.exp(s)) - gammaln(t + 1)
    ),
}
TOLERANCE = {"float64": 1e-12, "float32": 2e-6}
cases = pytest.mark.parametrize("name", CASES)
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def value_and_gradient(loss, prediction, target):
    """The losses per example, and the gradient of their sum."""
    if np.asarray(target).dtype.kind == "f":
        target = np.asarray(target, prediction.dtype)
    return _value_and_gradient(loss, prediction, target)


@partial(jax.jit, static_argnums=0)
def _value_and_gradient(loss, prediction, target):
    values, pullback = jax.vjp(lambda p: loss(p, target), prediction)
    return values, pullback(jnp.ones_like(values))[0]


# ---------------------------------------------------------------------------------------------- values


@dtypes
@cases
def test_value(name, dtype):
    case = CASES[name]
    with jax.enable_x64(dtype == "float64"):
        values, _ = value_and_gradient(case.loss, case.prediction.astype(dtype), case.target)
        assert values.dtype == dtype
        assert values.shape == (N,)
    want = case.reference(case.prediction, case.target)
    np.testing.assert_allclose(values, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * np.abs(want).max())


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("squared", lambda p, t: metrics.mean_squared_error(t, p) / 2),
        ("absolute", lambda p, t: metrics.mean_absolute_error(t, p)),
        ("logistic", lambda s, t: metrics.log_loss(t, np.exp(log_expit(s)))),
        ("softmax_cross_entropy", lambda s, t: metrics.log_loss(t, np.exp(log_softmax(s, axis=1)))),
        ("hinge", lambda s, t: metrics.hinge_loss(t, s)),
    ],
)
def test_mean_is_scikit_learns_metric(name, metric):
    case = CASES[name]
    with jax.enable_x64(True):
        mean = float(case.loss(jnp.asarray(case.prediction), jnp.asarray(case.target)).mean())
    assert mean == pytest.approx(metric(case.prediction, case.target), rel=1e-12)


def test_poisson_is_half_scikit_learns_deviance_but_for_a_constant():
    target = np.maximum(COUNT, 1)
    with jax.enable_x64(True):
        mean = lambda log_rate: float(losses.poisson(jnp.asarray(log_rate), jnp.asarray(target)).mean())
        excess = mean(SCORES) - mean(np.log(target))
    assert excess == pytest.approx(metrics.mean_poisson_deviance(target, np.exp(SCORES)) / 2, rel=1e-12)


def test_softmax_of_a_class_more_is_logistic():
    with jax.enable_x64(True):
        two = losses.softmax_cross_entropy(jnp.stack([jnp.zeros(N), jnp.asarray(SCORES)], axis=1), jnp.asarray(BINARY))
        np.testing.assert_allclose(two, losses.logistic(jnp.asarray(SCORES), jnp.asarray(BINARY)), rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (2, 3)])
@cases
def test_any_shape(name, shape):
    """A loss of an array is an array of the losses."""
    case = CASES[name]
    size = int(np.prod(shape))
    p, t = case.prediction[:size], case.target[:size]
    values, _ = value_and_gradient(case.loss, np.float32(p).reshape((*shape, *p.shape[1:])), t.reshape(shape))
    np.testing.assert_allclose(values, case.reference(p, t).reshape(shape), rtol=1e-5)
    assert values.shape == shape


# ---------------------------------------------------------------------------------------------- gradients


@cases
def test_gradient_is_the_slope_of_the_reference(name):
    case = CASES[name]
    total = lambda flat: case.reference(flat.reshape(case.prediction.shape), case.target).sum()
    with jax.enable_x64(True):
        _, gradient = value_and_gradient(case.loss, case.prediction, case.target)
    slope = approx_fprime(case.prediction.ravel(), total, 1e-6).reshape(case.prediction.shape)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "low", "high"),
    [
        (losses.absolute, 1.0, 1.0, -1, 1),
        (losses.huber, 2.0, 1.0, 1, 1),
        (losses.huber, 1.0, 1.0, 0, 0),
        (losses.hinge, 1.0, 1, -1, 0),
        (losses.squared_hinge, 1.0, 1, 0, 0),
    ],
)
def test_gradient_at_a_kink_is_a_subgradient(loss, prediction, target, low, high):
    _, gradient = value_and_gradient(loss, np.float32(prediction), target)
    assert low <= gradient <= high


# ---------------------------------------------------------------------------------------------- extremes


@dtypes
@pytest.mark.parametrize("score", [-1e4, 1e4])
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"poisson"}))
def test_extreme_scores_have_finite_losses_and_gradients(name, score, dtype):
    case = CASES[name]
    prediction = np.full(case.prediction.shape, score, dtype)
    prediction[..., :1] = 0.0
    with jax.enable_x64(dtype == "float64"):
        values, gradient = value_and_gradient(case.loss, prediction, case.target)
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(values, case.reference(prediction.astype(float), case.target), rtol=1e-5, atol=1e-5)


@dtypes
def test_extreme_rates_of_poisson_have_finite_losses_and_gradients(dtype):
    """Downwards: upwards e^score, and with it the loss, is no longer finite."""
    with jax.enable_x64(dtype == "float64"):
        values, gradient = value_and_gradient(losses.poisson, np.full(3, -1e4, dtype), np.array([0, 1, 5]))
    np.testing.assert_allclose(values, [0, 1e4, 5e4])
    np.testing.assert_allclose(gradient, [0, -1, -5])


@pytest.mark.parametrize("score", [0.0, 3.0, 10.0, 20.0, 80.0])
def test_confident_predictions_keep_their_digits_in_float32(score):
    """A small loss is not the difference of two large numbers."""
    loss, gradient = np.log1p(np.exp(-score)), -1 / (1 + np.exp(score))
    for sign, target in ((1, 1), (-1, 0)):
        value, slope = value_and_gradient(losses.logistic, np.float32(sign * score), target)
        np.testing.assert_allclose(value, loss, rtol=1e-5)
        np.testing.assert_allclose(sign * slope, gradient, rtol=1e-5, atol=1e-7)


def test_softmax_cross_entropy_keeps_its_digits_at_large_scores():
    scores = np.float32([[9999, 10000], [-10000, -9999], [1e4, -1e4]])
    values, _ = value_and_gradient(losses.softmax_cross_entropy, scores, np.array([0, 1, 0]))
    np.testing.assert_allclose(values, [np.log1p(np.e), np.log1p(1 / np.e), 0.0], rtol=1e-6)


@pytest.mark.parametrize("number", [-1, -CLASSES, -CLASSES - 1, CLASSES, 10**6])
def test_a_class_outside_the_range_is_nan(number):
    target = np.array([0, number, CLASSES - 1])
    values, _ = value_and_gradient(losses.softmax_cross_entropy, np.float32(ROWS[:3]), target)
    np.testing.assert_array_equal(np.isnan(values), [False, True, False])


# ---------------------------------------------------------------------------------------------- PyTorch


IN_TORCH = {
    "squared": lambda F, p, t: F.mse_loss(p, t, reduction="none") / 2,
    "absolute": lambda F, p, t: F.l1_loss(p, t, reduction="none"),
    "huber": lambda F, p, t: F.huber_loss(p, t, reduction="none"),
    "huber_wide": lambda F, p, t: F.huber_loss(p, t, reduction="none", delta=2.5),
    "logistic": lambda F, p, t: F.binary_cross_entropy_with_logits(p, t.to(p.dtype), reduction="none"),
    "logistic_probability": lambda F, p, t: F.binary_cross_entropy_with_logits(p, t, reduction="none"),
    "softmax_cross_entropy": lambda F, p, t: F.cross_entropy(p, t, reduction="none"),
    "hinge": lambda F, p, t: F.hinge_embedding_loss(t * p, -t.new_ones(()), reduction="none"),
    "squared_hinge": lambda F, p, t: F.hinge_embedding_loss(t * p, -t.new_ones(()), reduction="none") ** 2,
    "poisson": lambda F, p, t: F.poisson_nll_loss(p, t, log_input=True, full=False, reduction="none"),
}


@pytest.mark.peers
@dtypes
@cases
def test_value_and_gradient_are_pytorchs(name, dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install 'descend[peers]'")
    case = CASES[name]
    target = case.target.astype(dtype) if case.target.dtype.kind == "f" else case.target
    prediction = torch.tensor(case.prediction.astype(dtype), requires_grad=True)
    wanted = IN_TORCH[name](torch.nn.functional, prediction, torch.tensor(target))
    wanted.sum().backward()
    with jax.enable_x64(dtype == "float64"):
        got = value_and_gradient(case.loss, case.prediction.astype(dtype), target)
    for mine, theirs in zip(got, (wanted.detach(), prediction.grad), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])

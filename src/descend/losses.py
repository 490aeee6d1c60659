"""Losses per example: `loss(prediction, target)` is an array with one value for each; take its mean to descend.

A prediction is a number per example, or for `softmax_cross_entropy` a row of scores per example. All are written to
stay finite, and to have finite gradients, wherever the loss itself is finite. A prediction and a target of different
shapes are refused: a column against a row would be every prediction against every target.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from descend.errors import InputError

Prediction = Float[Array, "*shape"]
Target = Shaped[Array, "*shape"]


def _fit(prediction: Any, target: Any, classes: bool = False) -> None:
    """Refuse a prediction and a target of different shapes, unless one is a single number, which fits all."""
    have, wanted = jnp.shape(prediction)[: -1 if classes else None], jnp.shape(target)
    if have != wanted and () not in (have, wanted):
        raise InputError(f"predictions of shape {jnp.shape(prediction)} do not fit targets of shape {wanted}, which "
                         f"need the shape {(*wanted, 'classes') if classes else wanted}")


def squared(prediction: Prediction, target: Target) -> Prediction:
    """Half the squared error, `½ (p − t)²`: its minimiser is the mean.

    >>> float(squared(jnp.array(3.0), jnp.array(1.0)))
    2.0
    """
    _fit(prediction, target)
    return 0.5 * (prediction - target) ** 2


def absolute(prediction: Prediction, target: Target) -> Prediction:
    """The absolute error, `|p − t|`: its minimiser is the median.

    >>> float(absolute(jnp.array(3.0), jnp.array(1.0)))
    2.0
    """
    _fit(prediction, target)
    return jnp.abs(prediction - target)


def huber(prediction: Prediction, target: Target, delta: float = 1.0) -> Prediction:
    """Squared near the target and absolute far from it: `½ r²` for `|r| ≤ δ`, else `δ (|r| − ½ δ)`.

    >>> [float(huber(jnp.array(p), jnp.array(0.0))) for p in (0.5, 3.0)]
    [0.125, 2.5]

    Reference: Huber, "Robust estimation of a location parameter", 1964.
    """
    _fit(prediction, target)
    size = jnp.abs(prediction - target)
    # One formula for both parts: `where` would differentiate the square where it is not taken, and that may overflow.
    near = jnp.minimum(size, delta)
    return near * (size - 0.5 * near)


def logistic(score: Prediction, target: Target) -> Prediction:
    """Cross-entropy of a binary target, 0 or 1 (or a probability), from a score: `log(1 + eˢ) − t s`.

    >>> round(float(logistic(jnp.array(0.0), jnp.array(1))), 4)
    0.6931
    """
    _fit(score, target)
    # Not log(1 + eˢ) − t s, whose terms are large and nearly the same where the score is right.
    return target * jax.nn.softplus(-score) + (1 - target) * jax.nn.softplus(score)


def softmax_cross_entropy(scores: Float[Array, "*shape classes"], target: Int[Array, "*shape"]) -> Prediction:
    """Cross-entropy of a class number, from one score per class: `log Σⱼ eˢʲ − sₜ`.

    A class number outside the range gives NaN, rather than the loss of some other class.

    >>> round(float(softmax_cross_entropy(jnp.array([0.0, 0.0]), jnp.array(1))), 4)
    0.6931
    """
    _fit(scores, target, classes=True)
    classes = scores.shape[-1]
    # Selected by comparison, not by index: the gradient of indexing is a scatter, one number after the other on a CPU.
    chosen = jnp.arange(classes) == target[..., None]
    picked = jnp.sum(jax.nn.log_softmax(scores, axis=-1), axis=-1, where=chosen)
    return jnp.where((target >= 0) & (target < classes), -picked, jnp.nan)


def hinge(score: Prediction, target: Target) -> Prediction:
    """The support vector machine's loss for targets −1 and 1: `max(0, 1 − t s)`.

    >>> [float(hinge(jnp.array(s), jnp.array(1))) for s in (-1.0, 0.5, 2.0)]
    [2.0, 0.5, 0.0]
    """
    _fit(score, target)
    return jnp.maximum(0.0, 1 - target * score)


def squared_hinge(score: Prediction, target: Target) -> Prediction:
    """The squared hinge for targets −1 and 1, which is smooth: `max(0, 1 − t s)²`.

    >>> float(squared_hinge(jnp.array(-1.0), jnp.array(1)))
    4.0
    """
    return hinge(score, target) ** 2


def poisson(log_rate: Prediction, target: Target) -> Prediction:
    """Negative log-likelihood of a count, but for the constant `log t!`, from the logarithm of its rate: `eˢ − t s`.

    >>> float(poisson(jnp.array(0.0), jnp.array(2.0)))
    1.0
    """
    _fit(log_rate, target)
    return jnp.exp(log_rate) - target * log_rate

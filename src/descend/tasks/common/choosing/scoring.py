"""How rows that a model has not seen are scored: the loss of each row, and what the row adds to the score.

Written for NumPy, as this is done once an epoch, and to compile a program for it would take longer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from descend.tasks.common.target import TargetKind

# Of targets: an R² is relative to it.
MIN_VARIANCE = 1e-12
# Of a class, that its logarithm is finite; and the share of errors beyond which they count alike.
LEAST_CHANCE, COUNTED_SHARE = 1e-7, 0.995


def losses_and_scores(
    outputs: np.ndarray, targets: np.ndarray, kind: TargetKind, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the score of each row, from a model's outputs (a row, an output) before they are probabilities.

    Losses are those of `descend.losses`. Of an accuracy, a row's score is 1 or 0; of an R², one minus its share of the
    error. The score of the model is their mean. `weights`: how much each row counts: see `weighted`.
    """
    outputs = outputs.astype(np.float64)
    if kind == "regression":
        output = outputs[:, 0]
        return weighted((output - targets) ** 2 / 2, weights), row_scores(output, targets, kind, weights)
    losses, is_right = _of_classes(outputs, targets, kind)
    return weighted(losses, weights), weighted(is_right.astype(np.float64), weights)


def _of_classes(outputs: np.ndarray, targets: np.ndarray, kind: TargetKind) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each row, and whether it was told."""
    if kind == "multiclass":
        best = outputs.max(axis=1)
        # The largest output is taken out, so that no exponential overflows.
        beyond = np.log(np.exp(outputs - best[:, None]).sum(axis=1))
        return best + beyond - outputs[np.arange(len(outputs)), targets], outputs.argmax(axis=1) == targets
    output, is_one = outputs[:, 0], targets == 1
    return np.logaddexp(0, np.where(is_one, -output, output)), (output > 0) == is_one


def weighted(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """What each row adds to the weighted mean of values: the plain mean of these is that."""
    return values if weights is None else values * (weights / weights.mean())


def predictions_of(outputs: np.ndarray, kind: TargetKind) -> np.ndarray:
    """Numbers, or the probabilities of the classes, from a model's outputs."""
    # SciPy takes a tenth of a second to import.
    from scipy.special import expit, softmax

    if kind == "regression":
        return outputs[:, 0]
    return np.hstack([expit(-outputs), expit(outputs)]) if kind == "binary" else softmax(outputs, axis=1)


def losses_by_row(
    predictions: Sequence[np.ndarray], targets: np.ndarray, kind: TargetKind, weights: np.ndarray | None = None
) -> list[np.ndarray]:
    """What each row adds to the loss of several models: −log of the probability of its class, or its squared error.

    Errors larger than nearly all of these models' are counted as those: which model is better must not hang on the few
    rows that all of them get wrong. `weights`: how much each row counts: see `weighted`.
    """
    if kind != "regression":
        rows = np.arange(len(targets))
        losses = [-np.log(np.maximum(each[rows, targets].astype(np.float64), LEAST_CHANCE)) for each in predictions]
    else:
        losses = [(each.astype(np.float64) - targets) ** 2 for each in predictions]
        finite = np.concatenate(losses)
        finite = finite[np.isfinite(finite)]
        most = np.quantile(finite, COUNTED_SHARE) if len(finite) else np.inf
        losses = [np.where(each > most, most, each) if np.isfinite(each).all() else each for each in losses]
    return [weighted(each, weights) for each in losses]


def predictions_in_jax(outputs: Any, kind: TargetKind) -> Any:
    """The same in JAX, along the last axis of outputs."""
    # JAX takes a second to import.
    import jax
    import jax.numpy as jnp

    if kind == "regression":
        return outputs[..., 0]
    if kind == "multiclass":
        return jax.nn.softmax(outputs, axis=-1)
    return jax.nn.sigmoid(jnp.concatenate([-outputs, outputs], axis=-1))


def row_scores(
    predictions: np.ndarray, targets: np.ndarray, kind: TargetKind, weights: np.ndarray | None = None
) -> np.ndarray:
    """The score of each row from predictions: a number for each row, or the probability of each class.

    `weights`: how much each row counts: see `weighted`.
    """
    if kind != "regression":
        return weighted((predictions.argmax(axis=1) == targets).astype(np.float64), weights)
    truth = targets.astype(np.float64)
    variance = float(weighted((truth - weighted(truth, weights).mean()) ** 2, weights).mean())
    return weighted(1 - (predictions.astype(np.float64) - truth) ** 2 / max(variance, MIN_VARIANCE), weights)

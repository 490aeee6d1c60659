"""How rows that a model has not seen are scored: the loss of each row, and what the row adds to the score.

Written for NumPy, as this is done once an epoch, and to compile a program for it would take longer.
"""

import numpy as np

from descend.tasks.common.target import TargetKind

# Of targets: an R² is relative to it.
MIN_VARIANCE = 1e-12


def losses_and_scores(outputs: np.ndarray, targets: np.ndarray, kind: TargetKind) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the score of each row, from a model's outputs (a row, an output) before they are probabilities.

    Losses are those of `descend.losses`. Of an accuracy, a row's score is 1 or 0; of an R², one minus its share of the
    error. The score of the model is their mean.
    """
    outputs = outputs.astype(np.float64)
    if kind == "multiclass":
        best = outputs.max(axis=1)
        # The largest output is taken out, so that no exponential overflows.
        beyond = np.log(np.exp(outputs - best[:, None]).sum(axis=1))
        losses = best + beyond - outputs[np.arange(len(outputs)), targets]
        return losses, (outputs.argmax(axis=1) == targets).astype(np.float64)
    output = outputs[:, 0]
    if kind == "binary":
        is_one = targets == 1
        return np.logaddexp(0, np.where(is_one, -output, output)), ((output > 0) == is_one).astype(np.float64)
    return (output - targets) ** 2 / 2, row_scores(output, targets, kind)


def predictions_of(outputs: np.ndarray, kind: TargetKind) -> np.ndarray:
    """Numbers, or the probabilities of the classes, from a model's outputs."""
    # SciPy takes a tenth of a second to import.
    from scipy.special import expit, softmax

    if kind == "regression":
        return outputs[:, 0]
    return np.hstack([expit(-outputs), expit(outputs)]) if kind == "binary" else softmax(outputs, axis=1)


def row_scores(predictions: np.ndarray, targets: np.ndarray, kind: TargetKind) -> np.ndarray:
    """The score of each row from predictions: a number for each row, or the probability of each class."""
    if kind != "regression":
        return (predictions.argmax(axis=1) == targets).astype(np.float64)
    squares = (predictions.astype(np.float64) - targets) ** 2
    return 1 - squares / max(float(np.var(targets, dtype=np.float64)), MIN_VARIANCE)

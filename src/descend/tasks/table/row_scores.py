"""How models are judged: the loss of each row that a model has not seen, and what the row adds to the score.

Written for NumPy, as this is done once an epoch, and to compile a program for it would take longer.
"""

import numpy as np

from descend.tasks.common.target import TaskKind


def judged(scores: np.ndarray, targets: np.ndarray, task: TaskKind) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the merit of each row, from scores (a row, an output) of a model that has not seen it.

    Losses are those of `descend.losses`. Of an accuracy, a row's merit is 1 or 0; of an R², one minus its share of the
    error. The score is the mean of the merits.
    """
    scores = scores.astype(np.float64)
    if task == "multiclass":
        best = scores.max(axis=1)
        beyond = np.log(np.exp(scores - best[:, None]).sum(axis=1))
        losses = best + beyond - scores[np.arange(len(scores)), targets]
        return losses, (scores.argmax(axis=1) == targets).astype(np.float64)
    score = scores[:, 0]
    if task == "binary":
        is_one = targets == 1
        return np.logaddexp(0, np.where(is_one, -score, score)), ((score > 0) == is_one).astype(np.float64)
    squares = (score - targets) ** 2
    return squares / 2, 1 - squares / max(float(np.var(targets, dtype=np.float64)), 1e-12)

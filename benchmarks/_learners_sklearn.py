"""scikit-learn's MLPClassifier as a learner, through `partial_fit` on many batches at a time."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks._learners import RATE, Problem


class Sklearn:
    """For perceptrons only; without the penalty that is its default."""

    name = "scikit-learn"

    def __init__(self, problem: Problem):
        self._problem = problem
        self.restart()

    def restart(self) -> None:
        """Go back to the first weights, which a first example makes room for."""
        layers = self._problem.layers
        sizes = [b.size for _, b in layers[:-1]]
        (x, t), classes = self._problem.stream, np.arange(layers[-1][1].size)
        self._model: Any = MLPClassifier(sizes, alpha=0.0, learning_rate_init=RATE, shuffle=False)
        self._model.partial_fit(x[:1], t[:1], classes=classes)
        self._model.set_params(batch_size=self._problem.batch)
        for (W, b), ours, shift in zip(layers, self._model.coefs_, self._model.intercepts_, strict=True):
            ours[:], shift[:] = W, b
        self._made = 0

    def train(self, steps: int) -> None:
        """Make some steps."""
        batch, there = self._problem.batch, self._problem.steps
        while steps:
            first = self._made % there
            count = min(steps, there - first)
            self._model.partial_fit(*(part[first * batch : (first + count) * batch] for part in self._problem.stream))
            self._made, steps = self._made + count, steps - count

    def scores(self, inputs: np.ndarray) -> Any:
        """The logarithms of the probabilities."""
        return self._model.predict_log_proba(inputs)

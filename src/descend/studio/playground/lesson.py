"""A lesson: points, of which some are learned from and some are tested on, as a network is given them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descend.neural.perceptron import MLP
from descend.studio.playground.network import Inputs, layers_of, probabilities
from descend.studio.playground.points import Points

# Cells of the picture, in each direction.
PICTURE = 100


@dataclass(frozen=True, eq=False)
class Lesson:
    """Points, divided into those to learn from and those to test on, as a network is given them."""

    points: Points
    learned: np.ndarray
    tested: np.ndarray
    inputs: Inputs

    @property
    def outputs(self) -> int:
        """A score for each class, or one number."""
        return len(self.points.classes) or 1

    def examples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of some points; numbers in standard deviations from the mean of what is learned from."""
        targets = self.points.targets[rows]
        if self.points.kind == "regression":
            targets = ((targets - self.mean) / self.spread).astype(np.float32)[:, None]
        return self.inputs.at(self.points.positions[rows]), targets

    @cached_property
    def training(self) -> tuple[np.ndarray, np.ndarray]:
        """Those to learn from."""
        return self.examples(self.learned)

    @cached_property
    def testing(self) -> tuple[np.ndarray, np.ndarray]:
        """Those to test on."""
        return self.examples(self.tested)

    @cached_property
    def grid(self) -> np.ndarray:
        """The inputs at the cells of the picture."""
        return self.inputs.at(self.points.grid(PICTURE))

    @property
    def mean(self) -> float:
        """Of the numbers that are learned from."""
        return float(self.points.targets[self.learned].mean())

    @property
    def spread(self) -> float:
        """Their standard deviation; 1 where they are all the same."""
        return float(self.points.targets[self.learned].std()) or 1.0

    def measure(self, network: MLP, examples: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
        """The mean loss of examples, and how good it is: the share that is right, or R²."""
        scores, targets = layers_of(network, examples[0])[-1].astype(np.float64), examples[1]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.points.kind == "regression":
                squares = (scores - targets) ** 2
                return float(squares.mean() / 2), float(1 - squares.mean() / targets.var())
            top = scores.max(1, keepdims=True)
            logarithms = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
            return (float(-logarithms[np.arange(len(targets)), targets].mean()),
                    float((scores.argmax(1) == targets).mean()))

    def seen(self, scores: np.ndarray) -> np.ndarray:
        """What the picture shows of scores: the number as a share of the targets' span; or the likeliest class and,
        after the point, its probability."""
        if self.points.kind == "regression":
            return self.points.share(scores[:, 0] * self.spread + self.mean)
        each = probabilities(scores)
        return each.argmax(1) + np.minimum(each.max(1), 0.999)

    def outputs_seen(self, scores: np.ndarray) -> np.ndarray:
        """What the small pictures of the outputs show: probabilities, or the number as a share."""
        if self.points.kind == "regression":
            return self.points.share(scores * self.spread + self.mean)
        return probabilities(scores)

"""What is learnt by several libraries, and by ours: one network, from the same first weights, on the same batches.

A learner has a name and three verbs: `train(steps)` goes on from where it is, `restart()` brings back the first
weights, and `scores(inputs)` is what its network makes of others. All of them step by Adam at one rate.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

import descend
from descend.engine.run import Run, advance
from descend.neural._network import scores_of

RATE = 1e-3
Layers = list[tuple[np.ndarray, np.ndarray]]  # matrices, or kernels (side, side, channels, outputs); and biases


@dataclass(frozen=True)
class Problem:
    """A network to be trained on examples, by a loss of ours that peers write anew; and examples to judge it by.

    `steps`: how many batches peers are given, shuffled before; when they are through, they begin again.
    """

    loss: Any
    start: Any
    examples: tuple[Any, ...]
    held_out: tuple[np.ndarray, np.ndarray]
    batch: int
    steps: int
    stream: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Shuffle for the peers, an epoch after the other."""
        rng = np.random.default_rng(0)
        length, count = len(self.examples[0]), self.steps * self.batch
        order = np.concatenate([rng.permutation(length) for _ in range(-(-count // length))])[:count]
        object.__setattr__(self, "stream", (self.examples[0][order], self.examples[1][order]))

    @property
    def layers(self) -> Layers:
        """The first weights of a perceptron or of LeNet, from the first layer to the last."""
        network = self.start
        weights = network.weights if hasattr(network, "weights") else [*network.kernels, *network.matrices]
        return [(np.asarray(W), np.asarray(b)) for W, b in zip(weights, network.biases, strict=True)]

    def batches(self, convert: Any) -> list[tuple[Any, Any]]:
        """The stream in batches, as arrays of a library."""
        places = range(0, self.steps * self.batch, self.batch)
        return [tuple(convert(part[i : i + self.batch]) for part in self.stream) for i in places]

    def judged(self, learner: "Learner") -> float:
        """The mean cross-entropy on what was held out."""
        inputs, targets = self.held_out
        scores = np.asarray(learner.scores(inputs), np.float64)
        scores -= scores.max(-1, keepdims=True)
        picked = np.take_along_axis(scores, targets[..., None], -1)[..., 0]
        return float(np.mean(np.log(np.exp(scores).sum(-1)) - picked))


class Learner(Protocol):
    """Someone who trains a network."""

    name: str

    def train(self, steps: int) -> None:
        """Make some steps."""

    def restart(self) -> None:
        """Go back to the first weights."""

    def scores(self, inputs: np.ndarray) -> Any:
        """What the network makes of inputs."""


class Ours:
    """A run, advanced; it shuffles while it trains."""

    name = "descend"

    def __init__(self, problem: Problem):
        self._problem = problem
        self._run: Run | None = None

    def restart(self) -> None:
        """Go back to the first weights, and make the first step, as `minimize` does."""
        problem = self._problem
        self._run = descend.minimize(problem.loss, problem.start, problem.examples, optimizer=descend.Adam(RATE),
                                     batch_size=problem.batch, steps=1, stop=[]).run

    def train(self, steps: int) -> None:
        """Make some steps."""
        if self._run is None:
            self.restart()
            steps -= 1
        assert self._run is not None
        end = self._run.step + steps
        while self._run.step < end:
            self._run, _ = advance(self._run, end - self._run.step)

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """What the network makes of inputs."""
        assert self._run is not None
        return scores_of(self._run.eval_params, None, inputs)

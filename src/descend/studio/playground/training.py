"""What learns: a run of the engine on a lesson, a value as a run is, and what can be seen of it."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from descend import Run, begin
from descend.errors import InputError
from descend.insight import edge
from descend.neural.perceptron import MLP
from descend.optimizers import Optimizer
from descend.studio.playground.lesson import PICTURE, Lesson
from descend.studio.playground.network import NetworkLoss, layers_of
from descend.studio.racing.course import Ball

# Cells of the map of a unit, in each direction.
MAP = 20
# With the Hessian, for the sharpness.
SHARPNESS_PRODUCTS = 16


@dataclass(frozen=True)
class Conduct:
    """How a run goes on; all of it can be changed on the way."""

    ball: Ball
    batch_size: int
    l1: float = 0.0
    l2: float = 0.0
    noise: float = 0.0
    dropout: float = 0.0

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the loss is told."""
        return {name: np.asarray(getattr(self, name), np.float32) for name in ("l1", "l2", "noise")}

    def batch_of(self, lesson: Lesson) -> int:
        """How many examples a step sees: no more than there are."""
        return min(self.batch_size, len(lesson.learned))

    @property
    def optimizer(self) -> Optimizer:
        """The rule with its settings."""
        return self.ball.rule.made(self.ball.settings)


@dataclass(frozen=True)
class Look:
    """What can be seen of a network: `picture` of PICTURE × PICTURE cells, of the outcome or of one unit; `maps`, a row
    of MAP × MAP cells for each input, unit and output; and its `numbers`, layer by layer, weights before biases."""

    picture: np.ndarray
    maps: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True, eq=False)
class Training:
    """A network that learns a lesson. `first`: the run before its first step; `seen`: how many examples it has seen."""

    lesson: Lesson
    conduct: Conduct
    first: Run
    run: Run
    seen: int = 0

    @classmethod
    def begun(cls, loss: NetworkLoss, lesson: Lesson, conduct: Conduct, seed: int) -> "Training":
        """One that has made no step. `seed`: of the weights, the order of the examples, and noise."""
        network = lesson.inputs.architecture.drawn(lesson.outputs, conduct.dropout, seed)
        run = begin(loss, network, lesson.training, state=conduct.state, optimizer=conduct.optimizer,
                    batch_size=conduct.batch_of(lesson), seed=seed)  # fmt: skip
        return cls(lesson, conduct, run, run)

    def conducted(self, conduct: Conduct) -> "Training":
        """The same, to go on in another way: a fork."""
        before = self.conduct
        changes: dict[str, Any] = {"state": conduct.state}
        if before.ball != conduct.ball:
            changes |= {"optimizer": conduct.optimizer}
        if before.dropout != conduct.dropout:
            changes |= {"params": replace(self.network, dropout=conduct.dropout)}
        if before.batch_size != conduct.batch_size:
            changes |= {"batch_size": conduct.batch_of(self.lesson)}
        with warnings.catch_warnings():
            # That another rule remembers nothing yet is what whoever chooses another rule asks for.
            warnings.simplefilter("ignore", UserWarning)
            return replace(self, conduct=conduct, run=self.run.fork(**changes))

    def advanced(self, steps: int) -> "Training":
        """After so many more steps, or fewer where it diverges."""
        if self.run.is_halted:
            return self
        run, _ = self.run.advance(steps)
        made = run.step - self.run.step
        return replace(self, run=run, seen=self.seen + made * self.conduct.batch_of(self.lesson))

    @property
    def network(self) -> MLP:
        """The network as it is now."""
        return self.run.params

    @property
    def epoch(self) -> float:
        """How often the examples were seen."""
        return self.seen / len(self.lesson.learned)

    def look(self, shown: tuple[int, int] | None) -> Look:
        """The network in pictures. `shown`: the layer and the number of a unit, or `None` for the outcome."""
        lesson, network = self.lesson, self.network
        *units, scores = layers_of(network, lesson.grid)
        cells, apart = np.arange(PICTURE**2).reshape(PICTURE, PICTURE), PICTURE // MAP
        some = cells[apart // 2 :: apart, apart // 2 :: apart].ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            picture = lesson.seen(scores) if shown is None else units[shown[0]][:, shown[1]]
            maps = [layer[some] for layer in units] + [lesson.outputs_seen(scores[some])]
        pairs = zip(network.weights, network.biases, strict=True)
        numbers = [np.asarray(each).ravel() for pair in pairs for each in pair]
        return Look(picture, np.concatenate([part.T for part in maps]), np.concatenate(numbers))

    def sharpness(self) -> dict[str, Any]:
        """How the loss of all that is learned from curves, as the rule steps, and the rate from which on the rule is
        unstable there; at the start, where the run diverged."""
        at = self.first.fork(optimizer=self.conduct.optimizer) if self.run.is_halted else self.run
        told = {"step": at.step, "sharpness": None, "limit": None, "says": self.conduct.ball.rule.says()}
        try:
            found = edge(at, self.lesson.training, products=SHARPNESS_PRODUCTS)
        except InputError:
            # A rule that tells no rate has no limit of it either.
            return told
        value = float(found.sharpness[-1])
        limit = found.limit / value if found.limit is not None and value > 0 else None
        return told | ({"sharpness": value, "limit": limit} if np.isfinite(value) else {})

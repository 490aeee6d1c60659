"""What learns: a run of the engine, which follows what a page sets, and what can be seen of it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from descend import Run, begin
from descend.errors import InputError
from descend.insight import edge
from descend.neural.mlp import MLP
from descend.optimizers import Optimizer
from descend.studio.playground.network import Architecture, Inputs, Objective, layers_of, probabilities
from descend.studio.playground.own_table import Choice, OwnTable
from descend.studio.playground.points import Points
from descend.studio.playground.toys import TOYS
from descend.studio.racing.course import Ball

# Cells of the picture, and of the map of a unit, in each direction.
PICTURE, MAP = 100, 20
# Products with the Hessian, for the sharpness.
PRODUCTS = 16


@dataclass(frozen=True)
class ToyChoice:
    """A toy set, and how it is drawn."""

    name: str
    count: int
    noise: float
    seed: int


@dataclass(frozen=True)
class Start:
    """What a run begins with: what is to be learned, by which network, from which draw of all that is random.

    `attempt`: another one begins anew.
    """

    data: ToyChoice | Choice
    test_share: float
    architecture: Architecture
    seed: int
    attempt: int = 0


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
        return {"l1": np.float32(self.l1), "l2": np.float32(self.l2), "noise": np.float32(self.noise)}

    @property
    def optimizer(self) -> Optimizer:
        """The rule with its settings."""
        return self.ball.rule.made(self.ball.settings)


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


@dataclass(frozen=True)
class Look:
    """What can be seen of a network: `picture` of PICTURE × PICTURE cells, of the outcome or of one unit; `maps`, a row
    of MAP × MAP cells for each input, unit and output; and its numbers, layer by layer, weights before biases."""

    picture: np.ndarray
    maps: np.ndarray
    numbers: np.ndarray


class Learner:
    """The run of one page. `table`: the one that the studio was opened with."""

    def __init__(self, table: OwnTable | None, objectives: Mapping[str, Objective]) -> None:
        self.table, self.objectives = table, objectives
        self.start: Start | None = None
        self.conduct: Conduct | None = None
        self.lesson: Lesson
        self.first: Run
        self.run: Run | None = None

    def follow(self, start: Start, conduct: Conduct) -> bool:
        """Do as the page has set; whether that begins anew.

        **Raises** `InputError` for data that cannot be learned; what was learned before is kept.
        """
        if start != self.start or self.run is None:
            self._begin(start, conduct)
            return True
        if conduct != self.conduct:
            self.run = self._changed(self.run, conduct)
            self.conduct = conduct
        return False

    def advance(self, steps: int) -> None:
        """Make some more steps."""
        assert self.run is not None
        self.run, _ = self.run.advance(steps)

    @property
    def network(self) -> MLP:
        """The network as it is now."""
        assert self.run is not None
        return self.run.params

    @property
    def epoch(self) -> float:
        """How often the examples were seen."""
        assert self.run is not None
        place = self.run.state.cursor
        return int(place.epoch) + int(place.position) / len(self.lesson.learned)

    def look(self, shown: tuple[int, int] | None) -> Look:
        """The network in pictures. `shown`: the layer and the number of a unit, or `None` for the outcome."""
        lesson, network = self.lesson, self.network
        layers = layers_of(network, lesson.grid)
        small = np.arange(PICTURE**2).reshape(PICTURE, PICTURE)
        apart = PICTURE // MAP
        small = small[apart // 2 :: apart, apart // 2 :: apart].ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            parts = [layer[small] for layer in layers[:-1]] + [lesson.outputs_seen(layers[-1][small])]
            if shown is None:
                picture = lesson.seen(layers[-1])
            else:
                picture = layers[shown[0]][:, shown[1]]
        pairs = zip(network.weights, network.biases, strict=True)
        numbers = np.concatenate([np.asarray(one).ravel() for pair in pairs for one in pair])
        return Look(picture, np.concatenate([part.T for part in parts]), numbers)

    def sharpness(self) -> dict[str, Any] | None:
        """How the loss of all that is learned from curves, and the rate at which its optimizer becomes unstable; at the
        start, where the run diverged; `None` before there is a run."""
        run, conduct, lesson = self.run, self.conduct, getattr(self, "lesson", None)
        if run is None or conduct is None or lesson is None:
            return None
        at = self.first if run.is_halted else run
        told = {"step": at.step, "sharpness": None, "limit": None, "says": conduct.ball.rule.says()}
        try:
            found = edge(at, lesson.training, products=PRODUCTS)
        except InputError:
            # A rule that tells no rate has no limit of it either.
            return told
        value = float(found.sharpness[-1])
        if np.isfinite(value):
            limit = found.limit / value if found.limit is not None and value > 0 else None
            told |= {"sharpness": value, "limit": limit, "is_divided": found.preconditioned}
        return told

    def _begin(self, start: Start, conduct: Conduct) -> None:
        points = self._points(start)
        learned, tested = points.split(start.test_share, start.seed)
        lesson = Lesson(points, learned, tested, Inputs.of(start.architecture, points, learned))
        network = start.architecture.drawn(lesson.outputs, conduct.dropout, start.seed)
        run = begin(
            self.objectives[points.kind], network, lesson.training, state=conduct.state, optimizer=conduct.optimizer,
            batch_size=min(conduct.batch_size, len(learned)), seed=start.seed,
        )  # fmt: skip
        self.start, self.conduct, self.lesson, self.first, self.run = start, conduct, lesson, run, run

    def _points(self, start: Start) -> Points:
        """Those that are there already, unless others are asked for."""
        if self.start is not None and self.start.data == start.data:
            return self.lesson.points
        if isinstance(start.data, ToyChoice):
            return TOYS[start.data.name].points(start.data.count, start.data.noise, start.data.seed)
        if self.table is None:
            raise InputError("this studio was opened without a table: descend studio FILE.csv opens one")
        return self.table.points(start.data)

    def _changed(self, run: Run, conduct: Conduct) -> Run:
        """The run, to go on in another way: a fork."""
        before = self.conduct
        assert before is not None
        size = min(conduct.batch_size, len(self.lesson.learned))
        changes: dict[str, Any] = {"state": conduct.state}
        if before.ball != conduct.ball:
            changes["optimizer"] = conduct.optimizer
        if before.dropout != conduct.dropout:
            changes["params"] = replace(run.params, dropout=conduct.dropout)
        if before.batch_size != conduct.batch_size:
            changes["batch_size"] = size
        with warnings.catch_warnings():
            # That another rule's memory begins anew is what whoever chooses another rule asks for.
            warnings.simplefilter("ignore", UserWarning)
            return run.fork(**changes)

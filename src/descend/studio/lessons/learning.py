"""Figures of a model that is learned from real data: its loss over epochs, or over seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from descend.studio.lessons.descents import Roller
from descend.studio.lessons.figures import Begun, Drawn, Setup, told
from descend.studio.lessons.regression import EPOCHS, IN_AN_EPOCH
from descend.studio.racing.rules import Slider

OF_BATCHES = "the limit of rate × curvature is that of the whole data: batches differ"


@dataclass(frozen=True)
class Learner(Roller):
    """A ball that learns from so many examples in each step; 0: from all."""

    batch: int = 10


@dataclass(frozen=True)
class Learning:
    """Learners side by side. `over`: what the loss is drawn over, "epochs" or "seconds"."""

    kind: ClassVar[str] = "learning"

    name: str
    title: str
    learners: tuple[Learner, ...]
    sliders: tuple[Slider, ...]
    over: str = "epochs"

    def told(self) -> dict[str, Any]:
        """The learners and the sliders."""
        return {
            "name": self.name, "title": self.title, "kind": self.kind, "over": self.over, "epochs": EPOCHS,
            "steps": EPOCHS * IN_AN_EPOCH, "noisy": True, "sliders": list(map(told, self.sliders)),
            "balls": [{"title": one.title, "rate": one.rate} for one in self.learners],
        }

    def ground(self) -> Drawn:
        """Nothing lies below curves."""
        return Drawn({}, np.zeros(0))

    def balls(self, setup: Setup, begun: Begun) -> Iterator[Drawn]:
        """The way of each."""
        regression = begun.regression
        for one in self.learners:
            rule, whole = one.made(setup.settings), len(regression.data[1])
            way = regression.way(one.title, rule, one.batch or whole, setup.seed)
            limit = None if one.batch else rule.stability_limit()
            yield Drawn({"steps": len(way) - 1, "limit": limit, "says": OF_BATCHES, "floor": regression.floor}, way)

"""The room "Playground": what there is to choose from, and frames of a network that learns."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from descend.studio.asked import told_rules
from descend.studio.messages import Fields, Request, frame
from descend.studio.playground.asking import (
    MAX_LAYERS,
    MAX_STEPS_PER_FRAME,
    MAX_UNITS,
    AdvanceRequest,
    SharpnessRequest,
    advance_of,
)
from descend.studio.playground.learner import MAP, PICTURE, Learner
from descend.studio.playground.network import ACTIVATIONS, FEATURES, Objective
from descend.studio.playground.own_table import OwnTable
from descend.studio.playground.toys import TOYS
from descend.studio.racing.rules import OFFERED


class PlaygroundRoom:
    """A page that shows a network that learns: one run, which goes with the page."""

    # What is compiled for the sharpness is not to stop the frames.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {"engine": ("advance",), "curvature": ("sharpness",)}

    def __init__(self, table: OwnTable | None, objectives: Mapping[str, Objective]) -> None:
        self.table = table
        self.learner = Learner(table, objectives)

    def welcome(self) -> dict[str, Any]:
        """The toy sets, the table, inputs, activations and rules."""
        return {
            "toys": [{"name": toy.name, "title": toy.title} for toy in TOYS.values()],
            "table": None if self.table is None else self.table.told(),
            "features": list(FEATURES),
            "activations": list(ACTIVATIONS),
            "rules": told_rules(OFFERED),
            "max_layers": MAX_LAYERS,
            "max_units": MAX_UNITS,
            "max_steps": MAX_STEPS_PER_FRAME,
        }

    def request(self, kind: str, fields: Fields, id: int) -> Request:
        """Some steps, or the sharpness."""
        return advance_of(fields, id) if kind == "advance" else SharpnessRequest(id)

    def frames(self, request: Request, is_newer: Callable[[], bool]) -> Iterator[bytes]:
        """Where a run begins anew, the points and the network before its first step; then what came of the steps."""
        if isinstance(request, SharpnessRequest):
            yield frame({"kind": "sharpness", "id": request.id, **(self.learner.sharpness() or {}), "last": True})
        elif isinstance(request, AdvanceRequest):
            if self.learner.follow(request.start, request.conduct):
                yield self._points(request.id)
                if request.steps:
                    yield self._state(request, 0.0, is_last=False)
            begin = time.perf_counter()
            if request.steps and not (self.learner.run and self.learner.run.is_halted):
                self.learner.advance(request.steps)
            yield self._state(request, time.perf_counter() - begin, is_last=True)

    def close(self) -> None:
        """The run goes with the page."""
        self.learner.run = None

    def _points(self, id: int) -> bytes:
        """The points: where they are in the window, what they are, whether they are tested on."""
        lesson, points = self.learner.lesson, self.learner.lesson.points
        x0, x1, y0, y1 = points.window
        rows = np.empty((len(points), 4))
        rows[:, :2] = (points.positions - [x0, y0]) / [x1 - x0, y1 - y0]
        rows[:, 2] = points.targets if points.classes else points.share(points.targets)
        rows[:, 3] = np.isin(np.arange(len(points)), lesson.tested)
        return frame({
            "kind": "points", "id": id, "title": points.title, "axes": points.axes, "target": points.target,
            "classes": points.classes, "span": None if points.classes else points.span, "window": points.window,
            "learned": len(lesson.learned), "tested": len(lesson.tested), "says": points.says,
        }, rows)  # fmt: skip

    def _state(self, request: AdvanceRequest, seconds: float, is_last: bool) -> bytes:
        """The network in numbers and pictures."""
        learner, lesson = self.learner, self.learner.lesson
        run, network, look = learner.run, learner.network, learner.look(request.shown)
        assert run is not None
        train, test = (lesson.measure(network, each) for each in (lesson.training, lesson.testing))
        body = np.concatenate([look.picture.ravel(), look.maps.ravel(), look.numbers])
        with np.errstate(over="ignore"):
            body = body.astype(np.float32)
        body[~np.isfinite(body)] = np.nan
        return frame({
            "kind": "state", "id": request.id, "step": run.step, "epoch": learner.epoch, "halted": run.is_halted,
            "train": _told(*train), "test": _told(*test), "sizes": _sizes(network), "picture": PICTURE, "map": MAP,
            "shown": request.shown, "seconds": seconds, "last": is_last,
        }, body)  # fmt: skip


def _told(loss: float, score: float) -> dict[str, float | None]:
    """What JSON can hold of a loss and a score."""
    return {"loss": loss if math.isfinite(loss) else None, "score": score if math.isfinite(score) else None}


def _sizes(network: Any) -> list[int]:
    """How many inputs, units of each layer, and outputs there are."""
    return [len(network.weights[0]), *(len(biases) for biases in network.biases)]

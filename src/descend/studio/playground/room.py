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
from descend.studio.playground.learner import Learner
from descend.studio.playground.lesson import PICTURE, Lesson
from descend.studio.playground.network import ACTIVATIONS, FEATURES, NetworkLoss
from descend.studio.playground.own_table import OwnTable
from descend.studio.playground.toys import TOYS
from descend.studio.playground.training import MAP, Training
from descend.studio.racing.rules import OFFERED


class PlaygroundRoom:
    """A page that shows a network that learns: one run, which goes with the page."""

    # What is compiled for the sharpness is not to stop the frames.
    lanes: ClassVar[Mapping[str, tuple[str, ...]]] = {"engine": ("advance",), "curvature": ("sharpness",)}

    def __init__(self, table: OwnTable | None, losses: Mapping[str, NetworkLoss]) -> None:
        self.table = table
        self.learner = Learner(table, losses)

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
            training = self.learner.training
            told = {} if training is None else training.sharpness()
            yield frame({"kind": "sharpness", "id": request.id, **told, "last": True})
        elif isinstance(request, AdvanceRequest):
            yield from self._advanced(request)

    def close(self) -> None:
        """The run goes with the page."""
        self.learner.training = None

    def _advanced(self, request: AdvanceRequest) -> Iterator[bytes]:
        training, is_new = self.learner.follow(request.start, request.conduct)
        if is_new:
            yield points_frame(request.id, training.lesson)
            if request.steps:
                # To be seen while its first step is compiled.
                yield state_frame(request, training, 0.0, is_last=False)
        begin = time.perf_counter()
        training = self.learner.advance(request.steps) if request.steps else training
        yield state_frame(request, training, time.perf_counter() - begin, is_last=True)


def points_frame(id: int, lesson: Lesson) -> bytes:
    """The points, each with where it is in the window, what it is, and whether it is tested on."""
    points, rows = lesson.points, np.zeros((len(lesson.points), 4))
    x0, x1, y0, y1 = points.window
    rows[:, :2] = (points.positions - [x0, y0]) / [x1 - x0, y1 - y0]
    rows[:, 2] = points.targets if points.classes else points.share(points.targets)
    rows[lesson.tested, 3] = 1
    return frame({
        "kind": "points", "id": id, "title": points.title, "axes": points.axes, "target": points.target,
        "classes": points.classes, "span": None if points.classes else points.span, "window": points.window,
        "learned": len(lesson.learned), "tested": len(lesson.tested), "says": points.says,
    }, rows)  # fmt: skip


def state_frame(request: AdvanceRequest, training: Training, seconds: float, is_last: bool) -> bytes:
    """A network in numbers and pictures; `seconds`: what its steps took."""
    network, lesson, look = training.network, training.lesson, training.look(request.shown)
    with np.errstate(over="ignore"):
        body = np.concatenate([look.picture, look.maps.ravel(), look.numbers]).astype(np.float32)
    body[~np.isfinite(body)] = np.nan
    train, test = (_told(*lesson.measure(network, each)) for each in (lesson.training, lesson.testing))
    sizes = [len(lesson.inputs.mean), *(len(biases) for biases in network.biases)]
    return frame({
        "kind": "state", "id": request.id, "step": training.run.step, "epoch": training.epoch, "train": train,
        "test": test, "halted": training.run.is_halted, "sizes": sizes, "picture": PICTURE, "map": MAP,
        "shown": request.shown, "seconds": seconds, "last": is_last,
    }, body)  # fmt: skip


def _told(loss: float, score: float) -> dict[str, float | None]:
    """What JSON can hold of a loss and a score."""
    return {"loss": loss if math.isfinite(loss) else None, "score": score if math.isfinite(score) else None}

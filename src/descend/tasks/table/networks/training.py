"""Ensembles of networks, trained by steps of an optimizer; see `models` for what they are."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from descend._facts import Facts, refuse_other_size
from descend._tree import join, split
from descend.engine.storing import tree_from_arrays, tree_to_arrays
from descend.engine.trainer import Checkpoint
from descend.minimize import minimize
from descend.observers import Observer
from descend.schedules import Cosine
from descend.stopping import Plateau
from descend.tasks.common.settings import OPTIMIZERS, Settings
from descend.tasks.common.target import TaskKind
from descend.tasks.table.candidates import Candidate
from descend.tasks.table.networks.ensemble import Architecture, Ensemble, Shape, TrainingLoss, build, mean_prediction
from descend.tasks.table.preparing import LARGE, Prepared
from descend.tasks.table.row_scores import judged

WHERE = "the saved networks"
EPOCHS, LEAST_STEPS = 60, 400
RATES = {  # what did best on the samples, for each optimizer
    "sgd": {"linear": 0.1, "mlp": 0.1},
    "adagrad": {"linear": 0.1, "mlp": 0.03},
    "rmsprop": {"linear": 0.003, "mlp": 0.001},
    "adam": {"linear": 0.02, "mlp": 0.003},
    "adamw": {"linear": 0.02, "mlp": 0.003},
}
DECAYS = {"linear": 0.1, "mlp": 0.3}
BLOCK = 8192  # rows to predict at a time


@dataclass(frozen=True)
class Networks:
    """An ensemble with its shape, as a `Predictor`."""

    shape: Shape
    ensemble: Ensemble

    @property
    def task(self) -> TaskKind:
        """What the members' scores are of."""
        return self.shape.task

    @property
    def architecture(self) -> Architecture:
        """That of the members."""
        return self.shape.architecture

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """The members' mean, computed in blocks of rows."""
        networks = _on_host(self.ensemble)
        blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        with np.errstate(all="ignore"):  # whoever asks sees what is not finite
            return np.concatenate([mean_prediction(networks(block), self.shape.task) for block in blocks])

    def describe(self) -> str:
        """The architecture and how many there are."""
        members = self.shape.members
        return self.architecture + (f", {members} of them averaged" if members > 1 else "")

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The shape, and the weights."""
        return {"shape": asdict(self.shape)}, tree_to_arrays(split(self.ensemble)[0], "weights")

    @classmethod
    def from_parts(cls, facts: Any, arrays: dict[str, np.ndarray], features: int, outputs: int) -> "Networks":
        """What `to_parts` took apart, for so many features and outputs.

        **Raises** `CheckpointError` if it is something else.
        """
        told = Facts(facts, WHERE).inner("shape")
        shape = Shape(
            told.choice("architecture", get_args(Architecture)),
            told.choice("task", get_args(TaskKind)),
            told.whole("features", features, features),
            told.whole("outputs", outputs, outputs),
            told.whole("members", 1),
            told.whole("width", 1),
        )
        size = shape.members * sum((inputs + 1) * outputs for inputs, outputs in shape.layers)
        refuse_other_size(arrays, "weights", size, WHERE)  # before as much is drawn
        numbers, rest = split(build(shape, seed=0))
        return cls(shape, join(tree_from_arrays(numbers, arrays, "weights"), rest))


def train_ensemble(
    architecture: Architecture,
    prepared: Prepared,
    settings: Settings,
    seconds: float | None,
    observers: Sequence[Observer],
    checkpoint: Checkpoint | None,
    resume: bool,
) -> Candidate:
    """An ensemble with a member for each fold that is validated on, trained with what was settled."""
    task, count = prepared.task, len(prepared.rows)
    shape = Shape(architecture, task.kind, prepared.rows.shape[1], prepared.outputs, prepared.members)
    batch_size = settings.batch_size or min(64 if count <= LARGE else 256, count)
    epochs = settings.epochs or max(EPOCHS, LEAST_STEPS * batch_size / count)
    data = (prepared.rows, prepared.targets, prepared.folds)
    rows, targets, folds = (array[prepared.measured] for array in data)
    best: dict[float, dict[str, Any]] = {}  # of the parameters with the least loss, what was measured

    def measure(ensemble: Ensemble) -> tuple[float, dict[str, Any]]:
        with np.errstate(all="ignore"):  # a training that goes astray is stopped by what is recorded of it
            losses, merits = judged(_on_host(ensemble).unseen(rows, folds), targets, task.kind)
        loss, told = float(losses.mean()), {"score": float(merits.mean()), "merits": merits}
        if loss < min(best, default=math.inf):
            best.clear()
            best[loss] = told
        return loss, told

    result = minimize(
        TrainingLoss(task.kind),
        build(shape, settings.seed),
        data,
        optimizer=_optimizer(architecture, settings),
        batch_size=batch_size,
        epochs=epochs,
        seconds=seconds,
        stop=Plateau(patience=max(20, round(epochs / 4))),
        validation=measure,
        observers=observers,
        checkpoint=checkpoint,
        resume=resume,
        seed=settings.seed,
    )
    values = best[result.best.value] if result.best.value in best else measure(result.params)[1]
    return Candidate(
        Networks(shape, result.params), values["score"], values["merits"],
        repr(result.run.descent.optimizer), result.reason, result.history, result.seconds,
    )


def _on_host(ensemble: Ensemble) -> Ensemble:
    """The networks as NumPy computes them."""
    return Ensemble(np.asarray(ensemble.weights), ensemble.shape)


def _optimizer(architecture: Architecture, settings: Settings) -> Any:
    """The rule that was asked for, at the rate that was asked for; else what does well on tables."""
    name = settings.optimizer or "adamw"
    schedule = Cosine(settings.learning_rate or RATES[name][architecture], warmup=20)
    decay = {"weight_decay": DECAYS[architecture]} if name == "adamw" else {}
    return OPTIMIZERS[name](schedule, **decay)

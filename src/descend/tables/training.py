"""Training on a table: hold rows out, encode, train the candidates, keep the better one."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from descend import optimizers
from descend._drive import Checkpoint
from descend.errors import InputError
from descend.minimize import Result, minimize
from descend.observers import Observer
from descend.schedules import Cosine
from descend.stopping import Plateau
from descend.tables.columns import describe_columns
from descend.tables.encoding import Encoder
from descend.tables.models import (
    Architecture,
    Ensemble,
    Rows,
    Shape,
    TrainingLoss,
    ValidationLoss,
    build,
    mean_prediction,
)
from descend.tables.reading import Table
from descend.tables.target import Task, find_task, split_target

FOLDS, LARGE = 5, 20_000  # above so many rows, one member that is validated on a tenth of them is enough
EPOCHS, LEAST_STEPS = 60, 400
RATES = {"linear": 0.02, "mlp": 0.003}
DECAYS = {"linear": 0.1, "mlp": 0.3}
CLEARLY = 1.0  # standard errors by which a perceptron must be ahead: a linear model is easier to understand
OPTIMIZERS = {"sgd": optimizers.SGD, "adagrad": optimizers.AdaGrad, "rmsprop": optimizers.RMSprop,
              "adam": optimizers.Adam, "adamw": optimizers.AdamW}


@dataclass(frozen=True)
class Settings:
    """What a user may settle; `None` is left to `descend`."""

    target: str
    model: Literal["auto", "linear", "mlp"] = "auto"
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    seed: int = 0
    hold_out: float = 0.2


@dataclass(frozen=True)
class Scale:
    """Where a numeric target is centred, and its unit, while a model is trained on it."""

    centre: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Model:
    """All that a prediction needs: how rows become features, the ensemble, and what its scores mean."""

    encoder: Encoder
    shape: Shape
    ensemble: Ensemble
    task: Task
    scale: Scale

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The predictions for encoded rows: numbers in the target's units, or a probability for each class."""
        compiled = eqx.filter_jit(lambda ensemble, rows: mean_prediction(ensemble(rows), self.shape.task))
        values = np.concatenate([np.asarray(compiled(self.ensemble, rows)) for rows in _blocks(features)])
        return values * self.scale.unit + self.scale.centre if self.task.kind == "regression" else values


@dataclass(frozen=True)
class Candidate:
    """A model that was trained: how it did on the rows that its members had not seen, and how sure that is."""

    shape: Shape
    result: Result
    score: float
    error: float


@dataclass(frozen=True)
class Prepared:
    """A table made ready: encoded rows to train on, rows held out, and which fold each training row is in."""

    task: Task
    encoder: Encoder
    scale: Scale
    rows: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    members: int
    held_out: pd.DataFrame
    held_out_rows: np.ndarray
    held_out_target: pd.Series
    dropped: int


@dataclass(frozen=True)
class Fitted:
    """A finished training."""

    model: Model
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    why: str
    prepared: Prepared


def fit_table(
    table: Table,
    settings: Settings,
    *,
    observers: Callable[[Architecture], Sequence[Observer]] = lambda _: (),
    checkpoints: Path | None = None,
    resume: bool = False,
) -> Fitted:
    """Train a model that predicts the target of a table, and choose which.

    `observers`: who looks on at the training of each architecture. `checkpoints`: the folder to save them in.

    **Raises** `InputError` for a table, a target or settings that cannot be used.
    """
    prepared = prepare(table, settings)
    architectures: tuple[Architecture, ...] = ("linear", "mlp") if settings.model == "auto" else (settings.model,)
    candidates = []
    for architecture in architectures:
        checkpoint = Checkpoint(checkpoints / f"{architecture}.safetensors", every=1.0) if checkpoints else None
        share = dataclasses.replace(settings, seconds=settings.seconds and settings.seconds / len(architectures))
        candidates.append(_train(architecture, prepared, share, observers(architecture), checkpoint, resume))
        if candidates[-1].result.reason.name == "interrupted":
            break
    chosen, why = _choose(candidates)
    model = Model(prepared.encoder, chosen.shape, chosen.result.params, prepared.task, prepared.scale)
    return Fitted(model, chosen, tuple(candidates), why, prepared)


def prepare(table: Table, settings: Settings) -> Prepared:
    """Hold rows out, encode the others, and deal them to folds.

    What a column is, is told from all rows; levels, centres and scales are learnt from the training rows alone, because
    a held-out score that knew of the others would flatter.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split  # noqa: PLC0415  # a second to import

    if not 0 < settings.hold_out < 1:
        raise InputError(f"the share of rows to hold out must be between 0 and 1, but is {settings.hold_out:g}")
    features, target, dropped = split_target(table, settings.target)
    task = find_task(target)
    labels = None if task.kind == "regression" else task.encode(target)
    classes = max(len(task.classes), 1)
    held = max(math.ceil(settings.hold_out * len(target)), classes)
    if len(target) - held < max(classes, 2):
        raise InputError(f"{len(target)} rows are too few to hold out {held} and learn from the others: "
                         "add rows, or hold out a smaller share")
    train, test = train_test_split(
        np.arange(len(target)), test_size=held, random_state=settings.seed, stratify=labels
    )
    encoder = Encoder().fit(features.iloc[train], describe_columns(features))
    rows = encoder.transform(features.iloc[train])
    targets, scale = task.encode(target.iloc[train]), Scale()
    if task.kind == "regression":
        scale = Scale(float(targets.mean()), float(targets.std()) or 1.0)
        targets = ((targets - scale.centre) / scale.unit).astype(np.float32)
    members, folds = (FOLDS, FOLDS) if len(rows) <= LARGE else (1, 2 * FOLDS)
    stratified = task.kind != "regression" and np.bincount(targets).min() >= folds
    dealer = (StratifiedKFold if stratified else KFold)(min(folds, len(rows)), shuffle=True, random_state=settings.seed)
    fold_of = np.zeros(len(rows), np.int32)
    for number, (_, unseen) in enumerate(dealer.split(rows, targets)):
        fold_of[unseen] = number
    held_out = features.iloc[test]
    return Prepared(
        task, encoder, scale, rows, targets, fold_of, min(members, len(rows)),
        held_out, encoder.transform(held_out), target.iloc[test], dropped,
    )


def _train(
    architecture: Architecture,
    prepared: Prepared,
    settings: Settings,
    observers: Sequence[Observer],
    checkpoint: Checkpoint | None,
    resume: bool,
) -> Candidate:
    task, count = prepared.task, len(prepared.rows)
    outputs = len(task.classes) if task.kind == "multiclass" else 1
    shape = Shape(architecture, task.kind, prepared.rows.shape[1], outputs, prepared.members)
    batch_size = settings.batch_size or min(64 if count <= LARGE else 256, count)
    epochs = settings.epochs or max(EPOCHS, LEAST_STEPS * batch_size / count)
    measured = prepared.folds < prepared.members
    unseen = (
        jnp.asarray(prepared.rows[measured]),
        jnp.asarray(prepared.targets[measured]),
        jnp.asarray(prepared.folds[measured]),
    )
    measure = eqx.filter_jit(ValidationLoss(task.kind))
    result = minimize(
        TrainingLoss(task.kind),
        build(shape, jax.random.key(settings.seed)),
        (prepared.rows, prepared.targets, prepared.folds),
        optimizer=_optimizer(architecture, settings),
        batch_size=batch_size,
        epochs=epochs,
        seconds=settings.seconds,
        stop=Plateau(patience=max(20, round(epochs / 4))),
        validation=lambda ensemble: measure(ensemble, unseen),
        observers=observers,
        checkpoint=checkpoint,
        resume=resume,
        seed=settings.seed,
    )
    _, values = measure(result.params, unseen)
    score = float(values["score"])
    return Candidate(shape, result, score, _standard_error(score, task, result.params, unseen))


def _optimizer(architecture: Architecture, settings: Settings) -> Any:
    """The rule that was asked for, at the rate that was asked for; else what does well on tables."""
    rate = settings.learning_rate or RATES[architecture]
    if settings.optimizer is None or settings.optimizer == "adamw":
        return optimizers.AdamW(Cosine(rate, warmup=20), weight_decay=DECAYS[architecture])
    if settings.optimizer not in OPTIMIZERS:
        raise InputError(f"there is no optimizer '{settings.optimizer}': choose one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[settings.optimizer](Cosine(rate, warmup=20))


def _choose(candidates: list[Candidate]) -> tuple[Candidate, str]:
    """The linear model, unless the perceptron is clearly ahead on rows that neither had seen."""
    if len(candidates) == 1:
        return candidates[0], "the only one that was trained"
    linear, mlp = candidates
    lead = mlp.score - linear.score
    margin = CLEARLY * math.hypot(linear.error, mlp.error) / math.sqrt(2)
    scores = f"{mlp.score:.4f} against {linear.score:.4f} on rows not trained on"
    if lead > margin:
        return mlp, f"the perceptron is ahead of the linear model by more than the error of {margin:.4f}: {scores}"
    return linear, f"the perceptron is not ahead of the linear model by more than the error of {margin:.4f}: {scores}"


def _standard_error(score: float, task: Task, ensemble: Ensemble, unseen: Rows) -> float:
    """How far a score may be off, for so many rows: of an accuracy, the binomial's; of an R², from the residuals'."""
    rows, targets, folds = unseen
    if task.kind != "regression":
        return math.sqrt(max(score * (1 - score), 1 / len(targets)) / len(targets))
    own = jnp.take_along_axis(ensemble(rows), folds[None, :, None], axis=0)[0, :, 0]
    squares = np.asarray((own - targets) ** 2) / max(float(jnp.var(targets)), 1e-12)
    return float(squares.std() / math.sqrt(len(squares)))


def _blocks(features: np.ndarray, size: int = 8192) -> list[np.ndarray]:
    return [features[start : start + size] for start in range(0, len(features), size)]

"""Training on a table: hold rows out, encode, train the candidates, keep the better one."""

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
from descend.stopping import Plateau, Reason
from descend.tables.columns import describe_columns
from descend.tables.encoding import Encoder
from descend.tables.models import Architecture, Ensemble, Shape, TrainingLoss, ValidationLoss, build, predict
from descend.tables.reading import Table
from descend.tables.target import Task, find_task, split_target

FOLDS, LARGE = 5, 20_000  # above so many rows, one member that is validated on a tenth of them is enough
EPOCHS, LEAST_STEPS = 60, 400
RATES = {  # what did best on the samples, for each optimizer
    "sgd": {"linear": 0.1, "mlp": 0.1},
    "adagrad": {"linear": 0.1, "mlp": 0.03},
    "rmsprop": {"linear": 0.003, "mlp": 0.001},
    "adam": {"linear": 0.02, "mlp": 0.003},
    "adamw": {"linear": 0.02, "mlp": 0.003},
}
DECAYS = {"linear": 0.1, "mlp": 0.3}
CLEARLY = 2.0  # standard errors by which a perceptron must be ahead: a linear model is easier to understand
BLOCK = 8192  # rows to predict at a time
OPTIMIZERS = {"sgd": optimizers.SGD, "adagrad": optimizers.AdaGrad, "rmsprop": optimizers.RMSprop,
              "adam": optimizers.Adam, "adamw": optimizers.AdamW}


@dataclass(frozen=True)
class Settings:
    """What a user may settle; `None` is left to `descend`.

    **Raises** `InputError` for numbers that make no sense, and for an optimizer that there is none of.
    """

    target: str
    model: Literal["auto", "linear", "mlp"] = "auto"
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    seed: int = 0
    hold_out: float = 0.2

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "epochs", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"the {name.replace('_', ' ')} must be a number above 0, but is {value:g}")
        if not 0 < self.hold_out < 1:
            raise InputError(f"the share of rows to hold out must be between 0 and 1, but is {self.hold_out:g}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"the seed must be a whole number from 0 to {2**32 - 1}, but is {self.seed}")
        if self.optimizer not in (None, *OPTIMIZERS):
            raise InputError(f"there is no optimizer '{self.optimizer}': choose one of {', '.join(OPTIMIZERS)}")


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
        blocks = [features[start : start + BLOCK] for start in range(0, len(features), BLOCK)]
        values = np.concatenate([np.asarray(predict(self.ensemble, jnp.asarray(b), self.shape.task)) for b in blocks])
        return values * np.float64(self.scale.unit) + self.scale.centre if self.task.kind == "regression" else values


@dataclass(frozen=True)
class Candidate:
    """A model that was trained, and how it did on the rows that its members had not seen.

    `score`: an accuracy or an R². `merits`: what each of those rows adds to it; the score is their mean.
    """

    shape: Shape
    result: Result
    score: float
    merits: np.ndarray


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
    """A finished training: the model that was chosen, and why."""

    model: Model
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    why: str
    prepared: Prepared

    @property
    def reason(self) -> Reason:
        """Why the training ended: an interruption, whichever model it hit, or else what ended the chosen model's."""
        last = self.candidates[-1].result.reason
        return last if last.name == "interrupted" else self.chosen.result.reason


def fit_table(table: Table, settings: Settings) -> Fitted:
    """Train a model that predicts the target of a table, and choose which: `prepare`, then `train`."""
    return train(prepare(table, settings), settings)


def prepare(table: Table, settings: Settings) -> Prepared:
    """Hold rows out, encode the others, and deal them to folds.

    What a column is, is told from all rows; levels, centres and scales are learnt from the training rows alone, because
    a held-out score that knew of the others would flatter.

    **Raises** `InputError` for a table, a target or settings that cannot be used.
    """
    from sklearn.model_selection import train_test_split  # a second to import

    features, target, dropped = split_target(table, settings.target)
    task = find_task(target)
    least = max(len(task.classes), 2)  # of every class one row, and of numbers two, that they can vary
    held = max(math.ceil(settings.hold_out * len(target)), least)
    if len(target) - held < least:
        raise InputError(f"{len(target):,} rows are too few to hold out {held:,} and learn from the others: "
                         "add rows, or hold out a smaller share")
    if settings.batch_size and settings.batch_size > len(target) - held:
        raise InputError(f"the batch size is {settings.batch_size:,}, but there are {len(target) - held:,} rows to "
                         f"learn from: choose at most that")
    labels = task.encode(target) if task.classes else None
    train_rows, test_rows = train_test_split(
        np.arange(len(target)), test_size=held, random_state=settings.seed, stratify=labels
    )
    encoder = Encoder().fit(features.iloc[train_rows], describe_columns(features))
    rows = encoder.transform(features.iloc[train_rows])
    targets, scale = task.encode(target.iloc[train_rows]), Scale()
    if task.kind == "regression":
        scale = Scale(float(targets.mean()), float(targets.std()) or 1.0)
        targets = ((targets - scale.centre) / scale.unit).astype(np.float32)
    members, folds = (FOLDS, FOLDS) if len(rows) <= LARGE else (1, 2 * FOLDS)
    held_out = features.iloc[test_rows]
    return Prepared(
        task, encoder, scale, rows, targets, _deal(targets, min(folds, len(rows)), task, settings.seed),
        min(members, len(rows)), held_out, encoder.transform(held_out), target.iloc[test_rows], dropped,
    )


def train(
    prepared: Prepared,
    settings: Settings,
    *,
    observers: Callable[[Architecture], Sequence[Observer]] = lambda _: (),
    checkpoints: Path | None = None,
    resume: bool = False,
) -> Fitted:
    """Train the candidates, and choose one.

    `observers`: who looks on at the training of each architecture. `checkpoints`: the folder to save them in. `resume`:
    go on from what is there.

    **Raises** `CheckpointError` for a checkpoint that is damaged, or of another training.
    """
    architectures: tuple[Architecture, ...] = ("linear", "mlp") if settings.model == "auto" else (settings.model,)
    candidates: list[Candidate] = []
    for number, architecture in enumerate(architectures):
        checkpoint = Checkpoint(checkpoints / f"{architecture}.safetensors", every=1.0) if checkpoints else None
        spent = sum(candidate.result.seconds for candidate in candidates)
        seconds = settings.seconds and (settings.seconds - spent) / (len(architectures) - number)
        if seconds is not None and seconds <= 0:
            break
        candidates.append(
            _train(architecture, prepared, settings, seconds, observers(architecture), checkpoint, resume)
        )
        if candidates[-1].result.reason.name == "interrupted":
            break
    chosen, why = _choose(candidates, settings)
    model = Model(prepared.encoder, chosen.shape, chosen.result.params, prepared.task, prepared.scale)
    return Fitted(model, chosen, tuple(candidates), why, prepared)


def _deal(targets: np.ndarray, folds: int, task: Task, seed: int) -> np.ndarray:
    """The number of the fold that each row is in; every fold has its share of each class that has a row for each."""
    from sklearn.model_selection import KFold, StratifiedKFold  # a second to import

    stratified = task.classes and np.bincount(targets).min() >= folds
    dealer = (StratifiedKFold if stratified else KFold)(folds, shuffle=True, random_state=seed)
    fold_of = np.zeros(len(targets), np.int32)
    for number, (_, unseen) in enumerate(dealer.split(targets, targets)):
        fold_of[unseen] = number
    return fold_of


def _train(
    architecture: Architecture,
    prepared: Prepared,
    settings: Settings,
    seconds: float | None,
    observers: Sequence[Observer],
    checkpoint: Checkpoint | None,
    resume: bool,
) -> Candidate:
    task, count = prepared.task, len(prepared.rows)
    outputs = len(task.classes) if task.kind == "multiclass" else 1
    shape = Shape(architecture, task.kind, prepared.rows.shape[1], outputs, prepared.members)
    batch_size = settings.batch_size or min(64 if count <= LARGE else 256, count)
    epochs = settings.epochs or max(EPOCHS, LEAST_STEPS * batch_size / count)
    data = (prepared.rows, prepared.targets, prepared.folds)
    measured = prepared.folds < prepared.members
    unseen = jax.tree.map(lambda array: jnp.asarray(array[measured]), data)
    measure = eqx.filter_jit(ValidationLoss(task.kind))
    result = minimize(
        TrainingLoss(task.kind),
        build(shape, settings.seed),
        data,
        optimizer=_optimizer(architecture, settings),
        batch_size=batch_size,
        epochs=epochs,
        seconds=seconds,
        stop=Plateau(patience=max(20, round(epochs / 4))),
        validation=lambda ensemble: measure(ensemble, unseen),
        observers=observers,
        checkpoint=checkpoint,
        resume=resume,
        seed=settings.seed,
    )
    _, values = measure(result.params, unseen)
    return Candidate(shape, result, float(values["score"]), np.asarray(values["merits"], np.float64))


def _optimizer(architecture: Architecture, settings: Settings) -> Any:
    """The rule that was asked for, at the rate that was asked for; else what does well on tables."""
    name = settings.optimizer or "adamw"
    schedule = Cosine(settings.learning_rate or RATES[name][architecture], warmup=20)
    decay = {"weight_decay": DECAYS[architecture]} if name == "adamw" else {}
    return OPTIMIZERS[name](schedule, **decay)


def _choose(candidates: list[Candidate], settings: Settings) -> tuple[Candidate, str]:
    """The linear model, unless the perceptron is clearly ahead on rows that neither had seen.

    The two are compared row by row: what makes a row hard for both is then no part of the doubt.
    """
    first = candidates[0]
    if settings.model != "auto":
        return first, f"{first.shape.architecture} was asked for"
    if len(candidates) == 1:
        how = "the interruption" if first.result.reason.name == "interrupted" else "the time was up"
        return first, f"only the linear model was trained before {how}"
    linear, mlp = candidates
    for one, other in ((linear, mlp), (mlp, linear)):
        if not math.isfinite(other.score):
            return one, f"the other one, {other.shape.architecture}, gave numbers that are not finite"
    leads = mlp.merits - linear.merits
    lead, error = float(leads.mean()), float(leads.std() / math.sqrt(len(leads)))
    scores = f"{mlp.score:.4f} against {linear.score:.4f} on rows not trained on, give or take {error:.4f}"
    if lead > CLEARLY * error:
        return mlp, f"the perceptron is clearly ahead of the linear model: {scores}"
    return linear, f"the perceptron is not clearly ahead of the linear model, which is simpler: {scores}"

"""Training on a table: hold rows out, encode, train the candidates, keep the better one."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from descend.engine.interruption import Interruption, interrupts
from descend.engine.trainer import Checkpoint
from descend.observers import Observer
from descend.stopping import Reason
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Task
from descend.tasks.table.candidates import Candidate, Predictor
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.linear.model import Linear
from descend.tasks.table.linear.path import fit_linear, linear_model, without_warnings
from descend.tasks.table.networks.ensemble import Architecture
from descend.tasks.table.networks.training import train_ensemble
from descend.tasks.table.preparing import Prepared, Scale, prepare

CLEARLY = 2.0  # standard errors by which a perceptron must be ahead: a linear model is easier to understand


@dataclass(frozen=True)
class Model:
    """All that a prediction needs: how rows become features, what predicts from them, and what its scores mean."""

    encoder: Encoder
    predictor: Predictor
    task: Task
    scale: Scale

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The predictions for encoded rows: numbers in the target's units, or a probability for each class."""
        values = self.predictor.predict(features)
        return values * np.float64(self.scale.unit) + self.scale.centre if self.task.kind == "regression" else values


@dataclass(frozen=True)
class Fitted:
    """A finished training: the model that was chosen, and why. `seconds`: of training, all candidates together."""

    model: Model
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    why: str
    prepared: Prepared
    seconds: float

    @property
    def reason(self) -> Reason:
        """Why the training ended: an interruption, whichever model it hit, or else what ended the chosen model's."""
        reasons = (candidate.reason for candidate in self.candidates)
        return next((reason for reason in reasons if reason.name == "interrupted"), self.chosen.reason)

    @property
    def linear(self) -> Linear | None:
        """The certified linear model, chosen or not; `None` if there is none."""
        return next((c.predictor for c in self.candidates if isinstance(c.predictor, Linear)), None)


def fit_table(table: Table, settings: Settings) -> Fitted:
    """Train a model that predicts the target of a table, and choose which: `prepare`, then `train`."""
    return train(prepare(table, settings), settings)


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
    training = _Training(prepared, settings, observers, checkpoints, resume)
    at_once = settings.model == "auto" and settings.seconds is None and not settings.says_how_to_descend
    # The products of matrices that NumPy makes are short. Threads of theirs would, after each, spin for a while on the
    # cores that the steps need.
    with threadpool_limits(1, user_api="blas"), interrupts() as interrupted:
        candidates = training.at_once(interrupted) if at_once else training.in_turn()
    chosen, why = _choose(candidates, settings)
    model = Model(prepared.encoder, chosen.predictor, prepared.task, prepared.scale)
    took = (max if at_once else sum)(candidate.seconds for candidate in candidates)
    return Fitted(model, chosen, tuple(candidates), why, prepared, took)


@dataclass(frozen=True)
class _Training:
    """What the candidates have in common."""

    prepared: Prepared
    settings: Settings
    observers: Callable[[Architecture], Sequence[Observer]]
    checkpoints: Path | None
    resume: bool

    def at_once(self, interrupted: Interruption) -> list[Candidate]:
        """Both candidates, side by side: they share nothing but cores.

        The linear model is solved on a thread of its own, and the perceptron is trained on this one, to which Ctrl-C
        comes. It is compiled and computed by what leaves Python alone for long, so that the two hardly wait for each
        other. Of a time that is limited, the linear model would have a share that hangs on the other one: then they
        are trained in turn.
        """
        with ThreadPoolExecutor(1, "descend.tasks") as pool, without_warnings():
            solving = pool.submit(linear_model, self.prepared, None, self.observers("linear"), interrupted)
            try:
                perceptron = self._ensemble("mlp", None)
                return [solving.result(), perceptron]
            except BaseException:
                interrupted.set()  # so that nobody waits for the other one
                raise

    def in_turn(self) -> list[Candidate]:
        """The candidates one after the other, as far as the time goes; the second has what the first left."""
        settings = self.settings
        architectures: tuple[Architecture, ...] = ("linear", "mlp") if settings.model == "auto" else (settings.model,)
        candidates: list[Candidate] = []
        for number, architecture in enumerate(architectures):
            spent = sum(candidate.seconds for candidate in candidates)
            seconds = settings.seconds and (settings.seconds - spent) / (len(architectures) - number)
            if seconds is not None and seconds <= 0:
                break
            if architecture == "linear" and not settings.says_how_to_descend:  # again, where one is resumed
                candidates.append(fit_linear(self.prepared, seconds, self.observers(architecture)))
            else:
                candidates.append(self._ensemble(architecture, seconds))
            if candidates[-1].reason.name == "interrupted":
                break
        return candidates

    def _ensemble(self, architecture: Architecture, seconds: float | None) -> Candidate:
        file = self.checkpoints and self.checkpoints / f"{architecture}.safetensors"
        checkpoint = Checkpoint(file, every=1.0) if file else None
        observers = self.observers(architecture)
        return train_ensemble(architecture, self.prepared, self.settings, seconds, observers, checkpoint, self.resume)


def _choose(candidates: list[Candidate], settings: Settings) -> tuple[Candidate, str]:
    """The linear model, unless the perceptron is clearly ahead on rows that neither had seen.

    The two are compared row by row: what makes a row hard for both is then no part of the doubt.
    """
    first = candidates[0]
    if settings.model != "auto":
        return first, f"{first.predictor.architecture} was asked for"
    if len(candidates) == 1:
        how = "the interruption" if first.reason.name == "interrupted" else "the time was up"
        return first, f"only the linear model was trained before {how}"
    linear, mlp = candidates
    for one, other in ((linear, mlp), (mlp, linear)):
        if not math.isfinite(other.score):
            return one, f"the other one, {other.predictor.architecture}, gave numbers that are not finite"
    leads = mlp.merits - linear.merits
    lead, error = float(leads.mean()), float(leads.std() / math.sqrt(len(leads)))
    scores = f"{mlp.score:.4f} against {linear.score:.4f} on rows not trained on, give or take {error:.4f}"
    if lead > CLEARLY * error:
        return mlp, f"the perceptron is clearly ahead of the linear model: {scores}"
    return linear, f"the perceptron is not clearly ahead of the linear model, which is simpler: {scores}"

"""The ladder of models for pictures: a kernel, a network, and their blend; what its own unseen pictures say is kept."""

import time
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from descend.engine.interruption import Interruption, interrupts
from descend.stopping import Reason
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.choosing.choosing import choose
from descend.tasks.common.choosing.scoring import losses_by_row
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Predictor, Trained
from descend.tasks.common.network.task import NetworkPrepared
from descend.tasks.images.blend import BlendedClassifier
from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.model import ImageModel

KERNEL = "kernel"
# Above so many pictures a network has the most to gain, and a kernel takes as long.
MOST_FOR_KERNEL = 20_000
# Of the time that there is for both.
KERNEL_TIME = 0.3
# Of the pictures: what is validated on, if that is neither too few nor more than is needed.
VALIDATED_SHARE, VALIDATED_ENOUGH, LARGE_SHARE, VALIDATED_MOST, VALIDATED_LEAST = 0.2, 1000, 0.1, 2000, 20


def divided(prepared: NetworkPrepared, seed: int) -> NetworkPrepared:
    """The pictures with some of those that are learnt from kept back to validate on, if none were given."""
    training = prepared.training
    rows = None if prepared.validation is not None else _validated(training.targets, seed)
    return prepared if rows is None else replace(prepared, kept_back=rows, validation=training.chosen(rows))


def climb(prepared: NetworkPrepared, classes: tuple[str, ...], limit: float | None) -> Fitted[Any]:
    """All models trained, and the one kept that loses least on pictures that it had not seen.

    `limit`: how many seconds there are for all of them; the network has what the kernel leaves.
    """
    network, trained = prepared.network, []
    # What NumPy's products round hangs on how many threads they have.
    with threadpool_limits(1, user_api="blas"), interrupts() as interrupted:
        if len(prepared.training) <= MOST_FOR_KERNEL:
            trained.append(_kernel(prepared, classes, interrupted, limit))
        left = None if limit is None else limit - sum(each.seconds for each in trained)
        if prepared.validation is not None and not interrupted.is_set() and (left is None or left > 0):
            network.seconds = left
            trained.append(_network(prepared, classes))
    validation, scores = prepared.validation, {}
    if validation is not None and len(trained) > 1:
        titles = {KERNEL: "kernel on gradients and colours", network.model: "network"}
        losses_of = partial(losses_by_row, targets=validation.targets, kind=prepared.target.kind)
        chosen, why = choose(trained, losses_of, titles)
    else:
        chosen, why = trained[0], _alone(prepared, trained[0])
    if validation is not None:
        scores = {each.name: _accuracy(each, validation) for each in trained}
    seconds = sum(each.seconds for each in trained)
    return Fitted(prepared, _as_model(chosen.predictor, classes), chosen, tuple(trained), why, scores, seconds)


def too_few(prepared: NetworkPrepared) -> str:
    """That there is no network, and why."""
    return f"{len(prepared.training):,} pictures are too few to validate a network on"


def _kernel(
    prepared: NetworkPrepared, classes: tuple[str, ...], interrupted: Interruption, limit: float | None
) -> Trained:
    began = time.perf_counter()
    training, validation = prepared.training, prepared.validation
    late = lambda: limit is not None and time.perf_counter() - began > KERNEL_TIME * limit
    machine = HogClassifier().fit(training.inputs, training.targets, lambda: interrupted.is_set() or late())
    # Of those that are given to validate on it has learnt nothing; of the others each is left out.
    unseen = None if validation is None else (
        machine.predict_proba(validation.inputs) if prepared.kept_back is None else
        machine.left_out_[prepared.kept_back])
    reason = Reason("converged", "it was solved", 0)
    if interrupted.is_set():
        reason = Reason("interrupted", f"{interrupted.by} before the network's first step", 0)
    how = f"solved, the penalty {machine.penalty_:.3g} by leaving out each picture in turn"
    return Trained(KERNEL, ImageModel(machine, classes), how, reason, time.perf_counter() - began, out_of_fold=unseen)


def _network(prepared: NetworkPrepared, classes: tuple[str, ...]) -> Trained:
    network, (learnt, validation) = prepared.network, prepared.for_network
    network.fit(learnt.inputs, learnt.targets, **validation)
    return Trained(network.model, ImageModel(network, classes), repr(network.rule_), network.stop_reason_,
                   network.training_seconds_, network.history_, network.predict_proba(validation["X_val"]))


def _as_model(predictor: Predictor, classes: tuple[str, ...]) -> ImageModel:
    if not isinstance(predictor, Blend):
        return cast("ImageModel", predictor)
    parts = tuple((share, cast("ImageModel", part).network) for share, part in predictor.parts)
    return ImageModel(BlendedClassifier(parts), classes)


def _alone(prepared: NetworkPrepared, trained: Trained) -> str:
    """Why there is nothing to choose from."""
    if trained.name != KERNEL:
        return f"more than {MOST_FOR_KERNEL:,} pictures are the network's alone"
    if prepared.validation is None:
        return too_few(prepared)
    how = "the interruption" if trained.reason.name == "interrupted" else "the time was up"
    return f"only the kernel was trained before {how}"


def _accuracy(trained: Trained, validation: Examples) -> float:
    return float((trained.unseen.argmax(axis=1) == validation.targets).mean())


def _validated(targets: np.ndarray, seed: int) -> np.ndarray | None:
    """Which are validated on, each class by its share; none where they are too few for that."""
    count, classes = len(targets), len(np.unique(targets))
    least = max(VALIDATED_LEAST, classes)
    held = max(least, round(min(VALIDATED_SHARE * count, max(VALIDATED_ENOUGH, LARGE_SHARE * count), VALIDATED_MOST)))
    if count < 2 * least:
        return None
    # Each class in both parts in its own share, which needs two examples of it.
    stratify = targets if np.bincount(targets).min() > 1 else None
    return train_test_split(np.arange(count), test_size=held, random_state=seed, stratify=stratify)[1]

"""The ladder of models for pictures: a kernel, networks, and their blend; what its own unseen pictures say is kept."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from descend.engine.interruption import Interruption, interrupts
from descend.neural.images import ConvClassifier
from descend.neural.starting import Start
from descend.observers import Observer
from descend.stopping import Reason
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.choosing.choosing import choose
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.scoring import losses_by_row
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Fitted, Predictor, Trained
from descend.tasks.common.network.candidate import fit_network
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.settings import Settings
from descend.tasks.images.blend import BlendedClassifier
from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.model import ImageModel
from descend.tasks.images.probe import PROBE, fit_probe

KERNEL, FINE_TUNED = "kernel", "fine-tuned"
# Above so many pictures a network has the most to gain, and a kernel takes as long.
MOST_FOR_KERNEL = 20_000
# Of the time that there is for both.
KERNEL_TIME = 0.3
# Of the pictures: what is validated on, if that is neither too few nor more than is needed.
VALIDATED_SHARE, VALIDATED_ENOUGH, LARGE_SHARE, VALIDATED_MOST, VALIDATED_LEAST = 0.2, 1000, 0.1, 2000, 20


def divided(prepared: NetworkPrepared, seed: int) -> NetworkPrepared:
    """The pictures with some of those that are learnt from kept back to validate on, if none were given."""
    is_given = prepared.validation is not None
    return prepared if is_given else prepared.keeping_back(_validated(prepared.training.targets, seed))


@dataclass(frozen=True)
class Transfer:
    """What is trained where there is something to start from: a linear model of the start's features, the network that
    is prepared, which goes on from the start, and one `anew`, to see whether the start is worth it. `observers` look on
    at the linear model."""

    start: Start
    anew: ConvClassifier
    observers: Sequence[Observer] = ()


def climb(
    prepared: NetworkPrepared, classes: tuple[str, ...], settings: Settings, transfer: Transfer | None = None
) -> Fitted[Any]:
    """All models trained, and the one kept that loses least on pictures that it had not seen.

    The networks have the time that the others leave, as much each.
    """
    trained: list[Trained] = []
    networks = {prepared.network.model: prepared.network}
    titles = {} if len(prepared.training) > MOST_FOR_KERNEL else {KERNEL: "kernel on gradients and colours"}
    if transfer is not None:
        networks = {FINE_TUNED: prepared.network, transfer.anew.model: transfer.anew}
        titles |= {PROBE: f"linear model on the features of the {transfer.start.name}"}
    if prepared.validation is not None:
        named = {FINE_TUNED: f"fine-tuned {transfer.start.name}"} if transfer else {}
        titles |= {name: named.get(name, "network anew" if transfer else "network") for name in networks}
    # What NumPy's products round hangs on how many threads they have.
    with threadpool_limits(1, user_api="blas"), interrupts() as interrupted:
        for name in titles:
            left = None if settings.seconds is None else settings.seconds - sum(each.seconds for each in trained)
            if trained and (interrupted.is_set() or _is_over(trained, left)):
                break
            if name == KERNEL:
                trained.append(_kernel(prepared, classes, interrupted, left))
            elif name == PROBE and transfer is not None:
                context = TrainingContext(settings, interrupted, left, transfer.observers)
                probe, prepared.network.start = fit_probe(prepared, transfer.start, classes, context)
                trained.append(probe)
            else:
                to_come = len(networks.keys() - {each.name for each in trained})
                networks[name].seconds = None if left is None else left / to_come
                trained.append(_network(prepared, networks[name], name, classes))
    judged = prepared.training if prepared.validation is None else prepared.validation
    if len(trained) > 1 or transfer is not None:
        losses_of = partial(losses_by_row, targets=judged.targets, kind=prepared.target.kind)
        chosen, why = choose(trained, losses_of, titles)
    else:
        chosen, why = trained[0], _alone(prepared, trained[0])
    scores = {each.name: _accuracy(each, judged) for each in trained if prepared.validation is not None or transfer}
    seconds = sum(each.seconds for each in trained)
    return Fitted(prepared, _as_model(chosen.predictor, classes), chosen, tuple(trained), why, scores, seconds)


def _is_over(trained: list[Trained], left: float | None) -> bool:
    """Whether nothing more is to be trained."""
    return trained[-1].reason.name == "interrupted" or (left is not None and left <= 0)


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
    unseen = machine.left_out_ if prepared.kept_back is None else machine.left_out_[prepared.kept_back]
    if validation is not None and prepared.kept_back is None:
        unseen = machine.predict_proba(validation.inputs)
    reason = Reason("converged", "it was solved", 0)
    if interrupted.is_set():
        reason = Reason("interrupted", f"{interrupted.by} before the network's first step", 0)
    how = f"solved, the penalty {machine.penalty_:.3g} by leaving out each picture in turn"
    return Trained(KERNEL, ImageModel(machine, classes), how, reason, time.perf_counter() - began, out_of_fold=unseen)


def _network(prepared: NetworkPrepared, network: ConvClassifier, name: str, classes: tuple[str, ...]) -> Trained:
    return fit_network(network, prepared, name, lambda trained: ImageModel(trained, classes))


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

"""Labels that are wrong: told by models that have not seen them."""

import math
from typing import Any

import jax
import numpy as np

from descend._arrays import precision
from descend._tree import Tree, named_leaves, split
from descend.engine.descent import Descent
from descend.engine.loss import AuxiliaryState
from descend.engine.run import Run
from descend.insight.case import Case
from descend.insight.faults.changes import with_data
from descend.insight.faults.data import are_classes, target_of
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of
from descend.sources import MiniBatches

SURE = 1.0  # nats above that of a guess, from which on a model that has not seen a label speaks against it
FEW, MOST, FOLDS = 0.05, 0.5, 2  # of the labels: fewer are usual, with more nobody could tell; parts of the examples


def wrong(case: Case) -> Suspicion | None:
    """Labels against which models speak that were descended on the other examples."""
    source, examples = case.start.descent.source, examples_of(case.start)
    name = target_of(examples)
    if not isinstance(source, MiniBatches) or name is None or not case.judge.are_held_out or case.has_diverged:
        return None
    labels = np.asarray(named_leaves(examples)[name]).ravel()
    if not are_classes(labels) or len(labels) < 10 * FOLDS * source.batch_size:
        return None
    # A model that has seen a wrong label may have learned it by heart; one that has not is surprised.
    against = _unseen_losses(case, examples) > math.log(len(np.unique(labels))) + SURE
    if not FEW < against.mean() < MOST:
        return None
    keep = np.flatnonzero(~against)
    told = f"models that have not seen them speak against {against.sum():,} of {len(labels):,} labels"
    change = with_data("without the labels that models speak against", lambda tree: _rows(tree, keep),
                       "those labels corrected, or left out")
    return Suspicion("wrong labels", "data", told, [change], f"Labels are wrong: {told}.", likely=0.8, least=0.1)


def _unseen_losses(case: Case, examples: Any) -> np.ndarray:
    """The loss of each example, by a model that was descended on the others."""
    length = len(jax.tree.leaves(examples)[0])
    part = np.random.default_rng(0).integers(0, FOLDS, length)
    losses = np.zeros(length)
    for i in range(FOLDS):
        others, mine = np.flatnonzero(part != i), np.flatnonzero(part == i)
        run, _ = case.start.fork(data=_rows(examples, others)).advance(max(case.length // 2, 1))
        losses[mine] = _each_loss(run, _rows(examples, mine))
    return losses


def _each_loss(run: Run, examples: Any) -> np.ndarray:
    """The loss of each of the examples by itself."""
    with precision(run.state.params):
        numbers, carried = split(run.eval_params)[0], run.state.carried.for_evaluation
        return np.asarray(run.descent.without_data.run(_each, numbers, jax.device_put(examples), carried), np.float64)


def _each(descent: Descent, params: Tree, examples: Any, carried: AuxiliaryState) -> Any:
    alone = lambda example: descent.evaluate(params, jax.tree.map(lambda x: x[None], example), carried).value
    return jax.vmap(alone)(examples)


def _rows(tree: Any, chosen: np.ndarray) -> Any:
    return jax.tree.map(lambda array: np.asarray(array)[chosen], tree)


OF_LABELS = (wrong,)

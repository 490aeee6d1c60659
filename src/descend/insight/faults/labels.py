"""Labels that are wrong, told by models that have not seen them; and classes of which some are rare."""

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
from descend.insight.faults.data import are_classes, on_leaf, target_of
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of
from descend.sources import MiniBatches

SURE = 1.0  # nats by which another label must fit better, for a model to speak against the one that there is
RARE = 0.1  # of the examples of the largest class that a rare one has at the most
ENOUGH = 5  # examples of a class, of which one can speak
CLEAR, WORSE = 2.0, 3.0  # standard errors; times the loss of other classes, from which on rare ones are learned worse
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
    against = _spoken_against(case, examples, name)
    if not FEW < against.mean() < MOST:
        return None
    keep = np.flatnonzero(~against)
    told = f"models that have not seen them speak against {against.sum():,} of {len(labels):,} labels"
    change = with_data("without the labels that models speak against", lambda tree: _rows(tree, keep),
                       "those labels corrected, or left out")
    return Suspicion("wrong labels", "data", told, [change], f"Labels are wrong: {told}.", likely=0.8, least=0.1)


def imbalance(case: Case) -> Suspicion | None:
    """Classes of which some are rare, and are passed over."""
    examples = examples_of(case.start)
    name = target_of(examples)
    if name is None or case.judge.examples is None or callable(case.judge.examples):
        return None
    labels = np.asarray(named_leaves(examples)[name]).ravel()
    if not are_classes(labels):
        return None
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() > RARE * counts.max() or counts.min() < ENOUGH:
        return None
    told = f"class {classes[counts.argmin()]} has {counts.min():,} examples, class {classes[counts.argmax()]} " \
           f"{counts.max():,}"
    passed_over = _passed_over(case, name, classes, counts)
    if passed_over:
        # Rare examples drawn more often are soon learned by heart, so no replay may show a way that is better.
        return Suspicion("class imbalance", "data", f"{told}; {passed_over}", [],
                         f"The classes are not balanced, and rare ones are learned worse: {passed_over}.", likely=0.9,
                         is_fact=True)
    # Both descents are judged on classes drawn equally often, as on the others a rare class counts for nothing.
    balance = lambda tree: _balanced(tree, name)
    return Suspicion("class imbalance", "data", told,
                     [with_data("with classes drawn equally often", balance, "class weights, or drawing rare classes "
                                "more often")],
                     f"The classes are not balanced: {told}; averaged over classes, the loss is far from where it "
                     "could be.", likely=0.6, least=0.1, judged=lambda judge: judge.seen_through(balance))


def _passed_over(case: Case, name: str, classes: np.ndarray, counts: np.ndarray) -> str:
    """By how much the held-out loss of rare classes is above that of the others; empty where it is not clearly so."""
    if not case.judge.are_held_out or case.has_diverged:
        return ""
    losses = _each_loss(case.end, case.judge.examples)
    labels = np.asarray(named_leaves(case.judge.examples)[name]).ravel()
    is_rare = np.isin(labels, classes[counts <= RARE * counts.max()])
    rare, common = losses[is_rare], losses[~is_rare & np.isin(labels, classes)]
    if min(len(rare), len(common)) < ENOUGH or not np.isfinite(losses).all():
        return ""
    least = rare.mean() - CLEAR * rare.std(ddof=1) / math.sqrt(len(rare))
    if least <= WORSE * common.mean():
        return ""
    return f"the held-out loss of rare classes is {rare.mean():.3g}, that of the others {common.mean():.3g}"


def _spoken_against(case: Case, examples: Any, name: str) -> np.ndarray:
    """Which labels a model that was descended on the other examples would clearly replace by another one."""
    labels = np.asarray(named_leaves(examples)[name])
    part = np.random.default_rng(0).integers(0, FOLDS, len(labels))
    against = np.zeros(len(labels), bool)
    for i in range(FOLDS):
        others, mine = np.flatnonzero(part != i), np.flatnonzero(part == i)
        run, _ = case.start.fork(data=_rows(examples, others)).advance(max(case.length // 2, 1))
        unseen = _rows(examples, mine)
        # What the loss would be if the label were another one: so nothing need be known of the model.
        other = [_each_loss(run, on_leaf(name, lambda y, c=c: np.full_like(y, c))(unseen)) for c in np.unique(labels)]
        against[mine] = _each_loss(run, unseen) > np.min(other, axis=0) + SURE
    return against


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


def _balanced(examples: Any, name: str) -> Any:
    """As many examples, each class as often as the others."""
    labels = np.asarray(named_leaves(examples)[name]).ravel()
    rng, classes = np.random.default_rng(0), np.unique(labels)
    each = -(-len(labels) // len(classes))
    chosen = np.concatenate([rng.choice(np.flatnonzero(labels == c), each) for c in classes])
    chosen = rng.permutation(chosen)[: len(labels)]
    return jax.tree.map(lambda array: np.asarray(array)[chosen], examples)


OF_LABELS = (wrong, imbalance)

"""Faults by which a model seems better than it is: it has seen what judges it, or what follows from the target."""

import math
from collections import Counter
from typing import Any

import jax
import numpy as np

from descend._tree import named_leaves
from descend.insight.case import Case
from descend.insight.faults.data import are_classes, inputs_of, target_of
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of, some

SHARED, MANY_SHARED = 0.02, 0.3  # of the held-out examples that are descended on: the least, and what no chance excuses
SURE = 3.0  # standard errors
TELLING = 0.99  # of the targets of other examples that one column tells: R², or the share of classes
COMMON = 0.9  # of all examples that the most frequent class may have: of more, a constant tells as much
FEWEST = 40  # examples


def overlap(case: Case) -> Suspicion | None:
    """Held-out examples that are among those that are descended on."""
    if not case.judge.are_held_out or callable(case.judge.examples):
        return None
    training, rows = _rows(examples_of(case.start)), _rows(case.judge.examples)
    if not len(training) or not len(rows) or rows.shape[1] != training.shape[1]:
        return None
    seen = Counter(row.tobytes() for row in training)
    shared = np.array([row.tobytes() in seen for row in rows])
    # Examples of few whole numbers are equal now and then. Of those, as many as the training set has twins of its own.
    twins = sum(count for count in seen.values() if count > 1) / len(training)
    by_chance = twins + SURE * math.sqrt(twins * (1 - twins) / len(rows))
    if shared.mean() < SHARED or MANY_SHARED > shared.mean() <= by_chance:
        return None
    told = f"{shared.sum():,} of {len(rows):,} held-out examples are also descended on"
    return Suspicion("overlap of training and held-out data", "generalisation", told, [],
                     f"What is held out was not: {told}.", likely=1.0, is_fact=True)


def telling_column(case: Case) -> Suspicion | None:
    """A column that tells the target by itself: what is known only when the target is, as a rule."""
    examples = examples_of(case.start)
    at, of = inputs_of(examples), target_of(examples)
    if at is None or of is None or at == of:
        return None
    leaves = named_leaves(some(examples))
    columns, target = np.asarray(leaves[at], np.float64), np.asarray(leaves[of]).ravel()
    if columns.ndim != 2 or columns.shape[1] < 2 or len(target) < FEWEST or not np.isfinite(target).all():
        return None
    classes = are_classes(target)
    if np.unique(target, return_counts=True)[1].max() > COMMON * len(target):
        return None
    scores = [told_by(column, target, classes) for column in columns.T]
    best = int(np.argmax(scores))
    if scores[best] < TELLING:
        return None
    told = (f"column {best} of {at} alone tells the " + (f"classes of {scores[best]:.1%}" if classes else
            f"targets with an R² of {scores[best]:.4f}") + " of examples that it was not fitted to")
    return Suspicion("column that tells the target", "generalisation", told, [],
                     f"One column tells the target: {told}. Leave it out if it is not known before the target is.",
                     likely=1.0, is_fact=True)


def told_by(column: np.ndarray, target: np.ndarray, classes: bool) -> float:
    """How well the target of one half of the examples is told by those of the other half with the nearest value in a
    column."""
    order = np.random.default_rng(0).permutation(len(target))
    known, asked = np.array_split(order, 2)
    values, place = np.unique(column[known], return_inverse=True)
    if len(values) < 2 or not np.isfinite(column).all():
        return -math.inf
    between = np.searchsorted((values[1:] + values[:-1]) / 2, column[asked])
    if classes:
        names, number = np.unique(target, return_inverse=True)
        counts = np.zeros((len(values), len(names)))
        np.add.at(counts, (place, number[known]), 1)
        return float((counts.argmax(1)[between] == number[asked]).mean())
    means = np.bincount(place, target[known]) / np.bincount(place)
    spread = float(np.var(target[asked]))
    return 1 - float(np.mean((means[between] - target[asked]) ** 2)) / spread if spread > 0 else -math.inf


def _rows(examples: Any) -> np.ndarray:
    """Each example as bytes."""
    if examples is None:
        return np.zeros((0, 1), np.uint8)
    parts = [np.ascontiguousarray(np.asarray(leaf).reshape(len(leaf), -1)) for leaf in jax.tree.leaves(examples)]
    return np.concatenate([part.view(np.uint8) for part in parts], axis=1)


OF_LEAKAGE = (overlap, telling_column)

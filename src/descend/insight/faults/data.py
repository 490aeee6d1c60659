"""Faults of the data, and of how it is drawn."""

import math
from typing import Any

import jax
import numpy as np

from descend._tree import named_leaves, path_name
from descend.insight.case import Case
from descend.insight.faults.changes import with_batches, with_data
from descend.insight.faults.suspicion import Suspicion
from descend.insight.judging import examples_of, some
from descend.sources import HostArrays, MiniBatches, WholeSet

FAR = 0.67  # of the fall of mended descents: who had more of it was not far from what could be
OUTLYING, FEW = 20.0, 0.05  # times the quartiles' distance from the median; the most of the examples that are outliers
WIDE, LARGE = 30.0, 10.0  # how far columns differ in size, and from 1, before that is suspected
OFTEN = 10  # times that a class is there in the mean, at the least


def unscaled_inputs(case: Case) -> Suspicion | None:
    """Columns in units that differ much, or far from 1."""
    examples = examples_of(case.start)
    name = inputs_of(examples)
    if name is None:
        return None
    array = np.asarray(named_leaves(some(examples))[name], np.float64)
    centre, spread = _columns(array)
    sizes = np.sqrt(centre**2 + spread**2)[spread > 0]
    if not sizes.size:
        return None
    # Beside the median, not the least: columns of rare flags are small, and harm nobody.
    apart, most = float(sizes.max() / np.median(sizes)), float(sizes.max())
    if array.ndim > 2 and 1 / LARGE < most < LARGE:
        return None
    if apart < WIDE and 1 / LARGE < most < LARGE:
        return None
    change = on_leaf(name, lambda x: _standardised(x, centre, spread))
    told = (f"columns of {name} are {float(sizes.min()):.2g} to {most:.2g} in size, {float(np.median(sizes)):.2g} in "
            "the middle")
    return Suspicion("inputs not scaled", "data", told,
                     [with_data("with columns of mean 0 and spread 1", change, "(X - X.mean(0)) / X.std(0)", change)],
                     f"The inputs are not scaled: {told}.", likely=0.75, least=0.1)


def unscaled_target(case: Case) -> Suspicion | None:
    """A target that is large, or far from 0, where outputs begin near 0."""
    examples = examples_of(case.start)
    name = target_of(examples)
    if name is None:
        return None
    values = np.asarray(named_leaves(some(examples))[name])
    if values.dtype.kind != "f" or not values.size:
        return None
    centre, spread = float(values.mean()), float(values.std())
    is_usual = abs(centre) < 5 * spread and 1 / LARGE < spread < LARGE
    if spread <= 0 or is_usual or outliers(case) or not _is_squared(case, name):
        return None
    change = on_leaf(name, lambda y: ((y - centre) / spread).astype(y.dtype))
    told = f"the target {name} has the mean {centre:.3g} and the spread {spread:.3g}"
    return Suspicion("target not scaled", "data", told,
                     [with_data("with a target of mean 0 and spread 1", change, "(y - y.mean()) / y.std()", change,
                                unit=1 / spread**2)],
                     f"The target is not scaled: {told}.", likely=0.75, least=0.1)


def outliers(case: Case) -> Suspicion | None:
    """A few targets that are far from all others."""
    examples = examples_of(case.start)
    name = target_of(examples)
    values = np.asarray(named_leaves(examples)[name]) if name else np.zeros(0, int)
    if name is None or values.dtype.kind != "f" or not values.size:
        return None
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    reach = OUTLYING * (high - low)
    far = np.abs(values - middle) > reach
    if reach <= 0 or not 0 < far.mean() < FEW:
        return None
    change = on_leaf(name, lambda y: np.clip(y, middle - reach / 4, middle + reach / 4).astype(y.dtype))
    told = f"{far.sum():,} of {len(values):,} targets are further from the median than {OUTLYING:g} times what the " \
           "middle half spreads"
    return Suspicion("outliers", "data", told, [with_data("with targets clipped", change, "y.clip(low, high), or "
                     "descend.losses.huber")], f"Outliers rule the loss: {told}.", likely=0.85, least=0.1)


def unshuffled(case: Case) -> Suspicion | None:
    """Examples in an order that tells of their target."""
    source = case.start.descent.source
    if not isinstance(source, MiniBatches | HostArrays) or source.shuffle:
        return None
    name = target_of(source.data)
    values = np.asarray(named_leaves(source.data)[name], np.float64).ravel() if name else np.zeros(0)
    alike = _autocorrelation(values)
    return Suspicion("examples not shuffled", "data", f"shuffle=False, and targets that follow each other correlate by "
                     f"{alike:.2f}", [with_batches(source.batch_size, source.batch_size, shuffle=True)],
                     "The examples are drawn in their order, so that a batch tells of some of the data alone.",
                     likely=0.9 if alike > 0.2 else 0.4)


def small_batches(case: Case) -> Suspicion | None:
    """Batches whose gradients are mostly noise."""
    source, length = case.start.descent.source, _length(case)
    if not isinstance(source, MiniBatches | HostArrays) or source.batch_size > 8 or length < 8 * source.batch_size:
        return None
    size, before = min(32, length // 2), source.batch_size
    return Suspicion("batches too small", "data", f"a batch has {before} of {length:,} examples",
                     [with_batches(size, before)],
                     f"Batches of {before} are mostly noise: {size} at a time lead further with as many examples.",
                     likely=0.6, least=0.2, group="batch")


def large_batches(case: Case) -> Suspicion | None:
    """Batches of so many examples that there are too few steps."""
    source, length = case.start.descent.source, _length(case)
    before = length if isinstance(source, WholeSet) else getattr(source, "batch_size", 0)
    if not isinstance(source, MiniBatches | HostArrays | WholeSet) or before <= 128 or case.has_diverged:
        return None
    size = 32
    return Suspicion("batches too large", "data", f"a batch has {before} of {length:,} examples, and {case.length:,} "
                     "steps were made", [with_batches(size, before)],
                     f"Batches of {before} leave too few steps: {size} at a time lead further with as many examples.",
                     likely=0.5 if before >= length / 4 else 0.3, least=0.2, share=FAR, group="batch")


# ------------------------------------------------------------------------------------------------ what data are like


def inputs_of(examples: Any) -> str | None:
    """The path of the inputs: the largest array of numbers with two axes or more."""
    leaves = {} if examples is None else named_leaves(examples)
    wide = {path: leaf for path, leaf in leaves.items() if np.ndim(leaf) >= 2 and _kind(leaf) == "f"}
    return max(wide, key=lambda path: np.size(wide[path]), default=None)


def target_of(examples: Any) -> str | None:
    """The path of the target: the last array with a number for each example."""
    leaves = {} if examples is None else named_leaves(examples)
    narrow = [path for path, leaf in leaves.items() if np.size(leaf) == len(leaf)]
    return narrow[-1] if narrow and len(leaves) > 1 else None


def _kind(leaf: Any) -> str:
    return "f" if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating) else np.dtype(leaf.dtype).kind


def _columns(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the spread of each column; of pictures and sequences, one of all."""
    axis = 0 if array.ndim == 2 else None
    return np.atleast_1d(array.mean(axis)), np.atleast_1d(array.std(axis))


def _standardised(array: Any, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    scaled = (np.asarray(array, np.float64) - centre) / np.where(spread > 0, spread, 1.0)
    return scaled.astype(array.dtype)


def on_leaf(name: str, change: Any) -> Any:
    """The change of one array of a tree of examples, by its path."""

    def changed(examples: Any) -> Any:
        one = lambda path, leaf: change(np.asarray(leaf)) if path_name(path) == name else leaf
        return jax.tree_util.tree_map_with_path(one, examples)

    return changed


def _is_squared(case: Case, name: str) -> bool:
    """Whether the loss is a square of the target, so that one in other units is the loss in other units, too."""
    examples = some(examples_of(case.start), 64)
    losses = []
    size = float(np.std(np.asarray(named_leaves(examples)[name]))) or 1.0
    for times in range(4):
        moved = on_leaf(name, lambda y, times=times: (y + times * size).astype(y.dtype))(examples)
        losses.append(case.start.loss(moved))
    # Of a square, the second differences are all the same.
    second = np.diff(losses, 2)
    return bool(np.isfinite(losses).all() and second[0] > 0 and abs(second[1] - second[0]) < 1e-2 * second[0])


def _autocorrelation(values: np.ndarray) -> float:
    if len(values) < 3 or values.std() == 0:
        return 0.0
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def _length(case: Case) -> int:
    examples = examples_of(case.start)
    return 0 if examples is None else len(jax.tree.leaves(examples)[0])


def are_classes(labels: np.ndarray) -> bool:
    """Whether these are numbers of classes: whole, few, and each often."""
    count = len(np.unique(labels))
    if labels.dtype.kind in "iub":  # which a loss takes for numbers of classes, as a rule
        return 2 <= count <= max(2, len(labels) // OFTEN)
    return bool((labels == np.round(labels)).all()) and 2 <= count <= max(2, math.isqrt(len(labels)))


OF_DATA = (unscaled_inputs, outliers, unscaled_target, unshuffled, small_batches, large_batches)

"""Changes that are more than a number of a rule: of parameters, data, precision and the loss."""

import dataclasses
import math
from collections.abc import Callable, Collection
from typing import Any

import jax
import numpy as np

from descend._tree import Tree, join, path_name, split
from descend.engine.begin import begin
from descend.engine.programs import programs_of
from descend.engine.run import Run
from descend.insight.judging import examples_of
from descend.insight.replay import Change
from descend.sources import HostArrays, MiniBatches


def with_data(
    words: str, change: Callable[[Any], Any], line: str, judged: Callable[[Any], Any] | None = None, unit: float = 1.0
) -> Change:
    """Other examples. `judged`: the change of those that it is judged on, if theirs is the same."""

    def make(run: Run) -> Run:
        source: Any = run.descent.source
        return run.fork(data=change(examples_of(run)), batch_size=getattr(source, "batch_size", None))

    judge = (lambda judge: judge.seen_through(judged, unit)) if judged else (lambda judge: judge)
    return Change(words, make, line, judge)


def with_batches(size: int, before: int, shuffle: bool | None = None) -> Change:
    """Batches of another size, so many fewer or more of them that as many examples are seen."""

    def make(run: Run) -> Run:
        source: Any = run.descent.source
        kind = type(source) if isinstance(source, MiniBatches | HostArrays) else MiniBatches
        order = getattr(source, "shuffle", True) if shuffle is None else shuffle
        return run.fork(data=kind(source.data, size, order))

    words = f"with batches of {size}" if shuffle is None else "with its examples in random order"
    line = f"batch_size={size}" if shuffle is None else "shuffle=True"
    return Change(words, make, line, examples=size / before)


def in_double() -> Change:
    """The same descent in double precision."""

    def make(run: Run) -> Run:
        descent = run.descent
        source: Any = None if not descent.signature.has_batch else descent.source
        return begin(descent.loss, run.params, source, state=run.state.carried.state, optimizer=descent.optimizer,
                     dtype=np.float64)

    return Change("in double precision", make, "dtype=np.float64")


def redrawn(words: str, line: str, chosen: Collection[str] | None = None) -> Change:
    """Weights drawn anew, by Glorot and Bengio's normal law, biases at 0; of all layers, or of those named.

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    return Change(words, lambda run: run.fork(params=glorot(run.params, chosen)), line)


def glorot(params: Tree, chosen: Collection[str] | None = None) -> Tree:
    """Parameters drawn anew: arrays of two axes and more; those of one that are not constant are left alone."""
    numbers, rest = split(params)
    rng = np.random.default_rng(0)

    def drawn(path: Any, leaf: Any) -> Any:
        array = np.asarray(leaf)
        if chosen is not None and path_name(path) not in chosen:
            return leaf
        if array.ndim < 2:
            return leaf if is_gain(path, array) else np.zeros_like(array)
        return (glorot_size(array.shape) * rng.normal(size=array.shape)).astype(array.dtype)

    return join(jax.tree_util.tree_map_with_path(drawn, numbers), rest)


def glorot_size(shape: tuple[int, ...]) -> float:
    """The standard deviation of a layer's weights, whichever axes are its inputs and outputs: the two largest."""
    # Libraries differ in the order of axes, and the sum of both numbers does not depend on it.
    first, second, *window = sorted(shape, reverse=True)
    if len(shape) > 3:  # a convolution, whose windows are the smallest axes, wherever they are
        return math.sqrt(2 / ((first + second) * math.prod(window)))
    return math.sqrt(2 / (first + second))


def is_gain(path: Any, array: np.ndarray) -> bool:
    """Whether these are the gains of a normalisation, which begin at 1, or a bias that was set on purpose."""
    name = path_name(path).lower()
    return bool(array.size) and ("scale" in name or "gain" in name or "norm" in name or bool((array == 1).all()))


def with_loss(words: str, change: Callable[[Any], Any], line: str) -> Change:
    """The same descent on a loss that is changed in one place."""

    def make(run: Run) -> Run:
        loss = change(run.descent.loss)
        descent = dataclasses.replace(run.descent, loss=loss, programs=programs_of(loss))
        return dataclasses.replace(run, descent=descent)

    return Change(words, make, line)

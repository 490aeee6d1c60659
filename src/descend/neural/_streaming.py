"""One pass over rows that come a few at a time, by steps that remember those before them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from descend._tree import Tree
from descend.engine.begin import begin
from descend.engine.descent import State
from descend.errors import InputError
from descend.neural._network import Network
from descend.neural._objective import Examples
from descend.optimizers import Adam, as_optimizer, is_search


def batches(examples: Examples, size: int, rng: np.random.Generator) -> Iterator[Examples]:
    """All examples once, shuffled, in batches of one size; what the last one lacks has no weight."""
    inputs, targets, weights = examples
    weights = np.ones(len(targets)) if weights is None else weights
    order = rng.permutation(np.flatnonzero(weights > 0))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        filled = np.concatenate([rows, np.repeat(rows[:1], size - len(rows))])
        counts = np.where(np.arange(size) < len(rows), weights[filled], 0)
        part = jax.tree.map(lambda array, rows=filled: array[rows], (inputs, targets))
        yield *part, (counts / counts.mean()).astype(np.float32)


class Stream:
    """A descent that is given a batch at a time. Between two passes it has its state, and no rows."""

    def __init__(self, objective: Any, optimizer: Any, seed: int):
        self._objective, self._seed = objective, seed
        # No trial could tell a rate: nobody knows how much is to come.
        self._optimizer = Adam() if isinstance(optimizer, str) and optimizer == "auto" else as_optimizer(optimizer)
        if is_search(self._optimizer):
            raise InputError(f"{type(self._optimizer).__name__} searches on all rows, and partial_fit has some: give a "
                             "rule, such as Adam(0.001)")
        self._rng = np.random.default_rng(seed)
        self._state: State | None = None

    def passed(self, network: Network, state: Tree, examples: Examples, size: int) -> tuple[Any, Tree, list[float]]:
        """The network after a pass over more examples, what it keeps besides, and the loss of each step.

        **Raises** `InputError` where no example has a weight, or a step is not finite; the state is then as it was.
        """
        if examples[2] is not None and not (examples[2] > 0).any():
            raise InputError("all weights are 0: give some of the examples one above 0")
        first, *others = batches(examples, size, self._rng)
        run = begin(self._objective, network, first, state=state, optimizer=self._optimizer, seed=self._seed)
        run = run if self._state is None else replace(run, state=self._state)
        losses = []
        for batch in (None, *others):
            run, trace = (run if batch is None else run.fork(data=batch)).advance(1)
            if run.is_halted:
                raise InputError("the loss of more rows is not finite: give an optimizer with a lower rate, or look at "
                                 "these rows")
            losses.append(float(trace.columns["loss"][-1]))
        self._state = run.state
        return run.eval_params, run.state.carried.state, losses

"""In what two runs differ, as the arguments of `minimize` that would make one from the other."""

from collections.abc import Collection
from typing import Any

import jax
import numpy as np

from descend._tree import split
from descend.engine.run import Run


def differing(one: Run, other: Run) -> Collection[str]:
    """The names of what differs: `loss`, `params`, `dtype`, `data`, `shuffle`, `batch_size`, `optimizer`.

    >>> import numpy as np
    >>> from descend import SGD, begin
    >>> run = begin(lambda w, x: ((x - w) ** 2).mean(), 0.0, np.arange(8.0), optimizer=SGD(0.1), batch_size=2)
    >>> sorted(differing(run, run.fork(learning_rate=0.2, batch_size=4)))
    ['batch_size', 'optimizer']
    """
    source, its = one.descent.source, other.descent.source
    unlike = {
        "loss": one.descent.loss is not other.descent.loss,
        "dtype": _dtypes(one.params) != _dtypes(other.params),
        "params": not _alike(split(one.params)[0], split(other.params)[0]),
        "data": not _alike(getattr(source, "data", None), getattr(its, "data", None)),
        "shuffle": getattr(source, "shuffle", True) != getattr(its, "shuffle", True),
        "batch_size": getattr(source, "batch_size", None) != getattr(its, "batch_size", None),
        "optimizer": one.descent.optimizer != other.descent.optimizer,
    }
    return {name for name, differs in unlike.items() if differs}


def _dtypes(tree: Any) -> list[Any]:
    return [np.asarray(leaf).dtype for leaf in jax.tree.leaves(split(tree)[0])]


def _alike(one: Any, other: Any) -> bool:
    """Whether two trees have the same numbers."""
    structures: list[Any] = [jax.tree.structure(one), jax.tree.structure(other)]
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=False)
    same = lambda a, b: a is b or np.array_equal(np.asarray(a), np.asarray(b))
    return structures[0] == structures[1] and all(same(a, b) for a, b in pairs)

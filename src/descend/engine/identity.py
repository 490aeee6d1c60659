"""What a checkpoint must agree with."""

import hashlib
import re
from typing import Any

import numpy as np

from descend._tree import Tree, named_leaves
from descend.engine.descent import Descent


def identity(descent: Descent, numbers: Tree, seed: int) -> dict[str, Any]:
    """What a checkpoint must agree with: a run that goes on from it would otherwise be another one."""
    source = descent.source
    return {
        "parameters": {name: f"{x.dtype}{list(x.shape)}" for name, x in named_leaves(numbers).items()},
        "loss": _without_addresses(repr(descent.loss)),
        "optimizer": _without_addresses(repr(descent.optimizer)),  # before a rate is sought, if one is
        "source": _without_addresses(getattr(source, "identity", type(source).__name__)),
        "batch size": getattr(source, "batch_size", None),
        "shuffle": getattr(source, "shuffle", None),
        "data": digest(getattr(source, "data", None)),
        "seed": seed,
        "watch": descent.watch and repr(descent.watch),  # or the history would have other columns
    }


def _without_addresses(told: str) -> str:
    """A text that tells of objects, without where in memory they are."""
    return re.sub(r" at 0x[0-9a-f]+", "", told)


def digest(data: Any) -> str:
    """A hash of the data, some rows at a time, because they may be larger than memory."""
    found = hashlib.sha256()
    for name, leaf in named_leaves(data).items():
        array = leaf if isinstance(leaf, np.ndarray) else np.asarray(leaf)
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        rows = max(1, 2**24 // max(array[:1].nbytes, 1))
        for row in range(0, len(array), rows):
            found.update(np.ascontiguousarray(array[row : row + rows]).tobytes())
    return found.hexdigest()[:16]

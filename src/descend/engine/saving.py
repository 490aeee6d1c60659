"""A run as a file: arrays by path, and what it takes to make the run of them again."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from descend._division import processes_among
from descend.engine.advancing import R
from descend.engine.digesting import source_digest
from descend.engine.identity import surroundings
from descend.engine.serializing import outline, written
from descend.engine.storing import tree_to_arrays, write_arrays


def save(run: R, path: Path) -> None:
    """Write the run to a file, which one of its processes does."""
    arrays, facts = arrays_of(run), {"run": facts_of(run, source_digest(run.descent.source))}
    processes_among(run.descent.division).first_does(lambda: write_arrays(path, arrays, facts))


def arrays_of(run: R) -> dict[str, np.ndarray]:
    """What steps have changed, by path."""
    return tree_to_arrays(run.state, "state")


def facts_of(run: R, data: str) -> dict[str, Any]:
    """What steps do not change, but for the loss and the data, of which the file has a hash alone."""
    descent, source = run.descent, run.descent.source
    return {
        "params": outline(run.params),
        "state": outline(run.state.carried.state),
        "dtype": str(jax.tree.leaves(run.state.params)[0].dtype),
        "optimizer": written(descent.optimizer),
        "stop": written(descent.stop),
        "skip_nonfinite": descent.skip_nonfinite,
        "stepwise": descent.stepwise,
        "source": type(source).__name__,
        "batch_size": getattr(source, "batch_size", None),
        "shuffle": getattr(source, "shuffle", None),
        "data": data,
        "surroundings": surroundings(run.state.params),
        "watch": None if descent.watch is None else [written(descent.watch.groups), descent.watch.positions],
    }

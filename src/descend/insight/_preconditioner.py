"""What a rule divides its steps by, as a scale of the parameters."""

from typing import Any

import numpy as np

from descend._arrays import precision
from descend._tree import Tree
from descend.engine.curvature import flat
from descend.engine.descent import Descent
from descend.engine.run import Run
from descend.errors import InputError


def roots(run: Run) -> np.ndarray:
    """`D^−½`, for D that the run's rule now divides its steps by.

    **Raises** `InputError` if the rule tells none, or has seen no gradient yet.
    """
    found, name = scale_of(run), type(run.descent.optimizer).__name__
    if found is None:
        raise InputError(f"{name} does not divide its steps by a number for each parameter: use preconditioned=False")
    if not np.isfinite(found).all():
        raise InputError(f"{name} divides its steps by nothing yet, or by zero, after {run.step} steps: advance it "
                         "by a step first, or use preconditioned=False")
    return found


def scale_of(run: Run) -> np.ndarray | None:
    """The same, not finite where nothing is divided by yet; `None` if the rule tells none."""
    with precision(run.state.params):
        divisors = run.descent.without_data.run(_divisors, run.state.optimizer, run.state.params)
    if divisors is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / np.sqrt(flat(divisors))


def _divisors(descent: Descent, state: Any, params: Tree) -> Tree | None:
    return descent.optimizer.preconditioner(state, params)

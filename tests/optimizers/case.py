"""What a test of a rule consists of: the rule, the algorithm that it must follow, and the peers that have it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from descend.optimizers import Optimizer
from descend.schedules import InverseTime

STEPS = 100
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
SCHEDULE = InverseTime(0.1, decay=0.05)
RATES = [0.1 / (1 + 0.05 * step) for step in range(STEPS)]
Arrays = Iterator[Any]
Peer = tuple[str, dict[str, Any]]  # where to import it from, `torch.optim.Adam`, and its settings


class Case(NamedTuple):
    """A rule in one setting, and the algorithm that it must follow.

    `reference`: the paper's algorithm box, from the start, the gradients and the rates, one for each step; it yields
    the parameters after each step. It takes one array at a time, or if `whole` a list of all arrays, and yields lists.
    `torch`, `optax`, `keras`: the same rule there, if they have it.
    """

    rule: Callable[..., Optimizer]
    reference: Callable[..., Arrays]
    settings: dict[str, Any]
    whole: bool = False
    torch: Peer | None = None
    optax: Peer | None = None
    keras: Peer | None = None


def zeros(xs: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays of zeros, for the algorithms that look at all arrays."""
    return [np.zeros_like(x) for x in xs]

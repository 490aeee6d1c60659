"""Parameters that a descent did not move, or that nothing but weight decay moved."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from descend._tree import Tree, join, named_leaves, path_name, split
from descend.insight.rules import setting_of
from descend.training import Result

NAMED = 5  # parameters, of which the first are named
SHRUNK = 0.99  # of their size, below which it can be told that parameters shrank
EXACT = 1e-3  # of their size: to within so much they shrank as decay alone would have it
# A member of an ensemble, in the name of its parameters.
MEMBER = re.compile(r"member (\d+)/(.*)")


@runtime_checkable
class Named(Protocol):
    """A model whose numbers lie in fewer arrays than it has parameters, and that says which are which."""

    def named_parameters(self) -> Mapping[str, Any]:
        """The parameters by name; those of an ensemble's members begin with `member 1/`, `member 2/`, …"""


def unmoved(result: Result) -> list[str]:
    """Sentences on the parameters that are, bit for bit, what they were at the start, and on those that only shrank."""
    if result.start is None or result.run.step == 0:
        return []
    start, end = _named(result.start), _named(result.run.params)
    fixed = set() if isinstance(result.start, Named) else _held(result)
    looked_at = [name for name, leaf in end.items() if np.size(leaf) and name not in fixed]
    still = [name for name in looked_at if np.array_equal(start[name], end[name])]
    steps = f"{result.run.step:,} steps"
    if still and len(still) == len(looked_at):
        return [f"No parameter has moved in {steps}."]
    shrunk = [name for name in looked_at if name not in still and _only_decayed(start[name], end[name], result)]
    said = [f"{_listed(still, end)} did not move in {steps}."]
    also = [f"{_listed(shrunk, end)} only shrank, by weight decay, as if no gradient had come there."]
    return said * bool(still) + also * bool(shrunk)


def _named(params: Tree) -> Mapping[str, Any]:
    numbers, rest = split(params)
    # In NumPy: what JAX takes apart, it compiles a program for.
    numbers = jax.tree.map(np.asarray, numbers)
    return join(numbers, rest).named_parameters() if isinstance(params, Named) else named_leaves(numbers)


def _held(result: Result) -> set[str]:
    """The parameters that the rule is not to move."""
    run = result.run
    free = run.descent.optimizer.free(run.state.optimizer, run.state.params)
    return {path_name(path) for path, leaf in jax.tree_util.tree_leaves_with_path(free) if not np.any(leaf)}


def _only_decayed(start: Any, end: Any, result: Result) -> bool:
    """Whether all that happened is `θ ← (1 − η λ) θ`, at each of the recorded rates."""
    decay, history = setting_of(result.run.descent.optimizer, "weight_decay"), result.history
    if not decay or history.stride > 1 or "learning_rate" not in history.columns:
        return False
    kept = float(np.prod(1 - decay * np.asarray(history["learning_rate"], np.float64)))
    before, after = np.asarray(start, np.float64), np.asarray(end, np.float64)
    size = float(np.linalg.norm(before))
    return 0 < kept < SHRUNK and size > 0 and float(np.linalg.norm(after - kept * before)) < EXACT * kept * size


def _listed(names: list[str], of: Mapping[str, Any]) -> str:
    """The first of them; what is the same in several members of an ensemble, once."""
    found = [MEMBER.fullmatch(name) for name in names]
    if names and all(found):
        members = len({match[1] for match in map(MEMBER.fullmatch, of) if match})
        counts = Counter(match[2] for match in found if match)
        names = [f"{name} in {count} of {members} members" for name, count in counts.items()]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

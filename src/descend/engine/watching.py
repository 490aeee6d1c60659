"""What is recorded of the parameters besides the loss: norms of some of them, and where they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from descend._flags import settle_flags
from descend._paths import Patterns, as_tuple, matches, refuse_unmatched
from descend._tree import Tree, named_leaves, norm
from descend.errors import InputError

# Numbers of which a path is recorded: it is for functions that one can draw.
MAX_POSITIONS = 100


@dataclass(frozen=True)
class Watch:
    """What to record of some parameters at each step; compiled with it, and no other number depends on it.

    To leave out steps would save nothing: what a step computes and uses at once would have to be kept for the case that
    it is asked for, which takes longer than to add up its squares.

    `groups`: patterns of paths by a name, such as `{"first": "layers/0/*", "biases": ("*/bias", "*/shift")}`; or a
    pattern or several, whose group is called like them. In a pattern `*` stands for anything, also for `/`. Of each
    group the history has `gradient_norm/name`, `update_norm/name` and `parameter_norm/name`: Euclidean norms of all its
    numbers together, of the gradient, the update and the parameters before it. `positions`: record the parameters as
    well, before each step, as `history["params"]` with a row per step; of at most 100 numbers.

    >>> from descend import SGD, minimize
    >>> loss = lambda p: (p["a"] - 2.0) ** 2 + p["b"] ** 2
    >>> watch = Watch({"first": "a"}, positions=True)
    >>> history = minimize(loss, {"a": 0.0, "b": 3.0}, optimizer=SGD(0.25), steps=3, stop=[], watch=watch).history
    >>> history["gradient_norm/first"].tolist(), history["params"].tolist()
    ([4.0, 2.0, 1.0], [[0.0, 3.0], [1.0, 1.5], [1.5, 0.75]])

    **Raises** `InputError` for a pattern that fits no parameter, for too many positions, and if nothing is watched.
    """

    # Kept as pairs of a name and its patterns.
    groups: Any = ()
    positions: bool = False

    def __post_init__(self) -> None:
        settle_flags(self)
        groups = self.groups
        if isinstance(groups, Mapping):
            object.__setattr__(self, "groups", tuple((name, as_tuple(patterns)) for name, patterns in groups.items()))
        elif isinstance(groups, str) or (groups and all(isinstance(pattern, str) for pattern in groups)):
            object.__setattr__(self, "groups", ((",".join(as_tuple(groups)), as_tuple(groups)),))
        if not self.groups and not self.positions:
            raise InputError("Watch: nothing is watched: give patterns of paths, or positions=True")

    def checked(self, numbers: Tree) -> "Watch":
        """The same, if these parameters can be watched so."""
        paths = named_leaves(numbers)
        for _, patterns in self.groups:
            refuse_unmatched("Watch", patterns, paths)
        if self.positions and (count := sum(leaf.size for leaf in paths.values())) > MAX_POSITIONS:
            raise InputError(f"Watch: positions are recorded of at most {MAX_POSITIONS} numbers, but the parameters "
                             f"have {count:,}: watch norms instead, or keep snapshots")
        return self

    def seen(self, params: Tree, grads: Tree, updates: Tree) -> dict[str, Any]:
        """What is recorded of a step; traceable."""
        kinds = {"gradient_norm": grads, "update_norm": updates, "parameter_norm": params}
        norms = {f"{kind}/{name}": _norm(_fitting(patterns, tree))
                 for kind, tree in kinds.items() for name, patterns in self.groups}
        if not self.positions:
            return norms
        return norms | {"params": jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])}


def as_watch(watch: Any) -> Watch | None:
    """What is to be watched, if anything: patterns stand for a `Watch` of them."""
    return watch if watch is None or isinstance(watch, Watch) else Watch(watch)


def _fitting(patterns: Patterns, tree: Tree) -> list[Any]:
    return [leaf for path, leaf in named_leaves(tree).items() if matches(patterns, path)]


def _norm(leaves: list[Any]) -> Any:
    """Their norm; of none, as where a frozen group has no gradients, nothing."""
    return norm(leaves) if leaves else jnp.zeros(())

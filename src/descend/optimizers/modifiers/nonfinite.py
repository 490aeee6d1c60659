"""Steps that are passed over because a number in them is not finite."""

from functools import reduce
from operator import and_
from typing import Any

import jax
import numpy as np

from descend._arrays import Array, namespace
from descend._control import select, unmoved
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar
from descend.optimizers._rule import rule as setting
from descend.schedules import fixed


@setting
class SkipNonfinite(Modifier):
    """A step whose loss, gradient or updates are not finite changes nothing, neither parameters nor the rule's state.

    `limit`: so many of them in a row are passed over, and the next is made as it is: a descent then ends as diverged,
    with the last finite parameters; in a loop of your own they are not finite any more. `None`: all are passed over.

    In `minimize`, `on_nonfinite="skip"` does the same for any optimizer, without a limit, and counts nothing. This is
    for loops of your own, for a limit, and for the metric `skipped`: how many were passed over so far.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule, x = SkipNonfinite(SGD(0.5)), np.array([1.0])
    >>> update, state = rule.update(np.array([np.nan]), rule.init(x))
    >>> x + update, int(rule.metrics(state)["skipped"])
    (array([1.]), 1)
    """

    rule: Wrapped
    limit: int | None = fixed(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit is not None and self.limit < 1:
            raise InputError(f"SkipNonfinite: limit must be at least 1 step, but is {self.limit}")

    def own_start(self, params: Tree) -> Own:
        return {"skipped": scalar(params, 0, "int32"), "in_a_row": scalar(params, 0, "int32")}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        # Numbers that are not finite are what this is here for: no warning.
        with np.errstate(all="ignore"):
            updates, after = self.rule.update(grads, inner, params, **extra)
        finite = _finite((extra.get("value"), grads, updates))
        # 0 times the count, to stay in its dtype and array world.
        in_a_row = select(finite, 0 * own["in_a_row"], own["in_a_row"] + 1)
        pass_over = self._passes_over(in_a_row)
        updates, inner = select(pass_over, (unmoved(grads), inner), (updates, after))
        skipped = select(pass_over, own["skipped"] + 1, own["skipped"])
        return updates, inner, {"skipped": skipped, "in_a_row": in_a_row}

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), "skipped": state.own["skipped"]}

    def skipped_update(self, state: ModifierState) -> Any:
        return self._passes_over(state.own["in_a_row"])

    def _passes_over(self, in_a_row: Array) -> Any:
        """Whether the last of so many steps that were not finite is not made."""
        return (in_a_row > 0) if self.limit is None else (in_a_row > 0) & (in_a_row <= self.limit)


def _finite(tree: Tree) -> Any:
    return reduce(and_, [namespace(leaf).isfinite(leaf).all() for leaf in jax.tree.leaves(tree)])

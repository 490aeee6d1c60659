"""Different optimizers for different parts of the parameters."""

from collections.abc import Mapping
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

import jax
import numpy as np

from descend._arrays import Array, namespace
from descend._checks import refuse_other_structure, refuse_unmovable
from descend._control import unmoved
from descend._tree import Tree, path_name
from descend.errors import InputError
from descend.optimizers._optimizer import Iterate, Optimizer


class PartitionState(NamedTuple):
    """The state of each part's optimizer, by the part's name."""

    parts: dict[str, Any]


class Partition(Optimizer):
    """An optimizer that has others step parts of the parameters.

    A partition gives its `parts`, optimizers by name (`None` for a part that stays as it is), and `part_of`.
    """

    def parts(self) -> Mapping[str, Optimizer | None]:
        """The optimizers by name."""
        raise NotImplementedError

    def part_of(self, path: str, leaf: Any) -> str:
        """The name of the part that a parameter belongs to."""
        raise NotImplementedError

    def init(self, params: Tree) -> PartitionState:
        name = type(self).__name__
        if not jax.tree.leaves(params):
            refuse_unmovable(name, params)
        held = self._held(params)
        moving = {part: rule for part, rule in self.parts().items() if rule is not None and part in held}
        if not moving:
            raise InputError(f"{name} leaves every parameter as it is: there is nothing to step")
        return PartitionState({part: rule.init(self._of(part, params)) for part, rule in moving.items()})

    def update(
        self, grads: Tree, state: PartitionState, params: Tree = None, **extra: Any
    ) -> tuple[Tree, PartitionState]:
        given, params = params is not None, grads if params is None else params
        # A part that stays needs no gradients, so `None` will do.
        refuse_other_structure(params, grads, "parameters")
        rules = self._rules(state)
        # Updates of −0 to begin with: what no part steps stays as it is, bit for bit.
        updates, states = unmoved(params), {}
        for part, rule in rules.items():
            own = _on_part(extra, self, part, params)
            gradient, mine = self._of(part, grads, params), self._of(part, params) if given else None
            moved, states[part] = rule.update(gradient, state.parts[part], mine, **own)
            updates = _joined(moved, updates)
        return updates, PartitionState(states)

    def eval_params(self, state: PartitionState, params: Tree) -> Tree:
        for part, rule in self._rules(state).items():
            params = _joined(rule.eval_params(state.parts[part], self._of(part, params)), params)
        return params

    def metrics(self, state: PartitionState) -> dict[str, Any]:
        """Those of the parts, each by `name/part`; the first part's also without it."""
        read: dict[str, Any] = {}
        for part, rule in self._rules(state).items():
            own = rule.metrics(state.parts[part])
            # Without a part's name, a metric is that of the first part which has it.
            read = own | read if read else dict(own)
            read |= {f"{name}/{part}": value for name, value in own.items()}
        return read

    def rates(self, state: PartitionState, params: Tree) -> Tree:
        rates = jax.tree.map(lambda _: None, params)
        for part, rule in self._rules(state).items():
            rates = _joined(rule.rates(state.parts[part], self._of(part, params)), rates)
        return rates

    def accepted_iterate(self, state: PartitionState, here: Iterate) -> Iterate:
        """Where the parts stand; the gradients of what stays as it is do not count."""
        params, value, grads = here.params, here.value, jax.tree.map(_nothing, here.grads)
        for part, rule in self._rules(state).items():
            own = Iterate(self._of(part, here.params), here.value, self._of(part, here.grads, here.params))
            stand = rule.accepted_iterate(state.parts[part], own)
            params, value, grads = _joined(stand.params, params), stand.value, _joined(stand.grads, grads)
        return Iterate(params, value, grads)

    def stalled(self, state: PartitionState) -> Any:
        """Only an optimizer that steps alone can know."""
        said = [rule.stalled(state.parts[part]) for part, rule in self._rules(state).items()]
        return said[0] if len(said) == 1 else False

    def free(self, state: PartitionState, params: Tree) -> Tree:
        free = jax.tree.map(lambda p: np.zeros(np.shape(p), bool), params)
        for part, rule in self._rules(state).items():
            free = _joined(rule.free(state.parts[part], self._of(part, params)), free)
        return free

    def preconditioner(self, state: PartitionState, params: Tree) -> Tree | None:
        """Those of the parts; 1 for what stays as it is."""
        divisors = jax.tree.map(lambda p: namespace(p).ones_like(p), params)
        for part, rule in self._rules(state).items():
            own = rule.preconditioner(state.parts[part], self._of(part, params))
            if own is None:
                return None
            divisors = _joined(own, divisors)
        return divisors

    def skipped_update(self, state: PartitionState) -> Any:
        said = [rule.skipped_update(state.parts[part]) for part, rule in self._rules(state).items()]
        return reduce(and_, said)

    def _rules(self, state: PartitionState) -> dict[str, Optimizer]:
        kept = getattr(state, "parts", None)
        if not isinstance(kept, dict) or not kept.keys() <= self.parts().keys():
            raise InputError(f"{type(self).__name__} has the parts {list(self.parts())}, but this state is of type "
                             f"{type(state).__name__}: it belongs to another optimizer")
        return {part: rule for part, rule in self.parts().items() if rule is not None and part in kept}

    def _held(self, params: Tree) -> set[str]:
        return {self.part_of(path_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)}

    def _of(self, part: str, tree: Tree, params: Tree = None) -> Tree:
        """The tree without the leaves that belong to other parts; the parameters decide, where they are given."""
        return jax.tree_util.tree_map_with_path(
            lambda path, p, leaf: leaf if self.part_of(path_name(path), p) == part else None,
            tree if params is None else params, tree,
        )


def _on_part(extra: dict[str, Any], partition: Partition, part: str, params: Tree) -> dict[str, Any]:
    """The functions of all parameters as functions of a part of them, the others staying where they are."""
    own = dict(extra)
    for name in ("value_fn", "residual_fn"):
        if (function := extra.get(name)) is not None:
            own[name] = lambda mine, function=function: function(_joined(mine, params))
    if (value_and_grad := extra.get("value_and_grad")) is not None:
        def on_part(mine: Tree) -> tuple[Any, Tree]:
            value, grads = value_and_grad(_joined(mine, params))
            return value, partition._of(part, grads, params)

        own["value_and_grad"] = on_part
    return own


def _joined(part: Tree, whole: Tree) -> Tree:
    """The whole with a part's leaves in their places."""
    return jax.tree.map(lambda new, old: old if new is None else new, part, whole, is_leaf=lambda leaf: leaf is None)


def _nothing(leaf: Array) -> Any:
    return namespace(leaf).zeros_like(leaf)

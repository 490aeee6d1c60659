"""What changes an optimizer, and is one: the gradients before it, the updates after it, or when it steps."""

from typing import Any, NamedTuple

from descend._tree import Tree
from descend.optimizers._optimizer import Optimizer, Point


class ModifierState(NamedTuple):
    """The state of the optimizer that is modified, and what the modifier remembers, by name."""

    rule: Any
    own: dict[str, Any]


class Modifier(Optimizer):
    """An optimizer around another: whatever a modifier does not change, is that of `rule`.

    A modifier gives `own_start`, what it remembers at the start, and `update`.
    """

    rule: Optimizer

    def own_start(self, params: Tree) -> dict[str, Any]:
        """What the modifier remembers before the first step, by name: scalars, or trees shaped like the parameters."""
        del params
        return {}

    def init(self, params: Tree) -> ModifierState:
        return ModifierState(self.rule.init(params), self.own_start(params))

    def eval_params(self, state: ModifierState, params: Tree) -> Tree:
        return self.rule.eval_params(state.rule, params)

    def readings(self, state: ModifierState) -> dict[str, Any]:
        return self.rule.readings(state.rule)

    def standing(self, state: ModifierState, here: Point) -> Point:
        return self.rule.standing(state.rule, here)

    def stalled(self, state: ModifierState) -> Any:
        return self.rule.stalled(state.rule)

    def stability_limit(self) -> float | None:
        return self.rule.stability_limit()

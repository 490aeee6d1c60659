"""Updates that a loss says are not to be made."""

from typing import Any

from descend._control import select, unmoved
from descend._tree import Tree
from descend.optimizers import Modifier, Optimizer
from descend.schedules import setting


@setting
class SkipUpdate(Modifier):
    """An update of which the loss tells that it is `passed_over` changes neither parameters nor the rule's state."""

    rule: Optimizer

    # Checkpoints tell of the optimizer by its repr, and go on with no other: this is the name that they know.
    def __repr__(self) -> str:
        return f"PassOver(rule={self.rule!r})"

    def step(
        self, grads: Tree, inner: Tree, own: dict[str, Any], params: Tree, extra: dict[str, Any]
    ) -> tuple[Tree, Any, dict[str, Any]]:
        # The step is made and then not used: the gradient is there in any case, as it comes with the loss that says so,
        # and a branch in the compiled program would save the rule's arithmetic alone.
        updates, after = self.rule.update(grads, inner, params, **extra)
        updates, inner = select(extra["aux"]["passed_over"], (unmoved(grads), inner), (updates, after))
        return updates, inner, own

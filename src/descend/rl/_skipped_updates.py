"""Updates that a loss says are not to be made."""

from typing import Any

from descend._tree import Tree
from descend.optimizers._control import select, unmoved
from descend.optimizers._modifier import Modifier, Own, Wrapped
from descend.optimizers._rule import rule as setting


@setting
class SkipUpdate(Modifier):
    """An update of which the loss tells that it is `passed_over` changes neither parameters nor the rule's state."""

    rule: Wrapped

    # Checkpoints tell of the optimizer by its repr, and go on with no other: this is the name that they know.
    def __repr__(self) -> str:
        return f"PassOver(rule={self.rule!r})"

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        # The step is made and then not used: the gradient is there in any case, as it comes with the loss that says so,
        # and a branch in the compiled program would save the rule's arithmetic alone.
        updates, after = self.rule.update(grads, inner, params, **extra)
        updates, inner = select(extra["aux"]["passed_over"], (unmoved(grads), inner), (updates, after))
        return updates, inner, own

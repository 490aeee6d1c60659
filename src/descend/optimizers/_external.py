"""Optimizers that are not ours, in a descent."""

from typing import Any

from descend._tree import Tree
from descend.schedules import fixed, setting


@setting
class External:
    """Any object with Optax's `init` and `update`, as a constant of the compiled program.

    What it offers besides (`eval_params`, `readings`) is used as if it were a rule of ours.
    """

    transformation: Any = fixed()

    def init(self, params: Tree) -> Any:
        """The state before the first step."""
        return self.transformation.init(params)

    def update(self, grads: Tree, state: Any, params: Tree = None, **extra: Any) -> tuple[Tree, Any]:
        """The updates to add to the parameters, and the state after them."""
        return self.transformation.update(grads, state, params)

    def eval_params(self, state: Any, params: Tree) -> Tree:
        """The parameters to evaluate: its own choice, if it makes one."""
        chosen = getattr(self.transformation, "eval_params", None)
        return params if chosen is None else chosen(state, params)

    def readings(self, state: Any) -> dict[str, Any]:
        """What it reads out, if it does."""
        read = getattr(self.transformation, "readings", None)
        return {} if read is None else read(state)

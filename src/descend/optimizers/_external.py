"""Optimizers that are not ours, in a descent."""

import inspect
from typing import Any

import jax

from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._optimizer import Optimizer
from descend.schedules import fixed, setting


@setting
class External(Optimizer):
    """Any object with Optax's `init` and `update`, as a constant of the compiled program.

    One that takes extra arguments is given those by their names in Optax: `value`, `grad` and `value_fn`.
    What it offers besides (`eval_params`, `metrics`) is used as if it were a rule of ours.
    """

    transformation: Any = fixed()

    def init(self, params: Tree) -> Any:
        # As one program, instead of one for each of its operations.
        return jax.jit(self.transformation.init)(params)

    def update(self, grads: Tree, state: Any, params: Tree = None, **extra: Any) -> tuple[Tree, Any]:
        # Optax passes extra arguments to those alone that say they take some; the others would refuse them.
        kinds = {parameter.kind for parameter in inspect.signature(self.transformation.update).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return self.transformation.update(grads, state, params)
        known = {name: extra[name] for name in ("value", "value_fn") if name in extra}
        return self.transformation.update(grads, state, params, grad=grads, **known)

    def eval_params(self, state: Any, params: Tree) -> Tree:
        chosen = getattr(self.transformation, "eval_params", None)
        return params if chosen is None else chosen(state, params)

    def metrics(self, state: Any) -> dict[str, Any]:
        read = getattr(self.transformation, "metrics", None)
        return {} if read is None else read(state)


def as_optimizer(optimizer: Any) -> Optimizer:
    """An optimizer of ours, one of the family by its name (with all its defaults), or one that is wrapped as such.

    **Raises** `InputError` if it is none.
    """
    if isinstance(optimizer, str):
        # Imported here, because it imports this module.
        from descend.optimizers._family import named

        return named(optimizer)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")) or isinstance(optimizer, type):
        raise InputError(f"optimizer must be a rule such as Adam(0.001), its name, or 'auto', but is {optimizer!r}")
    return optimizer if isinstance(optimizer, Optimizer) else External(optimizer)

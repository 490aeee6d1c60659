"""What every optimizer promises: Optax's protocol, and what a descent must be able to ask besides."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import jax
import numpy as np

from descend._arrays import is_array
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._masters import METHODS, with_masters
from descend.optimizers._sums import as_sum
from descend.schedules import Schedule

Kind = TypeVar("Kind", bound="Optimizer")


class Iterate(NamedTuple):
    """A point that a descent comes to: parameters, with the loss and its gradient there."""

    params: Tree
    value: Any
    grads: Tree


class Optimizer:
    """How parameters are moved: `θ ← θ + u`, with updates `u` from gradients and from what is remembered.

    An optimizer is a frozen dataclass, so that its `repr` is its settings, and a pytree whose leaves are its numbers.
    `init` and `update` are Optax's protocol: updates are *added* to the parameters. Those of half precision are stepped
    in float32, and what is added to them is how their rounding moves; see `_masters`.
    """

    # Its loss must be smooth then, so that parameters may not be of few digits.
    solves_equations: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        # Wrapped where they are defined, so that the outermost optimizer alone meets half precision: it hands float32
        # on.
        for name in METHODS:
            if name in vars(cls):
                setattr(cls, name, with_masters(name, vars(cls)[name]))

    def init(self, params: Tree) -> Any:
        """The state before the first step.

        **Raises** `InputError` for parameters that cannot be moved: none at all, integers, complex numbers.
        """
        raise NotImplementedError

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, Any]:
        """The updates to add to the parameters, and the state after them.

        `extra` is what else a descent knows, for the optimizers that need it: `value`, the loss; `aux`, what the loss
        returned besides; `value_fn` and `value_and_grad`, functions of other parameters, on the same batch; and
        `residual_fn`, the residuals of a sum of squares, one vector.

        **Raises** `InputError` if gradients, parameters and state do not belong together.
        """
        raise NotImplementedError

    def eval_params(self, state: Tree, params: Tree) -> Tree:
        """The parameters to evaluate, save and return: the average, for rules that keep one."""
        del state
        return params

    def metrics(self, state: Tree) -> dict[str, Any]:
        """What the last step used, by name, for the trace: scalars, among them the learning rate."""
        del state
        return {}

    def accepted_iterate(self, state: Tree, here: Iterate) -> Iterate:
        """The iterate that a descent is judged by: `here`, where the gradient was taken; for a line search, which takes
        gradients at trial points too, the last that it accepted."""
        del state
        return here

    def rates(self, state: Tree, params: Tree) -> Tree:
        """The learning rate that the last step used for each parameter; `None` for those that are not stepped.

        **Raises** `InputError` for an optimizer that reads out none.
        """
        read = self.metrics(state)
        if "learning_rate" not in read:
            raise InputError(f"{type(self).__name__} does not tell its learning rate, by which weight decay is "
                             "multiplied: use decoupled=False")
        return jax.tree.map(lambda _: read["learning_rate"], params)

    def stalled(self, state: Tree) -> Any:
        """Whether no further step can lower the loss; only a line search can know."""
        del state
        return False

    def expected_fall(self, state: Tree) -> Any:
        """By how much the loss may still fall, as the rule's model of it has it; only a search has one."""
        del state
        return math.inf

    def free(self, state: Tree, params: Tree) -> Tree:
        """Which of the parameters it can move from here: a tree of flags like them."""
        del state
        return jax.tree.map(lambda p: np.ones(np.shape(p), bool), params)

    def feasible(self, params: Tree) -> Tree:
        """The nearest parameters that are allowed: these, for all that know of no bounds."""
        return params

    def skipped_update(self, state: Tree) -> Any:
        """Whether the last step was left out because a number was not finite, so that a descent may go on."""
        del state
        return False

    def stability_limit(self) -> float | None:
        """The largest learning rate × curvature at which the rule converges on a quadratic, or `None` if theory
        gives none. For rules with a preconditioner, the curvature is that of the preconditioned problem."""
        return None

    def preconditioner(self, state: Tree, params: Tree) -> Tree | None:
        """What the rule now divides its steps by, D, a number for each parameter: the curvature that its
        `stability_limit` is about is that of `D^−½ H D^−½`. 1 for rules that divide by nothing; `None` where it is no
        such number, or depends on more than what is remembered."""
        del state, params
        return None

    def over(self, steps: int | None) -> "Optimizer":
        """This optimizer for a descent of `steps` steps: fills in a schedule's length that was left open."""
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # every concrete optimizer is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, Schedule | Optimizer):
                changes[field.name] = value.over(steps)
        return dataclasses.replace(self, **changes) if changes else self  # type: ignore[type-var]


class MissingExtraError(InputError):
    """An optimizer, `owner`, was not given one of `update`'s extra arguments, `what` it needs."""

    def __init__(self, owner: str, name: str) -> None:
        self.owner, self.what = owner, NEEDS[name]
        super().__init__(f"{owner} needs {self.what}: update(grads, state, params, {name}=...)")


def needed(optimizer: Optimizer, extra: dict[str, Any], name: str) -> Any:
    """One of `update`'s extra arguments.

    **Raises** `MissingExtraError` if it was not given.
    """
    if extra.get(name) is None:
        raise MissingExtraError(type(optimizer).__name__, name)
    return extra[name]


NEEDS = {
    "value": "the loss",
    "aux": "what the loss returned besides its value",
    "value_fn": "the loss as a function of the parameters",
    "residual_fn": "the residuals as a function of the parameters (descend.least_squares brings them)",
    "value_and_grad": "a function from parameters to the loss and its gradient",
}

Function = Callable[[Tree], Any]


def suited(optimizer: Kind, params: list[Any]) -> Kind:
    """The optimizer, with the settings that are arrays in the dtype of sums over the parameters.

    Python's numbers take the dtype of what they meet, also in a program that is compiled for any of them. An array,
    such as one of many that `vmap` goes through, would promote it instead.
    """
    arrays = {name: as_sum(value, params) for name, value in vars(optimizer).items()
              if is_array(value) and not getattr(value, "weak_type", False)}
    return changed(optimizer, arrays) if arrays else optimizer


def changed(optimizer: Kind, attributes: dict[str, Any]) -> Kind:
    """A copy with other attributes, unchecked: `dataclasses.replace` for use within a step."""
    # Past the constructor, whose checks look at values, which a traced number does not have.
    made = object.__new__(type(optimizer))
    vars(made).update(vars(optimizer) | attributes)
    return made

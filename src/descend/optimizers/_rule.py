"""The contract of an update rule, and what all rules share."""

import dataclasses
import math
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import jax
import numpy as np

from descend._arrays import namespace
from descend._tree import Tree, named_leaves
from descend.errors import InputError
from descend.schedules import Rate, Schedule, as_schedule, fixed, setting

R = TypeVar("R")
Slots = tuple[Any, ...]  # one array for each of a rule's slots, each shaped like the parameter


class RuleState(NamedTuple):
    """What a rule remembers: how many steps it made, and per slot a tree shaped like the parameters."""

    count: Any
    slots: dict[str, Tree]


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, fixed))
def rule(cls: type[R]) -> type[R]:
    """A frozen dataclass of settings; the learning rate alone may change without compiling again."""
    return setting(cls)


class Rule:
    """An update rule `θ ← θ + u(∇J(θ), state)`, written once for NumPy, JAX and PyTorch arrays.

    A rule is a frozen dataclass, so that its `repr` is its settings. It gives the names of its `slots` (arrays
    shaped like the parameter, zero at the start) and `leaf`, the mathematics for one array; the rest is here.
    The protocol `init`/`update` is Optax's: updates are *added* to the parameters.
    """

    learning_rate: Rate | Schedule

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered per parameter, in the order in which `leaf` takes them."""
        return ()

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        """One array's update and its new slots, from gradient `g`, parameter `p`, step number `t` (from 1)
        and learning rate `lr`, the last two as scalars of the array's own kind and dtype."""
        raise NotImplementedError

    def init(self, params: Tree) -> RuleState:
        """The state before the first step.

        **Raises** `InputError` for parameters without a single array.
        """
        leaves = jax.tree.leaves(params)
        if not leaves:
            raise InputError(f"{type(self).__name__} has nothing to step: the parameters are an empty tree")
        count = namespace(leaves[0]).zeros((), dtype=namespace(leaves[0]).int32)
        return RuleState(count, {name: jax.tree.map(self.slot_start(name), params) for name in self.slots})

    def slot_start(self, name: str) -> Any:
        """The function that makes a slot's first value from the parameter: zeros."""
        del name
        return _zeros_like

    def update(self, grads: Tree, state: RuleState, params: Tree = None, **extra: Any) -> tuple[Tree, RuleState]:
        """The updates to add to the parameters, and the state after them.

        `extra`: what the engine knows besides (`value`, the loss, and `batch`); most rules need none of it.

        **Raises** `InputError` if gradients, parameters and state differ in structure.
        """
        del extra
        params = grads if params is None else params
        treedef: Any = jax.tree.structure(grads)
        self._check(treedef, params, state)
        lr = as_schedule(self.learning_rate)(state.count)
        count = state.count + 1
        columns = [jax.tree.leaves(tree) for tree in (grads, params, *(state.slots[name] for name in self.slots))]
        stepped = [
            self.leaf(g, p, tuple(slots), _scalar(count, g), _scalar(lr, g))
            for g, p, *slots in zip(*columns, strict=True)
        ]
        updates = treedef.unflatten([u for u, _ in stepped])
        slots = {name: treedef.unflatten([new[i] for _, new in stepped]) for i, name in enumerate(self.slots)}
        return updates, RuleState(count, slots)

    def eval_params(self, state: RuleState, params: Tree) -> Tree:
        """The parameters to evaluate, save and return: the average, for rules that keep one."""
        del state
        return params

    def readings(self, state: RuleState) -> dict[str, Any]:
        """What the next step will use, by name, for the trace: its learning rate."""
        return {"learning_rate": as_schedule(self.learning_rate)(state.count)}

    def stability_limit(self) -> float | None:
        """The largest learning rate × curvature at which the rule converges on a quadratic, or `None` if theory
        gives none. For rules with a preconditioner, the curvature is that of the preconditioned problem."""
        return None

    def over(self, steps: int | None) -> "Rule":
        """This rule for a descent of `steps` steps: fills in a schedule's length that was left open."""
        if not isinstance(self.learning_rate, Schedule):
            return self
        changes: dict[str, Any] = {"learning_rate": self.learning_rate.over(steps)}
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # every concrete rule is a dataclass

    def _check(self, treedef: Any, params: Tree, state: RuleState) -> None:
        if set(state.slots) != set(self.slots):
            raise InputError(f"{type(self).__name__} keeps {list(self.slots)}, but this state holds "
                             f"{list(state.slots)}: it belongs to another rule")
        for what, tree in (("parameters", params), *state.slots.items()):
            if jax.tree.structure(tree) != treedef:
                grads = treedef.unflatten(range(treedef.num_leaves))
                differ = set(named_leaves(grads)) ^ set(named_leaves(tree))
                raise InputError(f"gradients and {what} differ in structure" +
                                 (f", at {', '.join(sorted(differ)[:5])}" if differ else ""))


def require(rule: Rule, **ranges: tuple[float, float]) -> None:
    """Refuse settings outside `[low, high)`.

    A setting that is no plain number (a schedule, an array that is being traced) is left to its user.
    """
    for name, (low, high) in ranges.items():
        value = getattr(rule, name)
        if isinstance(value, (int, float, np.floating)) and not low <= float(value) < high:
            raise InputError(f"{type(rule).__name__}: {name} must be at least {low:g} and below {high:g}, "
                             f"but is {value}")


POSITIVE = (0.0, math.inf)
FRACTION = (0.0, 1.0)


def bias_correction(beta: float, t: Any) -> Any:
    """`1 − β^t`, without the cancellation that costs float32 four digits at the first steps."""
    return 1.0 if beta == 0 else -namespace(t).expm1(t * math.log(beta))


def _zeros_like(p: Any) -> Any:
    return namespace(p).zeros_like(p)


def _scalar(value: Any, like: Any) -> Any:
    """`value` in the array's own kind and dtype, so that a float32 array is not promoted by a float64 scalar."""
    return namespace(like).asarray(value, dtype=like.dtype)

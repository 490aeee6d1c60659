"""The contract of an update rule whose mathematics is that of one array, and what all such rules share."""

import dataclasses
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

import jax

from descend._arrays import Array, Scalar, as_scalar, is_array, log, namespace
from descend._checks import refuse_misfits, refuse_other_shapes, refuse_other_structure, refuse_unmovable
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._optimizer import Optimizer, changed, suited
from descend.schedules import Rate, Schedule, as_schedule, fixed, setting, switched

R = TypeVar("R")
# The attribute of a rule that keeps results during a step.
KNOWN = "_known"
# What is remembered of one array: a value for each of a rule's slots.
Slots = tuple[Any, ...]
# An array's gradient, the parameter, and what is remembered of it.
Leaf = tuple[Any, Any, Slots]


class RuleState(NamedTuple):
    """What a rule remembers: how many steps it made, per slot a tree of arrays, and the scalars that all share."""

    count: Any
    slots: dict[str, Tree]
    shared: dict[str, Any]


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, fixed, switched))
def rule(cls: type[R]) -> type[R]:
    """A frozen dataclass of settings, whose numbers are leaves of a pytree: they may change without compiling again.

    What is declared with `fixed` (choices, counts), and a number that is `switched` off, is part of the structure.
    """
    return setting(cls)


class Rule(Optimizer):
    """An update rule `θ ← θ + u(∇J(θ), state)`, written once for NumPy, JAX and PyTorch arrays.

    A rule gives the names of its `slots` (what it remembers of each parameter) and `update_parameter`, the mathematics
    for one array. One whose arrays must know of each other also gives `shared_start` and `reduce`, from which
    `update_parameter` takes scalars by name. The rest is here.
    """

    learning_rate: Rate | Schedule
    # Whether the mathematics uses the parameter, which Optax's protocol may leave out.
    needs_params: ClassVar[bool] = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what is remembered of each parameter, in the order in which `update_parameter` takes them."""
        return ()

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, *_: Any, **shared: Any
    ) -> tuple[Any, Slots]:
        """One array's update and its new slots, from gradient `g`, parameter `p`, step number `t` (from 1),
        learning rate `lr` and the shared scalars, all of these of the array's own kind and dtype."""
        raise NotImplementedError

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        """The shared scalars of this step, reduced over all arrays, from those of the step before."""
        del leaves, t, lr
        return shared

    def extra_scalars(self, extra: dict[str, Any]) -> dict[str, Any]:
        """What `reduce` is given of `update`'s extra arguments, among the shared scalars."""
        del extra
        return {}

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        """What one array's steps are divided by, as remembered after step `t`; see `preconditioner`."""
        del p, slots, t
        return None

    def slot_start(self, name: str) -> Any:
        """The function that makes a slot's first value from the parameter: zeros."""
        del name
        return _zeros_like

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        """The shared scalars before the first step."""
        del params
        return {}

    def init(self, params: Tree) -> RuleState:
        refuse_unmovable(type(self).__name__, params)
        leaves = jax.tree.leaves(params)
        count = namespace(leaves[0]).zeros((), dtype=namespace(leaves[0]).int32)
        slots = {name: jax.tree.map(self.slot_start(name), params) for name in self.slots}
        return RuleState(count, slots, self.shared_start(leaves))

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, RuleState]:
        if params is None and self.needs_params:
            raise InputError(f"{type(self).__name__} needs the parameters, too: update(grads, state, params)")
        params = grads if params is None else params
        refuse_misfits(grads, params)
        columns = self._columns(grads, state)
        gradients = jax.tree.leaves(grads)
        leaves = list(zip(gradients, jax.tree.leaves(params), columns, strict=True))
        # Schedules count steps from 0, papers and their corrections from 1.
        lr, t = as_schedule(self.learning_rate)(state.count), state.count + 1
        own = suited(self, gradients)
        # A copy that keeps what is calculated `once`. On the rule itself, results would outlive the step, and other
        # threads would see them.
        known = changed(own, {KNOWN: {}})
        updates, stepped, shared = known._update_what_is_there(leaves, state.shared | self.extra_scalars(extra), t, lr)
        if own is not self:
            # Settings that are arrays promote arrays of half precision: back to their own dtype.
            updates, stepped = jax.tree.map(as_scalar, (updates, stepped), (gradients, columns))
        # Broadcasting would hide that a state is of other parameters: its arrays would grow, and the numbers be
        # nonsense.
        refuse_other_shapes(type(self).__name__, columns, stepped)
        treedef: Any = jax.tree.structure(grads)
        slots = {name: treedef.unflatten([new[i] for new in stepped]) for i, name in enumerate(self.slots)}
        return treedef.unflatten(updates), RuleState(state.count + 1, slots, shared)

    def update_parameters(
        self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar
    ) -> tuple[list[Any], list[Slots], dict[str, Any]]:
        """All arrays' updates and new slots, and the new shared scalars: `update` on lists of arrays, unchecked."""
        shared = self.reduce(leaves, shared, t, lr)
        updates, slots, scalars = [], [], {}
        for g, p, remembered in leaves:
            # Scalars are made once for each dtype, not for each array: every one of them is an operation more to
            # compile.
            kind = namespace(g), g.dtype
            if kind not in scalars:
                by_name = {name: as_scalar(value, g) for name, value in shared.items()}
                scalars[kind] = as_scalar(t, g), as_scalar(lr, g), by_name
            count, rate, by_name = scalars[kind]
            u, new = self.update_parameter(g, p, remembered, count, rate, **by_name)
            updates.append(u)
            slots.append(new)
        return updates, slots, shared

    def _update_what_is_there(
        self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar
    ) -> tuple[list[Any], list[Slots], dict[str, Any]]:
        """`update_parameters` for the arrays that have elements; there is nothing to step in those that have none."""
        # A mean over no elements is 0/0, and some functions refuse arrays without any.
        there = [leaf for leaf in leaves if math.prod(leaf[0].shape)]
        if not there:
            return [g for g, _, _ in leaves], [slots for _, _, slots in leaves], shared
        moved, slots, shared = self.update_parameters(there, shared, t, lr)
        if len(there) == len(leaves):
            return moved, slots, shared
        stepped = iter(zip(moved, slots, strict=True))
        each = [next(stepped) if math.prod(g.shape) else (g, remembered) for g, _, remembered in leaves]
        return [u for u, _ in each], [new for _, new in each], shared

    def metrics(self, state: RuleState) -> dict[str, Any]:
        # The last step was made with the count before it. Before the first step, the first step's rate is told.
        last = namespace(state.count).clip(state.count - 1, 0, None)
        return {"learning_rate": as_schedule(self.learning_rate)(last)}

    def preconditioner(self, state: RuleState, params: Tree) -> Tree | None:
        leaves, columns = jax.tree.leaves(params), self._columns(params, state)
        own = suited(self, leaves)
        divisors = [own.divisor(p, slots, as_scalar(state.count, p)) for p, slots in zip(leaves, columns, strict=True)]
        treedef: Any = jax.tree.structure(params)
        return None if any(divisor is None for divisor in divisors) else treedef.unflatten(divisors)

    def _columns(self, grads: Tree, state: Tree) -> list[Slots]:
        """What is remembered of each array; refused if it is another rule's, or of other parameters."""
        kept = getattr(state, "slots", None)
        if kept is None or set(kept) != set(self.slots):
            held = type(state).__name__ if kept is None else list(kept)
            raise InputError(f"{type(self).__name__} keeps {list(self.slots)}, but this state holds "
                             f"{held}: it belongs to another rule")
        by_slot = [refuse_other_structure(grads, kept[name], name) for name in self.slots]
        return list(zip(*by_slot, strict=True)) if by_slot else [()] * len(jax.tree.leaves(grads))


def once(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A method of the step number alone, whose result is the same for all arrays of a dtype: it is calculated once.

    If it were calculated for each, a program would take longer to compile, and in a loop of steps be slower: XLA moves
    what does not depend on the step out of the loop, and no longer sees then that the rest is the same for all.
    """

    @wraps(method)
    def known(self: Any, t: Array) -> Any:
        results = vars(self).get(KNOWN)
        if results is None:
            # It is called outside of `update`, where nothing is kept.
            return method(self, t)
        if (method, id(t)) not in results:
            # Kept with `t` itself, so that no other object can get its id.
            results[method, id(t)] = t, method(self, t)
        return results[method, id(t)][1]

    return known


def bias_correction(beta: Scalar, t: Array) -> Any:
    """`1 − β^t`, without the cancellation that costs float32 four digits at the first steps."""
    if not is_array(beta) and beta == 0:
        return 1.0
    exponent = t * log(beta)
    return -namespace(exponent).expm1(exponent)


def copy_of(p: Array) -> Any:
    """The parameter as an array of its own: the first value of a slot that begins there."""
    return namespace(p).asarray(p, copy=True)


def _zeros_like(p: Array) -> Any:
    return namespace(p).zeros_like(p)

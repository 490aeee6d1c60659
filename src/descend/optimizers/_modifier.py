"""What changes an optimizer, and is one: the gradients before it, the updates after it, or when it steps."""

from typing import Any, ClassVar, NamedTuple

import jax

from descend._arrays import Array, Scalar, namespace
from descend._checks import refuse_misfits
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._optimizer import Iterate, Optimizer
from descend.optimizers._search import Search

# What a modifier remembers, by name.
Own = dict[str, Any]
# An optimizer of ours; all else is refused, with a hint.
Wrapped = Optimizer | Any


class ModifierState(NamedTuple):
    """The state of the optimizer that is modified, and what the modifier remembers, by name."""

    rule: Any
    own: Own


class Modifier(Optimizer):
    """An optimizer around another: whatever a modifier does not change, is that of `rule`.

    A modifier gives `own_start`, what it remembers at the start, and `step`.
    """

    rule: Wrapped
    # Whether `step` uses the parameters, which Optax's protocol may leave out.
    needs_params: ClassVar[bool] = False

    def __post_init__(self) -> None:
        refuse_foreign(type(self).__name__, self.rule)
        refuse_searches(type(self).__name__, self.rule)

    def own_start(self, params: Tree) -> Own:
        """What the modifier remembers before the first step, by name: scalars, or trees shaped like the parameters."""
        del params
        return {}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        """The updates, the state of `rule`, and what the modifier remembers, after a step from the latter two."""
        raise NotImplementedError

    def init(self, params: Tree) -> ModifierState:
        return ModifierState(self.rule.init(params), self.own_start(params))

    def update(self, grads: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, ModifierState]:
        name = type(self).__name__
        if not isinstance(state, ModifierState):
            raise InputError(f"{name} wraps a {type(self.rule).__name__}, but this state is of type "
                             f"{type(state).__name__}: it belongs to another optimizer")
        if self.needs_params:
            if params is None:
                raise InputError(f"{name} needs the parameters, too: update(grads, state, params)")
            refuse_misfits(grads, params)
        updates, inner, own = self.step(grads, state.rule, state.own, params, extra)
        return updates, ModifierState(inner, own)

    def eval_params(self, state: ModifierState, params: Tree) -> Tree:
        return self.rule.eval_params(state.rule, params)

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return self.rule.metrics(state.rule)

    def accepted_iterate(self, state: ModifierState, here: Iterate) -> Iterate:
        return self.rule.accepted_iterate(state.rule, here)

    def rates(self, state: ModifierState, params: Tree) -> Tree:
        return self.rule.rates(state.rule, params)

    def stalled(self, state: ModifierState) -> Any:
        return self.rule.stalled(state.rule)

    def expected_fall(self, state: ModifierState) -> Any:
        return self.rule.expected_fall(state.rule)

    def free(self, state: ModifierState, params: Tree) -> Tree:
        return self.rule.free(state.rule, params)

    def feasible(self, params: Tree) -> Tree:
        return self.rule.feasible(params)

    def skipped_update(self, state: ModifierState) -> Any:
        return self.rule.skipped_update(state.rule)

    def stability_limit(self) -> float | None:
        return self.rule.stability_limit()

    def preconditioner(self, state: ModifierState, params: Tree) -> Tree | None:
        return self.rule.preconditioner(state.rule, params)


def refuse_foreign(name: str, optimizer: Any) -> None:
    """Refuse what is no optimizer of ours."""
    if not isinstance(optimizer, Optimizer):
        foreign = hasattr(optimizer, "init") and hasattr(optimizer, "update") and not isinstance(optimizer, type)
        hint = f"wrap it, {name}(External(...), ...)" if foreign else f"write {name}(SGD(0.1), ...)"
        raise InputError(f"{name} takes an optimizer of descend's, but this is a {type(optimizer).__name__}: {hint}")


def refuse_searches(name: str, optimizer: Any) -> None:
    """Refuse line searches: they need the loss's own gradients, and to go where they want to."""
    inside = jax.tree.leaves(optimizer, is_leaf=_is_search)
    if (search := next(filter(_is_search, inside), None)) is not None:
        raise InputError(f"{name} cannot change {type(search).__name__}: a line search evaluates trial points, whose "
                         "gradients and steps must stay as they are; use it alone, or take another optimizer")


def scalar(params: Tree, value: Scalar, kind: str | None = None) -> Any:
    """A number in the parameters' array world: of dtype `kind`, or of the first array's, at least float32."""
    leaf = jax.tree.leaves(params)[0]
    xp = namespace(leaf)
    return xp.asarray(value, dtype=getattr(xp, kind) if kind else wide_dtype(leaf))


def wide_dtype(array: Array) -> Any:
    """The array's dtype, or float32 for a floating-point type with fewer bits."""
    narrow = "float" in str(array.dtype) and array.dtype.itemsize < 4
    return namespace(array).float32 if narrow else array.dtype


def _is_search(node: object) -> bool:
    return isinstance(node, Search)

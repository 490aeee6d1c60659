"""Quasi-Newton steps within bounds."""

import math
from functools import reduce
from typing import Any, ClassVar

import jax
import numpy as np

from descend._arrays import Array, as_scalar, namespace
from descend._checks import refuse_half_precision
from descend._tree import Tree, is_number, named_leaves
from descend.errors import InputError
from descend.optimizers._line_search import StrongWolfe
from descend.optimizers._optimizer import Iterate
from descend.optimizers._rule import rule
from descend.optimizers._search import SearchState
from descend.optimizers._vectors import plus, tree_norm
from descend.optimizers.quasi_newton import LBFGS
from descend.schedules import Number, fixed

# In units of a parameter's rounding, by which it may miss the bound that it is at.
BOUND_ROUNDINGS = 8


@rule
class LBFGSB(LBFGS):
    """Limited-memory BFGS within bounds, `l ≤ θ ≤ u`, by projection:

        A = {i: θᵢ = lᵢ and gᵢ > 0, or θᵢ = uᵢ and gᵢ < 0}          what a bound holds back
        d = P(θ − H g) − θ,  of what is not in A                      H: as in LBFGS, of the pairs without A
        θ ← θ + λ d,  0 < λ ≤ the first bound on the way

    P sets to its bound what is beyond it, so that many bounds may be come to in one step. Where d is not downhill, it
    is P(θ − t g) − θ, that of the projected gradient. λ comes from Moré and Thuente's search.

    A descent is judged by the gradient of what no bound holds back. No loss is evaluated beyond the bounds.

    `lower`, `upper`: trees like the parameters, or numbers for all of them; infinite where there is no bound. Begin
    within them: `minimize(..., bounds=(lower, upper))` sees to it, and chooses this rule. `history`, `decrease`,
    `curvature`: as in `LBFGS`.

    >>> import numpy as np
    >>> rule, x = LBFGSB(lower=np.array([1.0, -1.0]), upper=np.inf), np.array([3.0, 3.0])
    >>> state = rule.init(x)
    >>> for _ in range(20):
    ...     update, state = rule.update(2 * x, state, x, value=x @ x)
    ...     x = x + update
    >>> rule.eval_params(state, x).round(6).tolist()
    [1.0, 0.0]

    References: Bertsekas, "Projected Newton methods for optimization problems with simple constraints", 1982; Byrd, Lu,
    Nocedal and Zhu, "A limited memory algorithm for bound constrained optimization", 1995.
    """

    solves_equations: ClassVar[bool] = True

    history: int = fixed(default=10)
    decrease: Number = 1e-4
    curvature: Number = 0.9
    lower: Any = -np.inf
    upper: Any = np.inf

    @property
    def line_search(self) -> StrongWolfe:
        return StrongWolfe(self.decrease, self.curvature)

    def feasible(self, params: Tree) -> Tree:
        refuse_half_precision("LBFGSB", params)
        return jax.tree.map(_clipped, params, *self._bounds(params))

    def free(self, state: SearchState, params: Tree) -> Tree:
        return self._free(state.here._replace(params=params))

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        # 1. The active set A: what a bound holds back is no variable here.
        free = self._free(there)
        masked = there._replace(grads=_masked(free, there.grads))
        # 2. The pairs without A. What they tell of held variables would be mixed into the free ones.
        pairs = {name: jax.tree.map(lambda f, x: as_scalar(f, x) * x, free, memory[name]) for name in ("s", "y")}
        pairs["rho"] = _products(pairs, memory["rho"])
        direction, steepest = super().direction_at(state, masked, memory | pairs, extra)
        # 3. Projected as a whole, so that many bounds may be come to at once. One at a time would take a step for each.
        target = self.feasible(plus(there.params, 1, _masked(free, direction)))
        return plus(target, -1, there.params), steepest

    def steepest_descent(self, state: SearchState) -> Tree:
        here, records = state.here, state.records
        length = records.moved / (tree_norm(here.grads) + as_scalar(float(np.finfo(np.float32).tiny), records.moved))
        return plus(self.feasible(plus(here.params, -length, here.grads)), -1, here.params)

    def max_step(self, here: Iterate, direction: Tree) -> Any:
        unbounded = super().max_step(here, direction)
        # The line ends at the first bound on the way: beyond it the loss may not even be defined.
        ways = jax.tree.map(_way, here.params, direction, *self._bounds(here.params))
        to_bounds = [as_scalar(way.min(), unbounded) for way in jax.tree.leaves(ways) if math.prod(way.shape)]
        return reduce(namespace(unbounded).minimum, to_bounds, unbounded)

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        # The direction is as long as the step: it ends where the projection does.
        return 0 * unit + 1

    def accepted_iterate(self, state: SearchState, here: Iterate) -> Iterate:
        stand = super().accepted_iterate(state, here)
        return stand._replace(grads=_masked(self._free(stand), stand.grads))

    def refuse_empty(self, params: Tree) -> None:
        """Refuse bounds between which there is nothing.

        **Raises** `InputError` also for bounds that are not like the parameters.
        """
        lowers, uppers = map(named_leaves, self._bounds(params))
        for name, lower in lowers.items():
            if not (np.asarray(lower) <= np.asarray(uppers[name])).all():
                raise InputError(f"the lower bound of '{name}' is above the upper, or one of them is NaN")

    def _free(self, there: Iterate) -> Tree:
        """What no bound holds back."""
        return jax.tree.map(_is_free, there.params, there.grads, *self._bounds(there.params))

    def _bounds(self, params: Tree) -> tuple[Tree, Tree]:
        return like(params, self.lower, "lower"), like(params, self.upper, "upper")


def like(params: Tree, bound: Any, name: str) -> Tree:
    """A bound as a tree like the parameters.

    **Raises** `InputError` if it is of another structure.
    """
    if is_number(bound) and np.ndim(bound) == 0:
        return jax.tree.map(lambda p: as_scalar(bound, p), params)
    try:
        return jax.tree.map(lambda p, b: namespace(p).broadcast_to(as_scalar(b, p), p.shape), params, bound)
    except (TypeError, ValueError) as error:
        raise InputError(f"the {name} bounds must be a number, or a tree like the parameters: {error}") from None


def _clipped(p: Array, lower: Array, upper: Array) -> Any:
    """p within its bounds, and at one that it misses by rounding."""
    xp = namespace(p)
    for bound in (lower, upper):
        near = BOUND_ROUNDINGS * xp.finfo(p.dtype).eps * abs(bound)
        # Of an infinite bound, neither side is less than the other, and p stays.
        p = xp.where(abs(p - bound) < near, bound, p)
    return xp.minimum(xp.maximum(p, lower), upper)


def _is_free(p: Array, g: Array, lower: Array, upper: Array) -> Any:
    return ~(((p <= lower) & (g > 0)) | ((p >= upper) & (g < 0)))


def _way(p: Array, d: Array, lower: Array, upper: Array) -> Any:
    """How far the bound is that a step in the direction comes to, as a factor of it."""
    xp = namespace(p)
    bound = xp.where(d < 0, lower, upper)
    with np.errstate(all="ignore"):
        return xp.where(d == 0, xp.inf, (bound - p) / xp.where(d == 0, 1, d))


def _masked(free: Tree, tree: Tree) -> Tree:
    return jax.tree.map(lambda f, x: namespace(x).where(f, x, 0), free, tree)


def _products(pairs: dict[str, Any], rho: Array) -> Any:
    """1 / sᵀy of the pairs that are left, 0 for those that are none any more."""
    s, y = jax.tree.leaves(pairs["s"]), jax.tree.leaves(pairs["y"])
    xp, m = namespace(rho), len(rho)
    rows = lambda x: x.reshape(m, -1)
    product = sum(as_scalar((rows(a) * rows(b)).sum(1), rho) for a, b in zip(s, y, strict=True))
    sizes = [sum(as_scalar((rows(x) ** 2).sum(1), rho) for x in pair) for pair in (s, y)]
    # Without A, a pair may have no curvature left. It is dropped, as LBFGS drops those that never had any.
    curved = (rho > 0) & (product > xp.finfo(rho.dtype).eps * xp.sqrt(sizes[0] * sizes[1]))
    return xp.where(curved, 1 / xp.where(curved, product, 1), 0)

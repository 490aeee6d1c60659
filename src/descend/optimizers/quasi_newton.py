"""Quasi-Newton methods: the curvature of the loss, learnt from how its gradient changes."""

from typing import Any

import jax

from descend._arrays import Array, as_scalar, namespace
from descend._control import repeat
from descend._hyperparameters import require, require_whole
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._line_search import StrongWolfe
from descend.optimizers._optimizer import Iterate
from descend.optimizers._rule import rule
from descend.optimizers._search import Search, SearchState, newton_fall
from descend.optimizers._sums import dot
from descend.optimizers._vectors import inner, plus, times, tree_norm, zero_of
from descend.schedules import Number, fixed


# Linear models have an L-BFGS of their own (`linear/solvers/lbfgs.py`, which says more): their loss is convex, so that
# no Wolfe condition is needed; a pass over the rows gives a bound to the minimum, which a rule has no place to ask for.
@rule
class LBFGS(Search):
    """Limited-memory BFGS: Newton's method, with a Hessian made of the last steps and of what the gradient did then.

        s = θ₊ − θ, y = g₊ − g, ρ = 1 / sᵀy           for each of the last m accepted points
        q ← g;  α ← ρ sᵀq, q ← q − α y                from the newest pair to the oldest
        r ← (sᵀy / yᵀy) q;  r ← r + s (α − ρ yᵀr)     from the oldest to the newest
        θ ← θ − λ r

    λ comes from Moré and Thuente's search: 1 is tried first, and what is accepted fulfils Wolfe's strong conditions

        f(θ₊) ≤ f(θ) + c₁ λ gᵀd        |g₊ᵀd| ≤ c₂ |gᵀd|        d = −r

    For losses without noise: functions, or all of the data at each step. A step of a descent is one evaluation of loss
    and gradient, be it at a trial that is not accepted; about one is needed for each accepted point.

    `history`: m, for which 3 to 20 are usual; it takes 2m arrays of the parameters' size (SciPy 10, PyTorch 100).
    `decrease`: c₁ (SciPy .001). `curvature`: c₂, less for more exact searches. The first step has length 1. There is no
    learning rate, and no limit of stability: a search does not diverge. Metrics: `effective_step` is λ.

    >>> import numpy as np
    >>> rule, curvature = LBFGS(), np.array([1.0, 10.0, 100.0])
    >>> x = np.ones(3)
    >>> state = rule.init(x)
    >>> for _ in range(20):
    ...     update, state = rule.update(curvature * x, state, x, value=curvature @ x**2 / 2)
    ...     x = x + update
    >>> bool(abs(rule.eval_params(state, x)).max() < 1e-6)
    True

    References: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Moré and
    Thuente, "Line search algorithms with guaranteed sufficient decrease", 1994.
    """

    history: int = fixed(default=10)
    decrease: Number = 1e-4
    curvature: Number = 0.9
    remembers = ("s", "y", "rho", "newest")

    def __post_init__(self) -> None:
        require_whole(self, history=1)
        require(self, decrease=(0.0, 0.5), curvature=(self.decrease, 1.0))

    @property
    def line_search(self) -> StrongWolfe:
        return StrongWolfe(self.decrease, self.curvature)

    def initial_memory(self, params: Tree) -> dict[str, Any]:
        """Pairs, in a ring whose newest is at `newest`; those that are not there have ρ = 0, and change nothing."""

        def ring(p: Array) -> Any:
            return namespace(p).zeros((self.history, *p.shape), dtype=p.dtype)

        zero = zero_of(params)
        xp = namespace(zero)
        rho, newest = xp.zeros((self.history,), dtype=zero.dtype), xp.zeros((), dtype=xp.int32)
        return {"s": jax.tree.map(ring, params), "y": jax.tree.map(ring, params), "rho": rho, "newest": newest}

    def updated_memory(self, state: SearchState, there: Iterate, accepted: Array) -> dict[str, Any]:
        memory, scale = state.memory, state.records.scale
        s = plus(there.params, -1, state.here.params)
        y = times(scale, plus(there.grads, -1, state.here.grads))
        sy = inner(s, y)
        # A pair without curvature would make H indefinite. Wolfe's conditions rule it out, but for rounding and for
        # searches that ended early.
        curved = sy > namespace(sy).finfo(sy.dtype).eps * tree_norm(s) * tree_norm(y)
        keeps = accepted & curved & (state.accepted > 0)
        newest = namespace(sy).where(keeps, (memory["newest"] + 1) % self.history, memory["newest"])
        pair, rings = {"s": s, "y": y, "rho": 1 / sy}, {name: memory[name] for name in self.remembers[:3]}
        return jax.tree.map(lambda x, ring: _put(x, ring, newest, keeps), pair, rings) | {"newest": newest}

    def cleared_memory(self, memory: dict[str, Any], all_of_it: Array) -> dict[str, Any]:
        return memory | {"rho": namespace(memory["rho"]).where(all_of_it, 0, memory["rho"])}

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        s, y = jax.tree.leaves(memory["s"]), jax.tree.leaves(memory["y"])
        rho, newest, m = memory["rho"], memory["newest"], self.history
        xp = namespace(rho)

        def back(carry: Tree) -> Any:
            k, q, alphas = carry
            i = (newest - k) % m
            alpha = rho[i] * dot([x[i] for x in s], q)
            return k + 1, plus(q, -alpha, [x[i] for x in y]), xp.where(xp.arange(m) == i, alpha, alphas)

        def forth(carry: Tree) -> Any:
            k, r = carry
            i = (newest + 1 + k) % m
            beta = rho[i] * dot([x[i] for x in y], r)
            return k + 1, plus(r, alphas[i] - beta, [x[i] for x in s])

        scale, zero = state.records.scale, newest * 0
        # 1. From the newest pair to the oldest: q is g less what each pair explains.
        begin = zero, jax.tree.leaves(times(scale, there.grads)), rho * 0
        _, q, alphas = repeat(lambda carry: carry[0] < m, back, begin)
        # 2. In the place of H₀ a multiple of I, as large as the last curvature: so a length of 1 is mostly accepted.
        last = [x[newest] for x in y]
        gamma = xp.where(rho[newest] > 0, 1 / (rho[newest] * dot(last, last)), 1 / scale)
        # 3. Back from the oldest to the newest, with what each explains.
        _, r = repeat(lambda carry: carry[0] < m, forth, (zero, times(gamma, q)))
        treedef: Any = jax.tree.structure(there.params)
        return treedef.unflatten(times(-1, r)), rho[newest] == 0

    def expected_fall(self, state: SearchState) -> Any:
        return newton_fall(state)

    def refuse(self, grads: Tree, state: Tree, params: Tree) -> None:
        super().refuse(grads, state, params)
        if (pairs := len(state.memory["rho"])) != self.history:
            raise InputError(f"LBFGS remembers {self.history} pairs, but this state has {pairs}: it belongs to another")

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        # Newton's length is 1. Along the gradient alone, lengths mean nothing: as far as the last step went.
        return namespace(unit).where(steepest, unit, 1)


def _put(value: Any, ring: Array, i: Array, keeps: Array) -> Any:
    """The ring with the value at a place, or as it was."""
    value = as_scalar(value, ring)
    if isinstance(ring, jax.Array):
        # In place, where a program is compiled.
        return ring.at[i].set(namespace(ring).where(keeps, value, ring[i]))
    return namespace(ring).concatenate([ring[:i], value[None], ring[i + 1 :]]) if keeps else ring

"""Nonlinear conjugate gradients: directions that leave alone what the last one has reached."""

from typing import Any

from descend._arrays import Array, namespace
from descend._hyperparameters import require
from descend._tree import Tree
from descend.optimizers._line_search import StrongWolfe
from descend.optimizers._optimizer import Iterate
from descend.optimizers._rule import rule
from descend.optimizers._search import Search, SearchState
from descend.optimizers._vectors import inner, plus, times
from descend.schedules import Number


@rule
class NonlinearCG(Search):
    """Nonlinear conjugate gradients by Hager and Zhang's formula: the memory of a single direction.

        y = g₊ − g
        β = max((y − 2 d ‖y‖² / dᵀy)ᵀ g₊ / dᵀy, .4 gᵀd / ‖d‖²)
        d ← −g₊ + β d
        θ ← θ + λ d

    With exact searches on a quadratic it is the method of conjugate gradients, which ends after n steps. This formula,
    unlike Polak and Ribière's, gives a direction that is downhill after any search; where dᵀy ≤ 0, it begins anew
    with −g. λ is found as by `LBFGS`, which mostly needs fewer evaluations and takes 2 · 10 arrays where this takes 1.

    For losses without noise: functions, or all of the data at each step. A step of a descent is one evaluation, and
    about two are needed for each accepted point.

    `decrease`, `curvature`: c₁ and c₂ of Wolfe's conditions, as in `LBFGS`; a search that is more exact than .1 costs
    more than it gains, and one that is less exact has worse directions. The first step has length 1. There is no
    learning rate, and no limit of stability: a search does not diverge. Metrics: `effective_step` is λ.

    >>> import numpy as np
    >>> rule, curvature = NonlinearCG(), np.array([1.0, 10.0, 100.0])
    >>> x = np.ones(3)
    >>> state = rule.init(x)
    >>> for _ in range(20):
    ...     update, state = rule.update(curvature * x, state, x, value=curvature @ x**2 / 2)
    ...     x = x + update
    >>> bool(abs(rule.eval_params(state, x)).max() < 1e-6)
    True

    References: Hager and Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line search",
    2005; for the bound of β, "The limited memory conjugate gradient method", 2013.
    """

    decrease: Number = 1e-4
    curvature: Number = 0.1

    def __post_init__(self) -> None:
        require(self, decrease=(0.0, 0.5), curvature=(self.decrease, 1.0))

    @property
    def line_search(self) -> StrongWolfe:
        return StrongWolfe(self.decrease, self.curvature)

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        scale = state.records.scale
        xp = namespace(scale)
        new, old, d = (times(scale, tree) for tree in (there.grads, state.here.grads, state.direction))
        y = plus(new, -1, old)
        dy = inner(d, y)
        # Hager and Zhang's β, of gradients that are scaled: the squares of raw ones may be beyond the range of float32.
        beta = (inner(y, new) - 2 * inner(y, y) * inner(d, new) / dy) / dy
        # Bounded below, as they do it later. Without a bound, convergence is not proved where the loss is not convex.
        beta = xp.maximum(beta, 0.4 * inner(old, d) / inner(d, d))
        # Before the first step d = 0, and this is 0/0: begin with −g.
        beta = xp.where((dy > 0) & xp.isfinite(beta), beta, 0)
        return plus(times(-1, there.grads), beta, state.direction), beta == 0

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        """As long a step as to lower the loss, to first order, as much as the last one would have."""
        return namespace(unit).where(state.accepted > 0, state.line.trial * state.line.slope / slope, unit)

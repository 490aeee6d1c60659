"""Gradient descent that finds its learning rate by itself."""

from typing import Any

from descend._arrays import Array, namespace
from descend._hyperparameters import require
from descend._tree import Tree
from descend.optimizers._line_search import Armijo
from descend.optimizers._optimizer import Iterate
from descend.optimizers._rule import rule
from descend.optimizers._search import Search, SearchState
from descend.optimizers._vectors import times
from descend.schedules import Number


@rule
class Backtracking(Search):
    """Gradient descent with a learning rate that is shortened until the loss falls by enough.

        η ← γ η at each new point, then η ← ρ η until f(θ − η g) ≤ f(θ) − c₁ η ‖g‖²
        θ ← θ − η g

    For losses without noise: functions, or all of the data at each step. A step of a descent is one evaluation of loss
    and gradient, be it at a trial that is not accepted. `LBFGS` needs far fewer on all but the simplest losses.

    `decrease`: c₁; on a quadratic a rate is accepted up to 2 (1 − c₁) / curvature. One near 0 might keep a rate just
    below the limit of stability, 2 / curvature, at which the parameters go to and fro and hardly further. `shrink`: ρ.
    `grow`: γ, by which a rate may recover; with 1 it never rises. The first rate to be tried makes a step of length 1.
    There is no limit of stability: a search does not diverge. Metrics: `effective_step` is η.

    >>> import numpy as np
    >>> rule, x = Backtracking(), np.array([3.0])
    >>> state = rule.init(x)
    >>> for _ in range(20):
    ...     update, state = rule.update(2 * x, state, x, value=x @ x)
    ...     x = x + update
    >>> bool(abs(rule.eval_params(state, x)) < 1e-3)
    True

    Reference: Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966.
    """

    decrease: Number = 0.3
    shrink: Number = 0.5
    grow: Number = 2.0

    def __post_init__(self) -> None:
        require(self, decrease=(0.0, 0.5), shrink=(0.01, 1.0), grow=(1.0, float("inf")))

    @property
    def line_search(self) -> Armijo:
        return Armijo(self.decrease, self.shrink)

    def direction_at(
        self, state: SearchState, there: Iterate, memory: dict[str, Tree], extra: dict[str, Any]
    ) -> tuple[Tree, Any]:
        return times(-1, there.grads), state.steepest | True

    def first_trial(self, state: SearchState, slope: Array, steepest: Array, unit: Array) -> Any:
        # Without growth, the rate would stay as small as the steepest place on the way asked for.
        return namespace(unit).where(state.accepted > 0, self.grow * state.line.trial, unit)

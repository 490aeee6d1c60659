"""Steps by the gradient of the worst point nearby."""

import math
from collections.abc import Callable
from typing import Any

import jax

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import POSITIVE, require
from descend._tree import Tree
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar
from descend.optimizers._optimizer import needed
from descend.optimizers._rule import rule as setting
from descend.optimizers._sums import norm, ratio
from descend.schedules import Number, fixed


@setting
class SAM(Modifier):
    """Sharpness-aware minimization: the rule is given the gradient from where the loss is highest nearby.

        e = ρ g / ‖g‖                    or adaptive:  e = ρ θ² g / ‖θ g‖
        g ← ∇J(θ + e)                    on the same batch

    `radius`: ρ; the authors recommend .05, and about ten times that if adaptive. `adaptive`: distances relative to each
    parameter's size, so that rescaling layers changes nothing (ASAM).

    A step costs two gradients. It needs `value_and_grad`, as a descent gives it. The rule is given the loss at θ + e,
    and if it evaluates the loss itself, that of parameters moved by e. Metric: `sharpness`, J(θ + e) − J(θ), or NaN
    if J(θ) is not known. Freeze outside of it: parameters frozen inside are moved by e, too, to take the gradient.
    Theory gives no limit of stability: near a minimum the steps do not vanish.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule, x = SAM(SGD(0.1), radius=0.5), np.array([3.0, 4.0])
    >>> square = lambda x: (x @ x, 2 * x)
    >>> update, state = rule.update(2 * x, rule.init(x), x, value=x @ x, value_and_grad=square)
    >>> update, rule.metrics(state)["sharpness"]             # to the gradient at (3.3, 4.4)
    (array([-0.66, -0.88]), array(5.25))

    **Raises** `InputError` without `value_and_grad`.

    References: Foret et al., "Sharpness-aware minimization for efficiently improving generalization",
    arXiv 2010.01412; Kwon et al., "ASAM", arXiv 2102.11600.
    """

    rule: Wrapped
    radius: Number = 0.05
    adaptive: bool = fixed(default=False)
    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, radius=POSITIVE)

    def own_start(self, params: Tree) -> Own:
        return {"sharpness": scalar(params, 0.0)}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        offset = self._offset(grads, params)
        value, there = needed(self, extra, "value_and_grad")(jax.tree.map(_plus, params, offset))
        # What the rule evaluates itself must be the function whose gradient it is given: that around θ + e.
        known = extra | {name: _moved(extra[name], offset) for name in ("value_fn", "value_and_grad") if name in extra}
        updates, inner = self.rule.update(there, inner, params, **(known | {"value": value}))
        sharpness = value - extra["value"] if "value" in extra else math.nan
        return updates, inner, {"sharpness": as_scalar(sharpness, own["sharpness"])}

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), **state.own}

    def stability_limit(self) -> None:
        return None

    def _offset(self, grads: Tree, params: Tree) -> Tree:
        """e; where the gradient is 0, so is e."""
        sizes = jax.tree.map(lambda p: namespace(p).abs(p) if self.adaptive else 1, params)
        scaled = jax.tree.map(lambda g, size: g * size, grads, sizes)
        length = norm(jax.tree.leaves(scaled))
        factor = ratio(as_scalar(self.radius, length), length)
        return jax.tree.map(lambda g, size: g * size * as_scalar(factor, g), scaled, sizes)


def _moved(function: Callable[[Tree], Any], offset: Tree) -> Callable[[Tree], Any]:
    return lambda params: function(jax.tree.map(_plus, params, offset))


def _plus(p: Array, e: Array) -> Any:
    return p + e

"""Weight decay, for all parameters or some."""

from collections.abc import Callable
from typing import Any

import jax

from descend._arrays import Array, as_scalar
from descend._hyperparameters import POSITIVE, require
from descend._paths import Patterns, matches, refuse_unmatched
from descend._tree import Tree, named_leaves, path_name
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped
from descend.optimizers._rule import rule as setting
from descend.schedules import Number, fixed


@setting
class WeightDecay(Modifier):
    """Parameters drawn towards zero at each step:

        θ ← θ + u − η λ θ          decoupled, as AdamW does
        g ← g + λ θ                otherwise: the gradient of λ/2 ‖θ‖², as PyTorch's `weight_decay` does but in AdamW

    `decay`: λ. `where`: patterns of the paths that decay (`"*weight"`), by default all. `decoupled`: leave the
    rule's averages alone. η is the learning rate of the rule, so a schedule carries over.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = WeightDecay(SGD(0.5), 0.1, where="weight")
    >>> params = {"weight": np.array([2.0]), "bias": np.array([2.0])}
    >>> grads = {"weight": np.array([0.0]), "bias": np.array([0.0])}
    >>> updates, state = rule.update(grads, rule.init(params), params)
    >>> updates["weight"], updates["bias"]
    (array([-0.1]), array([-0.]))

    **Raises** `InputError` if a pattern fits no parameter.

    Reference: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
    """

    rule: Wrapped
    decay: Number = 0.01
    where: Patterns = fixed(default="*")
    decoupled: bool = fixed(default=True)

    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, decay=POSITIVE)

    def init(self, params: Tree) -> ModifierState:
        refuse_unmatched("WeightDecay", self.where, named_leaves(params))
        return super().init(params)

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        # Into the gradient, so that the rule's averages and divisions act on the decay, too.
        if not self.decoupled:
            return *self.rule.update(self._plus(grads, params, lambda _: self.decay), inner, params, **extra), own
        updates, inner = self.rule.update(grads, inner, params, **extra)
        # Frozen parameters have no rates, and do not decay.
        rates = named_leaves(self.rule.rates(inner, params))
        decays = {path: -self.decay * rate for path, rate in rates.items()}
        return self._plus(updates, params, decays.get), inner, own

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), "weight_decay": self.decay}

    def stability_limit(self) -> float | None:
        """That of the rule, if λ is added to the curvature; unknown for the decoupled form."""
        return None if self.decoupled else self.rule.stability_limit()

    def _plus(self, tree: Tree, params: Tree, factor: Callable[[str], Any]) -> Tree:
        """`tree + factor · params`, for the parameters that decay."""

        def decayed(path: tuple[Any, ...], leaf: Any, p: Array) -> Any:
            name = path_name(path)
            if not matches(self.where, name) or (by := factor(name)) is None:
                return leaf
            return leaf + as_scalar(by, p) * p

        return jax.tree_util.tree_map_with_path(decayed, tree, params)

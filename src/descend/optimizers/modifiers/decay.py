"""Weight decay, for all parameters or some."""

from typing import Any

import jax

from descend._arrays import as_scalar
from descend._tree import Tree, named_leaves, path_name
from descend.errors import InputError
from descend.optimizers._checks import POSITIVE, require
from descend.optimizers._modifier import Modifier, ModifierState
from descend.optimizers._optimizer import Optimizer
from descend.optimizers._paths import Patterns, matches, refuse_unmatched
from descend.optimizers._rule import rule as setting
from descend.schedules import fixed


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

    rule: Optimizer
    decay: float = fixed(default=0.01)
    where: Patterns = fixed(default="*")
    decoupled: bool = fixed(default=True)

    def __post_init__(self) -> None:
        require(self, decay=POSITIVE)

    def init(self, params: Tree) -> ModifierState:
        state = super().init(params)
        refuse_unmatched("WeightDecay", self.where, named_leaves(params))
        return state

    def update(
        self, grads: Tree, state: ModifierState, params: Tree = None, **extra: Any
    ) -> tuple[Tree, ModifierState]:
        if params is None:
            raise InputError("WeightDecay needs the parameters, too: update(grads, state, params)")
        if not self.decoupled:
            grads = self._plus(grads, self.decay, params)
        updates, inner = self.rule.update(grads, state.rule, params, **extra)
        if self.decoupled:
            updates = self._plus(updates, -self.decay * self._rate(inner), params)
        return updates, ModifierState(inner, {})

    def readings(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.readings(state.rule), "weight_decay": self.decay}

    def stability_limit(self) -> float | None:
        """That of the rule, if λ is added to the curvature; unknown for the decoupled form."""
        return None if self.decoupled else self.rule.stability_limit()

    def _plus(self, tree: Tree, factor: Any, params: Tree) -> Tree:
        """`tree + factor · params`, for the parameters that decay."""

        def decayed(path: tuple[Any, ...], leaf: Any, p: Any) -> Any:
            return leaf + as_scalar(factor, p) * p if matches(self.where, path_name(path)) else leaf

        return jax.tree_util.tree_map_with_path(decayed, tree, params)

    def _rate(self, state: Any) -> Any:
        read = self.rule.readings(state)
        if "learning_rate" not in read:
            raise InputError(f"{type(self.rule).__name__} has no learning rate to decay with: use decoupled=False")
        return read["learning_rate"]

"""Rules that descend at one point and are evaluated at another: the average of their steps."""

from typing import Any

import jax

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, is_known_scalar, require
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._rule import Leaf, Rule, RuleState, Slots, bias_correction, copy_of, once, rule
from descend.optimizers._sums import as_sum, ratio
from descend.schedules import Number, Rate, Schedule, has, switched


class _ScheduleFree(Rule):
    """Steps of z, of which x is the average, with gradients taken at y, between the two.

    The parameters are y. Only z is remembered: x follows from both.
    """

    needs_params = True
    beta: Number
    weight_decay: Number

    @property
    def slots(self) -> tuple[str, ...]:
        return ("z",)

    def slot_start(self, name: str) -> Any:
        return copy_of if name == "z" else super().slot_start(name)

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        return {name: as_sum(0.0, params) for name in ("largest_rate", "weights", "share")}

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        """The largest rate η̂ so far, the sum of its squares, and the share c of the last of them."""
        largest = shared["largest_rate"]
        largest = namespace(largest).maximum(largest, as_scalar(lr, largest))
        # Disputed: the paper proves it for any weights. Squares of the largest rate so far are what its authors'
        # package takes, so that the steps of a warm-up weigh little.
        weights = shared["weights"] + largest**2
        return {"largest_rate": largest, "weights": weights, "share": ratio(largest**2, weights)}

    def eval_params(self, state: RuleState, params: Tree) -> Tree:
        # x is solved for from y = (1 − β) z + β x, instead of remembered: one array less.
        """x, the average: the parameters that the theory is about."""
        return jax.tree.map(lambda y, z: as_scalar((y - (1 - self.beta) * z) / self.beta, y), params, state.slots["z"])

    def _moved(self, y: Array, z: Array, lr: Array, share: Array, direction: Array, again: Array) -> tuple[Any, Any]:
        """What z ← z − η (d + λ y) and x ← (1 − c) x + c z make of y, as an update; and the new z.

        The update is told by the new z, so that a step in place need not keep the old one. `again` is d, too: XLA
        computes once what is written alike, and holds it in memory, which takes longer than to compute it twice.
        """
        if has(self, "weight_decay"):
            direction, again = direction + self.weight_decay * y, again + self.weight_decay * y
        z = z - lr * direction
        return share * (z - y) - lr * ((1 - self.beta) * (1 - share)) * again, z


def _require_between(owner: _ScheduleFree) -> None:
    require(owner, beta=FRACTION)
    if is_known_scalar(owner.beta) and float(owner.beta) == 0:
        raise InputError(f"{type(owner).__name__}: beta must be above 0, because at 0 the gradients are taken at z, "
                         "from which the average x cannot be told; average the steps of another rule instead")


@rule
class ScheduleFreeSGD(_ScheduleFree):
    """Gradient descent whose average needs no decay of the learning rate.

        y = (1 − β) z + β x                                  where the gradient g is taken
        z ← z − η (g + λ y)
        x ← (1 − c) x + c z            c = η̂² / Σ η̂²         what is evaluated

    The parameters that are descended on are y; `eval_params` gives x. η̂ is the largest learning rate so far: in a
    warm-up, which `Warmup(Constant(1.0), steps=100)` gives, the first steps weigh less. No decay is needed after it.

    `beta`: β above 0 and below 1, how near to the average gradients are taken; it acts as momentum does. The paper
    and Optax call it β₁, the authors' package `momentum`. `weight_decay`: λ, at y, as the authors do.

    >>> import numpy as np
    >>> rule = ScheduleFreeSGD(0.5, beta=0.9)
    >>> y = np.array([2.0])
    >>> state = rule.init(y)
    >>> for _ in range(2):
    ...     update, state = rule.update(y, state, y)
    ...     y = y + update
    >>> y, rule.eval_params(state, y)          # z was 1, and then .5: x is their mean
    (array([0.725]), array([0.75]))

    **Raises** `InputError` for β = 0.

    Reference: Defazio et al., "The road less scheduled", arXiv 2405.15682.
    """

    learning_rate: Rate | Schedule = 1.0
    beta: Number = 0.9
    weight_decay: Number = switched(default=0.0)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, weight_decay=POSITIVE)
        _require_between(self)

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, share: Array, **_: Array
    ) -> tuple[Any, Slots]:
        (z,) = slots
        update, z = self._moved(p, z, lr, share, g, g)
        return update, (z,)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return namespace(p).ones_like(p)

    def stability_limit(self) -> float:
        """2 / (1 − β), for the curvature with λ added: 20 at β = .9.

        It holds once x has become slow. Before, while a step is a large share of it, the limit rises from 2.
        """
        return 2 / (1 - self.beta)


@rule
class ScheduleFreeAdamW(_ScheduleFree):
    """AdamW whose average needs no decay of the learning rate, and takes the place of Adam's momentum.

        y = (1 − β₁) z + β₁ x                                where the gradient g is taken
        v ← β₂ v + (1 − β₂) g²         v̂ = v / (1 − β₂ᵗ)
        z ← z − η (g / (√v̂ + ε) + λ y)
        x ← (1 − c) x + c z            c = η̂² / Σ η̂²         what is evaluated

    The parameters that are descended on are y; `eval_params` gives x. η̂ is the largest learning rate so far. A
    warm-up is recommended, `Warmup(Constant(0.0025), steps=100)`, and no decay after it.

    The correction of v is that of the authors' package and of Optax; the paper multiplies η by √(1 − β₂ᵗ), in the
    weights of the average too. `beta`: β₁, above 0 and below 1. `weight_decay`: λ, at y, as the authors do.

    >>> import numpy as np
    >>> rule = ScheduleFreeAdamW(0.1)
    >>> y = np.array([3.0, -4.0])
    >>> update, state = rule.update(y, rule.init(y), y)
    >>> update.round(6)
    array([-0.1,  0.1])

    **Raises** `InputError` for β₁ = 0.

    Reference: Defazio et al., "The road less scheduled", arXiv 2405.15682.
    """

    learning_rate: Rate | Schedule = 0.0025
    beta: Number = 0.9
    beta2: Number = 0.999
    eps: Number = 1e-8
    weight_decay: Number = switched(default=0.0)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta2=FRACTION, eps=POSITIVE, weight_decay=POSITIVE)
        _require_between(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("z", "mean_square")

    def update_parameter(
        self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, share: Array, **_: Array
    ) -> tuple[Any, Slots]:
        z, v = slots
        v = self.beta2 * v + (1 - self.beta2) * g * g
        xp, correction = namespace(g), self._correction(t)
        direction, root = g / (xp.sqrt(v / correction) + self.eps), correction**0.5
        update, z = self._moved(p, z, lr, share, direction, root * g / (xp.sqrt(v) + root * self.eps))
        return update, (z, v)

    @once
    def _correction(self, t: Array) -> Any:
        return bias_correction(self.beta2, t)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return namespace(p).sqrt(slots[1] / self._correction(t)) + self.eps

    def stability_limit(self) -> float:
        """2 / (1 − β₁), for the curvature divided by √v̂, with λ added: 20 at β₁ = .9.

        It holds once x has become slow. Before, while a step is a large share of it, the limit rises from 2.
        """
        return 2 / (1 - self.beta)

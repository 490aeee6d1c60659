"""Polyak's step: as long as the distance to the minimum's value, by the gradient there, asks for."""

import math
from typing import Any

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._hyperparameters import POSITIVE, require
from descend.optimizers._optimizer import needed
from descend.optimizers._rule import Leaf, Slots, rule
from descend.optimizers._sums import as_sum, dot, ratio
from descend.optimizers.untuned import ABOVE_0, OwnStep
from descend.schedules import Number, Rate, Schedule

ANY = (-math.inf, math.inf)


@rule
class PolyakStep(OwnStep):
    """Gradient descent with the step that would reach the value of the minimum, were the loss as its tangent:

        η = min((f(θ) − f*)₊ / (c ‖g‖² + ε), η_max)
        θ ← θ − η g

    It needs no learning rate, but f*, the value at the minimum: 0 for losses that can be fitted exactly. Over batches
    f is the batch's loss, and f* a lower bound of it.

    `f_star`: f*. `max_rate`: η_max, without which single batches may ask for very long steps: Loizou et al.'s SPS_max;
    `None`, for no bound, is Polyak's own step and their SPS; Optax has 1. `c`: 1 for Polyak and Optax; Loizou et al.
    take ½ where the loss is strongly convex, and .2 for networks. `eps`: ε; without it a gradient of zero makes no
    step either. `learning_rate`: a factor of η, for a schedule.

    `update` needs the loss: `update(grads, state, params, value=...)`; a descent gives it. The step follows the
    curvature by itself, so there is no limit of stability. Metrics: `effective_step` is η with its factor.

    >>> import numpy as np
    >>> rule = PolyakStep()
    >>> x = np.array([3.0])
    >>> update, state = rule.update(2 * x, rule.init(x), x, value=x @ x)
    >>> update
    array([-1.5])

    References: Polyak, "Introduction to optimization", 1987; Loizou et al., "Stochastic Polyak step-size for SGD",
    arXiv 2002.10542.
    """

    learning_rate: Rate | Schedule = 1.0
    f_star: Number = 0.0
    max_rate: Number | None = None
    c: Number = 1.0
    eps: Number = 0.0

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, f_star=ANY, max_rate=POSITIVE, c=ABOVE_0, eps=POSITIVE)

    def shared_start(self, params: list[Any]) -> dict[str, Any]:
        return {"step": as_sum(0.0, params)}

    def extra_scalars(self, extra: dict[str, Any]) -> dict[str, Any]:
        return {"value": needed(self, extra, "value")}

    def reduce(self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar) -> dict[str, Any]:
        gradients = [g for g, _, _ in leaves]
        square = dot(gradients, gradients)
        xp = namespace(square)
        value = as_scalar(shared["value"], square)
        # Below f*, which was no lower bound then, there is no step: a negative one would climb.
        step = ratio(xp.clip(value - self.f_star, 0.0, None), self.c * square + self.eps)
        if self.max_rate is not None:
            step = xp.clip(step, None, self.max_rate)
        return {"step": as_scalar(lr, square) * step}

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array, step: Array) -> tuple[Any, Slots]:
        return -step * g, ()

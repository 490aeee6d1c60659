"""Gradient descent: plain, and with momentum."""

from typing import Any

from descend._arrays import Array, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require
from descend.optimizers._rule import Rule, Slots, rule
from descend.schedules import Number, Rate, Schedule, fixed, has, switched


@rule
class SGD(Rule):
    """Gradient descent, with heavy-ball or Nesterov momentum if asked for.

        v ← β v + g
        θ ← θ − η v               heavy ball
        θ ← θ − η (g + β v)       Nesterov

    With batches this is stochastic gradient descent; the rule is the same.

    `learning_rate`: η, a number or a schedule. `momentum`: β in [0, 1), 0 for none. `nesterov`: look ahead.
    `ema`: (1 − β) g in place of g, so that v is an average of gradients and β does not lengthen the steps.
    `rate_in_velocity`: η g in place of g, and steps of v itself, as Sutskever et al. and Keras have it; PyTorch, Optax
    and "Dive into Deep Learning" multiply by η outside. The two differ where η changes: a velocity that was gathered
    at a high rate goes on at it.

    >>> import numpy as np
    >>> rule = SGD(0.2)
    >>> x = np.array(10.0)
    >>> update, state = rule.update(2 * x, rule.init(x), x)
    >>> float(x + update)
    6.0

    References: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Nesterov, "A method
    for solving the convex programming problem with convergence rate O(1/k²)", 1983; Sutskever et al., "On the
    importance of initialization and momentum in deep learning", 2013.
    """

    learning_rate: Rate | Schedule = 0.01
    momentum: Number = switched(default=0.0)
    nesterov: bool = fixed(default=False)
    ema: bool = fixed(default=False)
    rate_in_velocity: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, momentum=FRACTION)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if has(self, "momentum") else ()

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        if not slots:
            return -lr * g, ()
        (v,) = slots
        if self.ema:
            g = (1 - self.momentum) * g
        if self.rate_in_velocity:
            g = lr * g
        v = self.momentum * v + g
        # Nesterov's gradient is taken where the momentum leads. For parameters that stand there already, the step is
        # this.
        step = g + self.momentum * v if self.nesterov else v
        return -step if self.rate_in_velocity else -lr * step, (v,)

    def divisor(self, p: Array, slots: Slots, t: Array) -> Any:
        return namespace(p).ones_like(p)

    def stability_limit(self) -> float:
        """2 for plain descent, 2 + 2β for the heavy ball, (2 + 2β) / (1 + 2β) for Nesterov's momentum; `ema` divides
        them by 1 − β."""
        limit = 2 + 2 * self.momentum
        limit = limit / (1 + 2 * self.momentum) if self.nesterov else limit
        return limit / (1 - self.momentum) if self.ema else limit

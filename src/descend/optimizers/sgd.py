"""Gradient descent: plain, and with momentum."""

from typing import Any

from descend.optimizers._checks import FRACTION, POSITIVE, require
from descend.optimizers._rule import Rule, Slots, rule
from descend.schedules import Rate, Schedule, fixed


@rule
class SGD(Rule):
    """Gradient descent, with heavy-ball or Nesterov momentum if asked for.

        v ← β v + g
        θ ← θ − η v               heavy ball
        θ ← θ − η (g + β v)       Nesterov

    With batches this is stochastic gradient descent; the rule is the same.

    `learning_rate`: η, a number or a schedule. `momentum`: β in [0, 1), 0 for none. `nesterov`: look ahead.

    >>> import numpy as np
    >>> rule = SGD(0.2)
    >>> x = np.array(10.0)
    >>> update, state = rule.update(2 * x, rule.init(x), x)
    >>> float(x + update)
    6.0

    Both forms are PyTorch's. References: Polyak, "Some methods of speeding up the convergence of iteration methods",
    1964; Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k²)", 1983;
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
    """

    learning_rate: Rate | Schedule = 0.01
    momentum: float = fixed(default=0.0)
    nesterov: bool = fixed(default=False)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, momentum=FRACTION)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def leaf(self, g: Any, p: Any, slots: Slots, t: Any, lr: Any) -> tuple[Any, Slots]:
        if not slots:
            return -lr * g, ()
        (v,) = slots
        v = self.momentum * v + g
        return -lr * (g + self.momentum * v if self.nesterov else v), (v,)

    def stability_limit(self) -> float:
        """2 for plain descent, 2 + 2β for the heavy ball, (2 + 2β) / (1 + 2β) for Nesterov's momentum."""
        limit = 2 + 2 * self.momentum
        return limit / (1 + 2 * self.momentum) if self.nesterov else limit

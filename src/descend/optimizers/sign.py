"""Rules that look at the gradient's signs alone: every coordinate moves by the learning rate."""

from typing import Any

from descend._arrays import Array, namespace
from descend._hyperparameters import FRACTION, POSITIVE, refuse_zeros, require
from descend.optimizers._rule import Rule, Slots, rule
from descend.schedules import Number, Rate, Schedule, has, switched


@rule
class SignSGD(Rule):
    """Steps of one length along every axis.

        θ ← θ − η sign(g)
        m ← β m + (1 − β) g,  θ ← θ − η sign(m)        with momentum: Signum

    `learning_rate`: η, here how far each number moves. `momentum`: β in [0, 1), 0 for none.

    No rate is stable: near a minimum the steps are as long as far from it, so let the rate decay.

    >>> import numpy as np
    >>> rule = SignSGD(0.5)
    >>> update, state = rule.update(np.array([3.0, -0.1, 0.0]), rule.init(np.zeros(3)))
    >>> update
    array([-0.5,  0.5, -0. ])

    Reference: Bernstein et al., "signSGD: compressed optimisation for non-convex problems", arXiv 1802.04434.
    """

    learning_rate: Rate | Schedule = 0.001
    momentum: Number = switched(default=0.0)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, momentum=FRACTION)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean",) if has(self, "momentum") else ()

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        if not slots:
            return -lr * namespace(g).sign(g), ()
        m = self.momentum * slots[0] + (1 - self.momentum) * g
        # The sign of the average, not the average of signs: one large gradient may turn it.
        return -lr * namespace(g).sign(m), (m,)


@rule
class Lion(Rule):
    """Signs of momentum, which looks at the newest gradient more than what it remembers does.

        θ ← θ − η sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    Its steps are longer than Adam's: take a rate three to ten times smaller, and as much more weight decay, which is
    `WeightDecay(Lion(η), λ)`; with it, the box is the paper's. No rate is stable: let it decay.

    `learning_rate`: η, here how far each number moves. `beta1`: β₁. `beta2`: β₂ (the paper recommends .95 and .98
    where training is unstable).

    >>> import numpy as np
    >>> rule = Lion(0.5)
    >>> update, state = rule.update(np.array([3.0, -0.1]), rule.init(np.zeros(2)))
    >>> update
    array([-0.5,  0.5])

    Reference: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675.
    """

    learning_rate: Rate | Schedule = 0.0001
    beta1: Number = 0.9
    beta2: Number = switched(default=0.99)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION)
        refuse_zeros(self, "beta2")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean",)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        (m,) = slots
        mean = self.beta2 * m + (1 - self.beta2) * g
        if has(self, "beta2"):
            # β₂ (β₁ m + (1 − β₁) g), told by the new mean: a step in place need not keep the old one.
            pull = self.beta1 * mean + (self.beta2 - self.beta1) * g
        else:
            pull = self.beta1 * m + (1 - self.beta1) * g
        return -lr * namespace(g).sign(pull), (mean,)

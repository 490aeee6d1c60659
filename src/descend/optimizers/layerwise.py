"""Rules that look at each array as a whole: steps in proportion to the length of what they move."""

from typing import Any

import jax

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require
from descend.optimizers._moments import Moments
from descend.optimizers._rule import Rule, RuleState, Slots, rule
from descend.optimizers._sums import norm
from descend.schedules import Number, Rate, Schedule, fixed, has, switched


class _Layerwise(Rule):
    """What both have in common: the ratio of lengths, remembered to be read."""

    weight_decay: Number
    needs_params = True

    def slot_start(self, name: str) -> Any:
        return _one if name == "trust_ratio" else super().slot_start(name)

    def metrics(self, state: RuleState) -> dict[str, Any]:
        """Besides: the decay, and the mean of the arrays' trust ratios, 1 before the first step."""
        ratios = jax.tree.leaves(state.slots["trust_ratio"])
        return {
            **super().metrics(state),
            "weight_decay": self.weight_decay,
            "trust_ratio": sum(ratios) / len(ratios),
        }


@rule
class LARS(_Layerwise):
    """Momentum, with a learning rate for each array in proportion to the ratio of its length to its gradient's.

        r = c ‖θ‖ / (‖g‖ + λ ‖θ‖)              1 where this is 0 or 0/0
        v ← β v + η r (g + λ θ)
        θ ← θ − v

    `learning_rate`: η. `momentum`: β. `weight_decay`: λ. `trust_coefficient`: c. `joint_norm` divides by
    ‖g + λ θ‖, as Optax does. `rate_in_velocity=False` multiplies by η outside of v, as packages for PyTorch do. Biases
    and the parameters of normalisations are usually left to plain momentum: give `PerGroup` a rule for each.

    The steps do not depend on the curvature, so there is no stability limit.

    >>> import numpy as np
    >>> rule = LARS(0.5, trust_coefficient=0.1)
    >>> x = np.array([3.0, 4.0])
    >>> update, state = rule.update(np.array([0.0, 100.0]), rule.init(x), x)
    >>> update  # the length of x, times .1, times .5
    array([-0.  , -0.25])

    Reference: You, Gitman and Ginsburg, "Large batch training of convolutional networks", arXiv 1708.03888.
    """

    learning_rate: Rate | Schedule = 0.1
    momentum: Number = switched(default=0.9)
    weight_decay: Number = 0.0
    trust_coefficient: Number = 0.001
    joint_norm: bool = fixed(default=False)
    rate_in_velocity: bool = fixed(default=True)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, momentum=FRACTION, weight_decay=POSITIVE, trust_coefficient=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("trust_ratio", "velocity") if has(self, "momentum") else ("trust_ratio",)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        _, *velocity = slots
        decayed = g + self.weight_decay * p
        # Disputed: the paper adds the norms of gradient and decay, Optax takes the norm of their sum.
        below = norm([decayed]) if self.joint_norm else norm([g]) + self.weight_decay * norm([p])
        r = _ratio(self.trust_coefficient * norm([p]), below, p)
        if not velocity:
            return -(lr * r) * decayed, (r,)
        v = self.momentum * velocity[0] + (lr * r if self.rate_in_velocity else r) * decayed
        return -v if self.rate_in_velocity else -lr * v, (r, v)


@rule
class LAMB(_Layerwise, Moments):
    """Adam's directions, made in proportion to the length of the array that they move.

        d = m̂ / (√v̂ + ε) + λ θ                 m̂ and v̂ as in Adam
        θ ← θ − η ‖θ‖ / ‖d‖ · d                the ratio is 1 where one of them is 0

    `learning_rate`: η. `weight_decay`: λ, here part of the direction, as in Optax; that of Keras comes before the
    step: `WeightDecay(LAMB(η), λ)` is the same to first order in η. Biases and the parameters of normalisations are
    usually left to Adam: give `PerGroup` a rule for each.

    The steps do not depend on the curvature, so there is no stability limit.

    >>> import numpy as np
    >>> rule = LAMB(0.1, eps=0.0)
    >>> x = np.array([3.0, 4.0])
    >>> update, state = rule.update(np.array([20.0, 0.1]), rule.init(x), x)
    >>> update.round(4)  # of length 5 · .1
    array([-0.3536, -0.3536])
    >>> round(float(rule.metrics(state)["trust_ratio"]), 4)
    3.5355

    Reference: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", arXiv 1904.00962.
    """

    eps: Number = 1e-6
    weight_decay: Number = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, weight_decay=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "mean_square", "trust_ratio")

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v, _ = slots
        m, v = self.averaged(g, m, v)
        first, second = self.corrections(t)
        # As in the paper, the decay is part of the direction whose length is then made that of the parameters.
        d = (1 / first) * m / self.root(v, second) + self.weight_decay * p
        r = _ratio(norm([p]), norm([d]), p)
        return -(lr * r) * d, (m, v, r)

    def divisor(self, p: Array, slots: Slots, t: Array) -> None:
        """None: what a layer's steps are multiplied by depends on the step."""

    def stability_limit(self) -> None:
        """Theory gives none: the steps do not depend on the curvature."""
        return None


def _ratio(above: Array, below: Array, like: Array) -> Any:
    """`above / below`, or 1 where one of them is zero, as a scalar of the array's dtype."""
    xp = namespace(like)
    known = (above > 0) & (below > 0)
    return as_scalar(xp.where(known, above, 1.0) / xp.where(known, below, 1.0), like)


def _one(p: Array) -> Any:
    return as_scalar(1.0, p)

"""A preconditioner for each axis of an array."""

from collections.abc import Sequence
from typing import Any

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._control import choose
from descend._hyperparameters import FRACTION, POSITIVE, require, require_whole
from descend.optimizers._linalg import applied, gram_along, inverse_power, wide, zeros_along
from descend.optimizers._rule import Leaf, Rule, Slots, bias_correction, rule
from descend.schedules import Number, Rate, Schedule, fixed, has, switched

# A matrix for each axis, or the diagonal of one.
Sides = tuple[Any, ...]


@rule
class Shampoo(Rule):
    """AdaGrad with a full matrix for each axis, instead of one number for each coordinate.

        L ← L + g gᵀ                      R ← R + gᵀ g
        θ ← θ − η (L + ε I)^(−1/4) g (R + ε I)^(−1/4)

    An array with k axes has k matrices, with the exponent −1/(2k): for a vector it is AdaGrad with its full matrix,
    for a scalar AdaGrad.

    `eps`: ε (the authors' program 1e-4). `beta`: averages, `L ← β L + (1 − β) g gᵀ`, divided by `1 − βᵗ` for their
    start at zero, instead of the paper's sums. `exponent`: in place of 1/(2k). `momentum`: μ of a heavy ball
    `v ← μ v + g`, which is preconditioned in the place of g, as in the authors' program. `every`: the powers are
    calculated at the first step, and then every so many; for large matrices that is what takes the time, but where no
    gradient was yet at the last calculation, steps are as long as ε is small: take a larger one. `max_dim`: axes longer
    than this have the diagonals of their matrices only. No limit of stability is known.

    >>> import numpy as np
    >>> rule = Shampoo(0.1, eps=0.0)
    >>> g = np.array([[3.0, 4.0], [-0.4, 0.3]])
    >>> update, state = rule.update(g, rule.init(g))
    >>> update.round(6)
    array([[-0.06, -0.08], [ 0.08, -0.06]])

    Reference: Gupta, Koren and Singer, "Shampoo: preconditioned stochastic tensor optimization", arXiv 1802.09568.
    """

    learning_rate: Rate | Schedule = 0.1
    eps: Number = 1e-4
    beta: Number | None = None
    exponent: Number | None = None
    momentum: Number = switched(default=0.0)
    every: int = fixed(default=1)
    max_dim: int = fixed(default=8192)

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, eps=POSITIVE, beta=FRACTION, exponent=POSITIVE, momentum=FRACTION)
        require_whole(self, every=1, max_dim=0)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sums", "powers", "velocity") if has(self, "momentum") else ("sums", "powers")

    def slot_start(self, name: str) -> Any:
        return super().slot_start(name) if name == "velocity" else self._zero_sides

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        sums, powers, *velocity = slots
        velocity = [self.momentum * v + g for v in velocity]
        x = wide(velocity[0] if velocity else g)
        u = _as_array(x)
        for axis, power in enumerate(powers):
            u = applied(power, u, axis) if len(power.shape) == 2 else u * _along(power, u, axis)
        return -lr * namespace(g).asarray(u.reshape(g.shape), dtype=g.dtype), (sums, powers, *velocity)

    def update_parameters(
        self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar
    ) -> tuple[list[Any], list[Slots], dict[str, Any]]:
        sums = [self._gathered(wide(g), slots[0]) for g, _, slots in leaves]
        # Powers are what costs, the cube of an axis each: at the first step, and then every so many.
        powers = choose(
            (t - 1) % self.every == 0,
            lambda sums, _: [self._powers(sides, t) for sides in sums],
            lambda _, before: before,
            sums, [slots[1] for _, _, slots in leaves],
        )
        ready = [(g, p, (s, w, *slots[2:])) for (g, p, slots), s, w in zip(leaves, sums, powers, strict=True)]
        return super().update_parameters(ready, shared, t, lr)

    def _zero_sides(self, p: Array) -> Sides:
        x = wide(_as_array(p))
        return tuple(zeros_along(x, axis) if n <= self.max_dim else _squares(namespace(x).zeros_like(x), axis)
                     for axis, n in enumerate(x.shape))

    def _gathered(self, g: Array, sums: Sequence[Any]) -> Sides:
        x, gathered = _as_array(g), []
        for axis, side in enumerate(sums):
            new = gram_along(x, axis) if len(side.shape) == 2 else _squares(x, axis)
            gathered.append(side + new if self.beta is None else self.beta * side + (1 - self.beta) * new)
        return tuple(gathered)

    def _powers(self, sums: Sequence[Any], t: Array) -> Sides:
        # Over all k axes together the exponents are −½, as AdaGrad's is.
        exponent = 1 / (2 * len(sums)) if self.exponent is None else self.exponent
        if self.beta is not None:
            sums = [side / bias_correction(self.beta, as_scalar(t, side)) for side in sums]
        return tuple(inverse_power(side, exponent, self.eps) if len(side.shape) == 2 else (side + self.eps)**-exponent
                     for side in sums)


def _as_array(x: Array) -> Any:
    """The array; a scalar as an array of one."""
    return x if x.shape else x.reshape(1)


def _squares(x: Array, axis: int) -> Any:
    """The sums of squares over all axes but one."""
    others = tuple(other for other in range(len(x.shape)) if other != axis)
    return namespace(x).sum(x * x, others) if others else x * x


def _along(diagonal: Array, x: Array, axis: int) -> Any:
    """A vector along one axis of an array, to be multiplied with it."""
    return diagonal.reshape(-1, *[1] * (len(x.shape) - axis - 1))

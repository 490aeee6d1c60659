"""Rules whose memory grows with the edges of an array, not with its area."""

import math
from typing import Any

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import POSITIVE, require
from descend.optimizers._rule import Rule, Slots, once, rule
from descend.optimizers._sums import norm
from descend.schedules import Number, Rate, Schedule, fixed


@rule
class Adafactor(Rule):
    """RMSprop in the memory of a row and a column, with steps in proportion to the parameters.

        κ = t^(−power)                                            1 − β₂, which falls
        R ← (1 − κ) R + κ · mean over the columns of (g² + ε)
        C ← (1 − κ) C + κ · mean over the rows of (g² + ε)
        u = g / √(R Cᵀ / mean R)                                  for vectors and scalars: g / √v
        θ ← θ − α u / max(1, RMS(u) / clip),                      α = max(min_scale, RMS(θ)) · min(η, 1/√t)

    Arrays of more than two axes are stacks of matrices in the last two, as in Keras and PyTorch.

    `learning_rate`: η, the largest relative step. `relative_step=False` leaves `1/√t` out. `power`, `clip`: as above.
    `min_scale`: the ε₂ of the paper. `eps`: its ε₁; with `eps_as_floor` it is not added to g², but mean R is kept
    above ε and what the root is taken of above ε², as in PyTorch, where ε is the dtype's machine epsilon.

    The steps do not depend on the curvature, so there is no stability limit.

    >>> import numpy as np
    >>> rule = Adafactor(0.1)
    >>> x = np.array([[3.0, 3.0], [3.0, 3.0], [3.0, 3.0]])
    >>> state = rule.init(x)
    >>> [part.shape for part in state.slots["mean_square"]]
    [(3,), (2,)]
    >>> update, state = rule.update(np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]), state, x)
    >>> update.round(6)[0]
    array([-0.3,  0.3])

    Reference: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", arXiv 1804.04235.
    """

    learning_rate: Rate | Schedule = 0.01
    power: Number = 0.8
    eps: Number = 1e-30
    min_scale: Number = 1e-3
    clip: Number = 1.0
    relative_step: bool = fixed(default=True)
    eps_as_floor: bool = fixed(default=False)
    needs_params = True

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, power=POSITIVE, eps=POSITIVE, min_scale=POSITIVE, clip=POSITIVE)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean_square",)

    def slot_start(self, name: str) -> Any:
        return _zero_factors

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        xp, (kept,) = namespace(g), slots
        fresh = self._fresh(t)
        # ε₁ goes into g², so that a row without gradients is no division by 0.
        squares = g * g if self.eps_as_floor else g * g + self.eps
        if len(g.shape) < 2:
            kept = v = _towards(squares, kept, fresh)
        else:
            rows, columns = kept
            rows = _towards(xp.mean(squares, -1), rows, fresh)
            columns = _towards(xp.mean(squares, -2), columns, fresh)
            # Of all matrices of rank one with these sums of rows and columns: the paper's section 3 proves that it is
            # nearest to V in the generalized Kullback-Leibler divergence.
            whole = xp.mean(rows, -1)[..., None]
            whole = xp.clip(whole, self.eps, None) if self.eps_as_floor else whole
            kept, v = (rows, columns), (rows / whole)[..., None] * columns[..., None, :]
        u = g / xp.sqrt(xp.clip(v, self.eps**2, None) if self.eps_as_floor else v)
        # The paper's ρ: steps shrink with the root of time, even where η does not.
        rate = xp.minimum(lr, t**-0.5) if self.relative_step else lr
        scale = as_scalar(xp.clip(_rms(p), self.min_scale, None) / xp.clip(_rms(u) / self.clip, 1.0, None), g)
        return -(rate * scale) * u, (kept,)

    @once
    def _fresh(self, t: Array) -> Any:
        """κ."""
        return t**-self.power


def _towards(new: Array, old: Array, fresh: Array) -> Any:
    return (1 - fresh) * old + fresh * new


def _rms(x: Array) -> Any:
    return norm([x]) / math.prod(x.shape) ** 0.5


def _zero_factors(p: Array) -> Any:
    """Sums over rows and over columns, at zero; for a vector or a scalar, zeros like it."""
    xp = namespace(p)
    return xp.zeros_like(p) if len(p.shape) < 2 else tuple(xp.zeros_like(xp.sum(p, axis)) for axis in (-1, -2))

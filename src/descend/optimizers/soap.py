"""Adam in the eigenbasis of Shampoo's preconditioner."""

import math
from collections.abc import Sequence
from typing import Any

from descend._arrays import Array, Scalar, as_scalar, namespace
from descend._control import choose
from descend._hyperparameters import FRACTION, POSITIVE, require, require_whole
from descend._tree import Tree
from descend.optimizers._linalg import applied, eigenbasis, eigenbasis_near, gram_along, transposed, wide, zeros_along
from descend.optimizers._rule import Leaf, Rule, Slots, bias_correction, once, rule
from descend.schedules import Number, Rate, Schedule, fixed


@rule
class SOAP(Rule):
    """Adam in a slowly turning basis, in which the gradients of a matrix are least correlated.

        g' = Q_Lᵀ g Q_R
        m ← β₁ m + (1 − β₁) g'            m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g'²           v̂ = v / (1 − β₂ᵗ)
        θ ← (1 − η λ) (θ − η Q_L (m̂ / (√v̂ + ε')) Q_Rᵀ),            ε' = ε / √(1 − β₂ᵗ)
        L ← β L + (1 − β) g gᵀ            R ← β R + (1 − β) gᵀ g
        every n steps: Q_L, Q_R ← QR(L Q_L), QR(R Q_R), and m is turned with them

    Of an array with more axes, each has its own L and Q. Vectors and scalars have none: for them it is Adam.

    The first gradient, as in the authors' code, only begins L and R, whose eigenvectors are the first basis: nothing
    moves, and t counts from the second. v stays as it is when the basis turns, but each eigenvector keeps its place.
    Where no gradient has been yet, eigenvectors are arbitrary: runs on other machines may part there.

    `beta1`, `beta2`, `eps`: β₁, β₂, ε. `shampoo_beta`: β, by default β₂. `weight_decay`: λ. `every`: n. `max_dim`: axes
    longer than this stay as they are. All defaults are the authors'. No limit of stability is known.

    >>> import numpy as np
    >>> rule = SOAP(0.1, weight_decay=0.0)
    >>> x, g = np.zeros((2, 2)), np.array([[3.0, 4.0], [-0.4, 0.3]])
    >>> nothing, state = rule.update(g, rule.init(x), x)
    >>> update, state = rule.update(g, state, x)
    >>> update.round(6)
    array([[-0.06, -0.08], [ 0.08, -0.06]])

    Reference: Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", arXiv 2409.11321.
    """

    learning_rate: Rate | Schedule = 0.003
    beta1: Number = 0.95
    beta2: Number = 0.95
    eps: Number = 1e-8
    weight_decay: Number = 0.01
    shampoo_beta: Number | None = None
    every: int = fixed(default=10)
    max_dim: int = fixed(default=10000)
    needs_params = True

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, beta1=FRACTION, beta2=FRACTION, eps=POSITIVE, weight_decay=POSITIVE,
                shampoo_beta=FRACTION)
        require_whole(self, every=1, max_dim=0)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "mean_square", "correlations", "basis")

    def slot_start(self, name: str) -> Any:
        return self._zero_matrices if name in ("correlations", "basis") else lambda p: namespace(p).zeros_like(wide(p))

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        m, v, correlations, basis = slots
        # The first gradient moves nothing, as in the authors' code: there is no basis yet.
        xp, begun = namespace(g), as_scalar(t > 1, g)
        x = turned(wide(g), basis, forward=True)
        m = self.beta1 * m + (begun * (1 - self.beta1)) * x
        v = self.beta2 * v + (begun * (1 - self.beta2)) * x * x
        first, second = self._corrections(t)
        # ε is added to √v before its correction, as in the authors' code: that is the ε' of the box.
        step = lr * second**0.5 / first
        u = -step * turned(m / (xp.sqrt(v) + self.eps), basis, forward=False)
        # Decay last, of the parameters as the step has moved them: the authors' order.
        u = xp.asarray(u - (begun * lr * self.weight_decay) * (p + u), dtype=g.dtype)
        return u, (m, v, self._gathered(wide(g), correlations), basis)

    @once
    def _corrections(self, t: Array) -> tuple[Any, Any]:
        k = namespace(t).clip(t - 1, 1, None)
        return bias_correction(self.beta1, k), bias_correction(self.beta2, k)

    def update_parameters(
        self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar
    ) -> tuple[list[Any], list[Slots], dict[str, Any]]:
        kept = [slots for _, _, slots in leaves]
        matrices = [i for i, (*_, basis) in enumerate(kept) if any(q is not None for q in basis)]
        turn = lambda kept: choose(t == 2, _begun, _turned_on, kept)
        # The basis turns before the step, by what correlations were up to the last gradient. This step's is gathered
        # after it.
        turning = choose((t > 1) & ((t - 2) % self.every == 0), turn, _as_it_is, [kept[i] for i in matrices])
        for i, slots in zip(matrices, turning, strict=True):
            kept[i] = slots
        return super().update_parameters([(g, p, s) for (g, p, _), s in zip(leaves, kept, strict=True)], shared, t, lr)

    def metrics(self, state: Tree) -> dict[str, Any]:
        return {**super().metrics(state), "weight_decay": self.weight_decay}

    def _zero_matrices(self, p: Array) -> tuple[Any, ...]:
        """A matrix of zeros for each axis of the parameter; `None` for one that stays as it is."""
        whole = len(p.shape) > 1
        return tuple(zeros_along(wide(p), axis) if whole and n <= self.max_dim else None
                     for axis, n in enumerate(p.shape))

    def _gathered(self, g: Array, correlations: Sequence[Any]) -> tuple[Any, ...]:
        beta = self.beta2 if self.shampoo_beta is None else self.shampoo_beta
        return tuple(None if c is None else beta * c + (1 - beta) * gram_along(g, axis)
                     for axis, c in enumerate(correlations))


def turned(x: Array, basis: Sequence[Any], *, forward: bool) -> Any:
    """An array seen in a basis for each of its axes, whose vectors are rows; or back from there."""
    for axis, q in enumerate(basis):
        if q is not None:
            x = applied(q if forward else transposed(q), x, axis)
    return x


def _as_it_is(kept: list[Slots]) -> list[Slots]:
    return kept


def _begun(kept: list[Slots]) -> list[Slots]:
    """The first basis; the averages are still zero, which is the same in any."""
    return [(m, v, correlations, tuple(
        None if c is None else eigenbasis(c, math.prod(m.shape) // c.shape[0]) for c in correlations
    )) for m, v, correlations, _ in kept]


def _turned_on(kept: list[Slots]) -> list[Slots]:
    """The next basis, and the mean of gradients seen in it."""
    slots = []
    for m, v, correlations, basis in kept:
        new = tuple(None if c is None else eigenbasis_near(c, q) for c, q in zip(correlations, basis, strict=True))
        slots.append((turned(turned(m, basis, forward=False), new, forward=True), v, correlations, new))
    return slots

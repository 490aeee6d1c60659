"""What L-BFGS remembers: the last steps s and the changes y of the gradient that they made, and the H that they give.

With the products of all s and y with each other at hand, H takes two passes over them. They lie in memory as float32:
these numbers are a secant pair as good as the exact ones, but for their last digits.

Reference: Byrd, Nocedal and Schnabel (1994), "Representations of quasi-Newton matrices and their use in limited memory
methods".
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from descend.linear._kernels import lbfgs as compiled
from descend.linear._kernels import uncompiled_lbfgs as uncompiled
from descend.linear._kernels.threads import each, one_thread_each, parts, total
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate

MEMORY = 10
# A share of a block's diagonal that is added to it: columns that depend on each other would leave it singular.
BLOCK_RIDGE = 1e-10


def kernels_for(size: int) -> Any:
    """What goes over vectors of so many numbers."""
    return uncompiled if size <= uncompiled.FEW_NUMBERS else compiled


# It is not `descend.optimizers.LBFGS`, though that is the same recursion. There a rule sees one loss and gradient at a
# time, of any tree of parameters, compiled by JAX, and a step is an evaluation, with the strong Wolfe conditions that a
# loss which is not convex needs. Here the loss is convex, so that each accepted step is a pair, and an evaluation is a
# pass of Numba's kernels. H begins as the penalty's and the columns' curvature, and the compact form goes over the
# vectors twice, in float32. A rule's contract, gradients in and an update out, has no place to ask for the bound, nor
# for a certificate where one is worth a pass.
class Pairs:
    """The last steps and changes of the gradient, in coordinates √D u, and the products that H is made of."""

    def __init__(self, diagonal: Array) -> None:
        self.root = np.sqrt(diagonal)
        # Steps, then changes.
        self.stored = np.zeros((2 * MEMORY, diagonal.size), np.float32)
        # Products of steps with changes.
        self.along = np.zeros((MEMORY, MEMORY))
        # Products of changes with changes.
        self.across = np.zeros((MEMORY, MEMORY))
        # Products of all with the last gradient.
        self.seen = np.zeros(2 * MEMORY)
        # Places of pairs, the oldest first.
        self.order: list[int] = []
        self.is_new = False
        self._ranges = parts(diagonal.size, diagonal.size)
        self._kernels = kernels_for(diagonal.size)
        self._scaled, self._added = np.empty_like(self.stored[0]), np.zeros_like(self.stored[0])

    def add(self, point: Iterate, last: Iterate) -> None:
        """Keep a step in place of the oldest, if the gradient did change along it."""
        place = self.order.pop(0) if len(self.order) == MEMORY else len(self.order)
        along, across = total(each(lambda start, stop: self._kernels.keep(
            start, stop, point.u, point.gradient, last.u, last.gradient, self.root,
            self.stored[place], self.stored[MEMORY + place]), self._ranges))
        # A convex loss may have no curvature along a step; such a pair would make H infinite.
        if along > 1e-12 * across:
            self.order.append(place)
            self.along[place, place], self.across[place, place] = along, across
            self.is_new = True

    def forget(self) -> None:
        """Begin again without pairs."""
        self.order.clear()
        self.is_new = False
        self._added[:] = 0.0

    def direction(self, gradient: Array) -> tuple[Array, float]:
        """−H times the gradient, and the slope along it."""
        first = 1.0
        if self.order:
            each(lambda start, stop: self._kernels.scaled(start, stop, gradient, self.root, self._scaled),
                 self._ranges)
            first, shares = self._times(self._products())
            np.matmul(shares, self.stored, out=self._added)
        out = np.empty_like(gradient)
        (slope,) = total(each(lambda start, stop: self._kernels.back(
            start, stop, gradient, self.root, first, self._added, out), self._ranges))
        return out, float(slope)

    def _products(self) -> Array:
        """Of all pairs with the gradient; the last change is that of the gradient since they were made last."""
        seen = (self.stored @ self._scaled).astype(np.float64)
        if self.is_new:
            *older, newest = self.order
            changes = seen - self.seen
            self.along[older, newest] = changes[older]
            self.across[older, newest] = self.across[newest, older] = changes[MEMORY:][older]
            self.is_new = False
        self.seen = seen
        return seen

    def _times(self, seen: Array) -> tuple[float, Array]:
        """The compact form of H: the number as which it begins, and the share of each step and change."""
        chosen, last = np.array(self.order), self.order[-1]
        grid = np.ix_(chosen, chosen)
        triangle, across = np.triu(self.along[grid]), self.across[grid]
        first = float(self.along[last, last] / self.across[last, last])
        part = solve_triangular(triangle, seen[chosen], check_finite=False)
        whole = np.diag(triangle) * part + first * (across @ part - seen[MEMORY + chosen])
        shares = np.zeros(2 * MEMORY, np.float32)
        shares[chosen] = solve_triangular(triangle, whole, trans="T", check_finite=False)
        shares[MEMORY + chosen] = -first * part
        return first, shares


class BlockPairs(Pairs):
    """Pairs in coordinates in which the Hessian's blocks, one for each score of a row, are the identity:

        v = Lᵀ P u,  L Lᵀ = a block;  −H ∇F = P L⁻ᵀ (as of pairs) L⁻¹ P ∇F

    Of several scores, P takes the mean away. Along equal moves of all of them the loss does not change, of which blocks
    do not know: there the penalty alone is the Hessian.

    `blocks` (scores, coefficients of each, the same): lower triangles. `penalty`: its second derivative by coefficient
    of a score.

    **Raises** `LinAlgError` for blocks that are not positive definite.
    """

    def __init__(self, blocks: Array, penalty: Array) -> None:
        super().__init__(np.ones(blocks.shape[0] * blocks.shape[1]))
        self._ridge = penalty[:, None]
        # On threads of its own, a factor's last bits would depend on how many there are.
        with one_thread_each():
            self._factors = [_factor(block) for block in blocks]

    def add(self, point: Iterate, last: Iterate) -> None:
        super().add(self._there(point), self._there(last))

    def direction(self, gradient: Array) -> tuple[Array, float]:
        means, differences = self._divided(gradient)
        there, _ = super().direction(self._by_block(_solved, differences))
        _, back = self._divided(self._by_block(_solved_transposed, there))
        back -= np.divide(means, self._ridge, out=np.zeros_like(means), where=self._ridge > 0)
        return back.ravel(), float(back.ravel() @ gradient)

    def _there(self, point: Iterate) -> Iterate:
        (_, u), (_, gradient) = self._divided(point.u), self._divided(point.gradient)
        return point._replace(u=self._by_block(_transposed_times, u), gradient=self._by_block(_solved, gradient))

    def _divided(self, vector: Array) -> tuple[Array, Array]:
        """The mean over the scores, and what each differs from it by; one score differs from nothing."""
        V = vector.reshape(-1, len(self._factors))
        means = V.mean(axis=1, keepdims=True) if V.shape[1] > 1 else np.zeros_like(V)
        return means, V - means

    def _by_block(self, work: Callable[[Array, Array], Array], vector: Array) -> Array:
        V = vector.reshape(-1, len(self._factors))
        return np.stack([work(factor, V[:, score]) for score, factor in enumerate(self._factors)], axis=1).ravel()


def _factor(block: Array) -> Array:
    block[np.diag_indices(len(block))] *= 1 + BLOCK_RIDGE
    return cholesky(block, lower=True, overwrite_a=True, check_finite=False)


def _solved(factor: Array, v: Array) -> Array:
    return solve_triangular(factor, v, lower=True, check_finite=False)


def _solved_transposed(factor: Array, v: Array) -> Array:
    return solve_triangular(factor, v, lower=True, trans="T", check_finite=False)


def _transposed_times(factor: Array, v: Array) -> Array:
    return factor.T @ v

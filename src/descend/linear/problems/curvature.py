"""The curvature of a problem at a point, along every direction that can be told from none.

A Hessian that is summed up as products of columns says nothing of directions along which it is less than rounding in
its greatest: columns that differ by 1e-8 of their spread look the same in it. So it decides only what it can. Its
eigenvectors are taken in units in which its diagonal is one, and along those of little curvature the rows themselves
are looked at, by the QR decomposition of the few columns that these make of them, block by block. What is left is

    H ≈ Σ σ² v vᵀ  over directions v,  σ = ‖A v‖ to rounding in A's entries,  H = AᵀA

and directions along which A vanishes but for that rounding: columns there depend on each other.

Reference: Golub and Van Loan (2013), *Matrix Computations*, sections 5.3 and 5.5; Demmel, Grigori, Hoemmen and Langou
(2012), "Communication-optimal parallel and sequential QR and LU factorizations".
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from scipy.linalg import eigh, lstsq
from scipy.linalg.lapack import dpocon, dpotrf, dpotrs

from descend.linear._kernels.threads import one_thread_each
from descend.linear.problems.matrix import Array

# Coefficients up to which a Hessian is summed up and factored.
DENSE_HESSIAN = 2000
# A share of the greatest curvature: above this the sums of products know it to many digits.
CLEAR_CURVATURE = 1e-8
# A share of the greatest root of a curvature: below, it is rounding in the entries of the columns.
RANK_TOL = 1e-13
# The same where the rows are gone, and there are only sums of products.
PRODUCT_RANK_TOL = 1e-6
# A matrix of so few columns is factored on one thread, or threads mostly wait for each other.
ONE_THREAD_SIZE = 48
# A factor by which estimates, of conditions and of rounding, may be too small.
SAFETY = 3.0


class Curvature:
    """A Hessian, by its lower triangle. `hessian_root(V)` is an R with RᵀR = VᵀHV, made from the rows.

    Where that is None, as the rows are gone, directions that the Hessian cannot tell are taken for those along which
    nothing changes. `clear`: a reciprocal condition number with which the Hessian is factored as it is; without a
    `hessian_root` nothing else is done.
    """

    def __init__(
        self, hessian: Array, hessian_root: Callable[[Array], Array | None] | None, clear: float = CLEAR_CURVATURE
    ) -> None:
        diagonal = np.diag(hessian)
        self.size = diagonal.size
        seen = diagonal > max(RANK_TOL**2 * float(diagonal.max()), np.finfo(float).tiny)
        self.scale = np.where(seen, 1 / np.sqrt(np.where(seen, diagonal, 1.0)), 0.0)
        scaled = hessian * self.scale * self.scale[:, None]
        self.factor = _factor(scaled, clear) if seen.all() else None
        self.null = np.zeros((self.size, 0))
        if self.factor is None and hessian_root is not None:
            self._look(scaled, hessian_root, seen)

    def _look(self, scaled: Array, hessian_root: Callable[[Array], Array | None], seen: Array) -> None:
        with one_thread_each():
            values, vectors = eigh(scaled[np.ix_(seen, seen)], lower=True)
        basis = np.zeros((self.size, values.size))
        basis[seen] = vectors
        roots = np.sqrt(np.maximum(values, 0.0))
        self.greatest = greatest = float(roots.max(initial=0.0))
        faint = values <= CLEAR_CURVATURE * greatest**2
        rows = hessian_root(self.scale[:, None] * basis[:, faint]) if faint.any() else None
        if rows is not None:
            _, found, transformed_rows = np.linalg.svd(rows)
            basis[:, faint] = basis[:, faint] @ transformed_rows.T
            roots[faint] = np.pad(found, (0, len(transformed_rows) - found.size))
        there = roots > (RANK_TOL if rows is not None or not faint.any() else PRODUCT_RANK_TOL) * greatest
        self.basis, self.roots = basis[:, there], roots[there]
        self.null = np.hstack([self.scale[:, None] * basis[:, ~there], np.eye(self.size)[:, ~seen]])

    def step(self, gradient: Array) -> Array:
        """H⁻¹ times the gradient, without components along directions in which nothing changes."""
        if self.factor is not None:
            return self.scale * dpotrs(self.factor[0], self.scale * gradient, lower=1)[0]
        return self.scale * (self.basis @ (self.basis.T @ (self.scale * gradient) / self.roots**2))

    def decrement(self, gradient: Array, noise: Array, slope: float) -> float:
        """½ gᵀH⁻¹g, with what `noise`, by which the gradient may be wrong in each coordinate, can add to it.

        Infinite, where the gradient does not vanish along a direction in which nothing is to change; `slope`: the root
        of the rows' mean squared slopes, of which it may be a rounding error there.
        """
        scaled, blurred = self.scale * gradient, self.scale * noise
        if self.factor is not None:
            known = float(np.sqrt(max(0.0, self.step(gradient) @ gradient)))
            return 0.5 * (known + SAFETY * float(np.sqrt(blurred @ blurred / self.factor[1]))) ** 2
        within = SAFETY * (abs(self.null.T) @ noise + RANK_TOL * slope * self.greatest)
        if (abs(self.null.T @ gradient) > within).any():
            return float("inf")
        along, about = abs(self.basis.T @ scaled), SAFETY * (abs(self.basis.T) @ blurred)
        return 0.5 * float(np.sum(((along + about) / self.roots) ** 2))

    def left_out(self, gradient: Array, u: Array) -> float:
        """What a point `u` can gain along directions that are left out, going as far as it is long: what is rounding in
        the columns has slopes all the same, and its coefficients may lie in one column or in another."""
        length = np.linalg.norm(u / np.where(self.scale > 0, self.scale, 1.0))
        return SAFETY * float(length * np.linalg.norm(self.null.T @ gradient))

    def nearest(self, u: Array, unit: Array) -> Array:
        """The least `unit`·u, but for the last, that is reached along directions in which nothing changes."""
        if not self.null.shape[1]:
            return u
        N = self.null[:-1] * unit[:, None]
        size = np.linalg.norm(N, axis=0)
        away = lstsq(N / np.where(size > 0, size, 1.0), unit * u[:-1], check_finite=False)[0]
        return u - self.null @ (away / np.where(size > 0, size, 1.0))

    def dependent(self) -> Array:
        """The coordinates that such directions are made of."""
        if not self.null.shape[1]:
            return np.zeros(0, int)
        seen = self.scale > 0
        share = np.abs(self.null / np.where(seen, self.scale, 1.0)[:, None]).max(axis=1)
        return np.flatnonzero(share[:-1] > 1e-6 * share.max())


def _factor(scaled: Array, clear: float) -> Any:
    """Cholesky's factor of a matrix whose diagonal is one, and its reciprocal condition number, if that is clear."""
    # On a busy machine the threads of a small factorisation mostly wait for each other; the smallest have only one.
    with one_thread_each() if len(scaled) > ONE_THREAD_SIZE else nullcontext():
        lower, failed = dpotrf(scaled, lower=1, clean=0)
    if failed:
        return None
    norm = float(np.abs(np.tril(scaled)).sum(axis=0).max() + np.abs(np.tril(scaled, -1)).sum(axis=1).max())
    condition, _ = dpocon(lower, norm, uplo="L")
    return (lower, float(condition)) if condition > clear else None

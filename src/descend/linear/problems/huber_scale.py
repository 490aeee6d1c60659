"""Huber's regression: coefficients and the scale of their errors, found together.

    F(w, b, σ) = Σ s (σ + σ H((y − Xw − b)/σ)) + Σ l2 w²/2,  H(u) = u² up to p, then 2p·abs(u) − p²

F is convex. For given scores the best σ solves Σ s min(e²/σ², p²) = 1, in a few steps without a search. So what is
descended on is φ(w, b) = min_σ F: its gradient is F's at the best σ, and its Hessian is F's less what σ gives way:

    ∇²φ = ∇²F − (∂²F/∂σ²)⁻¹ c cᵀ,  c = ∂∇F/∂σ

Reference: Owen (2007), "A robust hybrid of lasso and ridge regression".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from descend.linear._kernels.threads import dot
from descend.linear.problems.matrix import Array, blockwise_qr
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.problems.scalar import ScalarProblem

# The least scale, relative to the targets' spread: one of nothing would divide by 0.
SCALE_FLOOR = 1e-12
# The share that is believed of what the scale gives way. With all of it φ has no curvature towards a plane through all
# rows.
SCHUR_FACTOR = 0.999


def best_scale(errors: Array, s: Array, p: float, least: float) -> float:
    """The σ with Σ s min(e²/σ², p²) = 1.

    As a function of 1/σ² the sum is concave and made of straight pieces: Newton's steps come to the solution from one
    side, and there they end.
    """
    weights = s if s.size > 1 else np.full(errors.size, float(s[0]))
    squares = errors * errors
    square = dot(weights, squares)
    while square > least * least:
        within = squares <= p * p * square
        rest = 1 - p * p * float(weights[~within].sum())
        after = dot(weights[within], squares[within]) / rest if rest > 0 else 0.0
        if not after < square * (1 - 1e-15):
            break
        square = after
    return max(math.sqrt(square), least)


@dataclass(frozen=True)
class ScaledProblem(ScalarProblem):
    """A problem whose loss is Huber's, with the best scale at each point."""

    least: float = SCALE_FLOOR

    def scale(self, z: Array) -> float:
        """The best scale for these scores."""
        return best_scale(z - self.rows.y, self.rows.s, self.loss.p, self.least)

    def at_best_scale(self, z: Array) -> ScalarProblem:
        """The problem at the best scale for these scores."""
        return ScalarProblem(
            self.matrix,
            self.rows,
            self.loss._replace(mu=self.scale(z)),
            self.penalty,
            self.intercept,
            given_standardisation=self.standardisation,
        )

    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate:
        w, b = self.to_user(u)
        scores = self.matrix.scores(w, b, np.zeros_like(w))
        return self.at_best_scale(scores).evaluate(u, z, bounded)

    def certified(self, point: Iterate, z: Array) -> Iterate:
        return self.at_best_scale(z).certified(point, z)

    def hessian(self, z: Array) -> Array:
        fixed = self.at_best_scale(z)
        out = np.tril(fixed.hessian(z))
        p, scale = fixed.loss.p, fixed.loss.mu
        errors = z - self.rows.y
        within = np.abs(errors) <= p * scale
        if scale <= self.least or not within.any():
            return out
        weights = within * (self.rows.s if self.rows.s.size > 1 else float(self.rows.s[0]))
        centre, unit = self.standardisation
        by_w, by_b = self.matrix.sums(weights * errors, centre)
        by_scale = -2 / scale**2 * np.append(by_w * unit, by_b * self.intercept)
        bend = 2 / scale**3 * dot(weights, errors**2)
        return out - SCHUR_FACTOR * np.tril(np.outer(by_scale, by_scale)) / bend if bend > 0 else out

    def hessian_root(self, z: Array, V: Array) -> Array:
        """See `ScalarProblem.hessian_root`.

        What the scale gives way is a first column, which the others are made orthogonal to:
        a row within p scales bends its loss by 2/σ along (1, e/σ), of its score and of the scale.
        """
        fixed = self.at_best_scale(z)
        p, scale = fixed.loss.p, fixed.loss.mu
        if scale <= self.least:
            return fixed.hessian_root(z, V)
        errors = z - self.rows.y
        ratios = np.where(np.abs(errors) <= p * scale, errors / scale, 0.0)
        V = V * np.append(np.ones(self.size - 1), float(self.intercept))[:, None]

        def beside() -> Iterator[Array]:
            for first, last, transformed_rows in self.matrix.transformed_rows(*self.standardisation, V):
                roots = np.empty(last - first)
                fixed.loss.curvatures(first, last, *fixed.rows, z, roots)
                yield np.sqrt(roots)[:, None] * np.column_stack([ratios[first:last], transformed_rows])
            yield np.pad(np.sqrt(self.curvature_of_penalty)[:, None] * V, ((0, 0), (1, 0)))

        return blockwise_qr(beside())[1:, 1:]


def has_scale(problem: Problem) -> TypeGuard[ScaledProblem]:
    """Whether a scale is found with the coefficients, so that the problem offers what a `ScaledProblem` does."""
    return problem.loss.kind.concomitant_scale

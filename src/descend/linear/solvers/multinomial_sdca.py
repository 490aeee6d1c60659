"""Dual coordinate ascent for the multinomial loss and an l2 penalty: rows are visited in random order, and the point of
the simplex that each has is made the best for those of the others.

    max_p  −Σ s Σₖ pₖ log pₖ − Σ |Σ s x (p − e_y)ᵀ|²/(2 l2),  W = −Σ s x (p − e_y)ᵀ / l2

An intercept asks besides that the classes have the same shares by p as among the rows. Each is drawn towards a place b₀
by a penalty, as of a column of its own, and b₀ is moved to b after each epoch (the method of multipliers). For a
certificate all points are tilted, p exp(δ) divided by its sum, so that the shares are right, and W is summed up from
them; the intercepts of its other side are made the best for the scores. What both lose is of second order.

A pass of ascent costs what a gradient costs, and where columns are many the gap falls by a multiple with each.

Reference: Yu, Huang and Lin (2011), "Dual coordinate descent methods for logistic regression and maximum entropy
models".
"""

import math
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from descend.errors import InputError
from descend.linear._kernels import multinomial_sdca as simplex
from descend.linear._kernels import sdca as visits
from descend.linear._kernels.threads import each, parts, total
from descend.linear.problems.matrix import Array
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.solvers.convergence import Iterates

# The share of an epoch's ascent at the last certificate, at which the next is made.
CERTIFICATE_ASCENT = 0.03
# At most so many epochs without a certificate.
EPOCHS_PER_CERTIFICATE = 10
# A share of the greatest ascent, below which it is all rounding.
ASCENT_FLOOR = 1e-30
SHUFFLE_SEED = 0x9E3779B97F4A7C15


@dataclass
class SimplexState:
    """A point of the simplex for each row, and the coefficients and intercepts that they give."""

    problem: MultinomialProblem
    P: Array
    W: Array
    b: Array
    bias: float = 0.0
    inverse: Array = field(init=False)
    norms: Array = field(init=False)

    def __post_init__(self) -> None:
        inverse = 1 / self.problem.penalty.l2
        self.inverse = inverse[:1] if np.ptp(inverse) == 0 else inverse
        self.norms = self._norms()
        if self.problem.intercept:
            self.bias = float(self.norms.mean())
            self.norms += self.bias

    def _norms(self) -> Array:
        """The rows' squares in the dual's metric."""
        problem, out = self.problem, np.empty(len(self.P))
        matrix = problem.matrix
        if matrix.is_sparse:
            work = lambda start, stop: visits.norms_sparse(start, stop, *problem.matrix.stored, self.inverse, out)
        else:
            centre = problem.standardisation[0]
            work = lambda start, stop: visits.norms_dense(start, stop, matrix.X, centre, self.inverse, out)
        each(work, parts(len(out), matrix.entries))
        return out

    def epoch(self, rows: Array) -> float:
        """Renew the points of `rows`; gives how much was gained, about."""
        problem = self.problem
        if problem.intercept:
            s = problem.rows.s
            mass = s @ self.P if s.size > 1 else s[0] * self.P.sum(axis=0)
            self.b -= self.bias * (mass - problem.class_shares)
        about = (problem.rows.s, self.inverse, self.bias, self.norms, rows, self.P, self.W, self.b)
        if problem.matrix.is_sparse:
            return float(simplex.epoch_sparse(*problem.matrix.stored, *about))
        return float(simplex.epoch_dense(problem.matrix.X, problem.standardisation[0], *about))

    def point(self) -> Iterate:
        """Where it is, with the bound; the points' shares are made right first."""
        problem = self.problem
        # 1. Tilt all points, so that classes have their rows' shares: a dual point needs that, beside an intercept.
        if problem.intercept:
            problem.balance(self.P)
        R = np.empty_like(self.P)
        work = lambda start, stop: simplex.slopes(start, stop, *problem.rows, self.P, R)
        (conjugate,) = total(each(work, parts(len(R), 8 * R.size)))
        dual = problem.passes.sums(R)
        lower = problem.lower_bound(dual, float(conjugate), float(np.abs(self.b).max()))
        # 2. Coefficients from the points, as those that were kept up by additions have drifted, and were not tilted.
        V = np.divide(dual, -problem.column_curvature[:, None], out=dual, where=problem.column_curvature[:, None] > 0)
        np.multiply(V[:-1], problem.standardisation[1][:, None], out=self.W)
        V[-1] = self.b
        # 3. The objective there, at the best intercepts for these scores. R is not needed any more.
        z = problem.passes.scores(V, R)
        loss = problem.passes.probabilities(z, z)
        if problem.intercept:
            shift, change = problem.balance(z)
            V[-1] += shift
            loss += change
        penalty = 0.5 * float(np.einsum("jk,jk,j", V, V, problem.column_curvature))
        return Iterate(V.ravel(), loss + penalty, np.zeros(problem.size), max(lower, 0.0))


def has_simplex_dual(problem: Problem) -> TypeGuard[MultinomialProblem]:
    """Whether the dual is of the kind that is ascended here."""
    return problem.outputs > 1 and problem.penalty.is_strict


def multinomial_sdca(problem: Problem, u: Array) -> Iterates:
    """Ascend from the probabilities that u gives; from 0, from points at the rows' classes."""
    if not has_simplex_dual(problem):
        raise InputError("solver='dual' needs an l2 penalty on all columns: choose another solver, or solver='auto'")
    classes, (y, _) = problem.classes, problem.rows
    V = u.reshape(-1, classes)
    if u.any():
        P = problem.passes.scores(V, problem.score_buffer())
        problem.passes.probabilities(P, P)
        state = SimplexState(problem, P, V[:-1] * problem.standardisation[1][:, None], V[-1].copy())
        yield state.point()
    else:
        # From coefficients of 0 the probabilities are those of classes alone; points at the rows' classes are better,
        # as W = 0 belongs to them exactly, and so the first bound is at hand without a pass.
        P = problem.score_buffer()
        P[np.arange(len(y)), y] = 1.0
        shares = problem.class_shares
        levels = np.log(np.maximum(shares, 1 / len(y))) if problem.intercept else np.zeros(classes)
        state = SimplexState(problem, P, np.zeros(V[:-1].shape), levels - levels.mean())
        b = state.b
        yield Iterate(np.append(u[:-classes], b), float(np.log(np.exp(b).sum()) - shares @ b), u, 0.0)
    rows, order = np.arange(len(y)), np.array([SHUFFLE_SEED], np.uint64)
    least, last, gain = 0.0, 0.0, math.inf
    while gain > least:
        for _ in range(EPOCHS_PER_CERTIFICATE):
            visits.shuffle(rows, len(rows), order)
            gain = state.epoch(rows)
            last, least = last or gain, max(least, ASCENT_FLOOR * gain)
            if gain <= CERTIFICATE_ASCENT * last:
                break
        last = gain
        yield state.point()
    return "the probabilities do not change any more"

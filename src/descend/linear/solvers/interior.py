"""Losses with corners, and the l1 penalty, on few columns: a primal-dual interior-point method.

Each corner is a term max_r r (t − kink) over a range of slopes r; of rows, t is the score, of an l1 penalty the
coefficient. With p and q for how far t is above and below its kink, the optimum is where

    Σ s r x + l2 w = 0 (+ linear_term),  t − kink = p − q,  p (upper − r) = q (r − lower) = 0,  p, q ≥ 0

Zeros are replaced by a goal that goes to zero, and each iteration makes a step of Newton's for these equations; the
unknowns of the rows are eliminated, and what is left is a weighted Gram matrix of the columns. It takes some 10 to 25
iterations, whatever the data. Slopes within their ranges are a dual point, so the gap is at hand.

Reference: Mehrotra (1992), "On the implementation of a primal-dual interior point method"; Portnoy and Koenker (1997),
"The Gaussian hare and the Laplacian tortoise".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.linear._kernels import interior as kernels
from descend.linear._kernels.threads import each, parts
from descend.linear._losses import SQUARED, Loss
from descend.linear._losses.loss import Ranges
from descend.linear.problems.curvature import Curvature
from descend.linear.problems.matrix import Array, Rows
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.problems.scalar import MACHINE_EPS, SUM_ROUNDINGS, ScalarProblem, scalar
from descend.linear.solvers.cholesky import RegularisedCholesky
from descend.linear.solvers.convergence import Iterates

# The share of the way to the nearest boundary that is gone.
STEP_TO_BOUNDARY = 0.995
# The share of the slopes that need not be orthogonal to columns without a penalty.
ORTHOGONALITY = 1e-7
# Times the scores: where those of the minimum are taken to be, for the bound to bear what is rounding.
SCORE_REACH = 10.0
# Iterations that do not come nearer: the first ones may go back, and so may rounding.
IDLE_ITERATIONS = 10
# A share of the first barrier, below which it is all rounding.
BARRIER_FLOOR = 1e-18
# The share of a range that slopes begin away from its ends, at least.
RANGE_EDGE = 1e-9
# Gaps: what coefficients that are exactly 0 may cost.
SPARSE_GAPS = 3.0
# Numbers of a matrix that are as much work as a term.
ENTRIES_PER_TERM = 32
SQUARED_LOSS = Loss(SQUARED)


@dataclass
class Terms:
    """Terms with corners, one for each row, or for each column of `columns`; `state` as in `_kernels.interior`."""

    ranges: Ranges
    s: Array
    state: Array
    columns: Array | None = None

    def each(self, kernel: Callable[..., Any], *values: Any, corners: bool = False) -> list[Any]:
        """What `kernel` gives for parts of the terms; `corners`: whether it wants to know these."""
        about = (*self.ranges, self.s) if corners else (self.s,)
        count = self.state.shape[1]
        return each(lambda a, b: kernel(a, b, *about, self.state, *values), parts(count, ENTRIES_PER_TERM * count))

    def own(self, rows: Array, u: Array) -> Array:
        """What the scores of these terms are, or change by, if those of rows and the coordinates are given."""
        return rows if self.columns is None else u[self.columns]


@dataclass
class Direction:
    """A change of the coordinates and of the rows' scores."""

    u: Array
    z: Array


class CentralPath:
    """The way along the central path of a problem."""

    def __init__(self, problem: ScalarProblem, u: Array) -> None:
        self.problem, self.u = problem, u.copy()
        self.z = self.forward(u)
        self.terms = list(self._terms())
        weights = sum(1.0 if terms.columns is None else terms.columns.size * float(terms.s[0]) for terms in self.terms)
        self.count = 2 * weights
        self.refresh()

    def _terms(self) -> Any:
        """All terms, at their start: slopes in the middle of their ranges, or balanced, so that their sum is right."""
        problem, z = self.problem, self.z
        (kind, p, _), (y, s) = problem.loss, problem.rows
        corners = kind.ranges(y, float(p))
        offset = _offset(problem, z, corners)
        for corner in corners:
            share = _shares(corner)
            if kind.classes and problem.intercept:
                share = np.where(y > 0, *_balanced(y, s, problem.linear_term)[::-1])
            terms = Terms(corner, s, np.empty((4, y.size)))
            kernels.place(0, y.size, *corner, z, share, offset, terms.state)
            yield terms
        columns = np.flatnonzero(problem.threshold)
        if columns.size:
            penalty, one = problem.threshold[columns] * y.size, np.array([1 / y.size])
            corner = Ranges(-penalty, penalty, np.zeros(columns.size))
            terms = Terms(corner, one, np.empty((4, columns.size)), columns)
            kernels.place(0, columns.size, *corner, self.u[columns], _shares(corner), 1.0, terms.state)
            yield terms

    def forward(self, du: Array) -> Array:
        """How the scores of rows change with the coordinates."""
        centre, unit = self.problem.standardisation
        return self.problem.matrix.scores(du[:-1] * unit, float(du[-1]), centre)

    def backward(self, v: Array, linear_term: float = 0.0) -> Array:
        """Σ s v x̃ over rows, and the linear term's part."""
        centre, unit = self.problem.standardisation
        g, by_b = self.problem.matrix.sums(self.problem.rows.s * v, centre)
        return np.append((g - linear_term * centre) * unit, by_b + linear_term if self.problem.intercept else 0.0)

    def refresh(self) -> None:
        """What follows from the present state: slopes, value, bound, and the matrix of Newton's equations."""
        problem, u = self.problem, self.u
        columns, rows = np.zeros((3, problem.size)), np.zeros((3, self.z.size))
        sums, room = np.zeros(4), math.inf
        for terms in self.terms:
            if terms.columns is None:
                results = np.array(terms.each(kernels.state, *rows, corners=True))
                room = min(room, results[:, 4].min())
            else:
                inside = np.zeros((3, terms.columns.size))
                results = np.array(terms.each(kernels.state, *inside, corners=True))
                columns[:, terms.columns] = inside * terms.s[0]
            sums += results[:, :4].sum(axis=0)
        self.barrier = sums[2] / self.count
        curvature, q = problem.curvature_of_penalty, self.backward(rows[0], problem.linear_term)
        self.residual = q + columns[0] + curvature * u
        self.pull = self.backward(rows[2]) + columns[2]
        weighted = Rows(problem.rows.y, rows[1] * problem.rows.s)
        matrix = problem.matrix.hessian(SQUARED_LOSS, weighted, self.z, *problem.standardisation)
        self.value = float(sums[0]) + 0.5 * float(curvature @ (u * u)) + problem.linear_term * problem.to_user(u)[1]
        conjugates = float(sums[1])
        # So many of the curvatures are added to the slopes that their sum is right.
        if problem.intercept:
            share = q[-1] / matrix[-1, -1]
            if abs(share) <= room:
                q, conjugates = q - share * matrix[-1], conjugates - share * float(sums[3])
        else:
            matrix[-1], matrix[:, -1] = 0.0, 0.0
            matrix[-1, -1] = 1.0
        self.lower = self._bound(q, conjugates, float(np.abs(rows[0]).mean()))
        matrix[np.diag_indices(problem.size)] += curvature + columns[1]
        self.matrix = RegularisedCholesky(matrix)

    def _bound(self, q: Array, conjugates: float, slope: float) -> float:
        """The dual's value at the slopes, −Σ s ℓ*(r) − Ω*(−q), or 0, which no loss is below.

        It is less by what rounding may have added to it.
        """
        problem = self.problem
        trivial = -math.inf if problem.linear_term else 0.0
        curvature, threshold = problem.curvature_of_penalty, problem.threshold
        free = (curvature == 0) & (threshold == 0)
        noise = SUM_ROUNDINGS * MACHINE_EPS * slope * self.typical
        charge = self._charge(np.where(free, q, 0.0), np.where(free, noise, 0.0), slope)
        q = np.abs(q) + noise
        hard = (curvature == 0) & (threshold > 0)
        scale = float((threshold[hard] / np.maximum(q[hard], threshold[hard])).min(initial=1.0))
        if scale < 1 and problem.linear_term:
            return trivial
        soft = curvature > 0
        rest = np.maximum(scale * q[soft] - threshold[soft], 0.0)
        charge += MACHINE_EPS * abs(conjugates)
        return max(trivial, -scale * conjugates - float(np.sum(0.5 * rest**2 / curvature[soft])) - charge)

    def _charge(self, q: Array, noise: Array, slope: float) -> float:
        """What the bound has to bear where slopes are not quite orthogonal to columns without a penalty.

        Of a minimum whose scores are not much greater than these it is at most their size times that of the part of the
        slopes that is not: the root of qᵀG⁻¹q for the columns' sums of products G.
        """
        part = float(q[-1]) ** 2 if not q[:-1].any() else 2 * self.products.decrement(q, noise, slope)
        if not part <= (ORTHOGONALITY * slope) ** 2:
            return math.inf
        size = 1.0 if self.problem.loss.kind.classes else float(np.mean(self.problem.rows.y**2))
        return SCORE_REACH * math.sqrt(part * max(float(np.mean(self.z**2)), size))

    @cached_property
    def products(self) -> Curvature:
        """The curvature of squares of all scores."""
        problem = self.problem
        hessian = problem.matrix.hessian(SQUARED_LOSS, problem.rows, self.z, *problem.standardisation)
        return Curvature(
            hessian,
            lambda V: problem.matrix.hessian_root(SQUARED_LOSS, problem.rows, self.z, *problem.standardisation, V),
        )

    @cached_property
    def typical(self) -> Array:
        """The size of numbers that the slopes are multiplied by: those of a dense matrix are centred before."""
        return (
            self.problem.gradient_rounding(1.0) / MACHINE_EPS
            if self.problem.matrix.is_sparse
            else np.ones(self.problem.size)
        )

    def towards(self, pull: Array) -> Direction:
        """The change that Newton's equations have as their solution."""
        u = self.matrix.solve(-self.residual - pull)
        return Direction(u, self.forward(u))

    def reach(self, predictor: Direction, step: Direction, barrier: float, corrected: bool) -> float:
        """How much of a step is possible."""
        return min(
            part
            for terms in self.terms
            for part in terms.each(
                kernels.reach, terms.own(predictor.z, predictor.u), terms.own(step.z, step.u), barrier, corrected
            )
        )

    def iterate(self) -> None:
        """One predicted and corrected step (Mehrotra, 1992)."""
        # 1. The predictor: Newton's step as if all products of slacks were to vanish at once.
        predictor = self.towards(self.pull)
        length = min(1.0, self.reach(predictor, predictor, 0.0, False))
        after = sum(
            sum(terms.each(kernels.after, terms.own(predictor.z, predictor.u), length)) for terms in self.terms
        )
        # 2. How much of them it would leave tells how much to aim for: the cube of that share, a rule of thumb.
        barrier = self.barrier * (max(after, 0.0) / (self.count * self.barrier)) ** 3
        # 3. The corrector: the same matrix, with that aim and the second-order terms of the predictor.
        rows, columns = self.problem.score_buffer(), np.zeros(self.problem.size)
        for terms in self.terms:
            own = terms.own(predictor.z, predictor.u)
            if terms.columns is None:
                terms.each(kernels.pulled, own, barrier, rows)
            else:
                room = np.zeros(terms.columns.size)
                terms.each(kernels.pulled, own, barrier, room)
                columns[terms.columns] = room * terms.s[0]
        step = self.towards(self.backward(rows) + columns)
        # 4. Almost to the nearest boundary; onto it, a slack would be 0 and stay so.
        length = min(1.0, STEP_TO_BOUNDARY * self.reach(predictor, step, barrier, True))
        for terms in self.terms:
            terms.each(kernels.advance, terms.own(predictor.z, predictor.u), terms.own(step.z, step.u), barrier, length)
        self.u, self.z = self.u + length * step.u, self.z + length * step.z
        self.refresh()

    @property
    def point(self) -> Iterate:
        """Where it is; coefficients that go to 0 are 0 there, if that costs little."""
        rounding = self.problem.score_rounding(*self.problem.to_user(self.u)) * self.problem.rounding_share
        point, last = Iterate(self.u, self.value, self.residual, self.lower, rounding), self.terms[-1]
        if last.columns is None:
            return point
        a, c, p, q = last.state
        vanishing = np.maximum(p, q) * (a + c) < np.minimum(a, c) * np.abs(self.u).max()
        u = self.u.copy()
        u[last.columns[vanishing]] = 0.0
        value = self.problem.evaluate(u, self.z.copy(), bounded=False).value
        return (
            point._replace(u=u, value=value) if value - self.value <= SPARSE_GAPS * (self.value - self.lower) else point
        )


def interior(problem: Problem, u: Array) -> Iterates:
    """Descend from u."""
    problem = scalar(problem, "interior")
    if not problem.loss.kind.corners:
        raise InputError("solver='interior' is for losses with corners (hinge, pinball, epsilon-insensitive): choose "
                         "another solver, or solver='auto'")
    central, idle = CentralPath(problem, u), 0
    least = central.barrier
    floor = BARRIER_FLOOR * least
    while idle < IDLE_ITERATIONS and central.barrier > 0:
        yield central.point
        idle = 0 if floor < central.barrier < least else idle + 1
        least = min(least, central.barrier)
        central.iterate()
    return "the products of slacks do not decrease any more"


def _balanced(y: Array, s: Array, linear_term: float) -> Array:
    """Shares of the ranges of the hinge's slopes, of rows of −1 and of 1, with which Σ s r = −linear_term."""
    weights = s if s.size > 1 else np.full(y.size, float(s[0]))
    above = float(weights[y > 0].sum())
    below = float(weights.sum()) - above
    # Of slopes of rows of 1, less the sign.
    total = 0.5 * (max(linear_term, 0.0) + min(above, below + linear_term))
    shares = np.array([(total - linear_term) / below if below else 0.5, 1 - (total / above if above else 0.5)])
    return np.clip(shares, RANGE_EDGE, 1 - RANGE_EDGE)


def _shares(corner: Ranges) -> Array:
    """Of ranges of slopes, where 0 is in their inside, and otherwise the middle."""
    within = (corner.lower < 0) & (corner.upper > 0)
    return np.where(within, -corner.lower / (corner.upper - corner.lower), 0.5)


def _offset(problem: ScalarProblem, z: Array, corners: list[Ranges]) -> float:
    """The typical distance of scores from their kinks."""
    if problem.loss.kind.classes:
        return 1.0
    away = problem.rows.y - z
    apart = 0.5 * float(np.mean(corners[-1].kink - corners[0].kink))
    return float(np.abs(away - np.median(away)).mean()) + apart or 1.0

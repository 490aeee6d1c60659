"""Dual coordinate ascent for an l2 penalty on many columns: rows are visited in random order, and each slope made the
best for the others.

    max_r  −Σ s ℓ*(r) − ‖Σ s r x‖² / (2 l2),  w = −Σ s r x / l2

An intercept asks besides for Σ s r = −linear_term. It is drawn towards a place b₀ by a penalty of ρ (b − b₀)²/2, as a
column of its own would be by the l2 penalty; b₀ is moved to b whenever that gains more than an epoch, so that the
penalty vanishes (the method of multipliers). For the bound, the slopes of one side are scaled down until the sum is
right.

Rows whose slopes are at a corner, and would be if their scores changed a good deal, are left out until the next
certificate, which looks at the scores of all rows. There is one whenever the ascent of an epoch has fallen enough.

Reference: Hsieh, Chang, Lin, Keerthi and Sundararajan (2008), "A dual coordinate descent method for large-scale linear
SVM"; Shalev-Shwartz and Zhang (2013), "Stochastic dual coordinate ascent methods for regularized loss minimization".
"""

import math
from dataclasses import InitVar, dataclass, field
from typing import TypeGuard

import numpy as np

from descend.errors import InputError
from descend.linear._kernels import sdca as kernels
from descend.linear._kernels.threads import dot, each, parts
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import Iterates

# The share of an epoch's ascent at the last certificate, at which the next is made.
CERTIFICATE_ASCENT = 0.1
# At most so many passes over the rows without a certificate.
EPOCHS_PER_CERTIFICATE = 10.0
# A share of the greatest ascent, below which it is all rounding.
ASCENT_FLOOR = 1e-30
# How far the slopes' sum may be from what it must be, relative to their magnitude.
BALANCE_ROUNDING = 1e-14
SHUFFLE_SEED = 0x9E3779B97F4A7C15
# A share of ‖w‖²: so far sums of rounding errors may carry the coefficients from the slopes.
COEFFICIENT_DRIFT = 1e-12


def has_dual_steps(problem: Problem) -> TypeGuard[ScalarProblem]:
    """Whether the dual of a problem is of the kind that is ascended here."""
    if problem.outputs > 1 or problem.has_offset or not problem.loss.kind.has("best"):
        return False
    return problem.penalty.is_strict and problem.penalty.is_smooth


@dataclass
class DualState:
    """Slopes, and the coefficients and intercept that they give."""

    problem: ScalarProblem
    r: Array
    w: Array
    b: float = 0.0
    other: InitVar["DualState | None"] = None
    inverse: Array = field(init=False)
    centre: Array = field(init=False)
    norms: Array = field(init=False)
    bias: float = 0.0

    def __post_init__(self, other: "DualState | None") -> None:
        # Problems of the same rows have the same norms, which took a pass to sum up.
        if other is not None:
            self.inverse, self.centre, self.norms, self.bias = other.inverse, other.centre, other.norms, other.bias
            return
        problem = self.problem
        inverse = 1 / problem.penalty.l2
        self.inverse = inverse[:1] if np.ptp(inverse) == 0 else inverse
        self.centre = np.zeros_like(self.w) if problem.linear_term else problem.standardisation[0]
        self.norms = self._norms()
        # The intercept is a column of ones with a penalty of its own, of weight 1/bias. A bias as large as the
        # rows' norms lets it move as fast as they do; a greater one would drown them.
        if problem.intercept:
            self.bias = max(float(self.norms.mean()), _reach(problem))
            self.norms += self.bias

    def _norms(self) -> Array:
        """The rows' squares in the dual's metric."""
        matrix, out = self.problem.matrix, self.problem.score_buffer()
        if matrix.is_sparse:
            work = lambda a, b: kernels.norms_sparse(a, b, *matrix.stored, self.inverse, out)
        else:
            work = lambda a, b: kernels.norms_dense(a, b, matrix.X, self.centre, self.inverse, out)
        each(work, parts(matrix.shape[0], matrix.entries))
        return out

    def scores(self) -> Array:
        """Of all rows."""
        if not self.r.any():
            return np.full(len(self.r), self.b)
        return self.problem.matrix.scores(self.w, self.b, self.centre)

    def epoch(self, rows: Array, count: int, margin: float) -> tuple[int, float, float]:
        """Renew the slopes of the first `count` of the rows; see `epoch_sparse`."""
        problem = self.problem
        about = (*_renewing(problem), *problem.rows, self.inverse, self.bias, self.norms, margin, rows, count, self.r,
                 self.w)
        if problem.matrix.is_sparse:
            count, self.b, gain, greatest = kernels.epoch_sparse(*problem.matrix.stored, *about, self.b)
        else:
            count, self.b, gain, greatest = kernels.epoch_dense(problem.matrix.X, self.centre, *about, self.b)
        if problem.intercept:
            excess = self.excess
            to_come = self.bias * excess**2
            # The slopes are near enough to the best for this b₀: the multiplier's step gains more than another epoch.
            if to_come >= gain:
                self.b -= self.bias * excess
                gain, greatest = to_come, max(greatest, abs(self.bias * excess))
        return count, gain, greatest

    @property
    def excess(self) -> float:
        """Σ s r + linear_term, which is to vanish."""
        s = self.problem.rows.s
        return (dot(self.r, s) if s.size > 1 else float(self.r.sum() * s[0])) + self.problem.linear_term

    def restore(self) -> None:
        """Coefficients from the slopes."""
        g, _ = self.problem.matrix.sums(self.problem.rows.s * self.r, self.centre)
        self.w[:] = -g * self.inverse

    def point(self, z: Array) -> Iterate:
        """Where it is, with the bound; the slopes' gradient is 0."""
        problem = self.problem
        kind, (p, _) = problem.loss.kind, problem.loss.parameters
        places = kind.address_of("value"), kind.address_of("conjugate")
        loss, sums = kernels.evaluated(*places, p, *problem.rows, self.norms - self.bias, z, self.r, self.b)
        # Not by BLAS: it would wake up threads for one product of vectors, while other problems use the cores.
        squares = float(kernels.squared_norm(self.w, problem.penalty.l2))
        # w is kept up to date by additions, and each rounds. Σ s r (x·w) = −‖w‖² tells how far it has drifted.
        if abs(sums[2].sum() + squares) > COEFFICIENT_DRIFT * squares:
            self.restore()
        centre, unit = problem.standardisation
        u = np.append(self.w / unit, self.b)
        # With a linear term rows were visited as they are, so that the intercept is that of columns that are not
        # centred.
        if problem.linear_term:
            u[-1] += centre @ self.w
        value = float(loss) + 0.5 * squares + problem.linear_term * self.b
        rounding = problem.score_rounding(self.w, self.b) * problem.rounding_share
        return Iterate(u, value, np.zeros(problem.size), self._bound(sums, squares), rounding)

    def _bound(self, sums: Array, squares: float) -> float:
        """The dual's value at slopes of which those of one side are scaled down, so that their sum is right.

        That side's part of Σ s r x changes; how, is known from the scores, but for a square that is only bounded.
        """
        problem, (conjugates, (below, above), products, norms) = self.problem, sums
        share, side = 1.0, 0
        if problem.intercept and abs(above - below + problem.linear_term) > BALANCE_ROUNDING * (above + below):
            side = int(above + problem.linear_term > below)
            have, wanted = (above, below - problem.linear_term) if side else (below, above + problem.linear_term)
            if wanted < 0 or (have == 0 and wanted > 0):
                return -math.inf if problem.linear_term else 0.0
            share = wanted / have if have > 0 else 1.0
        # Scaling one side's slopes by 1 − drop changes Σ s r x by drop times its part there. Its product with the rest
        # is known from the scores; its square is bounded by the sum of the rows' norms, which costs no pass.
        drop = 1 - share
        penalty = squares + 2 * drop * products[side] + (drop * norms[side]) ** 2
        bound = -float(conjugates.sum() - drop * conjugates[side]) - 0.5 * float(penalty)
        return bound if problem.linear_term else max(bound, 0.0)


def dual_start(problem: ScalarProblem, u: Array, other: DualState | None = None) -> DualState:
    """The ascent at the slopes that the scores at u give; `other`: one whose rows have the same norms."""
    ascent = DualState(problem, problem.score_buffer(), np.zeros(problem.size - 1), other=other)
    # Coefficients say nothing of slopes but at the optimum, where r = ℓ'(z): near to it that is a good guess.
    if u.any():
        w, b = problem.to_user(u)
        ascent.b = b + float(ascent.centre @ w)
        z = problem.matrix.scores(w, ascent.b, ascent.centre)
        place, (p, _) = problem.loss.kind.address_of("slope"), problem.loss.parameters
        kernels.guess(place, p, *problem.rows, ascent.norms, z, ascent.r)
        ascent.restore()
    return ascent


def sdca(problem: Problem, u: Array) -> Iterates:
    """Ascend from the slopes that the scores at u give."""
    if not has_dual_steps(problem):
        raise InputError("solver='dual' needs an l2 penalty on all columns, no l1 penalty, no offset, and a loss that "
                         "knows a row's best slope, unlike Huber's and Poisson's: choose solver='auto', or another")
    ascent = dual_start(problem, u)
    rows, state, margin = np.empty(len(ascent.r), np.int64), np.array([SHUFFLE_SEED], np.uint64), math.inf
    # Of an epoch's ascent: what is all rounding, what it was at the last certificate, and what it is now.
    least, last, gain = 0.0, 0.0, math.inf
    while True:
        # 1. A certificate: the scores of all rows, the objective, and the dual's value below it.
        z = ascent.scores()
        yield ascent.point(z)
        if gain <= least:
            return "the slopes do not change any more"
        # 2. Leave out rows whose slopes are at a corner, and would be if their scores moved by as much as the margin.
        count = kernels.unsettled(*_renewing(problem), *problem.rows, ascent.norms, z, ascent.r, margin, rows)
        # 3. Epochs over the others, in a new order each, until their ascent has fallen enough for the gap to be
        #    smaller.
        gain, work = math.inf, 0.0
        while gain > CERTIFICATE_ASCENT * last and work < EPOCHS_PER_CERTIFICATE:
            kernels.shuffle(rows, count, state)
            work += count / len(rows)
            count, gain, margin = ascent.epoch(rows, count, margin)
            last, least = last or gain, max(least, ASCENT_FLOOR * gain)
            if count == 0:
                break
        last = gain


def _renewing(problem: ScalarProblem) -> tuple[int, bool, float]:
    """What kernels renew slopes by: see `_kernels.sdca`."""
    kind = problem.loss.kind
    return kind.address_of("best"), not kind.strictly_convex, problem.loss.parameters[0]


def _reach(problem: ScalarProblem) -> float:
    """How far the intercept may have to go."""
    y = problem.rows.y
    return 1.0 if problem.loss.kind.classes else float(np.abs(y - np.median(y)).mean())



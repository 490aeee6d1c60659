"""What is minimised, at a point: its value, its gradient, and a bound below which no model can come.

    F(w, b) = Σ s ℓ(Xw + b + o, y) + Σ (l2 w²/2 + l1 |w|) + linear_term·b,  w ≥ 0 if `positive`

Solvers see other coordinates of the same problem, in which columns are centred (if there is an intercept, and they are
dense) and have unit spread, or less under a strong penalty: u = (w / unit, b + centre·w). So it does not matter in
which units the columns are. The matrix itself is never changed, and the penalty stays that of the user's coefficients.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, TypeGuard

import numpy as np

from descend.errors import InputError
from descend.linear._kernels.threads import dot
from descend.linear._losses import Loss
from descend.linear.problems.intercept import best_shift
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Moments, Rows, Sums, blockwise_qr
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate, Problem, Standardisation, Support
from descend.linear.problems.scores import scores_of
from descend.linear.problems.standardisation import standardisation_of
from descend.linear.problems.subdifferential import Subdifferential

MACHINE_EPS = float(np.finfo(float).eps)
# Roundings of the terms' typical size, about as many as a sum over many rows is wrong by.
SUM_ROUNDINGS = 1.0
# How far the slopes' sum may be from what it must be, relative to their magnitude.
BALANCE_ROUNDING = 1e-14


@dataclass(frozen=True)
class ScalarProblem:
    """A linear model of one score per row. See the module.

    `support`: of which of the user's columns the matrix is, where it has not all of them; the others are 0 everywhere.
    `given_standardisation`: that of another problem, where the solvers' coordinates are to be the same as there.
    `offset`: o, by row, or nothing.
    """

    in_memory: ClassVar[bool] = True
    # Scores of a row.
    outputs: ClassVar[int] = 1

    matrix: Matrix
    rows: Rows
    loss: Loss
    penalty: Penalty
    intercept: bool = True
    linear_term: float = 0.0
    support: Support | None = None
    given_standardisation: Standardisation | None = None
    offset: Array = field(default_factory=lambda: NO_OFFSET)

    @cached_property
    def standardisation(self) -> Standardisation:
        """Centre and unit by column."""
        given, penalty = self.given_standardisation, self.penalty
        return given or standardisation_of(self.matrix, self._moments, penalty.l2, self.intercept)

    @cached_property
    def _moments(self) -> Moments:
        return self.matrix.moments(self.rows.s)

    @cached_property
    def _size_of_numbers(self) -> Array:
        """The root of their mean square by column: not about the mean, as they are summed up as they are."""
        return np.sqrt(self._moments[0] ** 2 + self._moments[1])

    @property
    def size(self) -> int:
        """How many numbers are sought: a coefficient for each column, and the intercept."""
        return self.matrix.shape[1] + 1

    @cached_property
    def curvature_of_penalty(self) -> Array:
        """The l2 penalty's second derivative, in the coordinates of solvers."""
        return np.append(self.penalty.curvature(self.standardisation.unit), 0.0)

    @cached_property
    def threshold(self) -> Array:
        """The l1 penalty of each coordinate of solvers."""
        return np.append(self.penalty.threshold(self.standardisation.unit), 0.0)

    @cached_property
    def subdifferential(self) -> Subdifferential:
        """Of the l1 penalty and the bound, in the coordinates of solvers."""
        lower = -self.threshold
        if self.penalty.positive:
            lower[:-1] = -math.inf
        return Subdifferential(lower, self.threshold)

    def to_user(self, u: Array) -> tuple[Array, float]:
        """Coefficients and intercept of the matrix's columns."""
        centre, unit = self.standardisation
        w = u[:-1] * unit
        return w, float(u[-1] if self.matrix.is_sparse else u[-1] - centre @ w)

    @property
    def columns(self) -> int:
        """How many coefficients the user sees."""
        return self.matrix.shape[1] if self.support is None else self.support.width

    def coefficients(self, u: Array) -> tuple[Array, float]:
        """All coefficients, and the intercept, as the user sees them.

        Coefficients are of the precision of `X`; the intercept is the one that goes with them when they are rounded.
        """
        centre, unit = self.standardisation
        w = (u[:-1] * unit).astype(self.matrix.dtype, copy=False)
        b = float(u[-1] if self.matrix.is_sparse else u[-1] - centre @ w.astype(np.float64, copy=False))
        if self.matrix.shift is not None:
            b -= float(self.matrix.shift @ w)
        if self.support is None:
            return w, b
        everywhere = np.zeros(self.columns, w.dtype)
        everywhere[self.support.indices] = w
        return everywhere, b

    def from_user(self, w: Array, b: float) -> Array:
        """The coordinates of solvers, of all the user's coefficients."""
        centre, unit = self.standardisation
        w = np.asarray(w if self.support is None else w[self.support.indices], np.float64)
        if self.matrix.shift is not None:
            b += float(self.matrix.shift @ w)
        return np.append(w / unit, b + centre @ w if self.intercept else 0.0)

    def default_start(self) -> Array:
        """Where a descent begins that is not told to begin elsewhere: at the intercept of the mean target, where scores
        of 0 may be so far from it that a quadratic model is none there.
        """
        u, mean, link = np.zeros(self.size), self._mean_target, self.loss.kind.link
        if self.intercept and link is not None and mean > 0:
            u[-1] = link(mean) - (self._mean(self.offset) if self.has_offset else 0.0)
        return u

    @cached_property
    def loss_scale(self) -> float:
        """What a loss whose curvature has no bound is measured in, its curvature at the mean target: what it is at a
        start that may be the minimum says nothing of that. 0 for others.
        """
        mean, link = self._mean_target, self.loss.kind.link
        return self.loss.curvature(link(mean), mean) if link is not None and mean > 0 else 0.0

    @cached_property
    def _mean_target(self) -> float:
        return self._mean(self.rows.y) if self.loss.kind.link is not None and self.in_memory else 0.0

    def _mean(self, numbers: Array) -> float:
        """Of numbers by row, by their weights."""
        s = self.rows.s
        return dot(s, numbers) if s.size > 1 else float(numbers.mean())

    def at_best_scale(self, z: Array) -> "ScalarProblem":
        """The problem at these scores, where its loss has nothing more to find."""
        return self

    def score_buffer(self) -> Array:
        """Room for the scores of all rows; those of `evaluate` are kept in it."""
        return self.matrix.score_buffer() + self.offset if self.has_offset else self.matrix.score_buffer()

    @property
    def has_offset(self) -> bool:
        """Whether a number that is given is added to each row's score."""
        return self.offset.size > 0

    # A trial may be beyond all numbers; then it is not taken.
    @np.errstate(over="ignore", invalid="ignore")
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate:
        """The problem at u, in one pass over the matrix. `z` holds the last scores, and those of u afterwards.

        `bounded`: whether a bound is wanted, for which a pass does three times the sums.
        """
        w, b = self.to_user(u)
        sums = self.matrix.sweep(w, b, self.loss, self.rows, z, bounded, self.offset)
        centre, unit = self.standardisation
        penalty = self.penalty.value(w) + self.linear_term * b
        by_b = sums.g_b + self.linear_term if self.intercept else 0.0
        gradient = np.append((sums.g + self.penalty.gradient(w) - centre * (sums.g_b + self.linear_term)) * unit, by_b)
        lower = self.lower_bound(sums) if bounded else -math.inf
        rounding = math.sqrt(sums.squares) * self.score_rounding(w, b) * self.rounding_share if bounded else 0.0
        return Iterate(u, sums.value + self.loss.smoothing + penalty, gradient, lower, rounding)

    def certified(self, point: Iterate, z: Array) -> Iterate:
        """The same point with the bound that its own slopes give.

        The intercept is first made the best for the scores, so that the slopes balance. For solvers whose steps do not
        foresee the slopes, as Newton's does; it costs a pass.
        """
        u = point.u
        if self.intercept:
            u = u.copy()
            u[-1] += self.best_shift(z)
            z += u[-1] - point.u[-1]
        better = self.evaluate(u, z)
        if better.value <= point.value:
            return better
        return point._replace(lower=better.lower, rounding=better.rounding)

    def best_shift(self, z: Array) -> float:
        """The number that minimises the loss when it is added to these scores."""
        return best_shift(self.loss, self.rows, z, float(self.linear_term))

    def separation_margins(self, u: Array) -> tuple[Array, float]:
        """How the loss falls for ever along u, if it may: see `Separation`."""
        separation = self.loss.kind.separation
        if separation is None:
            return np.zeros(0), 0.0
        w, b = self.to_user(u)
        return separation.margins(scores_of(self.matrix.X, np.atleast_2d(w), b)[:, 0], self.rows.y)

    def hessian(self, z: Array) -> Array:
        """The second derivative of all but the l1 penalty at these scores: the lower triangle."""
        out = self.matrix.hessian(self.loss, self.rows, z, *self.standardisation)
        if not self.intercept:
            out[-1], out[:, -1] = 0.0, 0.0
            out[-1, -1] = 1.0
        out[np.diag_indices(self.size)] += self.curvature_of_penalty
        return out

    def hessian_blocks(self, z: Array) -> Array:
        """The Hessian, as the one block that there is of one score."""
        return self.hessian(z)[None]

    def hessian_root(self, z: Array, V: Array) -> Array:
        """R with RᵀR = VᵀHV for the Hessian H at these scores, made from the rows: see `Curvature`."""
        V = V * np.append(np.ones(self.size - 1), float(self.intercept))[:, None]
        rows = self.matrix.hessian_root(self.loss, self.rows, z, *self.standardisation, V)
        return blockwise_qr([rows, np.sqrt(self.curvature_of_penalty)[:, None] * V])

    def score_rounding(self, w: Array, b: float) -> float:
        """By how much rounding may move a score: columns far from 0 are summed up as they are, at last by the user."""
        far, shift = self._moments[2], self.matrix.shift
        if shift is not None:
            far, b = far + 2 * np.abs(shift), abs(b) + abs(float(np.sum(shift * w)))
        b = abs(b) + float(np.abs(self.offset).max(initial=0.0))
        # Not by BLAS: it would wake up threads for this.
        return MACHINE_EPS * (float(np.sum(far * np.abs(w))) + b)

    def gradient_rounding(self, slope: float) -> Array:
        """By how much rounding may change the gradient; `slope`: the root of the mean square of the rows' slopes."""
        return SUM_ROUNDINGS * MACHINE_EPS * slope * np.append(self._size_of_numbers * self.standardisation[1], 1.0)

    def curvature_bound(self, z: Array) -> float:
        """The greatest second derivative of a row's loss that there is between 0 and these scores."""
        local_curvature_bound = self.loss.kind.local_curvature_bound
        if local_curvature_bound is not None and self.in_memory:
            return local_curvature_bound(z, self.rows.y, *self.loss.parameters)
        return math.inf if self.loss.kind.corners else self.loss.curvature_bound

    def slope_bound(self, value: float, z: Array) -> float:
        """The root of the mean square of the rows' slopes, at most: ℓ'² ≤ 2Lℓ, where ℓ'' ≤ L."""
        kind = self.loss.kind
        return (
            kind.slope_bound(self.loss.p)
            if kind.concomitant_scale
            else math.sqrt(2 * self.curvature_bound(z) * max(value, 0.0))
        )

    @property
    def rounding_share(self) -> float:
        """How much of the rounding in scores is left in a loss, where its sum over the rows is 0; at corners all."""
        return 1.0 if self.loss.kind.corners else math.sqrt(self.rows.s.max())

    def lower_bound(self, sums: Sums) -> float:
        """The dual's value at the foreseen slopes, made feasible: −Σ s ℓ*(r) − Ω*(−Xᵀ s r), with Σ s r = −linear_term.

        The slopes of one side are scaled down until their sum is right, and then all, until the l1 penalty (and Huber's
        scale) allow them; as ℓ*(0) = 0, ℓ*(t r) ≤ t ℓ*(r) − t (1 − t) r²/(2L), where ℓ'' ≤ L.
        It is less by what rounding in sums over the rows may have added to it.
        """
        # 1. Σ s r = −linear_term: an intercept is not penalised, so that slopes of another sum have no bound at all.
        #    Only the side that is too heavy is scaled down: its slopes stay in the conjugate's domain, as 0 is in it.
        shares = np.ones(2)
        if self.intercept:
            below, above = -float(sums.q_b[0]), float(sums.q_b[1])
            side = int(above + self.linear_term > below)
            have, wanted = (above, below - self.linear_term) if side else (below, above + self.linear_term)
            if wanted < -BALANCE_ROUNDING * (below + above) or (have == 0 and wanted > 0):
                return -math.inf
            shares[side] = max(wanted, 0.0) / have if have > 0 else 1.0
        # 2. How the slopes pull at each column, more by what rounding in the sums may have taken from that.
        slope = math.sqrt(sums.squares)
        q = shares[0] * sums.q[0] + shares[1] * sums.q[1]
        q = self.penalty.pull(-q) + SUM_ROUNDINGS * MACHINE_EPS * slope * self._size_of_numbers
        conjugates = float(shares @ sums.conjugates)
        # 3. Scaled down until columns without a square (and Huber's scale, Σ s r² ≤ 4) allow it.
        scale = min(1.0, 2 / math.sqrt(max(sums.squares, 1e-300))) if self.loss.kind.concomitant_scale else 1.0
        free = self.penalty.l2 == 0
        beyond = scale * q[free] > self.penalty.l1[free]
        if beyond.any():
            scale = float((self.penalty.l1[free][beyond] / q[free][beyond]).min())
        # Scaled down, the slopes do not balance the linear term any more.
        if scale == 0 or (scale < 1 and self.linear_term):
            return -math.inf
        # 4. What the conjugates are at the scaled slopes is not known, and no more than this: they are convex, and
        #    curve by at least 1/L.
        curvature_bound = self.loss.unsmoothed_curvature_bound
        spared = 0.5 * scale * (1 - scale) * float(shares.min()) ** 2 * sums.squares / curvature_bound
        rounding = SUM_ROUNDINGS * MACHINE_EPS * float(np.abs(sums.conjugates).sum()) + self.loss.kind.rounding
        return spared - scale * conjugates - self.penalty.conjugate(scale * q) - rounding

    def sample(self, count: int) -> "ScalarProblem":
        """The same problem on some of the rows, which are drawn anew in the same way each time.

        The penalty of a column weighs at most as much beside a row as before, without which columns that are rare among
        these would run off; and little more than beside all rows where the column's numbers are small, whose
        coefficients are large and made far too small by it.
        """
        drawn = np.sort(np.random.default_rng(0).choice(self.matrix.shape[0], count, replace=False))
        y, s = self.rows
        s = s[drawn] / s[drawn].sum() if s.size > 1 else np.array([1 / count])
        l2 = np.minimum(self.penalty.l2 * self.matrix.shape[0] / count, self.penalty.l2 + self._moments[2] ** 2 / count)
        return replace(
            self,
            matrix=self.matrix.take(drawn),
            rows=Rows(y[drawn], s),
            penalty=replace(self.penalty, l2=l2),
            given_standardisation=self.standardisation,
            offset=self.offset[drawn] if self.has_offset else self.offset,
        )

    def smoothed(self, mu: float) -> "ScalarProblem":
        """The same problem with another smoothing, or scale."""
        return replace(self, loss=self.loss._replace(mu=mu), given_standardisation=self.standardisation)


def is_scalar(problem: Problem) -> TypeGuard[ScalarProblem]:
    """Whether a row has one score: then the problem offers what a `ScalarProblem` does."""
    return problem.outputs == 1


def scalar(problem: Problem, solver: str) -> ScalarProblem:
    """The problem, for a solver that looks at rows of one score. **Raises** `InputError` where they have more."""
    if not is_scalar(problem):
        raise InputError(f"solver={solver!r} is for one score of a row, and here are {problem.outputs}, one for each "
                         "class: choose solver='auto'")
    return problem

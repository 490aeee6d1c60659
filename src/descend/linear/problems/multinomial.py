"""Multinomial logistic regression: one score for each row and class.

    F(W, b) = Σ s [log Σₖ exp(zₖ) − z_y] + Σ l2 W²/2,  z = Wx + b

Its dual has a point p of the simplex for each row, r = p − e_y: every one bounds F from below,

    F(W, b) ≥ −Σ s Σₖ pₖ log pₖ − Σ |Xᵀ s r|²/(2 l2),  if Σ s r = 0 (of an intercept, which is not penalised).

Points whose classes have other shares P = Σ s p than the rows, π, are mixed with one q for all: (1 − t) p + t q has
the shares π if q = P + (π − P)/t, which is in the simplex for t = max (1 − π/P). The entropy is concave, so the bound
holds, and t vanishes with the gradient. A class that no row has is merged with another before: of a share b of it the
entropy loses at most b (1 − log b).

Solvers see the coordinates of `ScalarProblem`; in u the classes of a column follow each other, and the intercepts come
last.
Adding the same to the coefficients of all classes changes no probability. It is the penalty that chooses; of what is
not penalised, and so of the intercepts, the mean over the classes never moves from where it was.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import softmax

from descend.errors import InputError
from descend.linear._losses import LOGISTIC, Loss
from descend.linear.problems import multinomial_hessian as crossed
from descend.linear.problems.matrix import Array, Matrix, Moments, Rows, blockwise_qr
from descend.linear.problems.multinomial_passes import MultinomialPasses
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Iterate, Standardisation, Support
from descend.linear.problems.scalar import MACHINE_EPS, SUM_ROUNDINGS
from descend.linear.problems.scores import scores_of
from descend.linear.problems.standardisation import standardisation_of
from descend.linear.problems.subdifferential import Subdifferential

# Coefficients for which Newton's method is thought of, and slopes are foreseen for it.
PREDICTED_DUAL_SIZE = 2000
# A share of all rows: so near the shares of classes come to what they must be.
SHARE_TOL = 1e-15
# A share of a class's: as much as sums of many rows are uncertain by.
SHARE_ROUNDING = 1e-13
BALANCE_STEPS = 50
# Times the intercepts: where those of the minimum are taken to be.
INTERCEPT_REACH = 2.0
# The greatest shift: beyond, its exponential overflows.
SHIFT_OVERFLOW = 500.0


@dataclass(frozen=True)
class MultinomialProblem:
    """A linear model of one score per row and class. Targets are 0, 1, … `classes` − 1.

    Its penalty has squares alone. **Raises** `InputError` for one with magnitudes.
    """

    loss: ClassVar[Loss] = Loss(LOGISTIC)
    in_memory: ClassVar[bool] = True
    # There is none.
    linear_term: ClassVar[float] = 0.0
    has_offset: ClassVar[bool] = False
    # Its curvature has a bound.
    loss_scale: ClassVar[float] = 0.0
    # All columns are there: of so many coefficients a Hessian is not thought of.
    support: ClassVar[Support | None] = None

    matrix: Matrix
    rows: Rows
    classes: int
    penalty: Penalty
    intercept: bool = True
    # Of another problem, where they are to be the same.
    given_standardisation: Standardisation | None = None

    def __post_init__(self) -> None:
        if not self.penalty.is_smooth:
            raise InputError("the multinomial loss has no l1 penalty: choose l2 alone, or one class against the others")

    @cached_property
    def _moments(self) -> Moments:
        return self.matrix.moments(self.rows.s)

    @cached_property
    def standardisation(self) -> Standardisation:
        """Centre and unit by column."""
        given, penalty = self.given_standardisation, self.penalty
        return given or standardisation_of(self.matrix, self._moments, penalty.l2, self.intercept)

    @property
    def size(self) -> int:
        """How many numbers are sought: of each class a coefficient for each column, and an intercept."""
        return (self.matrix.shape[1] + 1) * self.classes

    @property
    def outputs(self) -> int:
        """How many scores a row has."""
        return self.classes

    @cached_property
    def threshold(self) -> Array:
        """There is no such penalty."""
        return np.zeros(self.size)

    @cached_property
    def subdifferential(self) -> Subdifferential:
        """Of the penalty, which has no corner at 0."""
        return Subdifferential(self.threshold, self.threshold)

    @cached_property
    def column_curvature(self) -> Array:
        """Its second derivative by column in the coordinates of solvers, and 0 for the intercepts."""
        return np.append(self.penalty.curvature(self.standardisation.unit), 0.0)

    @cached_property
    def curvature_of_penalty(self) -> Array:
        """The l2 penalty's second derivative, in the coordinates of solvers."""
        return np.repeat(self.column_curvature, self.classes)

    def to_user(self, u: Array) -> tuple[Array, Array]:
        """Coefficients (a row for each class) and intercepts in the user's units."""
        centre, unit = self.standardisation
        V = u.reshape(-1, self.classes)
        W = np.multiply(V[:-1].T, unit, order="C")
        return W, V[-1] - W @ centre

    @property
    def columns(self) -> int:
        """How many coefficients of a class the user sees."""
        return self.matrix.shape[1]

    def coefficients(self, u: Array) -> tuple[Array, Array]:
        """All coefficients and intercepts, as the user sees them; see `ScalarProblem.coefficients`."""
        centre, unit = self.standardisation
        V = u.reshape(-1, self.classes)
        W = np.multiply(V[:-1].T, unit, order="C").astype(self.matrix.dtype)
        b = V[-1] - W.astype(np.float64) @ centre
        return W, b if self.matrix.shift is None else b - W @ self.matrix.shift

    def default_start(self) -> Array:
        """Where a descent begins that is not told to begin elsewhere."""
        return np.zeros(self.size)

    def from_user(self, W: Array, b: Array) -> Array:
        """The coordinates of solvers."""
        centre, unit = self.standardisation
        W = np.asarray(W, np.float64)
        if self.matrix.shift is not None:
            b = b + W @ self.matrix.shift
        return np.vstack([(W / unit).T, (b + W @ centre) * self.intercept]).ravel()

    def at_best_scale(self, z: Array) -> "MultinomialProblem":
        """The problem at these scores: its loss has nothing more to find."""
        return self

    def score_buffer(self) -> Array:
        """Room for the scores of all rows; those of `evaluate` are kept in it."""
        return np.zeros((self.matrix.shape[0], self.classes))

    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate:
        """The problem at u, in one pass over the matrix. `z` holds the last scores, and those of u afterwards.

        The dual point is that of the slopes foreseen at the last scores: after a step of Newton's it is quadratically
        near to the best. With so many coefficients that no such step is made there is none, nor where it is not wanted
        (`bounded`), and the bound is −∞.
        """
        bounded = bounded and self.size <= PREDICTED_DUAL_SIZE
        return self._at(u, z, bounded, with_dual=bounded)

    def certified(self, point: Iterate, z: Array) -> Iterate:
        """The same point with the bound that its own slopes give, the intercepts made the best for its scores first."""
        u = point.u
        if self.intercept:
            shift = self._best_shift(z)
            u = u.copy()
            u[-self.classes :] += shift
        better = self._at(u, z, bounded=True, with_dual=False)
        return better if better.value <= point.value else point._replace(lower=better.lower)

    def _at(self, u: Array, z: Array, bounded: bool, with_dual: bool) -> Iterate:
        V = u.reshape(-1, self.classes)
        done = self.passes.sweep(V, z, with_dual)
        lower = self.lower_bound(done.dual, done.conjugate, float(np.abs(V[-1]).max())) if bounded else -math.inf
        gradient = done.gradient
        pulled = self.column_curvature[:, None] * V
        gradient += pulled
        if not self.intercept:
            gradient[-1] = 0.0
        return Iterate(u, done.value + 0.5 * float(np.vdot(pulled, V)), gradient.ravel(), lower)

    @cached_property
    def passes(self) -> MultinomialPasses:
        """Over its rows, in the coordinates of solvers."""
        return MultinomialPasses(self.matrix, self.standardisation, self.rows, self.classes)

    @cached_property
    def _class_sums(self) -> Array:
        return self.passes.class_sums()

    def lower_bound(self, dual: Array, conjugate: float, reach: float) -> float:
        """The dual's value at slopes, of which x̃ᵀ s r and Σ s Σ p log p are given, made feasible as the module says.

        It is less by what rounding may have added. `reach`: of the intercepts, which bear what shares are off by.
        """
        rounding = MACHINE_EPS * (1 + abs(conjugate))
        if self.intercept:
            wanted = self.class_shares
            dual, conjugate = self._merged(dual, conjugate, wanted == 0)
            shares = np.maximum(dual[-1] + wanted, 0.0)
            t = float(np.max(1 - wanted / np.where(shares > 0, shares, np.inf), where=shares > 0, initial=0.0))
            if t > SHARE_ROUNDING:
                mixed = np.maximum(shares + (wanted - shares) / t, 0.0)
                mixed /= mixed.sum()
                sums = self._class_sums
                dual = (1 - t) * dual + t * (np.outer(sums.sum(axis=1), mixed) - sums)
                conjugate = (1 - t) * conjugate + t * float(np.sum(mixed * np.log(np.where(mixed > 0, mixed, 1.0))))
            rounding += INTERCEPT_REACH * reach * (float(np.abs(dual[-1]).sum()) + MACHINE_EPS)
        pull = self.column_curvature[:-1]
        blurred = np.abs(dual[:-1]) + self.gradient_rounding(1.0).reshape(-1, self.classes)[:-1] * (dual[:-1] != 0)
        squares = np.einsum("jk,jk->j", blurred, blurred)
        if squares[pull == 0].any():
            return -math.inf
        return -conjugate - rounding - 0.5 * float(np.sum(squares[pull > 0] / pull[pull > 0]))

    def _merged(self, dual: Array, conjugate: float, absent: Array) -> tuple[Array, float]:
        """The dual point with the probabilities of absent classes added to those of the greatest."""
        lost = dual[-1, absent]
        if lost.any():
            dual = dual.copy()
            dual[:, np.argmax(self.class_shares)] += dual[:, absent].sum(axis=1)
            dual[:, absent] = 0.0
            lost = lost[lost > 0]
            conjugate += float(np.sum(lost * (1 - np.log(lost))))
        return dual, conjugate

    @cached_property
    def class_shares(self) -> Array:
        """The weight of the rows of each class, of all."""
        y, s = self.rows
        return np.bincount(y, np.broadcast_to(s, y.shape), self.classes)

    def _best_shift(self, z: Array) -> Array:
        """The intercepts that minimise the loss of the scores, of which z does not remain."""
        self.passes.probabilities(z, z)
        return self.balance(z)[0]

    def balance(self, p: Array) -> tuple[Array, float]:
        """Give the classes the shares that they have among the rows: p exp(shift), divided by its sum, in place of p.

        The shift minimises the loss of scores log p, by Newton's steps; with it is given how the loss changes.
        """
        wanted = self.class_shares

        def at(shift: Array) -> tuple[float, Array, Array]:
            factor = np.exp(np.minimum(shift, SHIFT_OVERFLOW))
            level, shares, products = self.passes.tilted(factor, p)
            return float(level - wanted @ shift), shares - wanted, np.diag(shares) - products

        # Newton's method on a function of as many numbers as there are classes, of which a pass over p is all the work.
        shift = np.zeros(self.classes)
        loss, first, second = at(shift)
        before = loss
        for _ in range(BALANCE_STEPS):
            if np.abs(first).max() <= SHARE_TOL:
                break
            # The same shift for all classes changes nothing: the ones, added to the Hessian, forbid it, and a ridge
            # keeps classes that no row is of from making it singular.
            step = -np.linalg.solve(second + 1 / self.classes + 1e-14 * np.eye(self.classes), first)
            after = at(shift + step)
            while not after[0] <= loss + 1e-15 * (1 + abs(loss)) and np.abs(step).max() > 1e-15:
                step = step / 4
                after = at(shift + step)
            if np.abs(after[1]).max() >= np.abs(first).max() and after[0] >= loss:
                # What is left is rounding.
                break
            shift, (loss, first, second) = shift + step, after
        if shift.any():
            self.passes.tilt(np.exp(np.minimum(shift, SHIFT_OVERFLOW)), p)
        return shift, loss - before

    def separation_margins(self, u: Array) -> tuple[Array, float]:
        """By how much a row is on its own side of all planes between classes, along u; and that none has to stay."""
        w, b = self.to_user(u)
        z, y = scores_of(self.matrix.X, w, b), self.rows.y
        rows = np.arange(len(z))
        own = z[rows, y]
        z[rows, y] = -np.inf
        return own - z.max(axis=1), 0.0

    def hessian(self, z: Array) -> Array:
        """The second derivative at these scores.

        Along equal moves of all classes, where it vanishes if there is no penalty (and the gradient with it), it is
        given a curvature, so that Newton's step makes no such move rather than any.
        """
        classes = self.classes
        # Of two columns and two classes.
        products = crossed.products(self.matrix, self.standardisation, self.rows.s, z)
        for i in np.flatnonzero(self.column_curvature == 0):
            products[i, i] += np.trace(products[i, i]) / classes**2
        # In u: of a column and a class.
        out = products.transpose(0, 2, 1, 3).reshape(self.size, self.size)
        out[np.diag_indices(self.size)] += self.curvature_of_penalty
        if not self.intercept:
            out[-classes:] = 0.0
            out[:, -classes:] = 0.0
            out[np.diag_indices(self.size)] += np.append(np.zeros(self.size - classes), np.ones(classes))
        return out

    def hessian_blocks(self, z: Array) -> Array:
        """Of each class, the second derivative by its own coefficients at these scores: lower triangles."""
        places, out = np.arange(len(self.column_curvature)), np.empty_like(z)
        self.passes.probabilities(z, out)
        out = crossed.class_blocks(self.matrix, self.standardisation, self.rows.s, out)
        out[:, places, places] += self.column_curvature
        if not self.intercept:
            out[:, -1], out[:, :, -1], out[:, -1, -1] = 0.0, 0.0, 1.0
        return out

    def hessian_root(self, z: Array, V: Array) -> Array:
        """R with RᵀR = VᵀHV for the Hessian H at these scores, made from the rows: see `Curvature`."""
        classes, s = self.classes, self.rows.s
        kept = V.reshape(-1, classes, V.shape[1]).copy()
        kept[-1] *= self.intercept

        def rooted() -> Iterator[Array]:
            """Of each row a root of diag p − p pᵀ times what its scores change by: √pₖ (zₖ − Σ p z)."""
            for first, last, transformed_rows in self.matrix.transformed_rows(
                *self.standardisation, kept.reshape(len(kept), -1)
            ):
                p = softmax(z[first:last], axis=1)[..., None]
                moved = transformed_rows.reshape(last - first, classes, -1)
                roots = np.sqrt(p * (s[first:last, None, None] if s.size > 1 else s[0]))
                yield (roots * (moved - np.sum(p * moved, axis=1, keepdims=True))).reshape(-1, V.shape[1])

        penalty = np.sqrt(self.curvature_of_penalty)[:, None] * V
        return blockwise_qr(block for blocks in (rooted(), [penalty]) for block in blocks)

    def gradient_rounding(self, slope: float) -> Array:
        """By how much rounding may change the gradient; `slope`: the root of the mean square of the rows' slopes."""
        far = self._moments[2] * self.standardisation[1] if self.matrix.is_sparse else np.ones(self.columns)
        return np.repeat(SUM_ROUNDINGS * MACHINE_EPS * slope * np.append(far, 1.0), self.classes)

    def score_rounding(self, W: Array, b: Array) -> float:
        """By how much rounding may move a score; see `ScalarProblem.score_rounding`."""
        return MACHINE_EPS * float((np.abs(W) @ self._moments[2] + np.abs(b)).max())

    def curvature_bound(self, _z: Array) -> float:
        """The greatest second derivative of a row's loss."""
        return 1.0

    def slope_bound(self, value: float, _z: Array) -> float:
        """The root of the mean square of the rows' slopes, at most; see `ScalarProblem.slope_bound`."""
        return math.sqrt(2 * max(value, 0.0))

    def sample(self, count: int) -> "MultinomialProblem":
        """The same problem on some of the rows, of each class by its share and at least one; see `Problem.sample`."""
        y, s = self.rows
        order = np.random.default_rng(0).permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]
        drawn = order[np.arange(count) * len(y) // count + len(y) // (2 * count)]
        _, firsts = np.unique(y[order], return_index=True)
        missed = firsts[~np.isin(y[order[firsts]], y[drawn])]
        drawn = np.sort(np.append(drawn, order[missed]))
        s = s[drawn] / s[drawn].sum() if s.size > 1 else np.array([1 / len(drawn)])
        share = len(y) / len(drawn)
        penalty = Penalty.ridge(share * self.penalty.l2)
        return replace(self, matrix=self.matrix.take(drawn), rows=Rows(y[drawn], s), penalty=penalty,
                       given_standardisation=self.standardisation)

"""L-BFGS for smooth problems of so many coefficients that a Hessian is too large.

    u ← u − t H ∇F(u),  H ≈ (∇²F)⁻¹ by the last steps s and the changes y of the gradient that they made

H begins as a multiple of D⁻¹, D = c + (the penalty's second derivative): columns have unit spread, so that the diagonal
of the loss's Hessian is about one number c, which the first step finds. With the products of all s and y with each
other at hand, H takes two passes over them (Byrd, Nocedal and Schnabel, 1994). They lie in memory as float32: these
numbers are a secant pair as good as the exact ones, but for their last digits.

Where slopes balance, the gap is Σ g²/(2 l2): this foresees what a certificate, which costs a pass, will say.

Reference: Liu and Nocedal (1989), "On the limited memory BFGS method for large scale optimization".
"""

import math
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.linalg import solve_triangular

from descend.linear._kernels import lbfgs as kernels
from descend.linear._kernels.threads import each, parts, total
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate
from descend.linear.solvers.convergence import Iterates

MEMORY = 10
# A share of the curvature along the first gradient, which points to where it is greatest.
TYPICAL_CURVATURE = 0.03
# The share of the decrease that the slope promises which a step must make (Armijo).
ARMIJO = 1e-4
# A change of the loss, relative to it, below which slopes judge a step.
VALUE_ROUNDING = 1e-14
SHORTEST_STEP = 2.0**-40
# Steps that make neither the loss nor the gradient less.
IDLE_STEPS = 20
# The least curvature of a loss that H begins with.
CURVATURE_FLOOR = 1e-6
# A share of the value: a foreseen gap for which a certificate is asked, and of the last that was.
CERTIFICATE_GAP = 0.5


@runtime_checkable
class Descended(Protocol):
    """A problem without corners, as this method sees it."""

    @property
    def curvature_of_penalty(self) -> Array: ...
    def score_buffer(self) -> Array: ...
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate: ...
    def certified(self, point: Iterate, z: Array) -> Iterate: ...


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
        self._scaled, self._added = np.empty_like(self.stored[0]), np.zeros_like(self.stored[0])

    def add(self, point: Iterate, last: Iterate) -> None:
        """Keep a step in place of the oldest, if the gradient did change along it."""
        place = self.order.pop(0) if len(self.order) == MEMORY else len(self.order)
        along, across = total(each(lambda start, stop: kernels.keep(
            start, stop, point.u, point.gradient, last.u, last.gradient, self.root,
            self.stored[place], self.stored[MEMORY + place]), self._ranges))
        # A convex loss may have no curvature along a step; such a pair would make H infinite.
        if along > 1e-12 * across:
            self.order.append(place)
            self.along[place, place], self.across[place, place] = along, across
            self.is_new = True

    def direction(self, gradient: Array) -> tuple[Array, float]:
        """−H times the gradient, and the slope along it."""
        first = 1.0
        if self.order:
            each(lambda start, stop: kernels.scaled(start, stop, gradient, self.root, self._scaled), self._ranges)
            first, shares = self._times(self._products())
            np.matmul(shares, self.stored, out=self._added)
        out = np.empty_like(gradient)
        (slope,) = total(each(lambda start, stop: kernels.back(
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


def lbfgs(problem: Descended, u: Array) -> Iterates:
    """Descend from u."""
    z, penalty = problem.score_buffer(), problem.curvature_of_penalty
    point = problem.evaluate(u, z)
    yield point
    pairs, foreseen, idle = Pairs(1.0 + penalty), math.inf, 0
    # The least that were seen, but for what is rounding.
    value, square = point.value, math.inf
    while idle < IDLE_STEPS:
        # 1. A step along −H∇F, mostly of length 1.
        trial = searched(problem, point, *pairs.direction(point.gradient), z)
        if trial is None:
            if not pairs.order:
                return "no step along the gradient decreases the loss"
            # Rounding has spoilt the pairs: begin anew with the gradient.
            pairs = Pairs(pairs.root**2)
            continue
        # 2. A certificate costs a pass, so only where the slopes as they are foresee a gap that is worth one.
        expected = foreseen_gap(trial.gradient, penalty)
        if expected < CERTIFICATE_GAP * min(abs(trial.value), foreseen):
            foreseen, trial = expected, problem.certified(trial, z)
        # 3. The pair. After the first step it is known how the loss curves, and H begins again with that.
        if point.u is u:
            pairs = Pairs(typical_curvature(trial, point, penalty) + penalty)
        pairs.add(trial, point)
        yield trial
        point, idle = trial, idle + 1
        if trial.value < value - VALUE_ROUNDING * abs(value):
            value, idle = trial.value, 0
        if (now := float(trial.gradient @ trial.gradient)) < 0.9 * square:
            square, idle = now, 0
    return "the loss does not decrease any more"


def typical_curvature(point: Iterate, start: Iterate, penalty: Array) -> float:
    """Of the loss, in most directions: much less than along the first step, which goes where it is most curved."""
    step, change = point.u - start.u, point.gradient - start.gradient
    return max(TYPICAL_CURVATURE * float((change - penalty * step) @ step) / float(step @ step), CURVATURE_FLOOR)


def foreseen_gap(gradient: Array, penalty: Array) -> float:
    """The gap of slopes that balance: Σ g²/(2 l2)."""
    work = lambda start, stop: kernels.gap(start, stop, gradient, penalty)
    (gap,) = total(each(work, parts(penalty.size, penalty.size)))
    return float(gap) if gap > 0 else math.inf


def searched(problem: Descended, point: Iterate, direction: Array, slope: float, z: Array) -> Iterate | None:
    """A point in this direction that is enough lower, mostly the first that is tried."""
    step = 1.0
    while slope < 0 and step > SHORTEST_STEP:
        trial = problem.evaluate(point.u + (direction if step == 1 else step * direction), z, bounded=False)
        after, rise = float(direction @ trial.gradient), trial.value - point.value
        if rise <= ARMIJO * step * slope:
            return trial
        if rise <= VALUE_ROUNDING * abs(point.value) and after <= (2 * ARMIJO - 1) * slope:
            return trial
        # Where the slope's chord vanishes.
        nearer = slope / (slope - after) if math.isfinite(after) else 0.1
        step *= min(max(nearer, 0.1), 0.5)
    return None

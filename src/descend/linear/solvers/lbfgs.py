"""L-BFGS for smooth problems of so many coefficients that a Hessian is too large.

    u ← u − t H ∇F(u),  H ≈ (∇²F)⁻¹ by the last steps s and the changes y of the gradient that they made

H begins as a multiple of D⁻¹, D = c + (the penalty's second derivative): columns have unit spread, so that the diagonal
of the loss's Hessian is about one number c, which the first step finds. Where that was not enough for as many steps as
the Hessian's blocks cost, one for each score of a row, H begins anew with these: columns that go together, or that few
rows have, and a weak penalty, would else take hundreds of steps.

Where slopes balance, the gap is Σ g²/(2 l2): this foresees what a certificate, which costs a pass, will say.

Reference: Liu and Nocedal (1989), "On the limited memory BFGS method for large scale optimization".
"""

import math
from typing import Protocol, runtime_checkable

from numpy.linalg import LinAlgError

from descend.linear._kernels.threads import each, parts, total
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import Array, Matrix
from descend.linear.problems.problem import Iterate
from descend.linear.solvers.convergence import Iterates
from descend.linear.solvers.pairs import BlockPairs, Pairs, kernels_for

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
# Steps after which blocks of the Hessian are thought of, and how many of its multiplications take as long as one of a
# pass, whose numbers are gone through as they lie.
BLOCK_STEPS, BLOCK_SPEED = 10, 32
# Numbers of all blocks together, up to which there is room for them.
BLOCK_ENTRIES_LIMIT = 2**25


@runtime_checkable
class Descended(Protocol):
    """A problem without corners, as this method sees it."""

    @property
    def curvature_of_penalty(self) -> Array: ...
    @property
    def matrix(self) -> Matrix: ...
    @property
    def outputs(self) -> int: ...
    def score_buffer(self) -> Array: ...
    def hessian_blocks(self, z: Array) -> Array: ...
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate: ...
    def certified(self, point: Iterate, z: Array) -> Iterate: ...


def lbfgs(problem: Descended, u: Array) -> Iterates:
    """Descend from u."""
    z, penalty = problem.score_buffer(), problem.curvature_of_penalty
    point = problem.evaluate(u, z)
    yield point
    pairs, foreseen, idle = Pairs(1.0 + penalty), math.inf, 0
    # The least that were seen, but for what is rounding.
    value, square = point.value, math.inf
    steps, enough = 0, _steps_before_blocks(problem)
    while idle < IDLE_STEPS:
        # 1. A step along −H∇F, mostly of length 1.
        trial = searched(problem, point, *pairs.direction(point.gradient), z)
        if trial is None:
            if not pairs.order:
                return "no step along the gradient decreases the loss"
            # Rounding has spoilt the pairs: begin anew with the gradient.
            pairs.forget()
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
        # 4. Blocks of the Hessian, if it takes long, and was not the last step.
        steps += 1
        if steps >= enough:
            pairs, steps = _with_blocks(problem, z) or pairs, 0
        point, idle = trial, idle + 1
        if trial.value < value - VALUE_ROUNDING * abs(value):
            value, idle = trial.value, 0
        if (now := float(trial.gradient @ trial.gradient)) < 0.9 * square:
            square, idle = now, 0
    return "the loss does not decrease any more"


def _steps_before_blocks(problem: Descended) -> float:
    """As many as the Hessian's blocks, and their factors, take the time of."""
    rows, columns = problem.matrix.shape
    # A file has no numbers in memory.
    if columns > DENSE_HESSIAN or columns**2 * problem.outputs > BLOCK_ENTRIES_LIMIT or not problem.matrix.entries:
        return math.inf
    return max(BLOCK_STEPS, columns**2 * (rows + columns / 3) / (BLOCK_SPEED * problem.matrix.entries))


def _with_blocks(problem: Descended, z: Array) -> BlockPairs | None:
    """Of the Hessian at these scores; `None`, where rounding leaves them not positive definite."""
    try:
        return BlockPairs(problem.hessian_blocks(z), problem.curvature_of_penalty[:: problem.outputs])
    except LinAlgError:
        return None


def typical_curvature(point: Iterate, start: Iterate, penalty: Array) -> float:
    """Of the loss, in most directions: much less than along the first step, which goes where it is most curved."""
    step, change = point.u - start.u, point.gradient - start.gradient
    return max(TYPICAL_CURVATURE * float((change - penalty * step) @ step) / float(step @ step), CURVATURE_FLOOR)


def foreseen_gap(gradient: Array, penalty: Array) -> float:
    """The gap of slopes that balance: Σ g²/(2 l2)."""
    kernels = kernels_for(penalty.size)
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

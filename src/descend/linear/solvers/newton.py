"""Newton's method for problems of few coefficients: the Hessian is summed up in one pass, and factored.

    u ← u − t (∇²F)⁻¹ ∇F,  with the largest t of 1, 1/4, 1/16, … that decreases F enough

Where there are many rows it begins on a few of them, and then on more: their minimum is as near to that of all as the
rows are typical, and from there a step or two on all of them are enough. The duality gap comes with each step from the
slopes that it foresaw, at no further pass; see `Sums`.
"""

from typing import Protocol, runtime_checkable

from descend.linear.problems.curvature import Curvature
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.solvers.convergence import VALUE_ROUNDING, ConvergenceMonitor, Iterates

# The share of the decrease that the slope promises which a step must make (Armijo).
ARMIJO = 1e-4
# The share of the slope that may be left after a step which is judged by its slope.
SLOPE_LEFT = 0.5
# A promised change of the loss, relative to it, below which its slope tells more than its value.
VALUE_NOISE = 1e-8
# The last sample: of the rows one in so many, but so many for each number that is sought.
SAMPLE_SHARE, ROWS_PER_COEFFICIENT = 16, 50
# How many times larger each sample is than the one before.
SAMPLE_GROWTH = 8
# Numbers of a matrix from which on a sample saves time.
SAMPLED_ENTRIES = 2**20
SHORTEST_STEP = 2.0**-40
# The reciprocal condition number down to which a Hessian is factored as it is, for a step.
STEP_CONDITION = 1e-12


@runtime_checkable
class Smooth(Protocol):
    """A problem without corners, as Newton's method sees it."""

    @property
    def size(self) -> int: ...
    def score_buffer(self) -> Array: ...
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Iterate: ...
    def hessian(self, z: Array) -> Array: ...
    def hessian_root(self, z: Array, V: Array) -> Array | None: ...


def sampled_newton(problem: Problem, u: Array) -> Iterates:
    """Descend from u on samples of the rows, each greater than the last, and from where that leads, on all of them."""
    rows, columns = problem.matrix.shape
    count, goal = (
        ROWS_PER_COEFFICIENT * (columns + 1),
        min(max(rows // SAMPLE_SHARE, ROWS_PER_COEFFICIENT * problem.size), rows // 4),
    )
    count, is_near = goal if count <= goal < SAMPLE_GROWTH // 2 * count else count, False
    # A sample of n rows knows the minimum of all to about size/n of the loss: no nearer is it worth to be found there.
    while count <= goal and problem.matrix.entries * problem.outputs >= SAMPLED_ENTRIES:
        monitor = ConvergenceMonitor(tol=0.1 * problem.size / count, max_iter=20)
        u, is_near = monitor.follow(newton(problem.sample(count), u)).u, True
        if count == goal:
            break
        count = min(SAMPLE_GROWTH * count, goal)
    return (yield from newton(problem, u, bounded=not is_near))


def newton(problem: Smooth, u: Array, bounded: bool = True) -> Iterates:
    """Descend from u; `bounded`: whether a bound is wanted before the first step."""
    z = problem.score_buffer()
    point = problem.evaluate(u, z, bounded)
    yield point
    while True:
        # 1. Newton's direction.
        direction = -_curvature(problem, z).step(point.gradient)
        slope = float(direction @ point.gradient)
        if not slope < 0:
            return "the gradient vanishes"
        # 2. The whole step first: its pass is the next gradient, too, and foresees the slopes for the bound. Near the
        #    minimum the loss changes by less than its own rounding, where Armijo's test would refuse good steps: there
        #    the slope along the direction decides.
        step, trial = 1.0, problem.evaluate(point.u + direction, z)
        while not (
            trial.value <= point.value + ARMIJO * step * slope + VALUE_ROUNDING * abs(point.value)
            or (-slope <= VALUE_NOISE * abs(point.value) and abs(trial.gradient @ direction) <= -SLOPE_LEFT * slope)
        ):
            step /= 4
            if step < SHORTEST_STEP:
                return "no step along Newton's direction decreases the loss"
            trial = problem.evaluate(point.u + step * direction, z)
        yield trial
        if trial.value >= point.value and trial.lower <= point.lower:
            return "the loss does not decrease any more"
        point = trial


def _curvature(problem: Smooth, z: Array) -> Curvature:
    """At these scores. Steps need not be exact, so that the rows are looked at only where columns are nearly alike."""
    return Curvature(problem.hessian(z), lambda V: problem.hessian_root(z, V), STEP_CONDITION)

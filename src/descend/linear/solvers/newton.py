"""Newton's method for problems of few coefficients: the Hessian is summed up in one pass, and factored.

    u ← u − t (∇²F)⁻¹ ∇F,  with the largest t of 1, 1/4, 1/16, … that decreases F enough

Where there are many rows it begins on a few of them, and then on more: their minimum is as near to that of all as the
rows are typical, and from there a step or two on all of them are enough. The duality gap comes with each step from the
slopes that it foresaw, at no further pass; see `Sums`.
"""

from typing import Protocol, runtime_checkable

from descend.linear.problems.curvature import Curvature
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Objective
from descend.linear.problems.scalar import Point
from descend.linear.solvers.convergence import Steps, Watch

ENOUGH = 1e-4  # of the decrease that the slope promises (Armijo)
ROUNDING = 1e-15  # of the loss: so far it may rise
LEVELLED = 0.5  # of the slope, what may be left of it after a step that is judged by it
NOISE = 1e-8  # of the loss: of a change that is promised to be less, its slope tells more than its value
SHARE, TYPICAL = 16, 50  # the last sample: of the rows one in so many, but so many for each number that is sought
GROWTH = 8  # of a sample
LARGE = 2**20  # numbers of a matrix from which on a sample saves time
SHORTEST = 2.0**-40
ALIKE = 1e-12  # reciprocal condition number


@runtime_checkable
class Smooth(Protocol):
    """A problem without corners, as Newton's method sees it."""

    @property
    def size(self) -> int: ...
    def scores(self) -> Array: ...
    def evaluate(self, u: Array, z: Array, bounded: bool = True) -> Point: ...
    def hessian(self, z: Array) -> Array: ...
    def triangle(self, z: Array, V: Array) -> Array | None: ...


def sampled_newton(problem: Objective, u: Array) -> Steps:
    """Descend from u on samples of the rows, each greater than the last, and from where that leads, on all of them."""
    rows, columns = problem.matrix.shape
    count, goal = TYPICAL * (columns + 1), min(max(rows // SHARE, TYPICAL * problem.size), rows // 4)
    count, is_near = goal if count <= goal < GROWTH // 2 * count else count, False
    while count <= goal and problem.matrix.numbers * problem.outputs >= LARGE:
        watch = Watch(tol=0.1 * problem.size / count, max_iter=20)
        u, is_near = watch.follow(newton(problem.sample(count), u)).u, True
        if count == goal:
            break
        count = min(GROWTH * count, goal)
    return (yield from newton(problem, u, bounded=not is_near))


def newton(problem: Smooth, u: Array, bounded: bool = True) -> Steps:
    """Descend from u; `bounded`: whether a bound is wanted before the first step."""
    z = problem.scores()
    point = problem.evaluate(u, z, bounded)
    yield point
    while True:
        direction = -_curvature(problem, z).step(point.gradient)
        slope = float(direction @ point.gradient)
        if not slope < 0:
            return "the gradient vanishes"
        step, trial = 1.0, problem.evaluate(point.u + direction, z)
        while not (trial.value <= point.value + ENOUGH * step * slope + ROUNDING * abs(point.value)
                   or (-slope <= NOISE * abs(point.value) and abs(trial.gradient @ direction) <= -LEVELLED * slope)):
            step /= 4
            if step < SHORTEST:
                return "no step along Newton's direction decreases the loss"
            trial = problem.evaluate(point.u + step * direction, z)
        yield trial
        if trial.value >= point.value and trial.lower <= point.lower:
            return "the loss does not decrease any more"
        point = trial


def _curvature(problem: Smooth, z: Array) -> Curvature:
    """At these scores. Steps need not be exact, so that the rows are looked at only where columns are nearly alike."""
    return Curvature(problem.hessian(z), lambda V: problem.triangle(z, V), ALIKE)

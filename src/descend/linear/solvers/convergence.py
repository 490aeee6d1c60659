"""What every solver is given to watch its convergence with, and what it gives back."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np

from descend.engine.interruption import Interruption
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate
from descend.stopping import Reason

# A solver: a point for each iteration; where it can go no further, why.
Iterates = Generator[Iterate, None, str]
# A gap that is nothing, relative to the value at the start: a minimum of 0 is not approached in relative terms.
NEGLIGIBLE_GAP = 1e-13
# How far the loss may rise, relative to itself: by rounding.
VALUE_ROUNDING = 1e-15


@dataclass(frozen=True)
class Solution:
    """Where a solver ended: the best point, its value, and a bound to the minimum from below.

    `curve`: the value after each iteration. `how`: the solver, and why it was chosen. `dependent`, `separating`: which
    columns of the matrix depend on each other, and which make up a direction in which the loss falls for ever.
    """

    u: Array
    value: float
    lower: float
    reason: Reason
    curve: Array
    how: str = ""
    dependent: Array = field(default_factory=lambda: np.zeros(0, int))
    separating: Array = field(default_factory=lambda: np.zeros(0, int))

    @property
    def gap(self) -> float:
        """How far from the minimum the value may be, at most."""
        return max(self.value - self.lower, 0.0)


@dataclass
class ConvergenceMonitor:
    """Keeps the best point and the best bound of a descent, and says when it is over.

    `tol`: what the gap may be, relative to the minimum (below `NEGLIGIBLE_GAP`, the descent goes on as long as float64
    tells anything, and is then judged by that); `loss_scale`: what the loss is measured in, where it is said by
    more than where a descent starts: see `Problem.loss_scale`. `each`: called after an iteration with its number, value
    and gap; it ends the descent by returning True. `interrupted`: ends it, too, once there was an iteration.
    """

    tol: float
    max_iter: int
    each: Callable[[int, float, float], bool | None] = lambda *_: None
    interrupted: Interruption = field(default_factory=Interruption)
    best: Iterate | None = None
    lower: float = -math.inf
    loss_scale: float = 0.0
    curve: list[float] = field(default_factory=list)

    def observe(self, point: Iterate) -> Reason | None:
        """Note a point; the reason to stop, if there is one."""
        # Bounds and values need not come from the same point: a bound holds for the problem.
        self.lower = max(self.lower, point.lower)
        if self.best is None or self._is_better(point, self.best):
            self.best = point
        self.curve.append(point.value)
        gap, number = self.gap, len(self.curve) - 1
        asked = self.each(number, point.value, gap)
        if not math.isfinite(point.value):
            return Reason("diverged", f"the loss became {point.value} at iteration {number}", number)
        goes_on = self._to_the_last and number < self.max_iter
        if gap <= (self.tol * self.least_magnitude if goes_on else self.allowed_gap):
            return self._converged(number)
        if number and self.interrupted.is_set():
            return Reason("interrupted", f"{self.interrupted.by} after {number} iterations", number)
        if asked:
            return Reason("interrupted", f"a callback asked for it after {number} iterations", number)
        if number >= self.max_iter:
            return Reason("budget", f"{number} iterations were made; the duality gap is {gap:.2g}, more than "
                                    f"{self.tol:g} of the minimum", number)
        return None

    @property
    def _to_the_last(self) -> bool:
        """Whether all is asked for that float64 tells."""
        return self.tol < NEGLIGIBLE_GAP

    def _is_better(self, point: Iterate, best: Iterate) -> bool:
        """Whether a point is better than the best so far. Near a minimum, values are alike but for rounding long before
        coefficients are: then the later one is.
        """
        rounding = VALUE_ROUNDING * abs(best.value) if self._to_the_last else 0.0
        return bool(point.value < best.value + rounding) or math.isnan(best.value)

    def _converged(self, number: int) -> Reason:
        """The reason of a gap that is small enough."""
        best = math.nan if self.best is None else self.best.value
        size = "the loss at the start" if self.loss_scale <= abs(self.curve[0]) else "the loss's unit"
        is_relative = self.gap <= self.tol * self.least_magnitude
        share = f"{self.tol:g} of the minimum" if is_relative else f"{NEGLIGIBLE_GAP:g} of {size}"
        return Reason("converged", f"the duality gap fell to {self.gap:.2g}, at most {share} (which is between "
                                   f"{self.lower:.6g} and {best:.6g})", number)

    @property
    def gap(self) -> float:
        """Between the best value and the best bound."""
        return math.inf if self.best is None else max(self.best.value + self.best.rounding - self.lower, 0.0)

    @property
    def least_magnitude(self) -> float:
        """What the minimum's magnitude is at least: it may be below 0, where a penalty rewards."""
        return 0.0 if self.best is None else max(self.lower, -self.best.value, 0.0)

    @property
    def allowed_gap(self) -> float:
        """The gap that is small enough."""
        return max(self.tol * self.least_magnitude, NEGLIGIBLE_GAP * max(abs(self.curve[0]), self.loss_scale))

    def follow(self, steps: Iterates) -> Solution:
        """Take a solver's steps until it is enough."""
        while True:
            try:
                reason = self.observe(next(steps))
            except StopIteration as end:
                reason = self.stalled(end.value)
            if reason is not None:
                return self.solution(reason)

    def stalled(self, why: str) -> Reason:
        """The reason of a solver that can go no further."""
        if self.curve and self.gap <= self.allowed_gap:
            return self._converged(len(self.curve) - 1)
        gap = f"; the duality gap is {self.gap:.2g}" if math.isfinite(self.gap) else ""
        return Reason("stalled", f"{why}{gap}", len(self.curve) - 1)

    def solution(self, reason: Reason) -> Solution:
        """The best point that was seen."""
        if self.best is None:
            raise RuntimeError(f"a solver ended before its first point, which is to be its start: {reason.evidence}")
        # So that it is below the value by the gap.
        lower = self.lower - self.best.rounding
        return Solution(self.best.u, self.best.value, lower, reason, np.array(self.curve))

"""What every solver is given to watch with, and what it gives back."""

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
# Of the value at the start: a minimum of 0 is not approached in relative terms.
NEGLIGIBLE_GAP = 1e-13


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

    `tol`: what the gap may be, relative to the minimum; `loss_scale`: what the loss is measured in, where it is said by
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
        self.lower = max(self.lower, point.lower)
        if self.best is None or point.value < self.best.value or math.isnan(self.best.value):
            self.best = point
        self.curve.append(point.value)
        gap, number = self.gap, len(self.curve) - 1
        asked = self.each(number, point.value, gap)
        if not math.isfinite(point.value):
            return Reason("diverged", f"the loss became {point.value} at iteration {number}", number)
        if gap <= self.allowed_gap:
            size = "the loss at the start" if self.loss_scale <= abs(self.curve[0]) else "the loss's unit"
            share = (
                f"{self.tol:g} of the minimum"
                if gap <= self.tol * self.least_magnitude
                else f"{NEGLIGIBLE_GAP:g} of {size}"
            )
            return Reason("converged", f"the duality gap fell to {gap:.2g}, at most {share} (which is between "
                                       f"{self.lower:.6g} and {self.best.value:.6g})", number)
        if number and self.interrupted.is_set():
            return Reason("interrupted", f"{self.interrupted.by} after {number} iterations", number)
        if asked:
            return Reason("interrupted", f"a callback asked for it after {number} iterations", number)
        if number >= self.max_iter:
            return Reason("budget", f"{number} iterations were made; the duality gap is {gap:.2g}, more than "
                                    f"{self.tol:g} of the minimum", number)
        return None

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
        gap = f"; the duality gap is {self.gap:.2g}" if math.isfinite(self.gap) else ""
        return Reason("stalled", f"{why}{gap}", len(self.curve) - 1)

    def solution(self, reason: Reason) -> Solution:
        """The best point that was seen."""
        if self.best is None:
            raise RuntimeError(f"a solver ended before its first point, which is to be its start: {reason.evidence}")
        # So that it is below the value by the gap.
        lower = self.lower - self.best.rounding
        return Solution(self.best.u, self.best.value, lower, reason, np.array(self.curve))

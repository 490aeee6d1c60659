"""Problems without a penalty whose loss falls for ever along a direction, so that there is no minimum.

A logistic loss has none exactly if a direction d separates the classes: y_i (x_i·d) ≥ 0 for all rows, and > 0 for some.
That of counts has none exactly if one leads rows whose count is 0 to ever lower rates, and leaves all others where they
are: x_i·d ≤ 0 where y_i = 0, and < 0 for some, but x_i·d = 0 where y_i > 0. It is the loss that says which rows are to
fall and which to stay (`Separation`). Squares, and losses that are straight far out, have a minimum always. Newton's
steps soon point along such a direction, or have gone along it.

Reference: Albert and Anderson (1984), "On the existence of maximum likelihood estimates in logistic regression models";
Santos Silva and Tenreyro (2010), "On the existence of the maximum likelihood estimates in Poisson regression".
"""

from dataclasses import replace

import numpy as np

from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.solvers.convergence import Solution
from descend.stopping import Reason

# A share of the greatest margin: nearer to 0 than this, a row is on the border.
BORDER_MARGIN = 1e-9
# A share of the greatest coefficient of a direction, in units of spread: less is not told.
NAMED_SHARE = 1e-3
# The iteration before which steps need not point where they will.
FIRST_TEST = 3


class SeparationTest:
    """Looks for a direction of endless descent along the way that a solver takes."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.calls = problem, 0
        self.columns = np.zeros(0, int)
        self.last: Array | None = None
        # A penalty holds what would go on for ever.
        free = problem.penalty.free
        self.free = np.append(np.repeat(free, problem.outputs), np.ones(problem.outputs, bool))
        self.separation = problem.loss.kind.separation
        self.looks = bool(self.separation and problem.in_memory and free.any())

    def evidence(self, u: Array) -> str:
        """Why there is no minimum, if the way to `u` shows it; otherwise nothing."""
        if self.separation is None or not self.looks:
            return ""
        self.calls += 1
        last, self.last = self.last, u.copy()
        if self.calls < FIRST_TEST:
            return ""
        # Newton's iterates run off along the direction: it is what they are, and, sooner, what they last moved by.
        for way in (u, u if last is None else u - last):
            direction = self._open(way)
            margins, still = self.problem.separation_margins(direction)
            greatest = margins.max(initial=0.0)
            if greatest > 0 and margins.min() >= -BORDER_MARGIN * greatest and still <= BORDER_MARGIN * greatest:
                self.columns = self._columns(direction)
                border = int(np.count_nonzero(margins <= BORDER_MARGIN * greatest))
                return self.separation.explain(len(margins), border)
        return ""

    def _open(self, way: Array) -> Array:
        """What of a way may be gone for ever."""
        direction = np.where(self.free, way, 0.0)
        if self.problem.penalty.positive:
            direction[:-1] = np.maximum(direction[:-1], 0.0)
        return direction

    def _columns(self, direction: Array) -> Array:
        """Those of the matrix that the direction is mostly made of, the greatest shares first."""
        width = self.problem.matrix.shape[1]
        shares = np.abs(direction[: width * self.problem.outputs].reshape(width, -1)).max(axis=1)
        order = np.argsort(-shares, kind="stable")
        return order[shares[order] > NAMED_SHARE * shares.max(initial=0.0)]

    def named(self, solution: Solution, evidence: str) -> Solution:
        """The solution, with the true reason of its end."""
        if not evidence:
            return solution
        return replace(solution, reason=Reason("unbounded", evidence, solution.reason.step), separating=self.columns)

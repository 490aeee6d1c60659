"""Problems without a penalty whose loss falls for ever along a direction, so that there is no minimum.

A logistic loss has none exactly if a direction d separates the classes: y_i (x_i·d) ≥ 0 for all rows, and > 0 for some.
Newton's steps soon point along such a direction, or have gone along it.

Reference: Albert and Anderson (1984), "On the existence of maximum likelihood estimates in logistic regression models".
"""

from dataclasses import replace
from typing import Any

import numpy as np

from descend.linear._kernels.losses import LOGISTIC
from descend.linear._matrix import Array
from descend.linear._product import scores_of
from descend.linear._solution import Solution
from descend.stopping import Reason

ROUNDING = 1e-9  # of the greatest margin: nearer to 0 than this, a row is on the border
FIRST = 3  # iteration, before which steps need not point where they will


class Recession:
    """Looks for a direction of endless descent along the way that a solver takes."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.calls = problem, 0
        self.last: Array | None = None
        self.looks = problem.in_memory and problem.loss.kind == LOGISTIC and not (problem.l2.any() or problem.l1.any())

    def evidence(self, u: Array) -> str:
        """Why there is no minimum, if the way to `u` shows it; otherwise nothing."""
        if not self.looks:
            return ""
        self.calls += 1
        last, self.last = self.last, u.copy()
        if self.calls < FIRST:
            return ""
        for direction in (u, u if last is None else u - last):
            margins = self._margins(direction)
            if margins.max() > 0 and margins.min() >= -ROUNDING * margins.max():
                border = int(np.count_nonzero(margins <= ROUNDING * margins.max()))
                among = f", {border} of them on the border" if border else ""
                return (f"a plane separates the classes: all {len(margins):,} rows are on their side of it{among}, so "
                        "the loss falls for ever as the coefficients grow; a penalty gives it a minimum")
        return ""

    def judged(self, solution: Solution, evidence: str) -> Solution:
        """The solution, with the true reason of its end."""
        if not evidence:
            return solution
        return replace(solution, reason=Reason("unbounded", evidence, solution.reason.step))

    def _margins(self, u: Array) -> Array:
        """By how much u has each row on its own side of the plane, or of all planes between classes."""
        w, b = self.problem.to_user(u)
        z, y = scores_of(self.problem.matrix.X, np.atleast_2d(w), b), self.problem.rows.y
        if z.shape[1] == 1:
            return y * z[:, 0]
        rows = np.arange(len(z))
        own = z[rows, y]
        z[rows, y] = -np.inf
        return own - z.max(axis=1)

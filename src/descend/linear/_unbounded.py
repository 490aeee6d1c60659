"""Problems without a penalty whose loss falls for ever along a direction, so that there is no minimum.

A logistic loss has none exactly if a direction d separates the classes: y_i (x_i·d) ≥ 0 for all rows, and > 0 for some.
That of counts has none exactly if one leads rows whose count is 0 to ever lower rates, and leaves all others where they
are: x_i·d ≤ 0 where y_i = 0, and < 0 for some, but x_i·d = 0 where y_i > 0. Squares, and losses that are straight far
out, have a minimum always. Newton's steps soon point along such a direction, or have gone along it.

Reference: Albert and Anderson (1984), "On the existence of maximum likelihood estimates in logistic regression models";
Santos Silva and Tenreyro (2010), "On the existence of the maximum likelihood estimates in Poisson regression".
"""

from dataclasses import replace
from typing import Any

import numpy as np

from descend.linear._kernels.losses import LOGISTIC, POISSON
from descend.linear._matrix import Array
from descend.linear._product import scores_of
from descend.linear._solution import Solution
from descend.stopping import Reason

ROUNDING = 1e-9  # of the greatest margin: nearer to 0 than this, a row is on the border
SHARE = 1e-3  # of the greatest coefficient of a direction, in units of spread: less is not told
FIRST = 3  # iteration, before which steps need not point where they will


class Recession:
    """Looks for a direction of endless descent along the way that a solver takes."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.calls = problem, 0
        self.columns = np.zeros(0, int)
        self.last: Array | None = None
        self.looks = problem.in_memory and _falls_for_ever(problem)

    def evidence(self, u: Array) -> str:
        """Why there is no minimum, if the way to `u` shows it; otherwise nothing."""
        if not self.looks:
            return ""
        self.calls += 1
        last, self.last = self.last, u.copy()
        if self.calls < FIRST:
            return ""
        for direction in (u, u if last is None else u - last):
            margins, still = self._margins(direction)
            greatest = margins.max(initial=0.0)
            if greatest > 0 and margins.min() >= -ROUNDING * greatest and still <= ROUNDING * greatest:
                self.columns = self._columns(direction)
                border = int(np.count_nonzero(margins <= ROUNDING * greatest))
                return self._told(len(margins), border)
        return ""

    def _told(self, rows: int, border: int) -> str:
        """What was found: of so many rows, and so many of them on the border."""
        if self.problem.loss.kind == POISSON:
            return (f"{rows - border:,} of the rows whose count is 0 lie on one side of a plane that holds all rows "
                    "with counts, so that their rate has no logarithm; a penalty gives it one")
        among = f", {border} of them on the border" if border else ""
        return (f"a plane separates the classes: all {rows:,} rows are on their side of it{among}, so the loss falls "
                "for ever as the coefficients grow; a penalty gives it a minimum")

    def _columns(self, direction: Array) -> Array:
        """Those of the matrix that the direction is mostly made of, the greatest shares first."""
        width = self.problem.matrix.shape[1]
        shares = np.abs(direction[: width * (direction.size // (width + 1))].reshape(width, -1)).max(axis=1)
        order = np.argsort(-shares, kind="stable")
        return order[shares[order] > SHARE * shares.max(initial=0.0)]

    def judged(self, solution: Solution, evidence: str) -> Solution:
        """The solution, with the true reason of its end."""
        if not evidence:
            return solution
        return replace(solution, reason=Reason("unbounded", evidence, solution.reason.step), separating=self.columns)

    def _margins(self, u: Array) -> tuple[Array, float]:
        """How fast the loss of each row falls along u, if it can fall for ever; and by how much the others move.

        Of classes, by how much a row is on its own side of the plane, or of all planes between classes.
        """
        w, b = self.problem.to_user(u)
        z, y = scores_of(self.problem.matrix.X, np.atleast_2d(w), b), self.problem.rows.y
        if self.problem.loss.kind == POISSON:
            return -z[y == 0, 0], float(np.abs(z[y > 0, 0]).max())
        if z.shape[1] == 1:
            return y * z[:, 0], 0.0
        rows = np.arange(len(z))
        own = z[rows, y]
        z[rows, y] = -np.inf
        return own - z.max(axis=1), 0.0


def _falls_for_ever(problem: Any) -> bool:
    """Whether a problem has a loss that may, and no penalty."""
    return problem.loss.kind in (LOGISTIC, POISSON) and not (problem.l2.any() or problem.l1.any())

"""The perceptron's steps: towards the rows on the wrong side, all at once; see `classification.Perceptron`."""

from dataclasses import replace

import numpy as np

from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Iterate
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.solvers.convergence import ConvergenceMonitor, Iterates, Solution
from descend.stopping import Reason

# Steps without fewer mistakes than ever before.
IDLE_STEPS = 100


def perceptron(problem: ScalarProblem, monitor: ConvergenceMonitor, start: Array | None) -> Solution:
    """A plane with all rows on their side, if there is one, or with few on the wrong side."""
    solution = monitor.follow(_steps(problem, np.zeros(problem.size) if start is None else start))
    name, share = solution.reason.name, f"{solution.value:.3g} of the rows' weight"
    if name == "converged":
        reason = Reason(name, "all rows are on their side of the plane", solution.reason.step)
    elif name == "stalled":
        reason = Reason("plateau", f"no fewer mistakes in {IDLE_STEPS} steps; {share} is on the wrong side",
                        solution.reason.step)
    elif name == "budget":
        reason = Reason(name, f"{solution.reason.step} steps were made; {share} is on the wrong side",
                        solution.reason.step)
    else:
        reason = solution.reason
    return replace(solution, reason=reason, how="perceptron: there is no other")


def _steps(problem: ScalarProblem, u: Array) -> Iterates:
    centre, unit = problem.standardisation
    y, s = problem.rows
    fewest, waited, nothing, still = np.inf, 0, np.zeros(problem.size - 1), np.zeros_like(centre)
    while waited < IDLE_STEPS:
        told = u if problem.matrix.dtype == np.float64 else problem.from_user(*problem.coefficients(u))
        w, b = problem.to_user(told)
        weights = np.where(y * problem.matrix.scores(w, b, still) <= 0, s, 0.0)
        mistakes = float(weights.sum()) if weights.any() else 0.0
        yield Iterate(told, mistakes, nothing, 0.0)
        fewest, waited = (mistakes, 0) if mistakes < fewest else (fewest, waited + 1)
        by_w, by_b = problem.matrix.sums(weights * y, centre)
        u = u + np.append(by_w * unit, by_b * problem.intercept)
    return "no fewer mistakes"

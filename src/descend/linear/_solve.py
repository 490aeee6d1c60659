"""Which solver for which problem, and the way from a problem to its solution."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from descend.errors import InputError
from descend.linear._accelerated import accelerated
from descend.linear._engine import through_engine
from descend.linear._kernels.losses import CLASSES, SMOOTHED
from descend.linear._matrix import Array
from descend.linear._newton import sampled_newton
from descend.linear._problem import Problem
from descend.linear._smoothing import smoothed_newton
from descend.linear._solution import Solution, Steps, Watch
from descend.linear._stochastic import sgd, svrg
from descend.optimizers import Optimizer

SMALL = 2000  # coefficients for which a Hessian is summed up and factored


def solve(problem: Problem, watch: Watch, solver: str | Optimizer = "auto", start: Array | None = None) -> Solution:
    """Minimise `problem` from `start` (in the coordinates of solvers; by default 0).

    `solver`: "auto", a name among `SOLVERS`, or an optimizer of `descend`, which sees mini-batches of rows.

    **Raises** `InputError` for a solver that there is none of, or that cannot solve this problem.
    """
    u = np.zeros(problem.size) if start is None else start
    if isinstance(solver, Optimizer):
        steps = through_engine(problem, u, solver, watch.max_iter)
        return replace(watch.follow(steps), how=f"{type(solver).__name__}: it was asked for")
    if solver not in ("auto", *SOLVERS):
        raise InputError(f"there is no solver {solver!r}: choose 'auto', one of {', '.join(SOLVERS)}, "
                         "or an optimizer of descend")
    chosen, why = choice(problem) if solver == "auto" else (solver, "it was asked for")
    return replace(watch.follow(SOLVERS[chosen](problem, u)), how=f"{chosen}: {why}")


def choice(problem: Problem) -> tuple[str, str]:
    """The solver for a problem, and why."""
    if problem.l1.any():
        return "accelerated", "an l1 penalty"
    if problem.loss.kind in SMOOTHED:
        return "smoothing", "a loss with corners"
    if problem.size <= SMALL:
        return "newton", f"{problem.size:,} coefficients, so that a Hessian is soon factored"
    return "accelerated", f"{problem.size:,} coefficients, too many for a Hessian"


def _smoothing(problem: Problem, u: Array) -> Steps:
    mu = 1.0 if problem.loss.kind in CLASSES else float(np.std(problem.rows.y)) or 1.0
    return smoothed_newton(problem, u, mu)


SOLVERS: dict[str, Callable[[Problem, Array], Steps]] = {
    "accelerated": accelerated,
    "newton": sampled_newton,
    "sgd": sgd,
    "smoothing": _smoothing,
    "svrg": svrg,
}

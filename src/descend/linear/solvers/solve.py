"""Which solver for which problem, and the way from a problem to its solution."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from descend.errors import InputError
from descend.linear.problems.curvature import DENSE_HESSIAN
from descend.linear.problems.matrix import Array
from descend.linear.problems.problem import Problem
from descend.linear.solvers.accelerated import accelerated
from descend.linear.solvers.batched_sdca import batched_sdca, can_batch
from descend.linear.solvers.convergence import ConvergenceMonitor, Iterates, Solution
from descend.linear.solvers.coordinate import coordinate
from descend.linear.solvers.interior import interior
from descend.linear.solvers.lbfgs import lbfgs
from descend.linear.solvers.minibatch import minibatch
from descend.linear.solvers.multinomial_sdca import has_simplex_dual, multinomial_sdca
from descend.linear.solvers.newton import sampled_newton
from descend.linear.solvers.sdca import has_dual_steps, sdca
from descend.linear.solvers.smoothing import smoothing
from descend.linear.solvers.stochastic import sgd, svrg
from descend.optimizers import Optimizer

# Solvers whose steps keep coefficients from being negative.
CONSTRAINED = ("accelerated", "coordinate")
# Columns from which on blocks of a Hessian of many classes are worth having alone.
BLOCK_COLUMNS = 40
# Epochs of the dual's ascent, at about which it falls behind.
SDCA_EPOCHS = 1000.0


def solve(
    problem: Problem, monitor: ConvergenceMonitor, solver: str | Optimizer = "auto", start: Array | None = None
) -> Solution:
    """Minimise `problem` from `start` (in the coordinates of solvers; by default its origin).

    `solver`: "auto", a name among `SOLVERS`, or an optimizer of `descend`, which sees mini-batches of rows.

    **Raises** `InputError` for a solver that there is none of, or that cannot solve this problem.
    """
    u, monitor.loss_scale = problem.default_start() if start is None else start, problem.loss_scale
    if problem.penalty.positive:
        if solver not in ("auto", *CONSTRAINED):
            raise InputError("coefficients that must not be negative are found by solver='auto', "
                             f"{' or '.join(map(repr, CONSTRAINED))}: choose one of these")
        u = np.append(np.maximum(u[:-1], 0.0), u[-1])
    if monitor.max_iter == 0:
        return replace(monitor.follow(_start(problem, u)), how="none: no iterations were asked for")
    if isinstance(solver, Optimizer):
        if problem.outputs > 1:
            raise InputError("an optimizer as solver knows no multinomial loss: pass multi_class='ovr'")
        if problem.has_offset:
            raise InputError("an optimizer as solver knows no offset: choose solver='auto'")
        steps = minibatch(problem, u, solver, monitor.max_iter)
        return replace(monitor.follow(steps), how=f"{type(solver).__name__}: it was asked for")
    if solver not in ("auto", *SOLVERS):
        raise InputError(f"there is no solver {solver!r}: choose 'auto', one of {', '.join(SOLVERS)}, "
                         "or an optimizer of descend")
    chosen, why = choice(problem) if solver == "auto" else (solver, "it was asked for")
    return replace(monitor.follow(SOLVERS[chosen](problem, u)), how=f"{chosen}: {why}")


def solve_batched(problems: Sequence[Problem], monitors: Sequence[ConvergenceMonitor], solver: str | Optimizer,
                   starts: Sequence[Array | None]) -> list[Solution]:
    """The solutions of problems that are best solved side by side; none, if these are not."""
    if len(problems) < 2 or isinstance(solver, Optimizer):
        return []
    chosen, why = choice(problems[0]) if solver == "auto" else (solver, "it was asked for")
    if chosen != "dual" or not can_batch(problems):
        return []
    origins = [problem.default_start() if u is None else u for problem, u in zip(problems, starts, strict=True)]
    return [replace(solution, how=f"dual: {why}") for solution in batched_sdca(problems, origins, monitors)]


def _start(problem: Problem, u: Array) -> Iterates:
    """The start alone: solvers may look for a better one first."""
    yield problem.evaluate(u, problem.score_buffer())
    return "no iterations were asked for"


def choice(problem: Problem) -> tuple[str, str]:
    """The solver for a problem, and why."""
    if problem.penalty.l1.any() and not problem.loss.kind.corners:
        return "coordinate", "an l1 penalty, for which most coefficients are 0"
    if problem.penalty.positive:
        return "coordinate", "coefficients that must not be negative, of which many are 0"
    if problem.loss.kind.corners:
        return _cornered(problem)
    # Newton's steps are few, whatever the columns' conditioning: where a Hessian is cheap nothing else is as fast.
    if problem.size <= DENSE_HESSIAN and not _has_cheaper_blocks(problem):
        return "newton", f"{problem.size:,} coefficients, so that a Hessian is soon factored"
    # The dual renews a row in the time of its few numbers, and each makes progress of its own. Squares have a Hessian
    # that does not change, which L-BFGS learns once.
    if problem.in_memory and problem.matrix.is_sparse and not problem.loss.kind.quadratic and _has_dual(problem):
        return "dual", f"{problem.size:,} coefficients with an l2 penalty, and a sparse matrix of short rows"
    many = "for which a Hessian is too large" if problem.size > DENSE_HESSIAN else "and blocks are enough of a Hessian"
    return "lbfgs", f"{problem.size:,} coefficients, {many}"


def _has_cheaper_blocks(problem: Problem) -> bool:
    """Whether L-BFGS, with the Hessian's blocks by class, is done sooner than Newton's method with all of it.

    Without a penalty, it would not know how near it is.
    """
    return problem.outputs > 1 and problem.columns > BLOCK_COLUMNS and bool((problem.penalty.l2 > 0).all())


def _cornered(problem: Problem) -> tuple[str, str]:
    """The solver for a loss with corners."""
    if problem.size <= DENSE_HESSIAN:
        return "interior", f"a loss with corners, and {problem.size:,} coefficients, so that a Hessian is soon factored"
    if has_dual_steps(problem):
        return "dual", f"a loss with corners and an l2 penalty, and {problem.size:,} coefficients"
    return "smoothing", f"a loss with corners, and {problem.size:,} coefficients, too many for a Hessian"


def _has_dual(problem: Problem) -> bool:
    """Whether the dual's ascent can solve a problem, and soon."""
    if _reach(problem) > SDCA_EPOCHS:
        return False
    # Whose rows are renewed one by one, while passes are side by side.
    if problem.outputs > 1:
        return has_simplex_dual(problem) and problem.matrix.shape[0] < problem.size
    return has_dual_steps(problem)


def _reach(problem: Problem) -> float:
    """The rows' mean square beside the penalty: about as many epochs does the dual's ascent take."""
    X, weakest = problem.matrix.X, float(problem.penalty.l2.min())
    square = float(np.vdot(X.data, X.data)) / X.shape[0]
    return square / (weakest * X.shape[0]) if weakest > 0 else np.inf


def dual(problem: Problem, u: Array) -> Iterates:
    """Ascend the dual, which has one number for each row and score."""
    return multinomial_sdca(problem, u) if problem.outputs > 1 else sdca(problem, u)


# Each refuses a problem that does not offer what it asks for.
SOLVERS: dict[str, Callable[[Problem, Array], Iterates]] = {
    "accelerated": accelerated,
    "lbfgs": lbfgs,
    "dual": dual,
    "interior": interior,
    "coordinate": coordinate,
    "newton": sampled_newton,
    "sgd": sgd,
    "smoothing": smoothing,
    "svrg": svrg,
}

"""Coordinate descent for an l1 penalty, or coefficients that must not be negative: on the few columns that matter, and
on their Gram matrix.

Most coefficients of a minimum are 0. So a working set of columns is kept, those whose gradient exceeds the penalty by
most among them, and on these the quadratic model of the problem is minimised,

    v ← argmin  gᵀ(v − u) + ½ (v − u)ᵀ H (v − u) + Σ l1 |v|,

which is the problem itself for the squared loss, and a step of Newton's proximal method, with a line search, for
others. One pass over all columns then gives the gradient, the columns that are missing, and the gap. Where the columns
of the set are a small part of a sparse matrix, they are copied out, and many such steps are made on them before a pass
over all.

The model is minimised by cyclic coordinate descent, and exactly: where that is slow, as with columns that are much
alike, a Newton step follows among the coefficients that are not 0, their signs kept.

Reference: Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
descent"; Massias, Gramfort and Salmon (2018), "Celer: a fast solver for the lasso with dual extrapolation"; Lee, Sun
and Saunders (2014), "Proximal Newton-type methods for minimizing composite functions".
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from descend.linear._kernels import coordinate as kernels
from descend.linear._kernels.threads import one_thread_each
from descend.linear.problems.matrix import Array, Rows
from descend.linear.problems.problem import Iterate, Problem
from descend.linear.problems.scalar import ScalarProblem, scalar
from descend.linear.problems.subdifferential import Subdifferential
from descend.linear.solvers.accelerated import accelerated
from descend.linear.solvers.convergence import VALUE_ROUNDING, ConvergenceMonitor, Iterates
from descend.linear.solvers.newton import ARMIJO, SHORTEST_STEP
from descend.linear.solvers.working_set import WorkingSet

# The share of the gap that a descent on some columns leaves, and how many steps it makes at most.
SUBPROBLEM_GAP, SUBPROBLEM_STEPS = 0.01, 30
# The curvature, relative to that of a column of unit spread, of one that is constant but for rounding.
CONSTANT_CURVATURE = 1e-24
# Cycles of coordinate descent before a Newton step.
CYCLES = 30
# Rounds of both, at most.
CYCLE_ROUNDS = 30
# How near a model's minimum is found at least, relative to how far off it begins.
FORCING = 1e-2
# The rounding in a gradient, relative to the numbers that it is a sum of.
GRADIENT_ROUNDING = 1e-15
# Coefficients of a working set, of which there are a few Gram matrices; beyond, steps take no memory.
GRAM_COLUMNS = 4096
# Added to the diagonal, relative to it: it keeps the Hessian of columns that are much alike positive.
JITTER = 1e-12


def coordinate(problem: Problem, u: Array) -> Iterates:
    """Descend from u."""
    problem = scalar(problem, "coordinate")
    z, threshold, held = problem.score_buffer(), problem.threshold, problem.subdifferential
    point = certified_start(problem, u, z)
    yield point
    working_set = WorkingSet(problem)
    forcing = 0.0 if working_set.is_kept else FORCING
    while True:
        # 1. The columns that are to be looked at: a Gram matrix of all would be too large, and most stay at 0.
        chosen = working_set.select(point, held)
        if (part := working_set.subproblem(chosen)) is not None:
            trial = solved_subproblem(problem, part, chosen, point, z)
            yield trial
            if trial.value >= point.value and trial.lower <= point.lower:
                return "the loss does not decrease any more"
            point = trial
            continue
        # 2. Too many for a Hessian: proximal gradient steps, which take no memory.
        if chosen.size > GRAM_COLUMNS:
            return (yield from accelerated(problem, point.u))
        # 3. The minimum of the quadratic model, penalties included.
        hessian = working_set.hessian(z, chosen)
        move = np.zeros_like(point.u)
        model = point.gradient[chosen], point.u[chosen], held.of(chosen)
        move[chosen] = quadratic_model_minimum(hessian, *model, forcing) - point.u[chosen]
        step, promised = 1.0, predicted_change(point, move, threshold)
        if not promised < 0:
            return "the conditions of optimality hold but for rounding"
        # 4. As far towards it as decreases the objective enough (Lee, Sun and Saunders, 2014). The whole step first:
        #    its pass over all columns is also the gradient for the next set, and the bound.
        trial = problem.evaluate(point.u + move, z)
        while not trial.value <= point.value + ARMIJO * step * promised + VALUE_ROUNDING * abs(point.value):
            step /= 4
            if step < SHORTEST_STEP:
                return "no step towards the minimum of a quadratic model decreases the loss"
            trial = problem.evaluate(point.u + step * move, z)
        yield trial
        if trial.value >= point.value and trial.lower <= point.lower:
            return "the loss does not decrease any more"
        point = trial


def certified_start(problem: ScalarProblem, u: Array, z: Array) -> Iterate:
    """The first point, certified: with the best intercept."""
    if u[:-1].any():
        return problem.certified(problem.evaluate(u, z, bounded=False), z)
    u = u.copy()
    if problem.intercept:
        u[-1] = first_intercept(problem.at_best_scale(z), z)
        z += u[-1]
    return problem.evaluate(u, z)


def first_intercept(problem: ScalarProblem, z: Array) -> float:
    """The best intercept where all scores are offsets or 0; of classes it is enough to have one row of each."""
    y, s = problem.rows
    if problem.has_offset or not problem.loss.kind.classes:
        return problem.best_shift(z)
    above = y > 0
    share = float(above.mean() if s.size == 1 else s[above].sum())
    rest = 1 - float(above.mean()) if s.size == 1 else float(s[~above].sum())
    each = Rows(np.array([1, -1], y.dtype), np.array([share, rest]))
    return replace(problem, rows=each).best_shift(np.zeros(2))


def solved_subproblem(problem: ScalarProblem, part: ScalarProblem, chosen: Array, point: Iterate, z: Array) -> Iterate:
    """Where a descent on the chosen columns alone leads, with the slopes that its last step foresaw.

    These balance the penalty of the chosen columns as nearly as the step's model was minimised, the slopes of the point
    itself only as nearly as it was reached.
    """
    columns = chosen[1:]
    gap = 1 - max(point.lower, 0.0) / point.value if point.value > 0 else 0.0
    monitor = ConvergenceMonitor(SUBPROBLEM_GAP * gap, SUBPROBLEM_STEPS)
    steps = coordinate(part, np.append(point.u[columns], point.u[-1]))
    before = last = next(steps)
    while monitor.observe(last) is None:
        following = next(steps, None)
        if following is None:
            break
        before, last = last, following
    u = np.zeros_like(point.u)
    u[columns], u[-1] = last.u[:-1], last.u[-1]
    z[:] = part.matrix.scores(*part.to_user(before.u), part.standardisation[0])
    if problem.has_offset:
        z += problem.offset
    return problem.evaluate(u, z)


def predicted_change(point: Iterate, move: Array, threshold: Array) -> float:
    """What a linear model of all but the penalty expects of a move."""
    return float(point.gradient @ move + threshold @ (np.abs(point.u + move) - np.abs(point.u)))


def quadratic_model_minimum(H: Array, g: Array, u: Array, held: Subdifferential, forcing: float) -> Array:
    """The minimum of gᵀ(v − u) + ½ (v − u)ᵀH(v − u) and penalties with these slopes at 0, from v = u, to rounding.

    Where the model is one of Newton's method, only to a share of how far off it begins, at most `forcing`: so much
    of what is found will hold.
    """
    v, g = u.copy(), g.copy()
    diagonal = np.diag(H)
    scale = float(np.abs(g).max() + held.upper.max())
    still, enough = CONSTANT_CURVATURE * float(diagonal[0]), GRADIENT_ROUNDING * scale
    noise = 1e-10 * (scale + float((diagonal * np.abs(v)).max()))
    # One cycle tells how far off the model begins; only a share of that is worth to be found.
    first = last = kernels.descend(H, g, v, *held, still, 1, enough)
    enough = max(enough, first * min(forcing, first / scale) if forcing and first else 0.0)
    with one_thread_each():
        for number in range(CYCLE_ROUNDS):
            moved = kernels.descend(H, g, v, *held, still, CYCLES, enough)
            if moved <= enough or (moved >= 0.5 * last and moved <= noise):
                break
            last = moved
            # Cycles converge slowly along columns that are much alike. With the signs known the rest is a linear
            # system; the more rounds it took, the more steps of it are tried before the next cycles.
            for _ in range(1 + number):
                if not orthant_step(H, g, v, held):
                    break
    return v


def orthant_step(H: Array, g: Array, v: Array, held: Subdifferential) -> bool:
    """A Newton step among the coordinates that are not 0, in place; whether one of them became 0 on the way.

    It goes as far as the first that would change its sign, or on, with all that would at 0, if that is better.
    """
    free = held.lower == held.upper
    on = np.flatnonzero((v != 0) | free)
    reduced, slope = H[np.ix_(on, on)], g[on] + held.slopes(v)[on]
    direction = -_solved(reduced, slope)
    bend = float(direction @ reduced @ direction)
    if not bend > 0:
        return False
    full = min(-float(slope @ direction) / bend, 1e300) * direction
    crossing = (v[on] * (v[on] + full) < 0) & ~free[on]
    moves = [np.where(crossing, -v[on], full)]
    if crossing.any():
        shares = np.where(crossing, -v[on] / np.where(crossing, full, 1.0), np.inf)
        moves.append(np.where(shares == shares.min(), -v[on], shares.min() * full))
    decreases = [float(slope @ move + 0.5 * move @ reduced @ move) for move in moves]
    best = int(np.argmin(decreases))
    if not decreases[best] < 0:
        return False
    v[on] += moves[best]
    g += H[:, on] @ moves[best]
    return bool(crossing.any())


def _solved(H: Array, g: Array) -> Array:
    """H⁻¹g, of an H that may be singular but for rounding."""
    diagonal = np.diag(H)
    scale = 1 / np.sqrt(np.maximum(diagonal, max(CONSTANT_CURVATURE * float(diagonal.max()), np.finfo(float).tiny)))
    scaled = H * scale * scale[:, None]
    scaled[np.diag_indices(len(H))] += JITTER * len(H)
    factor = cho_factor(scaled, lower=True, overwrite_a=True, check_finite=False)
    return scale * cho_solve(factor, scale * g, check_finite=False)

"""NIST's certified regressions, by us and by SciPy: problems solved, evaluations, and successes that are none."""

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
import scipy.optimize

from benchmarks._rows import Row
from benchmarks._strd import Problem, problems
from descend import least_squares, minimize

DIGITS, ABOVE = 6, 1e-6  # of all estimates, to be solved; above the certified sum of squares, where success is false


class End(NamedTuple):
    """Where a method ended: the digits of its estimates, the evaluations it took, and whether its success is false."""

    digits: float
    evaluations: int
    is_false: bool

    @property
    def is_solved(self) -> bool:
        return self.digits >= DIGITS


Method = Callable[[Problem, np.ndarray], tuple[np.ndarray, int, bool]]  # the estimates, evaluations, and "success"


def rows() -> Iterator[Row]:
    """Each of ours beside each of SciPy's."""
    for kind, (ours, theirs) in PAIRS.items():
        mine = _ends(ours)
        for name, method in theirs.items():
            other = _ends(method)
            both = [(a, b) for a, b in zip(mine, other, strict=True) if a.is_solved and b.is_solved]
            tell = lambda quantity, unit, a, b, name=name, kind=kind: Row(
                f"NIST's regressions, {kind}", f"SciPy {name}", quantity, unit, a, b
            )
            counted = lambda ends: sum(end.is_solved for end in ends)
            yield tell(f"solved, of {len(mine)}", "problems", counted(mine), counted(other))
            made = [sum(end.evaluations for end in ends) for ends in zip(*both, strict=True)]
            yield tell("where both solve", "evaluations", *made)
            honest = lambda ends: sum(not end.is_false for end in ends)
            yield tell(f"without a false success, of {len(mine)}", "problems", honest(mine), honest(other))


def _ends(method: Method) -> list[End]:
    return [_end(method, problem, start) for problem in problems() for start in problem.starts]


def _end(method: Method, problem: Problem, start: np.ndarray) -> End:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        estimates, evaluations, success = method(problem, start)
        with jax.enable_x64(True):
            above = float(problem.loss(np.asarray(estimates))) / problem.sum_of_squares - 1
    return End(problem.digits(estimates), evaluations, success and not above <= ABOVE)


def _our_least_squares(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, int, bool]:
    fit = least_squares(problem.residuals, start)
    return np.asarray(fit.params), len(fit.history), fit.reason.name == "converged"


def _our_minimize(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, int, bool]:
    fit = minimize(problem.loss, start)
    return np.asarray(fit.params), len(fit.history), fit.reason.name == "converged"


def _their_least_squares(method: str) -> Method:
    def solve(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, int, bool]:
        with jax.enable_x64(True):
            residuals, jacobian = jax.jit(problem.residuals), jax.jit(jax.jacfwd(problem.residuals))
            numbers = lambda function: lambda b: np.asarray(function(b), np.float64)
            end = scipy.optimize.least_squares(numbers(residuals), start, numbers(jacobian), method=method)
        return end.x, int(end.nfev), bool(end.success)

    return solve


def _their_minimize(method: str) -> Method:
    def solve(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, int, bool]:
        with jax.enable_x64(True):
            both, hessian = jax.jit(jax.value_and_grad(problem.loss)), jax.jit(jax.hessian(problem.loss))
            told = lambda b: tuple(np.asarray(part, np.float64) for part in both(b))
            curved = {"hess": lambda b: np.asarray(hessian(b))} if method == "trust-exact" else {}
            try:
                end = scipy.optimize.minimize(told, start, jac=True, method=method, **curved)
            except ValueError:  # trust-exact, where a Hessian overflows: that is no success, and solves nothing
                return start, 0, False
        return end.x, int(end.nfev), bool(end.success)

    return solve


PAIRS: dict[str, tuple[Method, dict[str, Method]]] = {
    "least_squares": (_our_least_squares, {f"least_squares, {m}": _their_least_squares(m) for m in ("lm", "trf")}),
    "minimize": (_our_minimize, {m: _their_minimize(m) for m in ("BFGS", "L-BFGS-B", "trust-exact")}),
}

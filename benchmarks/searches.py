"""How many evaluations of loss and gradient `LBFGS` needs beside SciPy's L-BFGS-B, to the same gradient.

The 35 problems of Moré, Garbow and Hillstrom, as the package `sif2jax` has them (10 variables where their number is
free), in float64, from the standard starting points, with 10 pairs of memory, until no entry of the gradient is above
1e-5 or at most 1000 evaluations. A problem counts as solved if that gradient was reached, at a loss that is the lower
of both up to 1e-6. Then the totals.

The last rows are of NIST's 27 nonlinear regressions from both of their starts, all methods as they come: solved are
those whose estimates all have six certified digits; a success is false if a method claims one more than 1e-6 above the
certified sum of squares.

Reference: Moré, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM TOMS 7(1), 1981.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax.flatten_util import ravel_pytree

from benchmarks import _regressions
from benchmarks._rows import Row
from descend.optimizers.quasi_newton import LBFGS

PACKAGES = ("descend", "jax", "scipy", "sif2jax")
RULE = LBFGS(history=10)
TOLERANCE, SAME, MOST = 1e-5, 1e-6, 1000
SMALL = {"n": 10}
PROBLEMS: dict[str, dict[str, int]] = {  # in the paper's order, with what the class is given
    "ROSENBR": {}, "FREUROTH": SMALL, "POWELLBS": {}, "BROWNBS": {}, "BEALE": {}, "JENSMP": {}, "HELIX": {},
    "BARD": {}, "GAUSSIAN": {}, "MEYER3NE": {}, "GULF": {}, "BOX3": {}, "POWELLSG": {"n": 4}, "WOODS": {"n": 4},
    "KOWOSB": {}, "BROWNDEN": {}, "OSBORNEA": {}, "BIGGS6": {}, "OSBORNEB": {}, "WATSON": {}, "SROSENBR": SMALL,
    "POWELLSG, extended": {"n": 20}, "PENALTY1": SMALL, "PENALTY2": SMALL, "VARDIM": {}, "ARGTRIGLS": SMALL,
    "BROWNAL": SMALL, "MOREBV": SMALL, "INTEQNELS": SMALL, "BROYDN3DLS": SMALL, "BROYDNBDLS": SMALL,
    "ARGLINA": SMALL, "ARGLINB": SMALL, "ARGLINC": SMALL, "CHEBYQADNE": SMALL,
}  # fmt: skip

Function = Callable[[Any], tuple[np.float64, np.ndarray]]


class End(NamedTuple):
    """Where a search ended, and after how many evaluations."""

    loss: float
    steepest: float
    evaluations: int


class Problem(NamedTuple):
    """A problem, and how both searches ended on it."""

    name: str
    ours: End
    theirs: End

    def solved(self, end: End) -> bool:
        """Whether that search has found the lower minimum of the two."""
        best = float(np.nanmin([self.ours.loss, self.theirs.loss]))
        return end.steepest <= TOLERANCE and end.loss - best <= SAME * max(1.0, abs(best))


def rows() -> Iterator[Row]:
    """Evaluations on each problem, and the totals."""
    peer, problems = "SciPy L-BFGS-B", list(compared())
    for problem in problems:
        ours, theirs = problem.ours, problem.theirs
        failed = [who for who, end in (("us", ours), ("SciPy", theirs)) if not problem.solved(end)]
        name = f"{problem.name} (not solved by {', '.join(failed)})" if failed else problem.name
        yield Row(name, peer, "evaluations", "evaluations", ours.evaluations, theirs.evaluations)
    yield Row("all that both solve", peer, "evaluations", "evaluations", *evaluations(problems))
    yield Row(f"solved, of {len(problems)}", peer, "problems", "problems", *solved(problems))
    yield from _regressions.rows()


def evaluations(problems: list[Problem]) -> tuple[int, int]:
    """The evaluations of both, on all the problems that both solve."""
    both = [p for p in problems if p.solved(p.ours) and p.solved(p.theirs)]
    return sum(p.ours.evaluations for p in both), sum(p.theirs.evaluations for p in both)


def solved(problems: list[Problem]) -> tuple[int, int]:
    """How many problems each solves."""
    return sum(p.solved(p.ours) for p in problems), sum(p.solved(p.theirs) for p in problems)


def compared() -> Iterator[Problem]:
    """Both searches on each problem."""
    with jax.enable_x64(True):
        _without_running_all_of_it("sif2jax")
        for name, settings in PROBLEMS.items():
            function, start = _problem(name.split(",")[0], settings)
            yield Problem(name, _ours(function, start), _theirs(function, start))


def _ours(function: Function, start: np.ndarray) -> End:
    params = jnp.asarray(start)
    state = RULE.init(params)
    for evaluations in range(1, MOST + 1):  # noqa: B007  # it is returned
        value, gradient = function(params)
        update, state = _update(gradient, state, params, value)
        params = params + update
        steepest = float(np.abs(state.here.grads).max())
        if steepest <= TOLERANCE or state.stalled:
            break
    return End(float(state.here.value), steepest, evaluations)


QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}  # to compile


@partial(jax.jit, compiler_options=QUICK)  # once for each number of variables
def _update(gradient: Any, state: Any, params: Any, value: Any) -> tuple[Any, Any]:
    return RULE.update(gradient, state, params, value=value)


def _theirs(function: Function, x: np.ndarray) -> End:
    options = {"maxcor": 10, "gtol": TOLERANCE, "ftol": 0.0, "maxfun": MOST, "maxiter": MOST}
    end = scipy.optimize.minimize(function, x, jac=True, method="L-BFGS-B", options=options)
    return End(float(end.fun), float(np.abs(end.jac).max()), int(end.nfev))


def _problem(name: str, settings: dict[str, int]) -> tuple[Function, np.ndarray]:
    """Loss and gradient on NumPy's arrays, and the start; of equations, the loss is the sum of their squares."""
    equations = name.endswith("NE") or name == "POWELLBS"
    room = "_nonlinear_equations" if equations else "_unconstrained_minimisation"
    module = importlib.import_module(f"sif2jax.cutest.{room}.{name.lower()}")
    problem = getattr(module, name)(**settings)
    start, shaped = ravel_pytree(problem.y0)

    def loss(x: jax.Array) -> Any:
        if not equations:
            return problem.objective(shaped(x), problem.args)
        return sum((residual**2).sum() for residual in jax.tree.leaves(problem.constraint(shaped(x))[0]))

    compiled = jax.jit(jax.value_and_grad(loss))

    def function(x: Any) -> tuple[np.float64, np.ndarray]:
        value, gradient = compiled(x)
        return np.float64(value), np.asarray(gradient, np.float64)

    return function, np.asarray(start, np.float64)


def _without_running_all_of_it(package: str) -> None:
    """Let modules of the package be imported one by one: as a whole it makes its 900 problems, which takes a minute."""
    found = importlib.util.find_spec(package) if package not in sys.modules else None
    if found is None or not found.submodule_search_locations:
        return
    for inside in ("", ".cutest", ".cutest._unconstrained_minimisation", ".cutest._nonlinear_equations"):
        bare = ModuleType(package + inside)
        bare.__path__ = [str(Path(found.submodule_search_locations[0], *inside.split(".")[1:]))]
        bare.__spec__ = importlib.util.spec_from_loader(bare.__name__, None, is_package=True)
        sys.modules[bare.__name__] = bare

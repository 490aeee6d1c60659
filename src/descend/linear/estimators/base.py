"""What all estimators share: a fit from checked data to attributes in the user's units, with its certificate."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from descend._blocks.files import Blocks
from descend._facts import Facts, checked_array
from descend._saved import Savable, array_in
from descend.engine.interruption import Interruption, interrupts
from descend.errors import InputError
from descend.linear.estimators.exporting import Exported
from descend.linear.estimators.validation import (
    Data,
    check_choice,
    check_count,
    check_flag,
    check_number,
    checked_offset,
    checked_penalty_weights,
    later_features,
    refuse_offset,
)
from descend.linear.problems.compact import compact
from descend.linear.problems.matrix import Array, Matrix
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.problem import Problem, Support
from descend.linear.problems.scores import scores_of
from descend.linear.solvers.convergence import ConvergenceMonitor, Solution
from descend.linear.solvers.least_squares import is_least_squares, least_squares
from descend.linear.solvers.newton_decrement import accept_by_decrement, round_to_precision
from descend.linear.solvers.separation import SeparationTest
from descend.linear.solvers.solve import SOLVERS, solve, solve_batched
from descend.linear.streaming.partitioned import Meaning, PartitionedProblem, problem_of
from descend.linear.streaming.places import row_source
from descend.linear.streaming.source import RowSource
from descend.linear.streaming.survey import Survey
from descend.optimizers import Optimizer

# Solvers that only ask for values, gradients and Hessians.
FILE_SOLVERS = ("auto", "newton", "lbfgs", "accelerated")
# How many columns are named in evidence.
NAMED_COLUMNS = 5
# These were asked for, or promise nothing.
SILENT_ENDS = ("converged", "interrupted", "plateau")

Method = TypeVar("Method", bound=Callable[..., Any])


def fitting(method: Method) -> Method:
    """A fit after which callbacks are torn down, however it ends."""
    return with_callbacks(method)


class LinearModel(CallbackSupportMixin, Savable, Exported, BaseEstimator):
    """A linear model that is the minimum of one problem, or of one for each class."""

    # What scores are made of, and of how a fit went what a number or a text says.
    _numbers = ("coef_", "intercept_", "offset_", "scale_")
    _brief = ("n_iter_", "solver_")

    # Whether a number may be given for each row that is added to its score.
    _takes_offset = False

    def _check_parameters(self) -> None:
        """Refuse parameters that mean nothing; those of all estimators."""
        check_number("tol", self.tol)
        check_count("max_iter", self.max_iter, 0)
        if not isinstance(self.solver, Optimizer):
            check_choice("solver", self.solver, ("auto", *SOLVERS))
        for name in ("fit_intercept", "warm_start", "positive"):
            # Not all know each of them.
            check_flag(name, getattr(self, name, False))

    def _penalties(self, total: float) -> tuple[float, float]:
        """l2 and l1, beside the mean loss; `total`: the sum of the weights."""
        raise NotImplementedError

    def _penalty(self, total: float, columns: int, support: Support | None) -> Penalty:
        """The same for each column of a matrix, by `penalty_weights` and `positive`, which not all know."""
        given = getattr(self, "penalty_weights", None)
        if support is None:
            weights = checked_penalty_weights(given, columns)
        else:
            weights = checked_penalty_weights(given, support.width)[support.indices]
        l2, l1 = self._penalties(total)
        return Penalty(l2 * weights, l1 * weights, self._is_positive)

    @property
    def _is_positive(self) -> bool:
        """Whether coefficients must not be negative."""
        return bool(getattr(self, "positive", False))

    def _keep(self, w: Array, b: Array) -> dict[str, Any]:
        """The attributes that say what was learnt, from a row of coefficients and an intercept for each problem."""
        return {"coef_": w, "intercept_": b}

    def _kept(self) -> tuple[Array, Array]:
        """The same the other way."""
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        found = {name: getattr(self, name) for name in self._numbers if hasattr(self, name)}
        is_sparse = sparse.issparse(found["coef_"])
        facts = {name: getattr(self, name) for name in self._brief if hasattr(self, name)} | {"sparse": is_sparse}
        arrays = {name: np.asarray(value.toarray() if sparse.issparse(value) else value)
                  for name, value in found.items()}
        curves = getattr(self, "loss_curve_", [])
        curves = curves if isinstance(curves, list) else [curves]
        arrays |= {f"loss_curve_/{number}": curve for number, curve in enumerate(curves)}
        # As an array, because it may be infinite.
        arrays |= {"duality_gap_": np.array(self.duality_gap_, np.float64)} if hasattr(self, "duality_gap_") else {}
        return facts, arrays

    def _from_parts(self, told: Facts, arrays: dict[str, Array]) -> None:
        outputs = self._outputs
        shapes = {"coef_": (*outputs, self._width), "intercept_": outputs, "offset_": (1,), "scale_": ()}
        # Which of them this one has, and the scale of a robust one.
        wanted = set(self._keep(np.zeros((1, 1)), np.zeros(1))) | ({"scale_"} & set(arrays))
        for name in wanted:
            array = array_in(arrays, name, told.where, shapes[name])
            setattr(self, name, array if array.ndim else float(array))
        if told.truth("sparse"):
            setattr(self, "coef_", sparse.csr_array(arrays["coef_"]))  # noqa: B010  # not all have it
        for name in self._brief:
            if told.has(name):
                setattr(self, name, told.text(name) if name == "solver_" else told.whole(name))
        curves = [arrays[name] for name in sorted(arrays) if name.startswith("loss_curve_/")]
        if curves:
            self.loss_curve_ = curves[0] if len(curves) == 1 else curves
        if "duality_gap_" in arrays:
            self.duality_gap_ = float(checked_array(arrays, "duality_gap_", told.where, (), "f"))

    def _check_taken(self) -> None:
        self._check_parameters()

    @property
    def _outputs(self) -> tuple[int, ...]:
        """The shape of a number for each output."""
        return ()

    @property
    def _width(self) -> int:
        """How many columns have a coefficient."""
        return int(self.n_features_in_)

    def _solved(self, problem: Problem, monitor: ConvergenceMonitor, start: Array | None) -> Solution:
        """The minimum of one problem."""
        if self.solver == "auto" and is_least_squares(problem):
            return least_squares(problem, monitor, start)
        return solve(problem, monitor, self.solver, start)

    def _solved_batched(
        self, problems: Sequence[Problem], starts: Sequence[Array | None], interrupted: Interruption
    ) -> list[Solution]:
        """The minima of all problems at once, if they can be had so, and no callback is to follow each."""
        if getattr(self, "_skl_callbacks", None):
            return []
        monitors = [ConvergenceMonitor(self.tol, int(self.max_iter), interrupted=interrupted) for _ in problems]
        solutions = solve_batched(problems, monitors, self.solver, starts)
        return [_certified(*pair, self.tol) for pair in zip(problems, solutions, strict=False)]

    def _minimised(self, problems: Sequence[Problem], data: Data) -> list[Solution]:
        """Solve the problems, with callbacks, and set what was learnt and how it went as attributes; also when Ctrl-C
        ends it."""
        with interrupts() as interrupted:
            return self._learnt(problems, data, interrupted)

    def _learnt(self, problems: Sequence[Problem], data: Data, interrupted: Interruption) -> list[Solution]:
        """The same; `interrupted` is set to end it."""
        # What `partial_fit` has learnt.
        for known in ("_streams", "_was_ovr"):
            self.__dict__.pop(known, None)
        several = len(problems) > 1
        context = self._init_callback_context(max_subtasks=len(problems) if several else self.max_iter)
        told = {"X": data.X, "y": data.y, "metadata": None if data.weight is None else {"sample_weight": data.weight}}
        context.call_on_fit_task_begin(estimator=self, **told)
        starts = self._starts(problems)
        parts = [_in_users_units(problem, start) for problem, start in zip(problems, starts, strict=True)]
        solutions: list[Solution] = []
        found = self._solved_batched(problems, starts, interrupted)
        for number, (problem, start) in enumerate(zip(problems, starts, strict=True)):

            def reached(u: Array, number: int = number, problem: Problem = problem) -> dict[str, Any]:
                parts[number] = _in_users_units(problem, u)
                return self._keep(*_stacked(parts))

            task = context
            if several:
                task = context.subcontext(f"problem {number + 1}", max_subtasks=self.max_iter)
                task.call_on_fit_task_begin(estimator=self, **told)
            solutions.append(
                found[number] if found else self._followed(problem, start, task, reached, told, interrupted)
            )
            parts[number] = _in_users_units(problem, solutions[-1].u)
            if several:
                kept = self._keep(*_stacked(parts))
                task.call_on_fit_task_end(estimator=self, **told, reconstruction_attributes=kept)
        for name, value in self._keep(*_stacked(parts)).items():
            setattr(self, name, value)
        self._report(solutions)
        context.call_on_fit_task_end(estimator=self, **told, reconstruction_attributes={})
        return solutions

    def _starts(self, problems: Sequence[Problem]) -> list[Array | None]:
        """Where to begin: at what was learnt before, if that is wanted and fits."""
        if getattr(self, "warm_start", False) and hasattr(self, "coef_"):
            w, b = self._kept()
            scores = [problem.outputs for problem in problems]
            if w.shape == (sum(scores), problems[0].columns):
                if scores[0] > 1:
                    return [problems[0].from_user(w, b)]
                return [problem.from_user(row, float(one)) for problem, row, one in zip(problems, w, b, strict=True)]
        return [None] * len(problems)

    def _followed(self, problem: Problem, start: Array | None, context: Any,
                  reached: Callable[[Array], dict[str, Any]], told: dict[str, Any],
                  interrupted: Interruption) -> Solution:
        """One problem's solution; after each iteration the callbacks are asked whether to go on."""
        separation = SeparationTest(problem)
        heard = bool(getattr(self, "_skl_callbacks", None))
        unbounded = ""

        def each(number: int, _value: float, gap: float) -> bool:
            nonlocal unbounded
            # It is there: the monitor calls this once it has seen a point.
            best: Any = monitor.best
            asked = False
            if heard and 0 < number <= self.max_iter:
                how_far = {"duality_gap_": gap, "loss_curve_": np.array(monitor.curve)}
                attributes = lambda: reached(best.u) | how_far
                step = context.subcontext("iteration").call_on_fit_task_begin(estimator=self, **told)
                asked = step.call_on_fit_task_end(estimator=self, **told, reconstruction_attributes=attributes)
            unbounded = separation.evidence(best.u) if number else ""
            return asked or bool(unbounded)

        monitor = ConvergenceMonitor(self.tol, int(self.max_iter), each, interrupted)
        solution = self._solved(problem, monitor, start)
        return _certified(problem, separation.named(solution, unbounded), self.tol)

    def _report(self, solutions: Sequence[Solution]) -> None:
        """How it went: of several problems, the reason of the one that went worst."""
        curves = [solution.curve for solution in solutions]
        worst = max(solutions, key=lambda solution: (solution.reason.name not in SILENT_ENDS, solution.gap))
        reason = replace(worst.reason, evidence=worst.reason.evidence + self._named(worst))
        self.n_iter_ = max(min(1, int(self.max_iter)), *(solution.reason.step for solution in solutions))
        self.loss_curve_ = curves[0] if len(curves) == 1 else curves
        self.duality_gap_ = max(solution.gap for solution in solutions)
        self.stop_reason_ = reason
        self.solver_ = worst.how
        if reason.name not in SILENT_ENDS:
            warnings.warn(f"{type(self).__name__} did not reach tol={self.tol:g}; {reason}", ConvergenceWarning,
                          stacklevel=6)

    def _named(self, solution: Solution) -> str:
        """Which columns a solution has something to say of."""
        told = {"columns that others, or the intercept, make up": solution.dependent,
                "along columns": solution.separating}
        names = getattr(self, "feature_names_in_", None)
        out = ""
        for what, places in told.items():
            if places.size:
                few = [str(place if names is None else names[place]) for place in places[:NAMED_COLUMNS]]
                out += f"; {what}: {', '.join(few)}" + (", …" if places.size > NAMED_COLUMNS else "")
        return out

    def _fit_partitioned(self, X: Any, y: Any, sample_weight: Any, on: Any) -> None:
        """Fit to a file, or to a collection of Dask, where `on` says."""
        if sample_weight is not None or (isinstance(X, Blocks) and y is not None):
            raise InputError("X is a file with a target, and its rows have no weights: pass it alone, fit(Blocks(…))"
                             if isinstance(X, Blocks) else "sample_weight is given, which a fit to Dask collections "
                             "does not know: leave it out")
        self._check_parameters()
        if isinstance(self.solver, Optimizer) or self.solver not in FILE_SOLVERS:
            raise InputError(f"solver is {self.solver!r}: a fit to a file knows {', '.join(map(repr, FILE_SOLVERS))}")
        if isinstance(X, Blocks):
            self._check_file_offset(X)
        if self._is_positive:
            raise InputError("positive is True: the columns of a file are hashed, some with a negative sign; give rows "
                             "in memory" if isinstance(X, Blocks) else "positive is True, which a fit to Dask "
                             "collections does not know: give rows in memory")
        with row_source(X, y, on) as source:
            problems = self._problems_of(source)
            self.n_features_in_ = source.width
            # Hashed columns have none.
            self.__dict__.pop("feature_names_in_", None)
            if source.names is not None:
                self.feature_names_in_ = source.names
            self._minimised(problems, Data(X, y, None))

    def _check_file_offset(self, blocks: Blocks) -> None:
        """Refuse a file's offset, where none is known."""
        if blocks.offset is not None and not self._takes_offset:
            raise InputError(f"the file has an offset, {blocks.offset!r}, which {type(self).__name__} does not know: "
                             "leave it out")

    def _problems_of(self, source: RowSource) -> list[PartitionedProblem]:
        """The problems that a file states."""
        raise InputError(f"{type(self).__name__} is not fitted to files: give it rows in memory")

    def _problem_of(self, found: Survey, total: float, positive: Any = None,
                    weights: Array | None = None) -> PartitionedProblem:
        """One of them; see `Meaning`. `total`: the sum of the weights."""
        columns = found.columns.indices
        kind, penalty = self._loss().kind, self._penalty(total, columns.size, Support(found.source.width, columns))
        # Without an l2 penalty, or beyond proof.
        endless = kind.separation is not None or math.isinf(self._loss().curvature_bound)
        if kind.corners or kind.concomitant_scale or not penalty.is_smooth or (endless and not penalty.is_strict):
            raise InputError(f"{type(self).__name__} as it is set is not fitted to files: that needs a loss without "
                             "corners and an l2 penalty alone; pass blocks to partial_fit, or rows to fit")
        meaning = Meaning(found.labels, positive, weights)
        return problem_of(found, total, self._loss(), penalty, bool(self.fit_intercept), meaning)

    def _learnt_columns(self, data: Data) -> Any:
        """The columns of which the model is linear, for a fit; for kernel machines not the features themselves."""
        return data.X

    def _matrix(self, data: Data) -> tuple[Matrix, Support | None]:
        """These columns, those left out that are 0 everywhere."""
        X = self._learnt_columns(data)
        return compact(X, data.moments if X is data.X else None, bool(self.fit_intercept))

    def _as_columns(self, X: Any) -> Any:
        """The same once it is fitted."""
        return X

    def _features(self, X: Any) -> Any:
        """Columns to predict from."""
        check_is_fitted(self)
        return self._as_columns(later_features(self, X))

    def _scores(self, X: Any, offset: Any = None) -> Array:
        """A score for each row and problem, or for each row if there is one problem, in the precision of `X`; of a
        file, block by block.
        """
        if isinstance(X, Blocks):
            refuse_offset(offset)
            self._check_file_offset(X)
            parts = [self._scores(part) for part in X.features()]
            if not parts:
                raise InputError(f"{X.told} has no rows: give a file that has some")
            scores = np.concatenate(parts)
            return scores if X.offset is None else scores + X.offsets()
        X = self._features(X)
        w, b = self._kept()
        scores = scores_of(X, w, b)
        if offset is not None:
            scores += checked_offset(offset, len(scores))[:, None]
        scores = scores.astype(X.dtype, copy=False)
        return scores[:, 0] if len(w) == 1 else scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _certified(problem: Problem, solution: Solution, tol: float) -> Solution:
    """The solution with what can be said of it in the end, and of the user's columns."""
    solution = round_to_precision(problem, accept_by_decrement(problem, solution, tol), tol)
    support = problem.support
    if support is None:
        return solution
    return replace(
        solution, dependent=support.indices[solution.dependent], separating=support.indices[solution.separating]
    )


def _in_users_units(problem: Problem, u: Array | None) -> tuple[Array, Any]:
    """Coefficients and intercepts."""
    return problem.coefficients(np.zeros(problem.size) if u is None else u)


def _stacked(parts: Sequence[tuple[Array, Any]]) -> tuple[Array, Array]:
    """Rows of coefficients, and intercepts, of all problems."""
    return np.vstack([w for w, _ in parts]), np.concatenate([np.atleast_1d(b) for _, b in parts])

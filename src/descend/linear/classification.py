"""Logistic regression and the perceptron; see `descend.linear` for what all estimators share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from descend._blocks.shards import computed
from descend._facts import Facts
from descend._sample_weight import checked_weights
from descend.errors import InputError
from descend.linear._losses import HINGE, LOGISTIC, Loss
from descend.linear.estimators.base import fitting
from descend.linear.estimators.lazily import by_partition
from descend.linear.estimators.partial import PartialClassifier
from descend.linear.estimators.validation import (
    Classes,
    Data,
    check_choice,
    check_number,
    checked_classes,
    checked_data,
    is_partitioned,
    refuse_offset,
    refuse_offset_of_many,
    scoring_targets,
)
from descend.linear.problems.compact import centred
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.multinomial import MultinomialProblem
from descend.linear.problems.problem import Problem
from descend.linear.problems.scalar import scalar
from descend.linear.solvers.convergence import NEGLIGIBLE_GAP, ConvergenceMonitor, Solution
from descend.linear.solvers.perceptron import perceptron
from descend.linear.streaming.partitioned import PartitionedProblem
from descend.linear.streaming.source import RowSource
from descend.optimizers import Optimizer


class LogisticRegression(PartialClassifier):
    """Probabilities of classes, whose logarithms' differences are linear. For two classes minimises

        C Σ s log(1 + exp(−y (x·w + b))) + (1 − l1_ratio) ‖w‖²/2 + l1_ratio ‖w‖₁

    with weights s and y = ±1. For more, each class has coefficients of its own, and the loss of a row is −log of its
    class's share of Σₖ exp(x·wₖ + bₖ) ("multinomial"); or each class is told from all others ("ovr").

    Args:
        C: how much the rows count beside the penalty, above 0; infinite for no penalty. Where a plane separates the
            classes there is no minimum then, and `stop_reason_` is "unbounded".
        l1_ratio: the l1 penalty's share, from 0 to 1 (of more than two classes only with "ovr").
        multi_class: "multinomial" or "ovr", for more than two classes.
        class_weight: a dict of weights by label, or "balanced": each class counts as much. With "ovr" a class's weight
            is that of its own rows, against the others at weight 1.
        penalty_weights, fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.
        positive: see `descend.linear`; of more than two classes only with "ovr".

    Attributes:
        classes_: the labels, in order.
        coef_ (1 or classes, columns), intercept_ (1 or classes,): the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import LogisticRegression
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> model = LogisticRegression(tol=1e-8).fit(X, y)
    >>> model.predict([[0.0], [3.0]])
    array(['no', 'yes'], dtype='<U3')
    >>> model.predict_proba([[1.5]]).round(3)
    array([[0.5, 0.5]])
    >>> model.stop_reason_.name, bool(model.duality_gap_ < 1e-8)
    ('converged', True)

    Reference: Cox (1958), "The regression analysis of binary sequences".
    """

    # Of one that was loaded: it may have learnt from blocks of rows.
    _was_ovr = False

    def __init__(self, *, C: float = 1.0, l1_ratio: float = 0.0, multi_class: str = "multinomial",
                 class_weight: dict[Any, float] | str | None = None,
                 penalty_weights: Sequence[float] | Array | None = None, positive: bool = False,
                 fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000, solver: str | Optimizer = "auto",
                 warm_start: bool = False) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.multi_class = multi_class
        self.class_weight = class_weight
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    _takes_offset = True

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("C", self.C, above=True)
        check_number("l1_ratio", self.l1_ratio, high=1.0)
        check_choice("multi_class", self.multi_class, ("multinomial", "ovr"))

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None, *,
            on: Any = None) -> "LogisticRegression":
        """Fit to rows `X` with labels `y`; rows may have weights, and of two classes an `offset` that is added to
        x·w + b. Or to a file beyond memory: `fit(Blocks(…))`.
        """
        if is_partitioned(X, on):
            refuse_offset(offset)
            self._fit_partitioned(X, y, sample_weight, on)
            return self
        self._check_parameters()
        data = checked_data(self, X, y, sample_weight, offset=offset)
        classes = checked_classes(data, self.class_weight)
        refuse_offset_of_many(offset, classes.labels)
        self.classes_ = classes.labels
        self._minimised(self._problems(data, classes), data)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None,
                    offset: Any = None) -> "LogisticRegression":
        """Learn from more rows, each of which is seen once; see `LinearSVC.partial_fit`. `offset` as in `fit`."""
        self._learn_rows(X, y, classes, sample_weight, offset)
        return self

    def _loss(self) -> Loss:
        return Loss(LOGISTIC)

    def _penalties(self, total: float) -> tuple[float, float]:
        return (1 - self.l1_ratio) / (self.C * total), self.l1_ratio / (self.C * total)

    def _problems(self, data: Data, classes: Classes) -> Sequence[Problem]:
        count = len(classes.labels)
        if count == 2 or self.multi_class == "ovr":
            return super()._problems(data, classes)
        s, total = data.shares(classes.factor())
        if self.positive:
            raise InputError(f"positive is True with {count} classes: the multinomial loss has no bounds, as only what "
                             'classes differ by counts in it; pass multi_class="ovr"')
        if self._penalties(total)[1]:
            raise InputError(f"l1_ratio is {self.l1_ratio} with {count} classes: the multinomial loss has no l1 "
                             'penalty; pass multi_class="ovr" or l1_ratio=0')
        X = self._learnt_columns(data)
        matrix = Matrix(X, data.moments if X is data.X else None)
        if matrix.is_sparse and self.fit_intercept:
            matrix = centred(X)
        rows = Rows(classes.places.astype(np.int64), s)
        penalty = self._penalty(total, matrix.shape[1], None)
        return [MultinomialProblem(matrix, rows, count, penalty, bool(self.fit_intercept))]

    def _problems_of(self, source: RowSource) -> list[PartitionedProblem]:
        problems = super()._problems_of(source)
        refuse_offset_of_many(source.offset, self.classes_)
        if len(problems) > 1 and self.multi_class == "multinomial":
            raise InputError(f"a multinomial fit to {len(problems)} classes would hold the scores of all rows in "
                             'memory: to fit to a file pass multi_class="ovr"')
        return problems

    @by_partition
    def decision_function(self, X: Any, offset: Any = None) -> Array:
        """Scores: of two classes, that of the second (rows,), with the `offset`; otherwise one for each class."""
        check_is_fitted(self)
        refuse_offset_of_many(offset, self.classes_)
        return self._scores(X, offset)

    @by_partition
    def predict(self, X: Any, offset: Any = None) -> Array:
        """The label that each row is most like; `offset` as in `fit`."""
        scores = self.decision_function(X, offset)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> float:
        """The share of labels that are predicted: of rows and their labels, or of a file; `offset` as in `fit`."""
        y = scoring_targets(X, y)
        weight = checked_weights(sample_weight, y)
        return float(accuracy_score(y, computed(self.predict(X, offset)), sample_weight=weight))

    @by_partition
    def predict_proba(self, X: Any, offset: Any = None) -> Array:
        """The probability of each class, in the order of `classes_`; `offset` as in `fit`."""
        return np.exp(self.predict_log_proba(X, offset))

    @property
    def _is_ovr(self) -> bool:
        """Whether each of more than two classes was told from all others, as blocks of rows are learnt from."""
        return self.multi_class == "ovr" or hasattr(self, "_streams") or self._was_ovr

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        facts, arrays = super()._to_parts()
        return facts | {"ovr": self._is_ovr}, arrays

    def _from_parts(self, told: Facts, arrays: dict[str, Array]) -> None:
        super()._from_parts(told, arrays)
        self._was_ovr = told.truth("ovr")

    @by_partition
    def predict_log_proba(self, X: Any, offset: Any = None) -> Array:
        """The logarithms of the probabilities, of which none is −∞, however small the probability is."""
        scores = self.decision_function(X, offset)
        if scores.ndim == 1:
            return log_expit(np.column_stack([-scores, scores]))
        if not self._is_ovr:
            return log_softmax(scores, axis=1)
        shares = log_expit(scores)
        return shares - logsumexp(shares, axis=1, keepdims=True)


class Perceptron(PartialClassifier):
    """Rosenblatt's perceptron: a plane that is moved towards the rows on its wrong side, until there are none:

        u ← u + Σ s y x̃  over rows with y (x̃·u) ≤ 0

    with columns x̃ centred and in units of their spread, and weights s. All rows take part in each step, so their order
    does not matter. If a plane separates the classes, one is found. Otherwise there is no end to it, and the plane that
    had the fewest rows on its wrong side is kept: the pocket algorithm. `partial_fit`, which cannot go back to rows,
    minimises a hinge loss instead: how far rows are on the wrong side, or too near to it.

    Args:
        class_weight: a dict of weights by label, or "balanced": each class counts as much.
        fit_intercept: whether the plane may leave the origin.
        max_iter: how many steps to make, at most.
        warm_start: whether to begin at the plane that was found before.

    Attributes:
        classes_: the labels, in order.
        coef_ (1 or classes, columns), intercept_ (1 or classes,): the planes; of each class against the others, if
            there are more than two.
        loss_curve_: after each step, the share of rows (by weight) on the wrong side.
        duality_gap_: that of the plane that is kept. The least there can be is 0.
        stop_reason_: "converged" if a separating plane was found, "plateau" if there were no fewer mistakes for long.
        n_iter_: how many steps were made.

    >>> from descend.linear import Perceptron
    >>> model = Perceptron().fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 0, 1])
    >>> model.predict([[1.0, 1.0], [1.0, 0.0]]), model.stop_reason_.name
    (array([1, 0]), 'converged')

    Reference: Rosenblatt (1958), "The perceptron"; Gallant (1990), "Perceptron-based learning algorithms".
    """

    tol = NEGLIGIBLE_GAP
    solver = "auto"

    def __init__(self, *, class_weight: dict[Any, float] | str | None = None, fit_intercept: bool = True,
                 max_iter: int = 1000, warm_start: bool = False) -> None:
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self) -> Loss:
        return Loss(HINGE)

    def _penalties(self, total: float) -> tuple[float, float]:
        return 0.0, 0.0

    def _solved(self, problem: Problem, monitor: ConvergenceMonitor, start: Array | None) -> Solution:
        return perceptron(scalar(problem, "perceptron"), monitor, start)

"""What classifiers share: labels, weights of classes, and a problem for two classes or for each against the others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from descend._blocks.shards import computed
from descend._sample_weight import checked_weights
from descend.linear._losses import Loss
from descend.linear.estimators.base import LinearModel, fitting
from descend.linear.estimators.exporting import ExportedClassifier
from descend.linear.estimators.lazily import by_partition
from descend.linear.estimators.validation import (
    Classes,
    Data,
    checked_classes,
    checked_data,
    is_partitioned,
    scoring_targets,
)
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.problem import Problem, Support
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.streaming.partitioned import PartitionedProblem
from descend.linear.streaming.source import RowSource
from descend.linear.streaming.survey import survey


class LinearClassifier(ClassifierMixin, ExportedClassifier, LinearModel):
    """A linear model of classes."""

    coef_: Any

    def _loss(self) -> Loss:
        """The loss of a row, whose target is −1 or 1."""
        raise NotImplementedError

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, on: Any = None) -> "LinearClassifier":
        """Fit to rows `X` with labels `y`; rows may have weights. Or to a file beyond memory: `fit(Blocks(…))`."""
        if is_partitioned(X, on):
            self._fit_partitioned(X, y, sample_weight, on)
            return self
        self._check_parameters()
        data = checked_data(self, X, y, sample_weight)
        classes = checked_classes(data, self.class_weight)
        self.classes_ = classes.labels
        self._minimised(self._problems(data, classes), data)
        return self

    def _problems_of(self, source: RowSource) -> list[PartitionedProblem]:
        found = survey(source, intercept=bool(self.fit_intercept))
        counts = found.counts.astype(np.float64)
        classes = checked_classes(Data(source, found.labels, counts), self.class_weight)
        self.classes_ = classes.labels
        problems = []
        for one in range(len(counts)) if len(counts) > 2 else (1,):
            weights = None if classes.weights is None else classes.factor(one if len(counts) > 2 else None)
            total = float(counts.sum() if weights is None else weights @ counts)
            problems.append(self._problem_of(found, total, one, weights))
        return problems

    def _problems(self, data: Data, classes: Classes) -> Sequence[Problem]:
        """One problem for two classes; for more, each class against the others."""
        matrix, support = self._matrix(data)
        if len(classes.labels) == 2:
            problem = self._binary(matrix, support, classes.signs(1), *data.shares(classes.factor()))
            return [replace(problem, offset=data.offset)]
        problems: list[ScalarProblem] = []
        for one in range(len(classes.labels)):
            problem = self._binary(matrix, support, classes.signs(one), *data.shares(classes.factor(one)))
            # The same columns with the same weights.
            if problems and classes.weights is None:
                problem = replace(problem, given_standardisation=problems[0].standardisation)
            problems.append(problem)
        return problems

    def _binary(self, matrix: Matrix, support: Support | None, signs: Array, s: Array, total: float) -> ScalarProblem:
        penalty = self._penalty(total, matrix.shape[1], support)
        return ScalarProblem(matrix, Rows(signs, s), self._loss(), penalty, bool(self.fit_intercept), support=support)

    @property
    def _outputs(self) -> tuple[int, ...]:
        return (1 if len(self.classes_) == 2 else len(self.classes_),)

    def _kept(self) -> tuple[Array, Array]:
        w, b = self.coef_, self.intercept_
        return (w.toarray() if sparse.issparse(w) else w), b

    def sparsify(self) -> "LinearClassifier":
        """Keep `coef_` as a sparse matrix, which takes less memory where an l1 penalty has made most of it 0."""
        check_is_fitted(self)
        self.coef_ = sparse.csr_array(self.coef_)
        return self

    def densify(self) -> "LinearClassifier":
        """Keep `coef_` as an array again."""
        check_is_fitted(self)
        self.coef_ = self._kept()[0]
        return self

    @by_partition
    def decision_function(self, X: Any) -> Array:
        """Scores: of two classes, that of the second (rows,); otherwise one for each class (rows, classes)."""
        return self._scores(X)

    @by_partition
    def predict(self, X: Any) -> Array:
        """The label that each row is most like."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of labels that are predicted: of rows and their labels, or of a file, `Blocks`."""
        y = scoring_targets(X, y)
        return float(accuracy_score(y, computed(self.predict(X)), sample_weight=checked_weights(sample_weight, y)))

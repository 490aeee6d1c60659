"""What regressions share: one problem with numbers as targets."""

from typing import Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from descend._blocks.shards import computed
from descend._sample_weight import checked_weights
from descend.linear._losses import Loss
from descend.linear.estimators.base import LinearModel, fitting
from descend.linear.estimators.lazily import by_partition
from descend.linear.estimators.validation import (
    Data,
    checked_data,
    is_partitioned,
    numeric_targets,
    scoring_targets,
)
from descend.linear.problems.matrix import Array, Rows
from descend.linear.problems.scalar import ScalarProblem
from descend.linear.streaming.partitioned import PartitionedProblem
from descend.linear.streaming.source import RowSource
from descend.linear.streaming.survey import survey


class LinearRegressor(RegressorMixin, LinearModel):
    """A linear model of numbers."""

    def _loss(self) -> Loss:
        """The loss of a row."""
        raise NotImplementedError

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, on: Any = None) -> "LinearRegressor":
        """Fit to rows `X` with targets `y`; rows may have weights. Or to a file beyond memory: `fit(Blocks(…))`."""
        if is_partitioned(X, on):
            self._fit_partitioned(X, y, sample_weight, on)
            return self
        self._check_parameters()
        data = checked_data(self, X, y, sample_weight, numeric=True)
        self._minimised([self._problem(data)], data)
        return self

    def _problems_of(self, source: RowSource) -> list[PartitionedProblem]:
        found = survey(source, self._check_targets, bool(self.fit_intercept))
        return [self._problem_of(found, float(found.rows))]

    def _check_targets(self, y: Array) -> None:
        """Refuse targets that the loss does not know."""

    def _problem(self, data: Data) -> ScalarProblem:
        s, total = data.shares()
        matrix, support = self._matrix(data)
        return ScalarProblem(
            matrix,
            Rows(numeric_targets(data.y), s),
            self._loss(),
            self._penalty(total, matrix.shape[1], support),
            bool(self.fit_intercept),
            support=support,
            offset=data.offset,
        )

    def _keep(self, w: Array, b: Array) -> dict[str, Any]:
        return {"coef_": w[0], "intercept_": float(b[0])}

    @by_partition
    def predict(self, X: Any) -> Array:
        """The number that is expected for each row."""
        return self._scores(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R², the share of the variance that is explained: of rows and their targets, or of a file, `Blocks`."""
        y = scoring_targets(X, y)
        return float(r2_score(y, computed(self.predict(X)), sample_weight=checked_weights(sample_weight, y)))

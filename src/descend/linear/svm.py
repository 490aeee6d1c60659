"""Linear support vector machines; see `descend.linear` for what all estimators share."""

from typing import Any

import numpy as np
from sklearn.base import OutlierMixin

from descend._onnx.classes import add_classes
from descend._onnx.graph import Graph
from descend.linear._losses import HINGE, INSENSITIVE, SQUARED_HINGE, SQUARED_INSENSITIVE, Loss
from descend.linear.estimators.base import LinearModel, fitting
from descend.linear.estimators.classifier import LinearClassifier
from descend.linear.estimators.lazily import by_partition
from descend.linear.estimators.partial import PartialClassifier, PartialRegressor, learnt, streams_of, teach
from descend.linear.estimators.regressor import LinearRegressor
from descend.linear.estimators.validation import check_choice, check_number, checked_data
from descend.linear.problems.matrix import Array, Matrix, Rows
from descend.linear.problems.penalty import Penalty
from descend.linear.problems.scalar import ScalarProblem
from descend.optimizers import Optimizer


class MarginClassifier(LinearClassifier):
    """A classifier whose loss is 0 beyond a margin."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("penalty", self.penalty, ("l2", "l1"))
        check_choice("loss", self.loss, ("squared_hinge", "hinge"))
        check_number("C", self.C, above=True, high=1e300)

    def _loss(self) -> Loss:
        return Loss(HINGE if self.loss == "hinge" else SQUARED_HINGE)

    def _penalties(self, total: float) -> tuple[float, float]:
        weight = 1 / (self.C * total)
        return (weight, 0.0) if self.penalty == "l2" else (0.0, weight)


class LinearSVC(PartialClassifier, MarginClassifier):
    """A plane between two classes with a margin: minimises

        ‖w‖²/2 + C Σ s max(0, 1 − y (x·w + b))ᵏ,  k = 1 ("hinge") or 2 ("squared_hinge")

    with weights s and y = ±1; or with ‖w‖₁ in place of ‖w‖²/2. Of more than two classes each is told from all others.
    The intercept is not penalised, as in the textbooks and in scikit-learn's `SVC`; scikit-learn's `LinearSVC` takes it
    for the coefficient of a column of ones, and penalises it.

    Args:
        penalty: "l2" or "l1".
        loss: "squared_hinge" or "hinge".
        C: how much the rows count beside the penalty, above 0.
        class_weight: a dict of weights by label, or "balanced": each class counts as much. Of more than two classes
            a class's weight is that of its own rows, against the others at weight 1.
        fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        classes_: the labels, in order.
        coef_ (1 or classes, columns), intercept_ (1 or classes,): the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import LinearSVC
    >>> model = LinearSVC(loss="hinge", C=10.0, tol=1e-8).fit([[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1])
    >>> model.coef_.round(3), model.intercept_.round(3)
    (array([[1.]]), array([-2.]))

    Reference: Cortes and Vapnik (1995), "Support-vector networks".
    """

    def __init__(self, *, penalty: str = "l2", loss: str = "squared_hinge", C: float = 1.0,
                 class_weight: dict[Any, float] | str | None = None, fit_intercept: bool = True, tol: float = 1e-4,
                 max_iter: int = 1000, solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.penalty = penalty
        self.loss = loss
        self.C = C
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start


class TubeRegressor(LinearRegressor):
    """A regression whose loss is 0 within a tube."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("epsilon", self.epsilon)
        check_choice("loss", self.loss, ("epsilon_insensitive", "squared_epsilon_insensitive"))
        check_number("C", self.C, above=True, high=1e300)

    def _loss(self) -> Loss:
        return Loss(INSENSITIVE if self.loss == "epsilon_insensitive" else SQUARED_INSENSITIVE, float(self.epsilon))

    def _penalties(self, total: float) -> tuple[float, float]:
        return 1 / (self.C * total), 0.0


class LinearSVR(PartialRegressor, TubeRegressor):
    """A regression that forgives errors up to `epsilon`: minimises

        ‖w‖²/2 + C Σ s max(0, abs(y − x·w − b) − epsilon)ᵏ,  k = 1 or 2 ("squared_epsilon_insensitive")

    with weights s. The intercept is not penalised; scikit-learn's `LinearSVR` penalises it.

    Args:
        epsilon: the error that is forgiven, at least 0, in the unit of `y`.
        loss: "epsilon_insensitive" or "squared_epsilon_insensitive".
        C: how much the rows count beside the penalty, above 0.
        fit_intercept, tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), intercept_: the minimum, in the units of `X` and `y`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import LinearSVR
    >>> model = LinearSVR(epsilon=0.5, C=10.0, tol=1e-8).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.coef_.round(3), round(model.intercept_, 3)
    (array([1.5]), 1.5)

    Reference: Drucker, Burges, Kaufman, Smola and Vapnik (1996), "Support vector regression machines".
    """

    def __init__(self, *, epsilon: float = 0.0, loss: str = "epsilon_insensitive", C: float = 1.0,
                 fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000, solver: str | Optimizer = "auto",
                 warm_start: bool = False) -> None:
        self.epsilon = epsilon
        self.loss = loss
        self.C = C
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start


class OneClassSVM(OutlierMixin, LinearModel):
    """A plane that most rows are beyond, as far from the origin as it can be: minimises

        nu ‖w‖²/2 + nu b + the weighted mean of max(0, 1 − (x·w + b)),  with offset = 1 − b

    the objective of scikit-learn's `SGDOneClassSVM`. Rows with x·w < offset are outliers; `nu` bounds their share among
    the rows of the fit.

    Args:
        nu: the share, above 0 and at most 1.
        fit_intercept: whether to seek the offset; otherwise it is 1 (scikit-learn's is 0 then, and its best w with it).
        tol, max_iter, solver, warm_start: see `descend.linear`.

    Attributes:
        coef_ (columns,), offset_ (1,): the minimum, in the units of `X`.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> import numpy as np
    >>> from descend.linear import OneClassSVM
    >>> X = np.array([[1.0, 1.0], [1.1, 0.9], [0.9, 1.1], [1.2, 1.2], [-1.0, -1.0]])
    >>> OneClassSVM(nu=0.3).fit(X).predict([[1.1, 1.1], [-1.0, -1.0]])
    array([ 1, -1])

    Reference: Schölkopf, Platt, Shawe-Taylor, Smola and Williamson (2001), "Estimating the support of a
    high-dimensional distribution".
    """

    def __init__(self, *, nu: float = 0.5, fit_intercept: bool = True, tol: float = 1e-4, max_iter: int = 1000,
                 solver: str | Optimizer = "auto", warm_start: bool = False) -> None:
        self.nu = nu
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("nu", self.nu, above=True, high=1.0)

    @fitting
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "OneClassSVM":
        """Fit to rows `X`, which may have weights; `y` is there for pipelines and is ignored."""
        self._check_parameters()
        data = checked_data(self, X, "no_validation", sample_weight)
        s, _ = data.shares()
        rows, columns = data.X.shape
        nu = float(self.nu)
        problem = ScalarProblem(
            Matrix(data.X),
            Rows(np.ones(rows, np.int8), s),
            self._loss(),
            Penalty(np.full(columns, nu), np.zeros(columns)),
            bool(self.fit_intercept),
            nu if self.fit_intercept else 0.0,
        )
        self._minimised([problem], data)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "OneClassSVM":
        """Learn from more rows, each of which is seen once; near to a fit to all of them. It begins anew after a `fit`.

        `y` is ignored.
        """
        self._check_parameters()
        data = checked_data(self, X, "no_validation", sample_weight, reset=not hasattr(self, "_streams"))
        weights = np.ones(1) if data.weight is None else data.weight
        [stream] = streams_of(self, 1, data.X, float(self.nu) if self.fit_intercept else 0.0)
        teach(self, stream, data.X, np.ones(data.X.shape[0]), weights)
        learnt(self)
        return self

    def _loss(self) -> Loss:
        return Loss(HINGE)

    def _penalties(self, total: float) -> tuple[float, float]:
        return float(self.nu), 0.0

    def _keep(self, w: Array, b: Array) -> dict[str, Any]:
        return {"coef_": w[0], "offset_": 1.0 - b}

    def _kept(self) -> tuple[Array, Array]:
        return self.coef_[None], 1.0 - self.offset_

    def _add_outputs(self, graph: Graph, scores: str) -> None:
        away = graph.add("Sub", scores, graph.constant(np.float64(1)))
        both = graph.add("Concat", graph.add("Neg", away), away, axis=1)
        add_classes(graph, both, np.array([-1, 1]), "scores")

    def _expected(self, rows: Array) -> dict[str, Array]:
        away = self.decision_function(rows)
        return {"label": self.predict(rows), "scores": np.column_stack([-away, away])}

    @by_partition
    def score_samples(self, X: Any) -> Array:
        """How far each row is out along the coefficients: x·w."""
        return self.decision_function(X) + self.offset_[0]

    @by_partition
    def decision_function(self, X: Any) -> Array:
        """x·w less the offset: below 0 for outliers."""
        return self._scores(X) - 1.0

    @by_partition
    def predict(self, X: Any) -> Array:
        """1 for rows like those of the fit, −1 for outliers."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

"""Kernel machines: linear ones on a map of the features whose inner products are nearly the kernel's values.

Reference: Williams and Seeger (2001), "Using the Nyström method to speed up kernel machines".
"""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.kernel_approximation import Nystroem

from descend._facts import Facts
from descend._saved import array_in
from descend._scaling import unit_of
from descend.errors import InputError
from descend.linear._kernels.threads import one_thread_each
from descend.linear.estimators.partial import PartialClassifier, PartialRegressor
from descend.linear.estimators.validation import Data, check_choice, check_count, check_number
from descend.linear.problems.matrix import Array
from descend.linear.streaming.partitioned import PartitionedProblem
from descend.linear.streaming.source import RowSource
from descend.linear.svm import MarginClassifier, TubeRegressor
from descend.optimizers import Optimizer

KERNEL_PARAMETERS = {
    "linear": (),
    "rbf": ("gamma",),
    "poly": ("gamma", "degree", "coef0"),
    "sigmoid": ("gamma", "coef0"),
}


class _KernelMachine:
    """The map from features to columns, learnt with the fit."""

    kernel: Any
    gamma: Any
    n_components: Any
    random_state: Any
    feature_map_: Any
    n_features_in_: int

    def _check_kernel(self) -> None:
        check_choice("kernel", self.kernel, KERNEL_PARAMETERS)
        check_count("n_components", self.n_components)
        if self.gamma not in ("scale", "auto"):
            check_number("gamma", self.gamma, above=True)

    def _problems_of(self, source: RowSource) -> list[PartitionedProblem]:
        raise InputError(f"{type(self).__name__} is not fitted to files: take a linear model, or rows in memory")

    def _learnt_columns(self, data: Data) -> Any:
        values = {
            name: self._gamma(data) if name == "gamma" else getattr(self, name)
            for name in KERNEL_PARAMETERS[self.kernel]
        }
        count = min(int(self.n_components), data.X.shape[0])
        self.feature_map_ = Nystroem(self.kernel, **values, n_components=count, random_state=self.random_state)
        # A small decomposition, whose threads would mostly wait for each other.
        with one_thread_each():
            self.feature_map_.fit(data.X)
        return self._as_columns(data.X)

    def _as_columns(self, X: Any) -> Any:
        return np.ascontiguousarray(self.feature_map_.transform(X), np.float64)

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        facts, arrays = super()._to_parts()  # type: ignore[misc]  # of a linear model
        known = self.feature_map_
        rows = known.components_
        facts["map"] = {"sparse": sparse.issparse(rows)} | {
            name: float(getattr(known, name)) for name in KERNEL_PARAMETERS[self.kernel]
        }
        return facts, arrays | {"map/rows": rows.toarray() if sparse.issparse(rows) else np.asarray(rows),
                                "map/normalization": known.normalization_}

    def _from_parts(self, told: Facts, arrays: dict[str, Array]) -> None:
        told_map = told.inner("map")
        values = {name: told_map.number(name) for name in KERNEL_PARAMETERS[self.kernel]}
        count = len(arrays.get("map/normalization", ()))
        rows = array_in(arrays, "map/rows", told.where, (count, self.n_features_in_))
        known = Nystroem(self.kernel, **values, n_components=count)
        known.components_ = sparse.csr_matrix(rows) if told_map.truth("sparse") else rows
        known.normalization_ = array_in(arrays, "map/normalization", told.where, (count, count))
        known.n_features_in_ = self.n_features_in_
        self.feature_map_ = known
        super()._from_parts(told, arrays)  # type: ignore[misc]  # of a linear model

    @property
    def _width(self) -> int:
        return len(self.feature_map_.normalization_)

    def _gamma(self, data: Data) -> float:
        """The kernel's `gamma`; weights count as if rows were repeated."""
        X, columns = data.X, data.X.shape[1]
        if self.gamma == "auto":
            return 1.0 / columns
        if self.gamma != "scale":
            return float(self.gamma)
        return 1.0 / (columns * float(unit_of(*_moments_of_all(X, data.weight), float(np.finfo(X.dtype).eps))) ** 2)


def _moments_of_all(X: Any, weight: Array | None) -> tuple[float, float]:
    """The mean and the variance of all numbers of a matrix, those that are not stored included."""
    of_rows = lambda part: float(np.average(np.asarray(part.mean(axis=1)).ravel(), weights=weight))
    if not sparse.issparse(X):
        away = np.asarray(X, np.float64) - float(X[0, 0])
        mean = of_rows(away)
        return float(X[0, 0]) + mean, of_rows(np.square(away - mean))
    mean = of_rows(X)
    # Most numbers are 0: there is little to cancel.
    return mean, max(of_rows(X.multiply(X)) - mean**2, 0.0)


class SVC(_KernelMachine, PartialClassifier, MarginClassifier):
    """A support vector machine with a kernel: `LinearSVC` on a Nyström map of the features.

    With as many components as rows the map is exact, and so is the machine: that of scikit-learn's `SVC` (which tells
    each class from each, where there are more than two; here it is each from all others). `partial_fit` draws the map's
    rows from the first block, which is to have at least as many.

    Args:
        C: how much the rows count beside the penalty, above 0.
        kernel: "rbf" exp(−gamma‖x − x'‖²), "poly" (gamma x·x' + coef0)^degree, "sigmoid" tanh(gamma x·x' + coef0) or
            "linear" x·x'.
        gamma: a number above 0; "scale" for 1 / (columns × the variance of `X`), "auto" for 1 / columns.
        degree, coef0: see `kernel`.
        n_components: how many rows, drawn at random, the map is made of; more of them are nearer to the kernel.
        random_state: a seed for that draw.
        loss: "hinge" or "squared_hinge".
        class_weight: see `LinearSVC`.
        fit_intercept, tol, max_iter, solver: see `descend.linear`.

    Attributes:
        feature_map_: the fitted `sklearn.kernel_approximation.Nystroem`.
        classes_: the labels, in order.
        coef_ (1 or classes, components), intercept_ (1 or classes,): the minimum, of the mapped features.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> from descend.linear import SVC
    >>> model = SVC(C=10.0).fit([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    >>> model.predict([[0.0, 0.1], [0.9, 0.0]])
    array([0, 1])

    Reference: see the module.
    """

    def __init__(self, *, C: float = 1.0, kernel: str = "rbf", degree: float = 3, gamma: float | str = "scale",
                 coef0: float = 0.0, n_components: int = 100, random_state: Any = None, loss: str = "hinge",
                 class_weight: dict[Any, float] | str | None = None, fit_intercept: bool = True, tol: float = 1e-4,
                 max_iter: int = 1000, solver: str | Optimizer = "auto") -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.n_components = n_components
        self.random_state = random_state
        self.loss = loss
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver

    penalty = "l2"

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_kernel()


class SVR(_KernelMachine, PartialRegressor, TubeRegressor):
    """A support vector regression with a kernel: `LinearSVR` on a Nyström map of the features.

    With as many components as rows the map is exact, and so is the machine: that of scikit-learn's `SVR`. `partial_fit`
    draws the map's rows from the first block, which is to have at least as many.

    Args:
        C: how much the rows count beside the penalty, above 0.
        epsilon: the error that is forgiven, at least 0, in the unit of `y`.
        kernel, gamma, degree, coef0, n_components, random_state: see `SVC`.
        loss: "epsilon_insensitive" or "squared_epsilon_insensitive".
        fit_intercept, tol, max_iter, solver: see `descend.linear`.

    Attributes:
        feature_map_: the fitted `sklearn.kernel_approximation.Nystroem`.
        coef_ (components,), intercept_: the minimum, of the mapped features.
        n_iter_, loss_curve_, duality_gap_, stop_reason_, solver_: see `descend.linear`.

    >>> import numpy as np
    >>> from descend.linear import SVR
    >>> x = np.linspace(0, 3, 20)[:, None]
    >>> bool(SVR(C=100.0, epsilon=0.01).fit(x, np.sin(x[:, 0])).score(x, np.sin(x[:, 0])) > 0.999)
    True

    Reference: see the module.
    """

    def __init__(self, *, C: float = 1.0, epsilon: float = 0.1, kernel: str = "rbf", degree: float = 3,
                 gamma: float | str = "scale", coef0: float = 0.0, n_components: int = 100, random_state: Any = None,
                 loss: str = "epsilon_insensitive", fit_intercept: bool = True, tol: float = 1e-4,
                 max_iter: int = 1000, solver: str | Optimizer = "auto") -> None:
        self.C = C
        self.epsilon = epsilon
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.n_components = n_components
        self.random_state = random_state
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_kernel()

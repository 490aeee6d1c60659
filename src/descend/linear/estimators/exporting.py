"""Linear models elsewhere: as scikit-learn's with the same coefficients, and as files of ONNX."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from descend._onnx.classes import add_classes
from descend._onnx.graph import Graph
from descend._onnx.writing import write_checked
from descend.errors import InputError

# Which of scikit-learn's has the same scores, by the names of ours.
COUNTERPARTS = {
    "ElasticNet": "linear_model.ElasticNet", "GammaRegressor": "linear_model.GammaRegressor",
    "HuberRegressor": "linear_model.HuberRegressor", "Lasso": "linear_model.Lasso",
    "LinearRegression": "linear_model.LinearRegression", "LinearSVC": "svm.LinearSVC", "LinearSVR": "svm.LinearSVR",
    "LogisticRegression": "linear_model.LogisticRegression", "OneClassSVM": "linear_model.SGDOneClassSVM",
    "Perceptron": "linear_model.Perceptron", "PoissonRegressor": "linear_model.PoissonRegressor",
    "QuantileRegressor": "linear_model.QuantileRegressor", "Ridge": "linear_model.Ridge",
    "TweedieRegressor": "linear_model.TweedieRegressor",
}  # fmt: skip
# Settings that mean the same in both. Others, such as `tol`, say how to get there.
SHARED = ("alpha", "C", "class_weight", "epsilon", "fit_intercept", "l1_ratio", "link", "nu", "positive", "power",
          "quantile")
# What a fit sets, and scikit-learn predicts by.
LEARNT = ("classes_", "coef_", "intercept_", "offset_", "scale_", "n_features_in_", "feature_names_in_", "n_iter_")
# Rows that are drawn for an export to be checked on.
CHECKED_ROWS = 256


class Exported:
    """A linear model that can leave the house."""

    @property
    def _is_ovr(self) -> bool:
        """Whether each of several classes is told from all others, with probabilities that come of that."""
        return False

    def to_sklearn(self) -> Any:
        """Scikit-learn's estimator of that name with the same coefficients: it predicts the same, without `descend`.

        Settings that mean the same in both are taken over. `OneClassSVM` becomes an `SGDOneClassSVM`.

        **Raises** `InputError` where scikit-learn has none that predicts the same: kernel machines, a loss of one's
        own, and several classes each told from all others.
        """
        check_is_fitted(self)
        name = type(self).__name__
        if name not in COUNTERPARTS or (name == "LogisticRegression" and self._is_ovr and len(self.classes_) > 2):  # type: ignore[attr-defined]
            what = f"{name}(multi_class='ovr')" if name in COUNTERPARTS else name
            raise InputError(f"scikit-learn has no estimator that predicts what {what} does: save it")
        module, kind = COUNTERPARTS[name].split(".")
        made = getattr(import_module(f"sklearn.{module}"), kind)()
        ours, theirs = self.get_params(), made.get_params()  # type: ignore[attr-defined]
        made.set_params(**{name: ours[name] for name in SHARED if name in ours and name in theirs})
        for known in LEARNT:
            if hasattr(self, known):
                setattr(made, known, getattr(self, known))
        if self._is_logarithm:
            made._base_loss = made._get_loss()
        return made

    def to_onnx(self, path: str | Path) -> None:
        """Write the model to a file of ONNX, whose name ends with `.onnx`; needs the extra `export`.

        Its input is `X`, rows of numbers in double precision. Its outputs are `prediction`, or `label` and
        `probabilities`; `scores` of classifiers without probabilities. Before it is written it is run in onnxruntime on
        rows that are drawn, and must agree with this one to 1e-5 of the largest output.

        **Raises** `InputError` for a kernel machine, where it does not agree, and where it cannot be written.
        """
        check_is_fitted(self)
        if hasattr(self, "feature_map_"):
            raise InputError(f"{type(self).__name__} is not exported to ONNX, as its kernel is not: save it")
        graph, columns = Graph(), int(self.n_features_in_)  # type: ignore[attr-defined]
        w, b = (np.asarray(part, np.float64) for part in self._kept())  # type: ignore[attr-defined]
        rows = graph.input("X", np.float64, (columns,))
        product = graph.add("MatMul", rows, graph.constant(w.T))
        self._add_outputs(graph, graph.add("Add", product, graph.constant(b)))
        drawn = np.random.default_rng(0).normal(size=(CHECKED_ROWS, columns))
        write_checked(graph, path, {"X": drawn}, self._expected(drawn))

    def _add_outputs(self, graph: Graph, scores: str) -> None:
        """What is predicted from scores, one for each output."""
        value = graph.add("Squeeze", scores, graph.constant(np.array([1])))
        graph.output("prediction", graph.add("Exp", value) if self._is_logarithm else value, np.float64)

    # Whether scores are logarithms of what is expected.
    _is_logarithm = False

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What the export must give of rows."""
        return {"prediction": np.asarray(self.predict(rows), np.float64)}  # type: ignore[attr-defined]


class ExportedClassifier(Exported):
    """The same of classes."""

    classes_: np.ndarray

    def _add_outputs(self, graph: Graph, scores: str) -> None:
        if len(self.classes_) == 2:
            scores = graph.add("Concat", graph.add("Neg", scores), scores, axis=1)
        if not hasattr(self, "predict_proba"):
            add_classes(graph, scores, self.classes_, "scores")
        elif len(self.classes_) == 2:
            add_classes(graph, graph.add("Sigmoid", scores), self.classes_)
        elif not self._is_ovr:
            add_classes(graph, graph.add("Softmax", scores, axis=1), self.classes_)
        else:
            shares = graph.add("Sigmoid", scores)
            total = graph.add("ReduceSum", shares, graph.constant(np.array([1])), keepdims=1)
            add_classes(graph, graph.add("Div", shares, total), self.classes_)

    def _expected(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        labels = {"label": self.predict(rows)}  # type: ignore[attr-defined]
        if hasattr(self, "predict_proba"):
            return labels | {"probabilities": self.predict_proba(rows)}
        scores = self.decision_function(rows)  # type: ignore[attr-defined]
        return labels | {"scores": scores if scores.ndim == 2 else np.column_stack([-scores, scores])}

"""What estimators are given, checked and brought to the form in which problems are stated."""

import math
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from descend._blocks.files import Blocks
from descend._blocks.shards import computed, is_dask
from descend._sample_weight import checked_weights, weights_of_classes
from descend.errors import InputError
from descend.linear._kernels.threads import each, parts
from descend.linear.problems.matrix import NO_OFFSET, Array, Matrix, Moments

# The greatest number whose square is one, too.
LARGEST_NUMBER = 1e150
# Whole numbers in a range of so many are counted rather than sorted, to find the labels.
COUNTED_LABELS = 2**12


class Data(NamedTuple):
    """Checked rows: features, targets as they were given, weights (None: all the same), and what looking at them found.

    `moments`: of the columns by rows of equal weight, where they are dense and all rows are there. `offset`: see
    `ScalarProblem`.
    """

    X: Any
    y: Any
    weight: Array | None
    moments: Moments | None = None
    offset: Array = NO_OFFSET

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return float(self.X.shape[0]) if self.weight is None else float(self.weight.sum())

    def shares(self, factor: Array | None = None) -> tuple[Array, float]:
        """Weights whose sum is 1, times a factor by row, and what their sum was; one weight, where all are the same."""
        if self.weight is None and factor is None:
            return np.array([1 / self.X.shape[0]]), self.total
        weight = np.ones(self.X.shape[0]) if self.weight is None else self.weight
        weight = weight if factor is None else weight * factor
        total = float(weight.sum())
        if not (total > 0 and math.isfinite(total)):
            raise InputError(f"the sum of the rows' weights is {total}: give some rows a weight above 0")
        return weight / total, total


def checked_data(estimator: Any, X: Any, y: Any, sample_weight: Any, *, numeric: bool = False,
                 reset: bool = True, offset: Any = None) -> Data:
    """Features, targets (`y="no_validation"`: there are none) and weights; rows without weight are left out.

    `numeric`: targets are numbers. `reset`: the columns need not be those of an earlier call.
    """
    if isinstance(X, Blocks) or is_dask(X):
        what = "files" if isinstance(X, Blocks) else "Dask collections"
        raise InputError(f"{type(estimator).__name__} is not fitted to {what} here: pass the X and y of each block to "
                         "partial_fit, or rows in memory")
    # Which `_checked_features` looks at, on all cores.
    checks: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32], "reset": reset,
                              "ensure_all_finite": False}
    if isinstance(y, str):
        X, y = validate_data(estimator, X, y, **checks), None
    else:
        X, y = validate_data(estimator, X, y, y_numeric=numeric, **checks)
    X, moments = _checked_features(X, type(estimator).__name__)
    weight, offset = checked_weights(sample_weight, X), checked_offset(offset, X.shape[0])
    if weight is None:
        return Data(X, y, None, moments, offset)
    kept = weight > 0
    if kept.any() and not kept.all():
        X, y, weight, moments = X[kept], None if y is None else y[kept], weight[kept], None
        offset = offset[kept] if offset.size else offset
    return Data(X, y, None if (weight == 1).all() else weight, moments, offset)


def checked_offset(offset: Any, rows: int) -> Array:
    """A number for each row that is added to its score; or nothing."""
    if offset is None:
        return NO_OFFSET
    given = np.asarray(offset)
    if given.dtype.kind not in "biuf" or given.shape != (rows,):
        raise InputError(f"offset has the shape {given.shape} and the type {given.dtype}: it must be a number for each "
                         f"of the {rows} rows")
    strange = ~np.isfinite(given)
    if strange.any():
        row = int(strange.argmax())
        raise InputError(f"offset is {given[row]} at row {row}: it must be finite; leave out rows without an exposure")
    return np.ascontiguousarray(given, np.float64)


def is_partitioned(X: Any, on: Any) -> bool:
    """Whether the rows are gone through in partitions: those of a file, or of a Dask collection."""
    refuse_on(X, on)
    return isinstance(X, Blocks) or is_dask(X)


def refuse_on(X: Any, on: Any) -> None:
    """Refuse a place for rows that are in memory."""
    if on is not None and not (isinstance(X, Blocks) or is_dask(X)):
        raise InputError("on= says where Blocks and Dask collections are gone through, and X is in memory: leave it "
                         "out")


def refuse_offset(offset: Any) -> None:
    """Refuse an offset beside a file."""
    if offset is not None:
        raise InputError("offset is given beside a file: name the column that has it, Blocks(…, offset=…)")


def refuse_offset_of_many(offset: Any, labels: Array) -> None:
    """Refuse an offset where there is more than one score."""
    if offset is not None and len(labels) > 2:
        raise InputError(f"offset is given with {len(labels)} classes: it is added to the score of the second of two")


def later_features(estimator: Any, X: Any) -> Any:
    """Features for an estimator that is fitted."""
    return validate_data(estimator, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)


def scoring_targets(X: Any, y: Any) -> Any:
    """The targets to judge predictions for `X` by; a file brings its own."""
    if isinstance(X, Blocks):
        if y is not None:
            raise InputError("X is a file with a target: pass it alone, score(Blocks(…))")
        return X.targets()
    if is_dask(y):
        return np.asarray(computed(y))
    if y is None:
        raise InputError("y is None: a score needs the targets of the rows")
    return y


def _checked_features(X: Any, name: str) -> tuple[Any, Moments | None]:
    """Features that are finite and can be squared; the pass over dense ones that sees it gives their moments, too."""
    if not sparse.issparse(X):
        X = _as_if_writable(X)
        with np.errstate(all="ignore"):
            moments = Matrix(X).moments(np.array([1 / len(X)]))
        if not (np.isfinite(moments).all() and moments[2].max(initial=0.0) <= LARGEST_NUMBER):
            _check_values(X if X.flags.c_contiguous else X.T, X, name)
        return X, moments
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    stored = X.data, X.indices, X.indptr
    if not all(part.flags.writeable for part in stored):
        X = type(X)(tuple(map(_as_if_writable, stored)), shape=X.shape)
    _check_values(X.data, X, name)
    return X, None


def _check_values(values: Array, X: Any, name: str) -> None:
    if values.size and not greatest(values) <= LARGEST_NUMBER:
        assert_all_finite(X, estimator_name=name, input_name="X")
        raise InputError(
            f"X has numbers beyond {LARGEST_NUMBER:g}, too large to be squared: give its columns in other units"
        )


def greatest(values: Array) -> float:
    """The greatest magnitude, or NaN, in pieces that are still in the cache when they are gone through again."""
    work = lambda start, stop: max(float(values[start:stop].max()), -float(values[start:stop].min()))
    return float(np.max(each(work, parts(len(values), values.size))))


class _Window:
    """Memory of an array, for which a kernel need not be compiled again because it must not be written to."""

    def __init__(self, X: Array) -> None:
        self.behind = X
        self.__array_interface__ = X.__array_interface__ | {"data": (X.ctypes.data, False)}


def _as_if_writable(X: Array) -> Array:
    """The same memory; kernels only read it."""
    return X if X.flags.writeable else np.asarray(_Window(X))


def numeric_targets(y: Any) -> Array:
    """Targets of a regression."""
    return np.array(y, np.float64)


class Classes(NamedTuple):
    """The labels in order, each row's place among them, and the weights of the labels (None: all 1)."""

    labels: Array
    places: Array
    weights: Array | None

    def signs(self, positive: int) -> Array:
        """1 for the rows of one class, −1 for the others."""
        return 2 * (self.places == positive).view(np.int8) - 1

    def factor(self, one: int | None = None) -> Array | None:
        """Weights by row: each class has its own; of one against the others, those have 1."""
        if self.weights is None:
            return None
        weights = self.weights if one is None else np.where(np.arange(len(self.labels)) == one, self.weights, 1.0)
        return weights[self.places]


def checked_classes(data: Data, class_weight: Any) -> Classes:
    """The classes among the targets."""
    try:
        labels, places = _told_apart(data.y)
    # Bytes, or of several types.
    except TypeError as error:
        raise InputError(f"y has labels without an order ({error}): make strings or numbers of them") from error
    if len(labels) < 2:
        raise InputError(f"y holds {len(labels)} class ({labels.tolist()[0]!r}): a classifier needs rows of at least 2 "
                         "classes")
    return Classes(labels, places, class_weights(data, labels, class_weight))


def _told_apart(y: Array) -> tuple[Array, Array]:
    """The labels in order, and each row's place among them."""
    # Small numbers are counted, which is sooner done than sorting.
    if y.ndim == 1 and y.dtype.kind in "bui" and y.size:
        least = int(y.min())
        if int(y.max()) - least < COUNTED_LABELS and abs(least) < 2**62:
            away = y if y.dtype == np.intp and least == 0 else np.subtract(y, least, dtype=np.intp)
            there = np.bincount(away) > 0
            labels = np.flatnonzero(there) + least
            if 2 * labels.size <= y.size:
                kind = np.int8 if labels.size == 2 else np.intp
                return labels.astype(y.dtype), (np.cumsum(there) - 1).astype(kind)[away]
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def checked_labels(data: Data, labels: Array) -> Classes:
    """The classes of targets that must be among some labels."""
    # Whole numbers are labels, whatever they are.
    if data.y.dtype.kind not in "biu":
        check_classification_targets(data.y)
    if len(labels) < 2:
        raise InputError(f"classes holds {len(labels)} class: a classifier needs at least 2 classes")
    places = np.minimum(np.searchsorted(labels, data.y), len(labels) - 1)
    strange = labels[places] != data.y
    if strange.any():
        row = int(strange.argmax())
        label = data.y[row : row + 1].tolist()[0]
        raise InputError(f"y is {label!r} at row {row}, which is not among the classes {labels.tolist()}")
    return Classes(labels, places, None)


def class_weights(data: Data, labels: Array, class_weight: Any) -> Array | None:
    """The weight of each label."""
    return None if class_weight is None else weights_of_classes(class_weight, labels, data.y, data.weight)


def checked_penalty_weights(given: Any, columns: int) -> Array:
    """How much the penalties of each column count: a number for each, or 1."""
    if given is None:
        return np.ones(columns)
    weights = np.asarray(given)
    if weights.dtype.kind not in "biuf" or weights.shape != (columns,):
        raise InputError(f"penalty_weights has the shape {weights.shape} and the type {weights.dtype}: it must be a "
                         f"number for each of the {columns} columns")
    strange = ~(np.isfinite(weights) & (weights >= 0))
    if strange.any():
        column = int(strange.argmax())
        raise InputError(f"penalty_weights is {weights[column]} for column {column}: it must be a finite number of at "
                         "least 0; leave out a column that is to have no coefficient")
    return weights.astype(np.float64)


def check_number(name: str, value: Any, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> None:
    """Refuse a parameter that is not a number from `low` (`above`: which it must exceed) to `high`."""
    if isinstance(value, Real) and low <= float(value) <= high and not (above and float(value) == low):
        return
    kind = f"above {low:g}" if above else f"of at least {low:g}"
    upper = f" and at most {high:g}" if high < math.inf else ""
    raise InputError(f"{name} is {value!r}: it must be a number {kind}{upper}")


def check_count(name: str, value: Any, low: int = 1) -> None:
    """Refuse a parameter that is not a whole number of at least `low`."""
    if not (isinstance(value, Integral) and int(value) >= low):
        raise InputError(f"{name} is {value!r}: it must be a whole number of at least {low}")


def check_flag(name: str, value: Any) -> None:
    """Refuse a parameter that is neither True nor False: a word or a number may be meant as either."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is {value!r}: it must be True or False")


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Refuse a parameter that is not among the choices."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise InputError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, choices))}")

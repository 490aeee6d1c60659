"""Learning block by block: `partial_fit`, which sees each row once; see `streaming.stream` for the mathematics."""

from typing import Any

import numpy as np

from descend.errors import InputError
from descend.linear.estimators.base import LinearModel
from descend.linear.estimators.classifier import LinearClassifier
from descend.linear.estimators.regressor import LinearRegressor
from descend.linear.estimators.validation import (
    Data,
    checked_data,
    checked_labels,
    class_weights,
    numeric_targets,
    refuse_offset_of_many,
)
from descend.linear.problems.matrix import NO_OFFSET, Array
from descend.linear.streaming.stream import Stream


class PartialRegressor(LinearRegressor):
    """A regression that may also learn block by block."""

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "PartialRegressor":
        """Learn from more rows, each of which is seen once.

        For squared losses and up to a thousand columns, the same as a fit to all rows that were given so far; otherwise
        near to it, or slowly nearer. It begins anew after a `fit`.
        """
        return self._learn_rows(X, y, sample_weight)

    def _learn_rows(self, X: Any, y: Any, sample_weight: Any, offset: Any = None) -> "PartialRegressor":
        """See `partial_fit`."""
        self._check_parameters()
        refuse_constraints(self)
        is_first = not hasattr(self, "_streams")
        data = checked_data(self, X, y, sample_weight, numeric=True, reset=is_first, offset=offset)
        targets = numeric_targets(data.y)
        self._check_targets(targets)
        columns = columns_of_block(self, data)
        [stream] = streams_of(self, 1, columns)
        teach(self, stream, columns, targets, _weights(data), data.offset)
        learnt(self)
        return self


class PartialClassifier(LinearClassifier):
    """A classifier that may also learn block by block."""

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "PartialClassifier":
        """Learn from more rows, each of which is seen once.

        The first call is given all `classes` that there will be, if no `fit` has seen them. Of more than two, each is
        told from all others. It begins anew after a `fit`.
        """
        return self._learn_rows(X, y, classes, sample_weight)

    def _learn_rows(self, X: Any, y: Any, classes: Any, sample_weight: Any, offset: Any = None) -> "PartialClassifier":
        """See `partial_fit`."""
        self._check_parameters()
        refuse_constraints(self)
        if isinstance(self.class_weight, str):
            raise InputError(f"class_weight is {self.class_weight!r}: how many rows a class has is not known before "
                             "all of them are seen; pass a dict of weights by label")
        is_first = not hasattr(self, "_streams")
        if is_first and classes is None and not hasattr(self, "classes_"):
            raise InputError("classes is None: the first partial_fit is given all the labels that there will be")
        data = checked_data(self, X, y, sample_weight, reset=is_first, offset=offset)
        if is_first and classes is not None:
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise InputError(f"classes is {list(classes)}: in the first partial_fit it was {self.classes_.tolist()}")
        refuse_offset_of_many(offset, self.classes_)
        known = checked_labels(data, self.classes_)._replace(
            weights=class_weights(data._replace(y=self.classes_, weight=None), self.classes_, self.class_weight))
        binary = len(self.classes_) == 2
        columns = columns_of_block(self, data)
        for one, stream in enumerate(streams_of(self, 1 if binary else len(self.classes_), columns)):
            factor = known.factor() if binary else known.factor(one)
            teach(self, stream, columns, known.signs(1 if binary else one), _weights(data, factor), data.offset)
        learnt(self)
        return self


def refuse_constraints(model: LinearModel) -> None:
    """Refuse what is not known where rows are gone."""
    for name, usual in (("positive", False), ("penalty_weights", None)):
        given = getattr(model, name, usual)
        if given is not usual and given is not np.False_:
            raise InputError(f"{name} is given, which partial_fit does not know: fit to all rows at once")


def _weights(data: Data, factor: Array | None = None) -> Array:
    """The rows' weights; one, where all are the same."""
    weight = np.ones(1) if data.weight is None else data.weight
    return weight if factor is None else weight * factor


def columns_of_block(model: LinearModel, data: Data) -> Any:
    """The columns of which the model is linear; what they are made by is learnt with the first block."""
    return model._as_columns(data.X) if hasattr(model, "_streams") else model._learnt_columns(data)


def streams_of(model: LinearModel, count: int, columns: Any, linear_term: float | None = None) -> list[Stream]:
    """What the model has learnt so far; to begin with, nothing."""
    if not hasattr(model, "_streams"):
        width, intercept = columns.shape[1], bool(model.fit_intercept)
        model._streams = [Stream(model._loss(), width, intercept, linear_term) for _ in range(count)]
    return model._streams


def teach(
    model: LinearModel, stream: Stream, columns: Any, y: Array, s: Array, offset: Array = NO_OFFSET
) -> None:
    """Give a stream more rows, and the penalties that go with all that it has been given."""
    total = stream.seen + (float(s.sum()) if s.size > 1 else float(s[0]) * len(y))
    if total:
        l2, l1 = model._penalties(total)
        stream.update(columns, y, s, l2 * total, l1 * total, offset)


def learnt(model: LinearModel) -> None:
    """Set what was learnt as attributes."""
    w = np.vstack([stream.coef for stream in model._streams])
    b = np.array([stream.intercept for stream in model._streams])
    for name, value in model._keep(w, b).items():
        setattr(model, name, value)

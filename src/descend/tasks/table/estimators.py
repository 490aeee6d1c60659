"""Tables' models with the faces of scikit-learn: what `descend fit` does, on frames, without a folder."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from descend._facts import Facts
from descend._sample_weight import checked_weights
from descend._saved import ESTIMATOR, Savable
from descend.errors import InputError
from descend.tasks.common.asked import refuse_unknown_column, words_of
from descend.tasks.common.columns import told_of
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import AUTO, Metric, Settings, TaskKind
from descend.tasks.common.typed_table import type_table
from descend.tasks.table.given import as_column, as_frame, has_names, labels_of
from descend.tasks.table.model import TableModel
from descend.tasks.table.preparing import TablePrepared, prepare_table
from descend.tasks.table.registry import refuse_unknown_model
from descend.tasks.table.training import train

__all__ = ["TableClassifier", "TableRegressor"]

# What the table is called in messages, and the target where it has no name.
TABLE, TARGET = "X", "y"
# What is stored of what is known after a fit.
_KNOWN = ("validation", "why", "notes", "training_seconds")
T = TypeVar("T", bound="_TableEstimator")
# Of classes that are named in a note.
NAMED_CLASSES = 5


class _TableEstimator(Savable, BaseEstimator):
    """What both have in common: settings, frames, and what is known after a fit."""

    model_: TableModel
    _task: ClassVar[TaskKind]

    def __init__(self, *, model: str = AUTO, optimizer: str | None = None, learning_rate: float | None = None,
                 batch_size: int | None = None, epochs: float | None = None, seconds: float | None = None,
                 metric: Metric | None = None, fast: bool = False, best: bool = False,
                 group: str | None = None, time: str | None = None,
                 column: Mapping[str, str] | None = None, drop: Sequence[str] = (), missing: Sequence[Any] = (),
                 random_state: int | np.random.RandomState | None = None) -> None:
        self.model = model
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.seconds = seconds
        self.metric = metric
        self.fast = fast
        self.best = best
        self.group = group
        self.time = time
        self.column = column
        self.drop = drop
        self.missing = missing
        self.random_state = random_state

    def _learn(self, frame: pd.DataFrame, target: pd.Series, weights: np.ndarray | None, notes: Sequence[str]) -> None:
        """Type the columns, train the candidates, choose one of them, and keep what is known of it."""
        settings = self._settings(str(target.name))
        if weights is not None:
            # A row that counts nothing is one that is not there.
            counts = weights > 0
            frame, target, weights = frame[counts], target[counts], weights[counts]
            _refuse_few(len(frame))
        typed = type_table(Table(frame.assign(**{settings.target: target}), TABLE, ""), settings)
        fitted = train(_weighted(prepare_table(typed, settings), weights), settings)
        self._note_model(fitted.model)  # type: ignore[arg-type]  # of a table, it is one
        self.validation_, self.why_ = dict(fitted.validation), fitted.why
        self.stop_reason_, self.training_seconds_ = fitted.reason, fitted.seconds
        self.notes_ = [*notes, *typed.notes, *told_of(typed.columns)]

    def _settings(self, target: str) -> Settings:
        """The settings as the command has them; all rows are learnt from."""
        refuse_unknown_model(self.model)
        column, drop, missing = (words_of(name, getattr(self, name)) for name in ("column", "drop", "missing"))
        state = self.random_state
        seed = state if isinstance(state, int) else int(check_random_state(state).randint(2**31 - 1))
        return Settings(target, self.model, self.optimizer, self.learning_rate, self.batch_size, self.epochs,
                        self.seconds, seed, None, self._task, column, drop, missing,
                        group=self.group, time=self.time, metric=self.metric, fast=self.fast, best=self.best)

    def _taken_apart(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[pd.DataFrame, pd.Series, np.ndarray | None, list[str]]:
        """Rows, their targets, how much they count, and what is to be told of them; the columns are noted."""
        frame, notes = as_frame(X), []
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None: give a column, "
                             "or the name of one of X")
        if isinstance(y, str):
            refuse_unknown_column(y, list(frame.columns), TABLE)
            weights, known = checked_weights(sample_weight, frame), frame[y].notna().to_numpy()
            if not known.all():
                notes.append(f"{np.sum(~known):,} rows without a target are left out")
            sample_weight = None if weights is None else weights[known]
            y, frame = frame[y][known], frame[known].drop(columns=y).reset_index(drop=True)
        _refuse_few(len(frame))
        column = as_column(y, len(frame))
        self._note_columns(X, frame.drop(columns=self._roles_in(X, frame)))
        name, taken = str(TARGET if column.name is None else column.name), set(frame.columns)
        while name in taken:
            name += "'"
        return frame, column.rename(name), checked_weights(sample_weight, frame), notes

    def _roles_in(self, X: Any, frame: pd.DataFrame) -> list[str]:
        """The columns that tell how rows are divided, and are not learnt from."""
        roles = {role: name for role in ("group", "time") if (name := getattr(self, role)) is not None}
        for role, name in roles.items():
            if not has_names(X):
                raise InputError(f"{role}={name!r} is the name of a column, and X has no names: give a frame")
            refuse_unknown_column(name, list(frame.columns), TABLE)
        return list(roles.values())

    def _note_columns(self, X: Any, frame: pd.DataFrame) -> None:
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = frame.shape[1]
        if has_names(X):
            self.feature_names_in_ = np.array(frame.columns, dtype=object)

    def _predicted(self, X: Any) -> np.ndarray:
        """What the model says of a table's rows: its columns by their names, or those of an array by their places."""
        check_is_fitted(self)
        # In double precision, so that probabilities sum to 1 for those who compare them with 1.
        return self.model_.predict(self.model_.encoder.transform(self._named(X))).astype(np.float64)

    def _named(self, X: Any) -> pd.DataFrame:
        """A table with the names that columns had at the fit."""
        check_is_fitted(self)
        frame = as_frame(X)
        if len(frame) == 0:
            raise InputError("X has 0 rows: give one at least to predict")
        names = getattr(self, "feature_names_in_", None)
        if names is None or not has_names(X):
            if frame.shape[1] != self.n_features_in_:
                raise InputError(f"X has {frame.shape[1]} features, but {type(self).__name__} is expecting "
                                 f"{self.n_features_in_} features as input")
            if names is not None:
                warnings.warn(f"X does not have valid feature names, but {type(self).__name__} was fitted with "
                              "feature names", stacklevel=4)
            # Of one that was fitted to an array, the columns of a frame are looked at by their places, too.
            frame = frame.set_axis(names if names is not None else [f"x{i}" for i in range(frame.shape[1])], axis=1)
        return frame

    def save(self, path: str | Path) -> None:
        check_is_fitted(self)
        facts, arrays = self.model_.to_parts()
        told, more = self._told()
        known = {name: getattr(self, f"{name}_") for name in _KNOWN if hasattr(self, f"{name}_")}
        # As a run has it, so that commands take it, too.
        self._write(path, arrays | more, facts | {ESTIMATOR: told | known})

    @classmethod
    def _loaded(cls: type[T], told: Facts, arrays: dict[str, np.ndarray]) -> T:
        if told.has("kind") and told.any("kind") == ESTIMATOR:
            raise InputError(f"{told.where} has no {cls.__name__}: load it by descend.load_model")
        model = TableModel.from_parts(told, arrays)
        if not told.has(ESTIMATOR):
            estimator: Any = estimator_of(model)
            if not isinstance(estimator, cls):
                raise InputError(f"{told.where} has a {type(estimator).__name__}, and no {cls.__name__}: load it by "
                                 "descend.load_model")
            return estimator
        estimator, mine = cls._restored(told, arrays), told.inner(ESTIMATOR)
        if len(getattr(estimator, "classes_", ())) != len(model.target.classes):
            mine.refuse("labels", "as many as the model has", getattr(estimator, "classes_", None))
        if estimator.n_features_in_ != len(model.encoder.columns):
            mine.refuse("columns", "as many as the model has", estimator.n_features_in_)
        estimator._note_model(model)
        estimator.why_, estimator.notes_ = mine.text("why"), list(mine.texts("notes"))
        estimator.training_seconds_ = mine.number("training_seconds", 0)
        scores = mine.inner("validation")
        estimator.validation_ = {name: scores.number(name) for name in scores}
        return estimator

    def _check_taken(self) -> None:
        self._settings(TARGET)

    def _note_model(self, model: TableModel) -> None:
        self.model_ = model
        self.columns_ = {column.name: f"{column.kind}: {column.reason}" for column in model.encoder.columns}

    def to_onnx(self, path: str | Path, X: Any = None) -> None:
        """Write the model to a file of ONNX, whose name ends with `.onnx`; needs the extra `export`.

        It has an input for each column, by its name, `(rows, 1)`: numbers and flags in double precision, gaps as NaN;
        words as text, gaps as "". Its outputs are `prediction`, or `label` and `probabilities`. Before it is written it
        is run in onnxruntime, on the rows of `X` and on drawn ones with gaps and unknown levels, and must agree with
        this one to 1e-5 of the largest output.

        **Raises** `InputError` for dates and texts, which ONNX cannot express, by their names; where it does not agree;
        and where it cannot be written.
        """
        from descend.tasks.table.exporting import export_table

        check_is_fitted(self)
        frame = None if X is None else self._named(X)
        export_table(self.model_, path, frame, getattr(self, "classes_", None))

    def to_sklearn(self) -> Any:
        """A linear model as a pipeline of scikit-learn's, which predicts the same to 1e-10 without `descend`.

        It takes frames with the columns that were used, typed: numbers and flags as numbers, words as text, gaps as NaN
        or None.

        **Raises** `InputError` for a model that is not linear, and for dates and texts, by their names.
        """
        from descend.tasks.table.as_sklearn import pipeline

        check_is_fitted(self)
        return pipeline(self.model_, getattr(self, "classes_", None))

    def describe(self) -> str:
        """What was chosen, in a few words."""
        check_is_fitted(self)
        return self.model_.describe()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags


class TableClassifier(ClassifierMixin, _TableEstimator):
    """Learns a class from the other columns of a table, whatever they hold: what `descend fit` does, in Python.

    `fit` takes a frame of pandas or polars, a table of Arrow or an array; and the classes: a column, or the name of one
    of the frame's. Numbers, categories, dates, flags, short texts and gaps are told apart by whole columns. A linear
    model and a network are trained on all rows, in folds, so that each row is predicted by one that has not seen it. By
    those predictions one of them, or a blend, is chosen. Nothing is printed or written. To predict, columns are found
    by their names; others may be there. Levels that were not there before, and gaps, are known how to deal with.

    Args:
        model: "auto", or one by its name: "linear", "mlp".
        optimizer, learning_rate, batch_size, epochs: with any of them, models are trained in such steps. `optimizer`
            is "sgd", "adagrad", "rmsprop", "adam" or "adamw".
        seconds: the time to train, at the most.
        metric: what models are compared by, on rows that they have not seen: "log-loss", "accuracy",
            "balanced-accuracy", "auc" or "brier" of classes, "rmse" or "mae" of numbers. By default the log-loss, or
            the squared error without the largest half percent.
        fast, best: for a model soon, and for the best one, however long it takes.
        group: a column of the table whose groups, such as patients, stay whole wherever rows are divided.
        time: a column of the table that tells when each row was: the latest are validated on.
        column: what columns are, where it is guessed otherwise, as `{"zip": "category", "day": "date:%d/%m/%Y"}`:
            number, category, text, date, id or ignore.
        drop: the names of columns that are not to be learnt from.
        missing: values that stand for gaps, such as `[-999]`.
        random_state: of the folds, the weights and the shuffling; a number is what the command's `--seed` is.

    Attributes:
        classes_: the classes, in order. Those of a single row are set aside.
        validation_: by the name of each model, its accuracy on rows that it had not learnt from.
        why_: why it was chosen, in words. `stop_reason_`: why its training ended.
        columns_: what each column was taken for, and why. `notes_`: what was ignored, cut, or guessed.
        training_seconds_, n_features_in_, feature_names_in_: how long it took; the columns.

    >>> import descend
    >>> from sklearn.datasets import load_wine
    >>> wine = load_wine(as_frame=True).frame
    >>> model = descend.TableClassifier(model="linear", random_state=0).fit(wine, "target")
    >>> print(model.predict(wine.head(3)), model.validation_["linear"] > 0.9)
    [0 0 0] True

    **Raises** `InputError` for settings that mean nothing, and for tables that cannot be learnt from or lack columns.
    """

    _task = "classes"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "TableClassifier":
        """Learn classes `y`, a column or the name of one, from the rows of a table; `sample_weight`: how much each row
        counts."""
        frame, target, weights, notes = self._taken_apart(X, y, sample_weight)
        labels, numbers = labels_of(target)
        often = np.bincount(numbers) > 1
        if often.sum() < 2:
            raise InputError(f"y has {len(labels)} class(es), {often.sum()} of which with more than one row: a "
                             "classifier needs 2 or more of those, to learn from and to check on")
        if not often.all():
            notes.append(_set_aside(labels[~often]))
        # By their places, as no spelling of a label must change which it is.
        places, names = np.cumsum(often)[numbers] - 1, pd.Index([f"class {i}" for i in range(often.sum())])
        named = pd.Categorical.from_codes(places, names)
        kept = often[numbers]
        weights = None if weights is None else weights[kept]
        self._learn(frame[kept].reset_index(drop=True), pd.Series(named[kept], name=target.name), weights, notes)
        self.classes_ = labels[often]
        self.model_ = replace(self.model_, target=replace(self.model_.target, classes=tuple(map(str, self.classes_))))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`."""
        chances = self._predicted(X)
        return chances / chances.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class TableRegressor(RegressorMixin, _TableEstimator):
    """Learns a number from the other columns of a table, whatever they hold: what `descend fit` does, in Python.

    Settings and attributes are those of `TableClassifier`, but for those that speak of classes; `validation_` has R².

    >>> import descend
    >>> from sklearn.datasets import load_diabetes
    >>> patients = load_diabetes(as_frame=True).frame
    >>> model = descend.TableRegressor(model="linear", random_state=0).fit(patients, "target")
    >>> round(model.validation_["linear"], 1), model.describe()
    (0.5, 'linear, at a penalty of ...')

    **Raises** `InputError` for settings that mean nothing, and for tables that cannot be learnt from or lack columns.
    """

    _task = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "TableRegressor":
        """Learn numbers `y`, a column or the name of one, from the rows of a table; `sample_weight`: how much each row
        counts."""
        self._learn(*self._taken_apart(X, y, sample_weight))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The number that is expected of each row."""
        return self._predicted(X)

    def predict_interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Between what the true number of each row is with this probability: `(rows, 2)`, the low and the high end.

        Told from errors on rows that were not trained on, so that the share holds for rows of the same kind.
        """
        values = self._predicted(X)
        if self.model_.conformal is None:
            raise InputError("the model knows of no errors that intervals could be made of: fit it again")
        return np.column_stack(self.model_.conformal.around(values, level))


def estimator_of(model: TableModel) -> TableClassifier | TableRegressor:
    """An estimator that predicts by a model which was fitted elsewhere."""
    estimator: Any = TableClassifier() if model.target.classes else TableRegressor()
    columns = model.encoder.columns
    estimator._note_model(model)
    estimator.n_features_in_ = len(columns)
    estimator.feature_names_in_ = np.array([column.name for column in columns], dtype=object)
    if model.target.classes:
        estimator.classes_ = np.array(model.target.classes, dtype=object)
    return estimator


def _weighted(prepared: TablePrepared, weights: np.ndarray | None) -> TablePrepared:
    """A table made ready, its rows counting so much, 1 on average."""
    if weights is None:
        return prepared
    if len(weights) != len(prepared.training):
        raise InputError("sample_weight is of rows whose target is missing, too: leave those out")
    return replace(prepared, training=replace(prepared.training, weights=weights / weights.mean()))


def _refuse_few(rows: int) -> None:
    if rows < 2:
        raise InputError(f"X has {rows} sample{'s' if rows != 1 else ''} with a target: at least two are needed, and "
                         "more is better")


def _set_aside(labels: np.ndarray) -> str:
    some = ", ".join(repr(label) for label in labels[:NAMED_CLASSES].tolist())
    return (f"{len(labels):,} rows set aside, each the only one of its class ({some}"
            f"{', …' if len(labels) > NAMED_CLASSES else ''}): a class needs one row to learn from and one to check on")

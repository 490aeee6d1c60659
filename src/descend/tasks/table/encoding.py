"""A table as a float32 matrix, in the same way at prediction time as at training time.

scikit-learn does the encoding (and skrub the dates'); this file says which encoder a kind of column gets.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from descend.errors import InputError
from descend.tasks.common.columns import MAX_LEVELS, Column, Kind, as_written
from descend.tasks.table.blocks import FLAG, Feature, describe_features, make_transformer
from descend.tasks.table.typed import typed_frame

_ROWS_AT_ONCE = 1 << 16


class Encoder:
    """Turns the rows of a table into features, fitted on the table that a model is trained on.

    - `columns`: after `fit`, what every column of that table was taken for.
    - `flagged`: those with gaps, which have a feature more that says where.
    - `crowded`: categories with many levels that are not told apart, but known by their mean target.
    - `transformer`: the fitted ColumnTransformer.

    ```python
    encoder = Encoder().fit(table.frame, describe_columns(table.frame))
    X = encoder.transform(table.frame)      # float32, (rows, features)
    ```
    """

    columns: tuple[Column, ...] = ()
    flagged: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()
    transformer: Any = None

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that features are made of: all but the ignored ones."""
        return tuple(column for column in self.columns if column.kind is not Kind.ignored)

    @property
    def as_written(self) -> frozenset[str]:
        """The columns of which a text file's cells are to be left as they are written: all but those of plain numbers,
        which are read by the forms that were found at `fit`."""
        return as_written(self.used)

    @cached_property
    def features(self) -> list[Feature]:
        """What every feature is."""
        return list(describe_features(self.transformer))

    @property
    def feature_names(self) -> list[str]:
        """A readable name for every feature, such as `carat`, `color=red` or `sold:month`."""
        return [feature.name for feature in self.features]

    @property
    def feature_columns(self) -> list[str]:
        """For every feature, the column that it was made of."""
        return [feature.column for feature in self.features]

    def fit(self, frame: pd.DataFrame, columns: tuple[Column, ...]) -> "Encoder":
        """Learns the levels, centres and scales of columns whose types were decided before.

        They were decided from the whole table, say, of which `frame` is the part to learn from.

        **Raises** `InputError` if no column is used, or holds what its type does not allow.
        """
        self._fit(frame, columns)
        return self

    def fit_transform(
        self, frame: pd.DataFrame, columns: tuple[Column, ...], targets: np.ndarray, folds: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        """The same, and of levels what the targets of their rows tell; the rows of `frame` as features.

        Of each of these rows, that is learnt from rows of other folds than its own: told of its own target, a model
        would learn to believe in levels of one row. `targets` (rows, targets); `folds` (rows,): numbers; `weights`
        (rows,): how much each row counts, where not all count alike.
        """
        told = np.column_stack([targets, np.ones(len(targets)) if weights is None else weights])
        typed = self._fit(frame, columns, told, folds)
        matrix, owners = self.transform_typed(typed), np.array(self.feature_columns)
        facts = np.array([feature.part in ("mean", "count") for feature in self.features])
        for index, name in enumerate(self.crowded):
            means, scale = (step for _, step in self.transformer.named_transformers_[f"levels {index}"].steps)
            known = means.from_other_folds(typed[name], told, folds)
            matrix[:, facts & (owners == name)] = scale.transform(known)
        return matrix

    def _fit(
        self, frame: pd.DataFrame, columns: tuple[Column, ...],
        told: np.ndarray | None = None, folds: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Fit, and give back the frame with its columns' types."""
        self.columns = columns
        self.__dict__.pop("features", None)
        if not self.used:
            why = "; ".join(f"{column.name!r}: {column.reason}" for column in self.columns)
            raise InputError(f"no column can be learnt from ({why})")
        typed = typed_frame(frame, self.used)
        # Only where the training rows have gaps: a flag that never was true has no effect to be learnt.
        gaps = [c.name for c in self.used if c.kind in (Kind.number, Kind.boolean, Kind.date)]
        has_gaps = typed[gaps].isna().any().to_numpy()
        self.flagged = tuple(name for name, has in zip(gaps, has_gaps, strict=True) if has)
        self.crowded = () if folds is None else tuple(_crowded(typed, self.used, folds))
        self.transformer = make_transformer(self.used, self.flagged, self.crowded, len(frame))
        with _plain_arrays():
            self.transformer.fit(self._with_flags(typed), told)
        return typed

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """The rows of `frame` as a C-contiguous float32 matrix; other columns than the fitted ones are ignored.

        Raises `InputError` where a column is missing, is of another type, or holds an infinite number.
        """
        self._refuse_lacking(frame)
        return self.transform_typed(typed_frame(frame, self.used))

    def transform_typed(self, frame: pd.DataFrame) -> np.ndarray:
        """The same of a frame that is typed already, as `typed_frame` does it."""
        typed = self._with_flags(frame)
        matrix = np.empty((len(typed), len(self.feature_names)), np.float32)
        # By blocks of rows, as scikit-learn's intermediate results are float64.
        for start in range(0, len(typed), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            with _plain_arrays():
                block = self.transformer.transform(typed.iloc[rows])
            matrix[rows] = block if isinstance(block, np.ndarray) else block.toarray()
        return matrix

    def extra_columns(self, frame: pd.DataFrame) -> list[str]:
        """The columns of `frame` that were not there at `fit`, and that `transform` leaves alone."""
        known = {column.name for column in self.columns}
        return [str(name) for name in frame.columns if str(name) not in known]

    def _refuse_lacking(self, frame: pd.DataFrame) -> None:
        names = {str(name) for name in frame.columns}
        lacking = [repr(column.name) for column in self.used if column.name not in names]
        if lacking:
            columns = "the column" if len(lacking) == 1 else "the columns"
            raise InputError(f"the table lacks {columns} {', '.join(lacking)}, which the model was trained with")

    def _with_flags(self, typed: pd.DataFrame) -> pd.DataFrame:
        flags = {FLAG + name: typed[name].isna().astype("float64") for name in self.flagged}
        return pd.concat([typed, pd.DataFrame(flags, index=typed.index)], axis=1)


def _crowded(typed: pd.DataFrame, columns: tuple[Column, ...], folds: np.ndarray) -> Iterator[str]:
    """The categories with many levels, where it is worth knowing those that are not told apart."""
    # scikit-learn takes a second to import.
    from descend.tasks.table.level_means import are_worth_knowing

    words = (column.name for column in columns if column.kind is Kind.category)
    for name in words:
        if typed[name].nunique() > MAX_LEVELS and are_worth_knowing(typed[name], folds):
            yield name


def _plain_arrays() -> AbstractContextManager[None]:
    """Has scikit-learn return arrays, whatever the user's own settings for it are."""
    # scikit-learn takes half a second to import.
    from sklearn import config_context

    return config_context(transform_output="default")

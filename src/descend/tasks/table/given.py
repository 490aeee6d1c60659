"""Tables as people hold them in Python: frames of pandas or polars, Arrow's tables, arrays, lists of rows."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow

from descend.errors import InputError
from descend.tasks.common.arrow_files import to_frame


def has_names(X: Any) -> bool:
    """Whether the columns have names."""
    return isinstance(X, pd.DataFrame | pyarrow.Table) or hasattr(X, "to_arrow")


def as_frame(X: Any) -> pd.DataFrame:
    """Rows as a frame of pandas, whose columns' names are text: of an array "x0", "x1", ….

    **Raises** `InputError` for a single column, and what scikit-learn's `check_array` does for arrays.
    """
    if isinstance(X, pd.DataFrame):
        return X.set_axis([str(name) for name in X.columns], axis=1).reset_index(drop=True)
    if isinstance(X, pyarrow.Table) or hasattr(X, "to_arrow"):
        # Of polars, a column alone, or a query that is not done yet, is no table.
        table = X if isinstance(X, pyarrow.Table) else X.to_arrow()
        if not isinstance(table, pyarrow.Table):
            raise InputError(f"X must be a table, but is a single column of type {type(X).__name__}: give a frame")
        return to_frame(table)
    if not hasattr(X, "shape") and hasattr(X, "collect"):
        raise InputError(f"X is a {type(X).__name__}, a query that was not made yet: give X.collect()")
    # scikit-learn takes half a second to import.
    from sklearn.utils import check_array

    rows = check_array(X, dtype=None, ensure_all_finite=False, ensure_min_samples=1)
    return pd.DataFrame(rows, columns=[f"x{number}" for number in range(rows.shape[1])]).infer_objects()


def as_column(y: Any, rows: int) -> pd.Series:
    """Targets as a column of so many rows.

    **Raises** `ValueError` for several columns, for another number of rows, and where some are missing.
    """
    from sklearn.utils import column_or_1d

    column = pd.Series(y.to_pandas() if hasattr(y, "to_pandas") else y if isinstance(y, pd.Series) else
                       column_or_1d(y, warn=True))
    if len(column) != rows:
        raise InputError(f"X has {rows:,} rows, but y has {len(column):,} values: give one for each row")
    if (missing := column.isna().to_numpy()).any():
        raise InputError(f"y contains NaN, or is missing, in row {int(missing.argmax()) + 1:,}: leave that row out")
    return column.reset_index(drop=True)


def labels_of(y: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The classes, in order, and the number of the class of each row.

    **Raises** `ValueError` for what cannot be classes, such as fractions.
    """
    from sklearn.utils.multiclass import check_classification_targets

    values = np.asarray(y)
    try:
        check_classification_targets(values)
        classes, numbers = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = " and ".join(sorted({type(value).__name__ for value in values}))
        raise InputError(f"y has labels of several types, {kinds}: bring them to one, as by y.astype(str)") from None
    return classes, numbers

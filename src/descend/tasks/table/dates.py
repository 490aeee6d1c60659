"""Parts of dates as features, by skrub; a module of its own, as skrub takes seconds to import."""

from typing import Any

import pandas as pd
from skrub import DatetimeEncoder


class DateParts(DatetimeEncoder):
    """skrub's parts, but the seconds since 1970 in double precision: in single, those of our days are 128 s apart."""

    def fit_transform(self, column: Any, y: Any = None) -> Any:
        return _precise(super().fit_transform(column, y), column)

    def transform(self, column: Any) -> Any:
        return _precise(super().transform(column), column)


def _precise(parts: Any, column: Any) -> Any:
    # In microseconds, as later centuries are beyond nanoseconds.
    since = column - pd.Timestamp(0).as_unit("us")
    return parts.assign(**{f"{column.name}_total_seconds": since / pd.Timedelta("1s")})

"""Encoders of tables that were typed by themselves."""

import pandas as pd

from descend.tasks.common.columns import describe_columns
from descend.tasks.table.encoding import Encoder


def encoder_of(frame: pd.DataFrame) -> Encoder:
    """Fitted to all rows of a table, whose types it is told of."""
    return Encoder().fit(frame, describe_columns(frame))

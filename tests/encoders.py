"""Encoders of tables that were typed by themselves."""

import numpy as np
import pandas as pd

from descend.tasks.common.columns import describe_columns
from descend.tasks.table.encoding import Encoder


def encoder_of(frame: pd.DataFrame, targets: np.ndarray | None = None) -> Encoder:
    """Fitted to all rows of a table, whose types it is told of; `targets` (rows, targets)."""
    encoder, columns = Encoder(), describe_columns(frame)
    if targets is None:
        return encoder.fit(frame, columns)
    encoder.fit_transform(frame, columns, targets, np.random.default_rng(0).integers(0, 5, len(frame)))
    return encoder

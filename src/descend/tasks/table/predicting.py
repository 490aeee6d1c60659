"""Predictions for a table, beside its own columns."""

import pandas as pd

from descend.tasks.common.predicting import beside, told
from descend.tasks.table.training import Model


def predict_frame(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """The table with a column `prediction`, and for classes a column `probability of …` for each.

    Where the table has such columns already, from an earlier prediction say, the new ones have a number behind them.

    **Raises** `InputError` if the table lacks columns, by name, or holds what the model cannot read.
    """
    values = model.predict(model.encoder.transform(frame))
    columns = {"prediction": values} if model.task.kind == "regression" else told(values, model.task.classes)
    return beside(frame, columns)

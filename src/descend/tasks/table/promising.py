"""What a table's model may promise, told from rows that its models had not learnt from: probabilities and intervals."""

from dataclasses import replace

import numpy as np

from descend.tasks.common.judging.intervals import Conformal
from descend.tasks.common.judging.temperature import at_temperature, fitted_temperature
from descend.tasks.table.model import TableModel
from descend.tasks.table.preparing import TablePrepared


def with_promises(
    model: TableModel, out_of_fold: np.ndarray | None, prepared: TablePrepared
) -> tuple[TableModel, str]:
    """The model with a temperature, where that betters its probabilities, and with the errors that intervals are made
    of; and why the temperature is what it is.

    `out_of_fold`: predictions of the rows that are validated on, each by a model that had not learnt from it. Of
    those that are not finite, nothing is told.
    """
    if out_of_fold is None or not np.isfinite(out_of_fold).all():
        return model, ""
    truth, weights = prepared.training.targets[prepared.validated], prepared.validated_weights
    if model.target.kind == "regression":
        in_units = lambda numbers: numbers.astype(np.float64) * model.scale.unit + model.scale.centre
        return replace(model, conformal=Conformal.of_numbers(in_units(out_of_fold), in_units(truth), weights)), ""
    temperature = fitted_temperature(out_of_fold, truth, weights)
    conformal = Conformal.of_classes(at_temperature(out_of_fold, temperature.value), truth, weights)
    return replace(model, temperature=temperature.value, conformal=conformal), temperature.why

"""A table's linear model as a pipeline of scikit-learn's, of nothing but its own parts, NumPy's and pandas's."""

from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from descend.errors import InputError
from descend.tasks.common.linear.model import Linear
from descend.tasks.table.blocks import FLAG
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.exporting import drawn_rows, refuse_inexpressible
from descend.tasks.table.model import TableModel
from descend.tasks.table.typed import MISSING_LEVEL

# A part of the table, before it is fitted and after; and the columns that it is of.
_Block = tuple[str, Any, list[str]]


def pipeline(model: TableModel, labels: Any = None) -> Pipeline:
    """The encoder's own parts, and a linear model with the same coefficients.

    **Raises** `InputError` for another kind of model, and for columns of dates and texts.
    """
    if not isinstance(model.predictor, Linear):
        raise InputError(f"the model is {model.describe()}, and no linear one that was solved: export it to ONNX, or "
                         "fit with model='linear'")
    refuse_inexpressible(model.encoder, "scikit-learn alone")
    # Features are rounded to single precision, as they are here: else the products would differ.
    single = FunctionTransformer(np.asarray, kw_args={"dtype": np.float32})
    return Pipeline([("columns", _columns(model.encoder)), ("single precision", single),
                     ("linear", _linear(model, model.predictor, labels))])


def _columns(encoder: Encoder) -> ColumnTransformer:
    """The blocks in their order, each with what was learnt; those of flags are two, of the table's and of gaps."""
    blocks: list[_Block] = []
    for block, fitted, names in encoder.transformer.transformers_:
        if block == "flags":
            blocks += _flags(fitted, list(names))
        elif block == "categories":
            gaps = FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": MISSING_LEVEL})
            blocks.append((block, Pipeline([("given", gaps), ("learnt", deepcopy(fitted))]), list(names)))
        elif block.startswith("levels"):
            blocks.append((block, _facts_of_levels(fitted, names), [names]))
        elif block != "remainder":
            blocks.append((block, _then(_as_numbers(), fitted), list(names)))
    whole = ColumnTransformer(blocks, sparse_threshold=0)
    # Fitted to drawn rows, which tells it which columns there are; what the parts learn from those is replaced.
    whole.fit(drawn_rows(encoder))
    whole.transformers_ = blocks
    return whole


def _facts_of_levels(fitted: Any, name: str) -> Pipeline:
    """What is known of each level, joined to the column as a table."""
    means = fitted.named_steps["means"]
    known = pd.DataFrame(means.values_[:-1], index=pd.Index(means.levels_, name=name)).add_prefix("value ")
    unseen = SimpleImputer(keep_empty_features=True).fit(known.to_numpy())
    unseen.statistics_ = means.values_[-1]
    gaps = FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": MISSING_LEVEL})
    joined = FunctionTransformer(pd.DataFrame.join, kw_args={"other": known, "on": name})
    values = FunctionTransformer(pd.DataFrame.drop, kw_args={"columns": name})
    return Pipeline([("given", gaps), ("known", joined), ("values", values), ("numbers", _as_numbers()),
                     ("unseen", unseen), ("scale", deepcopy(fitted.named_steps["scale"]))])


def _flags(fitted: Any, names: list[str]) -> list[_Block]:
    own = [name for name in names if not name.startswith(FLAG)]
    gaps = [name.removeprefix(FLAG) for name in names if name.startswith(FLAG)]
    fill = deepcopy(fitted)
    fill.statistics_, fill.n_features_in_ = fitted.statistics_[: len(own)], len(own)
    where = MissingIndicator(features="all").fit(np.zeros((1, len(gaps)))) if gaps else None
    both = [("flags", _then(_as_numbers(), fill), own), ("gaps", _then(_as_numbers(), where), gaps)]
    return [block for block in both if block[2]]


def _as_numbers() -> FunctionTransformer:
    return FunctionTransformer(np.asarray, kw_args={"dtype": np.float64})


def _then(first: FunctionTransformer, fitted: Any) -> Pipeline:
    """A part that was fitted to a frame, behind one that makes arrays."""
    last = deepcopy(fitted)
    for part in (last, *getattr(last, "named_steps", {}).values()):
        vars(part).pop("feature_names_in_", None)
    return Pipeline([("given", first), ("learnt", last)])


def _linear(model: TableModel, linear: Linear, labels: Any) -> Any:
    """The coefficients, of numbers in the target's own units."""
    made: Any = LogisticRegression() if model.target.classes else LinearRegression()
    made.n_features_in_ = linear.coefficients.shape[1]
    if model.target.classes:
        made.classes_ = np.array(model.target.classes, dtype=object) if labels is None else np.asarray(labels)
        # What a temperature does to probabilities, it does to scores.
        made.coef_, made.intercept_ = (each / model.temperature for each in (linear.coefficients, linear.intercepts))
    else:
        made.coef_ = linear.coefficients[0] * model.scale.unit
        made.intercept_ = float(linear.intercepts[0]) * model.scale.unit + model.scale.centre
    return made

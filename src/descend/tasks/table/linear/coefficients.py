"""The coefficients of a linear model in the user's units: what changes in the prediction, and with what.

A number's coefficient is that of 1 of its column. A level's is the difference to the mean over the rows of what their
levels add: the coefficients of all levels could be moved together, and no prediction would change. Those of more
than two classes are against the mean of all classes: the logarithm of the factor on a class's odds against their
geometric mean.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from descend.tasks.common.linear.model import Linear
from descend.tasks.table.blocks import Feature
from descend.tasks.table.preparing import TablePrepared

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Coefficient:
    """What one feature does.

    `per`: the change of the feature's column that is spoken of. `label`: the class whose odds it changes, none for
    numbers. `effect`: the change, in the target's unit or of the logarithm of the odds. `importance`: how much that
    varies over the rows, its standard deviation.
    """

    feature: Feature
    per: str
    label: str
    effect: float
    importance: float

    @property
    def factor(self) -> float:
        """On the odds of a class."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.effect))


def coefficients(linear: Linear, prepared: TablePrepared) -> list[Coefficient]:
    """All coefficients, the most important ones first."""
    features, classes = prepared.encoder.features, prepared.target.classes
    labels = ("",) if not classes else classes[1:] if len(classes) == 2 else classes
    per, units = zip(*map(_per, features), strict=True)
    # Summed in double precision: of a million float32 rows a sum in single would lose digits.
    spreads = np.array([column.std(dtype=np.float64) for column in prepared.training.inputs.T])
    effects = _against_the_mean(prepared.scale.unit * linear.coefficients, features, prepared.training.inputs)
    importances = np.abs(effects) * spreads
    effects = effects / np.array(units)
    out = [
        Coefficient(feature, per[j], label, float(effects[k, j]), float(importances[k, j]))
        for k, label in enumerate(labels)
        for j, feature in enumerate(features)
    ]
    return sorted(out, key=lambda one: -one.importance)


def as_frame(found: list[Coefficient]) -> pd.DataFrame:
    """A row for each coefficient."""
    fields: dict[str, Callable[[Coefficient], object]] = {
        "feature": lambda one: one.feature.name,
        "column": lambda one: one.feature.column,
        "class": lambda one: one.label,
        "per": lambda one: one.per,
        "effect": lambda one: one.effect,
        "factor_on_odds": lambda one: one.factor,
        "importance": lambda one: one.importance,
    }
    if not any(one.label for one in found):
        del fields["class"], fields["factor_on_odds"]
    return pd.DataFrame({name: [field(one) for one in found] for name, field in fields.items()})


def _per(feature: Feature) -> tuple[str, float]:
    """The change that is spoken of, and how much of it makes the feature greater by 1."""
    column = feature.column
    if feature.part == "date" and feature.name.endswith(":total_seconds"):
        return f"1 day of {column}", feature.unit / SECONDS_PER_DAY
    words = {
        "value": f"1 of {column}",
        "truth": f"{column} true, against false",
        "gap": f"{column} missing, against the value that takes its place",
        "level": f"this level, against the mean over the rows of {column}",
        "mean": f"1 of the mean target of the rows with the same {column}",
        "count": f"1 of log(1 + rows with the same {column})",
        "date": f"1 of the {feature.name.removeprefix(f'{column}:')} of {column}",
        "text": f"1 standard deviation along a direction of the groups of letters in {column}",
    }
    return words[feature.part], feature.unit


def _against_the_mean(effects: np.ndarray, features: list[Feature], rows: np.ndarray) -> np.ndarray:
    """The effects of levels without what the levels of a row add on average."""
    effects = effects.copy()
    for column in {feature.column for feature in features if feature.part == "level"}:
        mine = [j for j, feature in enumerate(features) if feature.part == "level" and feature.column == column]
        shares = np.array([rows[:, j].mean(dtype=np.float64) for j in mine])
        effects[:, mine] -= (effects[:, mine] @ shares)[:, None]
    return effects

"""A table's model: what predicts from a table as a user has it, and how it is stored."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from descend._facts import Facts, refuse_nonfinite
from descend.errors import CheckpointError, InputError
from descend.tasks.common.examples import Scale
from descend.tasks.common.fitted import Predictor
from descend.tasks.common.judging.intervals import Conformal
from descend.tasks.common.judging.temperature import COLDEST, HOTTEST, at_temperature
from descend.tasks.common.predicting import Predictions, beside, told
from descend.tasks.common.reading import read_table
from descend.tasks.common.target import Target, target_of_file
from descend.tasks.table.encoder_parts import encoder_from_parts, encoder_to_parts
from descend.tasks.table.encoding import Encoder
from descend.tasks.table.registry import load_predictor

# Of a table's model file.
TABLE_VERSION = 5
# Between the names of classes that are possible.
OR = " | "


@dataclass(frozen=True)
class TableModel:
    """All that a prediction needs: how rows become features, what predicts from them, and what its numbers mean.

    `temperature`: what puts its probabilities right; 1 leaves them. `conformal`: the errors that intervals are made of;
    `None` where there are none.
    """

    encoder: Encoder
    predictor: Predictor
    target: Target
    scale: Scale
    temperature: float = 1.0
    conformal: Conformal | None = None

    @property
    def kind(self) -> str:
        """What the file calls it."""
        return self.predictor.kind

    def describe(self) -> str:
        """What it is, in a few words."""
        return self.predictor.describe()

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """The predictions for encoded rows: numbers in the target's units, or a probability for each class."""
        values = self.predictor.predict(inputs)
        if self.target.kind == "regression":
            return values * np.float64(self.scale.unit) + self.scale.centre
        return at_temperature(values, self.temperature)

    def predict_frame(self, frame: pd.DataFrame, interval: float | None = None) -> Predictions:
        """The table with a column `prediction`, and for classes a column `probability of …` for each.

        With `interval`, such as 0.9, there are `low` and `high`, between which this share of the true numbers is; of
        classes, `possible` names those of which one is the true one as often.

        Where the table has such columns already, from an earlier prediction say, the new ones have a number behind
        them.

        **Raises** `InputError` if the table lacks columns, by name, or holds what the model cannot read; and for an
        interval that is none, or that the model's errors cannot tell.
        """
        values = self.predict(self.encoder.transform(frame))
        columns = {"prediction": values} if self.target.kind == "regression" else told(values, self.target.classes)
        columns |= {} if interval is None else self._promised(values, interval)
        ignored = self.encoder.extra_columns(frame)
        notes = [f"not used by the model, and left as they are: {', '.join(ignored)}"] if ignored else []
        return beside(frame, columns, notes)

    def _promised(self, values: np.ndarray, level: float) -> dict[str, np.ndarray]:
        """The columns that say between what, or among which, the truth is."""
        if self.conformal is None:
            raise InputError("the model knows of no errors that intervals could be made of: train again")
        if self.target.kind == "regression":
            return dict(zip(("low", "high"), self.conformal.around(values, level), strict=True))
        names = np.asarray(self.target.classes, dtype=object)
        which = self.conformal.possible(values, level)
        # The most probable first.
        ranked = np.argsort(-values, axis=1, kind="stable")
        told_of = [OR.join(names[order[some[order]]]) for order, some in zip(ranked, which, strict=True)]
        return {"possible": np.asarray(told_of, dtype=object)}

    def predictions(self, source: str, interval: float | None = None) -> Predictions:
        """The same for a table that is read.

        **Raises** what `read_table` does, too.
        """
        table = read_table(source, self.encoder.as_written)
        made = self.predict_frame(table.frame, interval)
        return replace(made, notes=(*table.notes, *made.notes))

    def as_estimator(self) -> Any:
        """The same with the face of scikit-learn."""
        # scikit-learn takes half a second to import.
        from descend.tasks.table.estimators import estimator_of

        return estimator_of(self)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Facts as JSON can hold them, and arrays by name."""
        encoder, encoding = encoder_to_parts(self.encoder)
        predictor, weights = self.predictor.to_parts()
        errors, scores = (None, {}) if self.conformal is None else self.conformal.to_parts()
        facts = {
            "version": TABLE_VERSION,
            "encoder": encoder,
            "kind": self.kind,
            "predictor": predictor,
            "task": asdict(self.target),
            "scale": asdict(self.scale),
            "temperature": self.temperature,
            "conformal": errors,
        }
        named = {"encoder": encoding, "predictor": weights, "conformal": scores}
        return facts, {f"{owner}/{name}": array for owner, some in named.items() for name, array in some.items()}

    @classmethod
    def from_parts(cls, told: Facts, arrays: dict[str, np.ndarray]) -> "TableModel":
        """The model that `to_parts` took apart.

        **Raises** `CheckpointError` if it is something else, or of a kind that is not registered.
        """
        if not told.has("version") or told.any("version") != TABLE_VERSION:
            raise CheckpointError(f"{told.where} is no model of descend's, or was written by another version of it: "
                                  "train again with `descend fit`")
        of = lambda owner: {name.removeprefix(owner): a for name, a in arrays.items() if name.startswith(owner)}
        weights = of("predictor/")
        refuse_nonfinite(weights, told.where)
        # The kind is looked for among what is registered: a file names no class and no module.
        target, scale = target_of_file(told.inner("task")), told.inner("scale")
        encoder = encoder_from_parts(told.any("encoder"), of("encoder/"))
        features = len(encoder.features)
        predictor = load_predictor(told, weights, features, target)
        temperature = told.number("temperature", COLDEST, HOTTEST)
        knows = told.any("conformal") is not None
        conformal = Conformal.from_parts(told.inner("conformal"), of("conformal/")) if knows else None
        centred = Scale(scale.number("centre"), scale.number("unit"))
        return cls(encoder, predictor, target, centred, temperature, conformal)

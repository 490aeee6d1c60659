"""What was recorded while a descent went on: columns per step, and the validations and changes between them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.engine.advancing import Trace

if TYPE_CHECKING:
    import pandas

MAX_ROWS = 100_000
# The columns that all trainings have, in order.
LEADING_COLUMNS = ("loss", "learning_rate", "gradient_norm", "update_norm")


class History:
    """Columns with a row per step: `step`, `loss`, `learning_rate`, `gradient_norm`, `update_norm`, and what the loss
    or the rule reported besides.

    The first 100,000 steps have a row each. When there are more, every second row is dropped, and from then on every
    second step is kept, and so on: `stride` is the distance between rows. The last step's row is always there.

    `validation`: the values of all validations by name, and in `step` how many steps were made before them. `changes`:
    of the learning rate while the descent went on, in the same form.
    """

    def __init__(self) -> None:
        self.stride = 1
        self.validation: dict[str, list[float]] = {}
        self.changes: dict[str, list[float]] = {}
        self._blocks: list[dict[str, np.ndarray]] = []
        self._last: dict[str, np.ndarray] = {}
        self._rows = 0

    def extend(self, trace: Trace) -> None:
        """Take in what a dispatch recorded."""
        if len(trace) == 0:
            return
        block = {"step": np.arange(trace.start, trace.start + len(trace)), **trace.columns}
        self._last = {name: column[-1:] for name, column in block.items()}
        self._keep(block)
        # Rows are dropped from the past, too, so that all that are left are equally far apart.
        while self._rows > MAX_ROWS:
            self.stride *= 2
            blocks, self._blocks, self._rows = self._blocks, [], 0
            for old in blocks:
                self._keep(old)

    def validated(self, step: int, values: Mapping[str, float]) -> None:
        """Take in a validation."""
        for name, value in {"step": step, **values}.items():
            self.validation.setdefault(name, []).append(value)

    def changed(self, step: int, learning_rate: float) -> None:
        """Take in a change of the learning rate."""
        for name, value in {"step": step, "learning_rate": learning_rate}.items():
            self.changes.setdefault(name, []).append(value)

    def rate_before(self, step: int) -> float | None:
        """The learning rate to which it was changed last before so many steps were made, if it was."""
        steps, rates = self.changes.get("step", []), self.changes.get("learning_rate", [])
        return next((rate for at, rate in zip(reversed(steps), reversed(rates), strict=True) if at < step), None)

    @property
    def first_loss(self) -> float:
        """The loss at the start; NaN before the first step."""
        first = self._blocks[0] if self._blocks else self._last
        return float(first["loss"][0]) if first else math.nan

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns by name."""
        if not self._last:
            return {"step": np.zeros(0, np.int64)}
        blocks = [*self._blocks, self._last] if self._has_more else self._blocks
        names = ["step", *(name for name in LEADING_COLUMNS if name in self._last)]
        names += [name for name in self._last if name not in names]
        return {name: np.concatenate([block[name] for block in blocks]) for name in names}

    def __len__(self) -> int:
        return self._rows + self._has_more

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __repr__(self) -> str:
        return f"History({len(self)} rows of {', '.join(self.columns)}; {self.evaluations} validations)"

    @property
    def evaluations(self) -> int:
        """How many validations there were."""
        return len(self.validation.get("step", []))

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame with a row per step; validations stand, as `validation_…`, beside the step they were made after.

        What a loss reported as an array becomes a column of lists.
        """
        # Imported here: it takes half a second that a descent has no need of.
        import pandas as pd

        columns: dict[str, Any] = {n: list(c) if c.ndim > 1 else c for n, c in self.columns.items()}
        frame = pd.DataFrame(columns)
        if self.evaluations:
            checks = pd.DataFrame(self.validation).add_prefix("validation_").rename(columns={"validation_step": "step"})
            # Steps count from 0: after 10 steps, the last one made is number 9.
            checks["step"] -= 1
            frame = frame.merge(checks, on="step", how="outer")
        return frame

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by name, for a checkpoint."""
        arrays = {f"step/{name}": column for name, column in self.columns.items()}
        arrays |= {f"validation/{name}": np.array(values) for name, values in self.validation.items()}
        return arrays | {f"changes/{name}": np.array(values) for name, values in self.changes.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], stride: int) -> "History":
        """The history that gave these arrays."""
        history = cls()
        history.stride = stride
        block = {name.removeprefix("step/"): column for name, column in arrays.items() if name.startswith("step/")}
        if block.get("step", np.zeros(0)).size:
            history._last = {name: column[-1:] for name, column in block.items()}
            history._keep(block)
        for name, values in arrays.items():
            kind, _, what = name.partition("/")
            if kind in ("validation", "changes"):
                getattr(history, kind)[what] = values.tolist()
        return history

    @property
    def _has_more(self) -> bool:
        """Whether the last step is not among the rows that are kept."""
        return bool(self._last and (not self._blocks or self._blocks[-1]["step"][-1] != self._last["step"][0]))

    def _keep(self, block: dict[str, np.ndarray]) -> None:
        chosen = block["step"] % self.stride == 0
        if chosen.any():
            self._blocks.append({name: column[chosen] for name, column in block.items()})
            self._rows += int(chosen.sum())

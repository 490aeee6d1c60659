"""A linear model of encoded rows with the proof that it is the best one for its penalty.

    F(W, b) = mean of ℓ(Wx + b, y) + penalty ‖W‖²/(2 rows)

with the logistic loss of two or more classes, or half the squared error of a number in units of its spread. Where rows
have weights, which are 1 on average, the mean is weighted.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from descend._facts import Facts, checked_array
from descend._saved import reason_of
from descend.stopping import Reason
from descend.tasks.common.choosing.scoring import predictions_in_jax, predictions_of
from descend.tasks.common.judging.scores import finite
from descend.tasks.common.target import Target, TargetKind

# To predict, as they are scored in float64.
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class PenaltyPath:
    """Penalties that were tried, the strongest first, and the mean loss of each on rows not trained on.

    `errors`: the standard error of the difference to the least loss. `chosen`: the place of the penalty that was taken.
    """

    penalties: tuple[float, ...]
    losses: tuple[float, ...]
    errors: tuple[float, ...]
    chosen: int

    @property
    def penalty(self) -> float:
        """What was chosen."""
        return self.penalties[self.chosen]


def rounded_up(bound: float, digits: int) -> str:
    """A bound in so many digits that is one still: never less than it was."""
    text = f"{bound:.{digits}g}"
    if not float(text) < bound:
        return text
    step = 10.0 ** (math.floor(math.log10(bound)) - digits + 1)
    return f"{float(text) + step:.{digits}g}"


@dataclass(frozen=True)
class Certificate:
    """How a fit ended, and what is proved of it.

    `value`: the objective. `gap`: how far above its minimum that is at most, by the duality gap. `solver`: which, and
    why it was picked.
    """

    reason: Reason
    value: float
    gap: float
    solver: str

    @property
    def relative(self) -> float:
        """The gap, relative to the minimum."""
        # Relative to the least that the minimum may be: what is proved of it is the bound, not the value.
        least = self.value - self.gap
        return self.gap / least if least > 0 else math.inf

    @property
    def brief(self) -> str:
        """How it ended, and how far the proof goes."""
        if math.isfinite(self.relative):
            near = rounded_up(self.relative, 1)
            return f"{self.reason.name}: within {near} of the minimum, proved by the duality gap"
        return f"{self.reason.name}: how far from the minimum is not proved"

    def facts(self) -> dict[str, Any]:
        """The same for `metrics.json`."""
        return {
            "reason": self.reason.name,
            "evidence": self.reason.evidence,
            "objective": finite(self.value),
            "duality_gap": finite(self.gap),
            "relative_gap": finite(self.relative),
            "iterations": self.reason.step,
            "solver": self.solver,
        }

    def __str__(self) -> str:
        between = f" (the objective is {self.value:.9g}, and its minimum lies at most {rounded_up(self.gap, 2)} below)"
        return f"{self.brief}{between}; {self.reason.step} iterations; solver {self.solver}"


@dataclass(frozen=True)
class Linear:
    """A linear model, as a `Predictor`: `coefficients` (outputs, features) of encoded rows, and `intercepts`."""

    task: TargetKind
    coefficients: np.ndarray
    intercepts: np.ndarray
    certificate: Certificate
    path: PenaltyPath

    # What a model's file calls it.
    kind: ClassVar[str] = "linear"

    def predict(self, rows: Any) -> np.ndarray:
        """Numbers, or the probabilities of the classes."""
        begins = range(0, rows.shape[0], ROWS_AT_ONCE)
        blocks = [rows[begin : begin + ROWS_AT_ONCE].astype(np.float64) for begin in begins]
        scores = np.concatenate([block @ self.coefficients.T + self.intercepts for block in blocks])
        return predictions_of(scores, self.task)

    def in_jax(self, rows: Any) -> Any:
        """The same as a function that JAX can trace."""
        scores = rows.astype(np.float64) @ self.coefficients.T + self.intercepts
        return predictions_in_jax(scores, self.task)

    def describe(self) -> str:
        """That it is linear, and the penalty."""
        return f"linear, at a penalty of {self.path.penalty:.3g}"

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The certificate and the path, and the coefficients."""
        facts = {"task": self.task, "certificate": asdict(self.certificate), "path": asdict(self.path)}
        return facts, {"coefficients": self.coefficients, "intercepts": self.intercepts}

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target) -> "Linear":
        """What `to_parts` took apart, for so many features and a target.

        **Raises** `CheckpointError` if it is something else.
        """
        proved, tried = told.inner("certificate"), told.inner("path")
        reason = reason_of(proved.inner("reason"))
        value, gap = proved.number("value"), proved.number("gap")
        penalties, losses, errors = map(tried.numbers, ("penalties", "losses", "errors"))
        path = PenaltyPath(penalties, losses, errors, tried.whole("chosen", 0, len(penalties) - 1))
        coefficients = checked_array(arrays, "coefficients", told.where, (target.outputs, features), "f")
        intercepts = checked_array(arrays, "intercepts", told.where, (target.outputs,), "f")
        task = told.choice("task", (target.kind,))
        return cls(task, coefficients, intercepts, Certificate(reason, value, gap, proved.text("solver")), path)

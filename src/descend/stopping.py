"""Why a descent ends: always with a named reason and its evidence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from descend.errors import InputError
from descend.schedules import Rate, setting

Name = Literal["converged", "plateau", "stalled", "budget", "diverged", "interrupted", "unbounded", "reached"]


@dataclass(frozen=True)
class Reason:
    """A descent's end: its name, the evidence in words, and the number of steps that were made.

    >>> print(Reason("budget", "100 steps were asked for", 100))
    budget: 100 steps were asked for
    """

    name: Name
    evidence: str
    step: int

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}"


@setting
class GradientTolerance:
    """Converged when the gradient is small beside the first one: `‖∇J(θ)‖ ≤ relative · ‖∇J(θ₀)‖ + absolute`.

    For losses without noise (a function, or all the data at each step). The test is made within the compiled step,
    before an update: the parameters that are returned are those that pass it. `relative=None` is a hundred times the
    rounding error of the parameters' dtype, about 1.2e-5 in float32 and 2.2e-14 in float64.
    """

    relative: Rate | None = None
    absolute: Rate = 0.0

    def met(self, norm: Any, first: Any) -> Any:
        """Whether a gradient of this norm is small enough; traceable."""
        return norm <= self._relative(norm) * first + self.absolute

    def evidence(self, norm: Any, first: Any) -> str:
        """What a passed test says."""
        limit = f"{self._relative(norm):.2g} of the {first:.3g} at the start"
        if self.absolute:
            limit += f", plus {self.absolute:.3g}"
        return f"the gradient's norm fell to {norm:.3g}, at most {limit}"

    def _relative(self, norm: Any) -> Any:
        if self.relative is not None:
            return self.relative
        return 1e-8 if norm.dtype == np.float64 else 1e-6


@dataclass(frozen=True)
class Plateau:
    """Stopped when the validation loss has not improved for `patience` evaluations.

    An improvement is a fall by more than `min_improvement` of the best value so far. The best parameters are returned,
    not the last.
    """

    patience: int = 10
    min_improvement: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class Target:
    """Reached when the validation gives a value, by its name, that is good enough: `at_least` so much, or `at_most`.

    **Raises** `InputError` unless one of the two is given.

    >>> Target("accuracy", at_least=0.9).reached({"loss": 0.3, "accuracy": 0.92})
    True
    """

    name: str = field(kw_only=False)
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise InputError(f"Target({self.name!r}) takes either at_least= or at_most=")

    def reached(self, validation: Mapping[str, float]) -> bool:
        """Whether this validation is good enough.

        **Raises** `InputError` if it has no value of this name.
        """
        if self.name not in validation:
            given = ", ".join(validation)
            raise InputError(f"Target({self.name!r}) looks at what the validation does not give: {given}")
        value = validation[self.name]
        return value >= self.at_least if self.at_least is not None else value <= self.at_most  # type: ignore[operator]

    def evidence(self, validation: Mapping[str, float]) -> str:
        """What a reached target says."""
        aimed = f"at least the {self.at_least:g}" if self.at_least is not None else f"at most the {self.at_most:g}"
        return f"the validation's {self.name} was {validation[self.name]:.6g}, {aimed} that was aimed at"


@dataclass(frozen=True)
class Best:
    """The best validation so far, and for how many evaluations nothing better has come."""

    value: float = math.inf
    step: int = -1
    mark: float = math.inf
    waited: int = 0

    def after(self, value: float, step: int, plateau: Plateau) -> "Best":
        """The best once `value` has been seen at `step`; a NaN never is."""
        margin = plateau.min_improvement * abs(self.mark) if math.isfinite(self.mark) else 0.0
        improved = value < self.mark - margin
        best, best_step = (value, step) if value < self.value else (self.value, self.step)
        return Best(best, best_step, value if improved else self.mark, 0 if improved else self.waited + 1)


@dataclass(frozen=True)
class Budget:
    """The most a descent may use, in steps and in seconds, and the words in which it was asked for."""

    steps: int | None
    seconds: float | None
    words: str

    def spent(self, step: int, seconds: float) -> Reason | None:
        """The reason to stop, once there is one."""
        if self.steps is not None and step >= self.steps:
            return Reason("budget", f"{self.words} were made", step)
        if self.seconds is not None and seconds >= self.seconds:
            return Reason("budget", f"the {self.seconds:g} seconds were used up after {step} steps", step)
        return None


Stop = GradientTolerance | Plateau | Target

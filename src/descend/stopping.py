"""Why a descent ends: always with a named reason and its evidence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from descend._arrays import Array
from descend.errors import InputError
from descend.schedules import Rate, setting

Name = Literal[
    "converged", "stationary", "plateau", "stalled", "budget", "diverged", "interrupted", "lost", "unbounded", "reached"
]


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


class Slope(NamedTuple):
    """What a test within the compiled step is told: the gradient's norm and the first one, the loss, and by how much a
    search expects it to fall, half its decrement; that is infinite for a rule that expects nothing."""

    norm: Any
    first: Any
    loss: Any
    fall: Any


@setting
class GradientTolerance:
    """Ended when the gradient is small beside the first one: `‖∇J(θ)‖ ≤ relative · ‖∇J(θ₀)‖ + absolute`.

    For losses without noise (a function, or all the data at each step). The test is made within the compiled step,
    before an update: the parameters that are returned are those that pass it. `relative=None` is 1e-6 in float32 and
    1e-8 in float64.

    A gradient's norm depends on the units of the parameters, and one that is steep hides all that are flat. So what
    passes is called "converged" only where the curvature says so, too, as for `Convergence`; else it is "stationary".
    """

    relative: Rate | None = None
    absolute: Rate = 0.0

    def met(self, slope: Slope) -> Any:
        """Whether a gradient is small enough; traceable."""
        return slope.norm <= self._relative(slope.norm) * slope.first + self.absolute

    def evidence(self, norm: Array, first: Array) -> str:
        """What a passed test says."""
        limit = f"{self._relative(norm):.2g} of the {first:.3g} at the start"
        if self.absolute:
            limit += f", plus {self.absolute:.3g}"
        return f"the gradient's norm fell to {norm:.3g}, at most {limit}"

    def _relative(self, norm: Array) -> Any:
        return small(norm.dtype) if self.relative is None else self.relative


@setting
class Convergence:
    """Converged when the loss can fall by no more than `tolerance · |J|`, as far as its curvature tells.

    The fall is that of the quadratic model at θ, `½ gᵀH⁻¹g` (half the square of Newton's decrement), which does not
    depend on how parameters are scaled. In the compiled step two cheap signs are looked for: a gradient that is small
    beside the first, and a line search that expects no more. Where one is seen, the Hessian is taken on the host, and
    the loss is evaluated around θ. If both agree, the descent has converged; if not, it goes on, and only a sign that
    is a hundred times stronger is looked into again. `point` in the result has what was found.

    `tolerance=None` is 1e-7 in float32 and 1e-12 in float64. Where the loss falls to 0, what is left of it counts as
    nothing once it is below ε² of the first loss, where ε is the rounding error of the dtype.

    Above a hundred parameters the Hessian is known by products with it alone, which the evidence then says. Where they
    do not settle the question, the reason is called "stationary": the gradient is small, and no more is known. Where it
    is not, as on a kink of the loss, the search alone knows no way down, and the reason is called "stalled".

    `norm`, `fall`: how strong a sign has to be, beside the first that was looked into; what a descent changes as it
    goes on, and nobody else.
    """

    tolerance: Rate | None = None
    norm: Rate = 1.0
    fall: Rate = 1.0

    def met(self, slope: Slope) -> Any:
        """Whether it may have converged; traceable."""
        # Two cheap signs. The first depends on units and the second on a model, so either only has the host look.
        is_flat = slope.norm <= self.norm * small(slope.norm.dtype) * slope.first
        return is_flat | (slope.fall <= self.fall * self.within(slope.loss.dtype) * abs(slope.loss))

    def within(self, dtype: np.dtype) -> Any:
        """The fall that is still to be allowed, in relation to the loss."""
        if self.tolerance is not None:
            return self.tolerance
        return 1e-12 if dtype == np.float64 else 1e-7

    def evidence(self, norm: Array, first: Array) -> str:
        """What a small gradient says."""
        return f"the gradient's norm is {norm:.3g}, where it was {first:.3g} at the start"

    def is_small(self, norm: Array, first: Array) -> bool:
        """Whether a gradient is so small, beside the first, that a point may be called stationary."""
        return bool(norm <= math.sqrt(small(norm.dtype)) * first)

    def stricter(self, by: float = 100.0) -> "Convergence":
        """The test after a sign that was misleading."""
        return replace(self, norm=self.norm / by, fall=self.fall / by)

    def as_strict_as(self, other: "Convergence") -> "Convergence":
        """The test, asking for signs as strong as another."""
        return replace(self, norm=other.norm, fall=other.fall)


def small(dtype: np.dtype) -> float:
    """How small a gradient is, beside the first, when it is worth looking into."""
    return 1e-8 if dtype == np.float64 else 1e-6


@dataclass(frozen=True)
class Plateau:
    """Early stopping: when the validation loss has not improved for `patience` evaluations.

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
        # The mark stays where the last improvement was, so that many small falls add up to one.
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

    def within(self, planned: int | None) -> "Budget":
        """The same, where no more steps are to be made than there was thought to be time for; `None`: nobody said."""
        if planned is None:
            return self
        return Budget(planned, self.seconds, f"the {planned:,} steps that there was thought to be time for")

    def spent(self, step: int, seconds: float) -> Reason | None:
        """The reason to stop, once there is one."""
        if self.steps is not None and step >= self.steps:
            return Reason("budget", f"{self.words} were made", step)
        if self.seconds is not None and seconds >= self.seconds:
            return Reason("budget", f"the {self.seconds:g} seconds were used up after {step} steps", step)
        return None


Flatness = Convergence | GradientTolerance
Stop = Flatness | Plateau | Target

"""What a probe may find, each with its evidence and the line that it comes from."""

from dataclasses import dataclass
from typing import Literal

from descend.insight.probe.sites import Pass, Site


@dataclass(frozen=True)
class Finding:
    """Something that was found at an equation of the loss; `site` is `None` for what lies in no equation."""

    site: Site | None

    @property
    def says(self) -> str:
        """What was found, and where, as one sentence."""
        where = f" ({self.site.place})" if self.site else ""
        return f"{self._what}{where}."

    @property
    def _what(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class NonFinite(Finding):
    """The first number that is not finite: what it is of (`reason`: "log of 0"), between what the equation's operands
    lie there, and whether it is a number of the loss or of its gradient. `iteration`: of the loops around it."""

    reason: str
    given: tuple[tuple[float, float], ...]
    direction: Pass
    iteration: tuple[int, ...] = ()

    @property
    def _what(self) -> str:
        whose = "The loss" if self.direction == "forward" else "The gradient"
        turn = f" in iteration {', '.join(map(str, self.iteration))} of the loop" if self.iteration else ""
        return f"{whose} is not finite: {self.reason}{turn}"


@dataclass(frozen=True)
class DeadUnits(Finding):
    """Units of a rectifier which are 0 for all examples: `dead` of `units`."""

    units: int
    dead: int
    examples: int

    @property
    def share(self) -> float:
        """The share of the units."""
        return self.dead / self.units

    @property
    def _what(self) -> str:
        return f"{self.dead} of {self.units} rectified units are 0 for all {self.examples} examples"


@dataclass(frozen=True)
class Saturated(Finding):
    """Units of a sigmoid or a tanh (`kind`) which are at an end of its range for nearly all examples."""

    kind: Literal["tanh", "sigmoid"]
    units: int
    saturated: int

    @property
    def share(self) -> float:
        """The share of the units."""
        return self.saturated / self.units

    @property
    def _what(self) -> str:
        return (f"{self.saturated} of {self.units} {self.kind} units are at an end of their range for nearly all "
                "examples")


@dataclass(frozen=True)
class Broadcast(Finding):
    """Predictions and targets whose shapes make every prediction meet every target."""

    prediction: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def _what(self) -> str:
        return (f"Predictions of shape {self.prediction} against targets of shape {self.target} give "
                f"{self.site.shape if self.site else ''}: each meets every target")


@dataclass(frozen=True)
class DoubleSoftmax(Finding):
    """A softmax, or a loss that takes one itself, of what is a softmax's or a sigmoid's output (`inner`) already."""

    inner: Site
    kind: Literal["softmax", "sigmoid"]

    @property
    def _what(self) -> str:
        return f"The loss takes scores, but is given a {self.kind}'s output, from {self.inner.place}"


@dataclass(frozen=True)
class MissingSoftmax(Finding):
    """A loss that takes probabilities, or logarithms of them, of plain scores. `scores`: where they come from; `kind`:
    what is missing there; `axis`: along which classes lie, from the end."""

    scores: Site
    kind: Literal["softmax", "sigmoid"]
    axis: int | None

    @property
    def _what(self) -> str:
        return f"The loss takes what a {self.kind} gives, but is given plain scores, from {self.scores.place}"


@dataclass(frozen=True)
class Unsafe(Finding):
    """An operation on what can be zero: `source` says why it can, `least` is the least magnitude that was seen."""

    source: str
    least: float

    @property
    def _what(self) -> str:
        return f"{self._operation} can be zero ({self.source}; here {self.least:.3g} at the least)"

    @property
    def _operation(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class UnsafeLog(Unsafe):
    """A logarithm of what can be zero."""

    @property
    def _operation(self) -> str:
        return "What a logarithm is taken of"


@dataclass(frozen=True)
class UnsafeDivision(Unsafe):
    """A division by what can be zero."""

    @property
    def _operation(self) -> str:
        return "What is divided by"


@dataclass(frozen=True)
class UnsafeRoot(Unsafe):
    """A root, or a power below 1, of what can be zero, where its slope is infinite."""

    @property
    def _operation(self) -> str:
        return "What a root is taken of"


Reason = Literal["unused", "stopped", "rounded", "single", "dead", "zeros", ""]


@dataclass(frozen=True)
class ZeroGradient(Finding):
    """Parameters whose gradient is exactly zero. `reason`: not used in the loss ("unused"); behind a `stop_gradient`
    ("stopped", at `site`) or a step such as rounding or argmax ("rounded"), or a softmax of one number, which is 1
    ("single"); behind units that are all dead ("dead") or
    weights that are all zero ("zeros"); or not known ("")."""

    paths: tuple[str, ...]
    reason: Reason

    @property
    def _what(self) -> str:
        reasons = {"unused": ": the loss does not use them", "stopped": ": they are behind a stop_gradient",
                   "rounded": ": they are behind a step, whose slope is zero",
                   "single": ": they are behind a softmax of one number, which is always 1",
                   "dead": ": the units after them are dead",
                   "zeros": ": the weights after them are zero", "": ""}  # fmt: skip
        return f"The gradient of {', '.join(self.paths)} is exactly zero{reasons[self.reason]}"


@dataclass(frozen=True)
class TargetRange(Finding):
    """An output that lies between `low` and `high`, against targets of which a `share` lies beyond, from `least` to
    `greatest`. `kind`: "difference", "cross-entropy", "class number" or "class shares"."""

    kind: Literal["difference", "cross-entropy", "class number", "class shares"]
    low: float
    high: float
    least: float
    greatest: float
    share: float

    @property
    def _what(self) -> str:
        return (f"{self.share:.0%} of the targets, which lie between {self.least:.3g} and {self.greatest:.3g}, are "
                f"beyond what the {self.kind} can have, {self.low:.3g} to {self.high:.3g}")


@dataclass(frozen=True)
class SymmetricUnits(Finding):
    """Weights all of whose units are equal, and have equal gradients: they will stay equal. `units`: of the first."""

    paths: tuple[str, ...]
    units: int

    @property
    def _what(self) -> str:
        return f"All units of {', '.join(self.paths)} are equal, and so are their gradients: they stay equal"


@dataclass(frozen=True)
class ActivationScale:
    """A layer's size: the root mean squares of what it gives and of the loss's derivative by that."""

    site: Site
    activation: float
    gradient: float


@dataclass(frozen=True)
class Activation:
    """How many of a nonlinearity's units are out of use: always 0, or nearly always at an end of their range."""

    site: Site
    kind: Literal["relu", "tanh", "sigmoid"]
    units: int
    out: int
    is_hidden: bool

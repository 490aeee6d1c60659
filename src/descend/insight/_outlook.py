"""What twice the steps would likely bring, as far as the past of a descent tells: a forecast, tried on its own past."""

import math
from dataclasses import dataclass

import numpy as np

from descend.insight.rules import rate_of
from descend.schedules import Constant, Schedule, Warmup
from descend.sources import Empty, Fed, Planned, Source, WholeSet
from descend.training import Result

MIN_RECORDED = 80  # steps; of fewer, an eighth is too short to be averaged over
MIN_VALIDATIONS = 8
STANDS_OUT = 2.0  # standard errors by which a fall has to stand out from the noise of batches
HARDLY = 0.01  # of the loss: a fall over half of the steps that is none, where there is no noise
BEGUN = 0.05  # of the loss at the start: a descent that fell by less may be on a plateau
# A forecast is given in numbers only if the same, made at half of the steps, was right to within a third; and if the
# fall slows down, as the forecasts of those that do not are far too low.
RIGHT, SLOWING = 1 / 3, 0.8
# Of a loss above 0, that has to be left of it: most losses have no more to lose.
LEAST_LEFT = 0.1


def outlook(result: Result) -> str:
    """What longer training would likely bring; empty where the past does not tell, or the descent had another end than
    that of its budget."""
    if result.reason.name not in ("budget", "interrupted") or follows_policy(result.run.descent.source):
        return ""
    return _by_validation(result) if result.history.evaluations else _by_loss(result)


def follows_policy(source: Source | Fed) -> bool:
    """Whether what is seen hangs on the parameters, as a policy's rollouts do: then the loss is another one at each
    step, and its level tells nothing."""
    return isinstance(source, Planned) or hasattr(source, "looks")


def _by_validation(result: Result) -> str:
    """By where the validation loss was lowest: it is what the training is for."""
    losses, steps = (np.asarray(result.history.validation[name]) for name in ("loss", "step"))
    if len(losses) < MIN_VALIDATIONS or result.reason.name != "budget" or not np.isfinite(losses).all():
        return ""
    best, last = int(losses.argmin()), len(losses) - 1
    if best == last:
        return (f"The validation loss was lowest at the end, the last of {len(losses):,} times that it was measured: "
                "twice the steps would likely lower it further.")
    if steps[best] <= steps[last] / 2:
        return (f"The validation loss was lowest after {steps[best]:,.0f} of {steps[last]:,.0f} steps: twice the steps "
                "would likely lower it no further.")
    return ""


def _by_loss(result: Result) -> str:
    """By how the loss fell, where nothing is validated and the learning rate stays what it is."""
    run, columns = result.run, result.history.columns
    losses = np.asarray(columns.get("loss", ()), np.float64)
    rates = np.asarray(columns.get("learning_rate", ()))[len(losses) // 4 :]
    if not _is_steady(rate_of(run.descent.optimizer)) or len(losses) < MIN_RECORDED or np.ptp(rates) > 0:
        return ""
    fall = Fall.of(losses, is_noisy=not isinstance(run.descent.source, Empty | WholeSet))
    if not math.isfinite(fall.sum):
        return ""
    if not fall.is_clear:
        return _hardly(fall, float(losses[: max(1, len(losses) // 100)].mean()))
    said = f"The loss still falls: from {fall.middle:.3g} half-way to {fall.last:.3g} at the end."
    if fall.can_be_told:
        return f"{said} As it went on so far, twice the steps would bring it to about {fall.last - fall.next:.3g}."
    return f"{said} Twice the steps would likely lower it further." if fall.goes_on else said


def _is_steady(schedule: Schedule | None) -> bool:
    """Whether the rate would stay as it is."""
    return isinstance(schedule.schedule if isinstance(schedule, Warmup) else schedule, Constant)


def _hardly(fall: "Fall", first: float) -> str:
    if fall.last > first - BEGUN * abs(first):
        return (f"The loss has hardly fallen since the start, from {first:.3g} to {fall.last:.3g}: whether more steps "
                "would lower it cannot be told.")
    by = "the noise of its batches" if fall.is_noisy else "a hundredth"
    return f"Over its last half the loss fell by no more than {by}: twice the steps would likely bring little."


@dataclass(frozen=True)
class Fall:
    """How a loss fell as the steps were doubled, three times: each level is the mean over the last quarter of the steps
    up to there, so that what falls as a power of the steps falls by one ratio from each to the next.

    `levels`: after an eighth, a quarter, half and all of the steps. `error`: the standard error of the last fall.
    """

    levels: tuple[float, ...]
    error: float
    is_noisy: bool

    @classmethod
    def of(cls, losses: np.ndarray, is_noisy: bool) -> "Fall":
        ends = [len(losses) // part for part in (8, 4, 2, 1)]
        parts = [losses[3 * end // 4 : end] for end in ends]
        error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts[2:])) if is_noisy else 0.0
        return cls(tuple(float(part.mean()) for part in parts), error, is_noisy)

    @property
    def middle(self) -> float:
        return self.levels[2]

    @property
    def last(self) -> float:
        return self.levels[3]

    @property
    def sum(self) -> float:
        """Of all numbers: not finite, if one of them is not."""
        return sum(self.levels) + self.error

    @property
    def falls(self) -> tuple[float, ...]:
        return tuple(before - after for before, after in zip(self.levels, self.levels[1:], strict=False))

    @property
    def is_clear(self) -> bool:
        """Whether it fell over the last half."""
        return self.falls[2] > (STANDS_OUT * self.error if self.is_noisy else HARDLY * abs(self.middle))

    @property
    def next(self) -> float:
        """The fall to come, if the falls go on by their last ratio."""
        return self.falls[2] ** 2 / self.falls[1]

    @property
    def slows_down(self) -> bool:
        """Whether it fell twice, and less the second time."""
        return 0 < self.falls[2] <= SLOWING * self.falls[1]

    @property
    def goes_on(self) -> bool:
        """Whether it fell twice, and is to fall by more than noise hides."""
        return self.falls[1] > 0 and not (self.slows_down and self.next < STANDS_OUT * self.error)

    @property
    def can_be_told(self) -> bool:
        """Whether the next fall can be told in numbers: falls slow down, and those before the last foretold it."""
        first, second, third = self.falls
        if not (self.slows_down and self.goes_on and first > 0):
            return False
        if self.last > 0 and self.last - self.next < LEAST_LEFT * self.last:
            return False
        return abs(second**2 / first - third) < RIGHT * third

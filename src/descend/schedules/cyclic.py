"""Rates that rise again."""

from typing import Any

from descend._arrays import Scalar, is_array, namespace
from descend._hyperparameters import POSITIVE, fixed, is_known_scalar, require, require_whole, setting
from descend._numbers import mix, ramp, real, smooth, warmed
from descend.errors import InputError
from descend.schedules._schedule import Rate, Schedule

# Steps are counted in 32 bits.
LAST_STEP = 2**31


@setting
class WarmRestarts(Schedule):
    """Half a cosine from `initial` down to `final`, again and again, over periods that may grow.

        η(t) = final + (initial − final) · factorⁱ · (1 + cos(π · (s − warmup) / (period · growthⁱ − warmup))) / 2

    in period `i` (from 0), of which `s` steps are over.

    `period`: the steps of the first one. `growth`: each is so many times as long as the one before, a whole number, as
    `T_mult` in PyTorch. `factor`: of the height above `final`, from peak to peak, as `m_mul` in Keras.
    `warmup`: so many first steps of each period rise linearly, the last of them at the period's peak.

    >>> schedule = WarmRestarts(1.0, period=10, growth=2)
    >>> [round(float(schedule(t)), 3) for t in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5, 1.0]

    Reference: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv 1608.03983.
    """

    initial: Rate
    period: int = fixed()
    growth: int = fixed(default=1)
    factor: Rate = 1.0
    final: Rate = 0.0
    warmup: int = fixed(default=0)

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, factor=POSITIVE, final=POSITIVE)
        require_whole(self, period=1, growth=1, warmup=0)
        if self.warmup >= self.period:
            raise InputError(f"WarmRestarts: warmup must be shorter than the first period of {self.period} steps, "
                             f"but is {self.warmup}")

    def __call__(self, step: Scalar) -> Rate:
        number, start, length = self._period(step)
        peak = mix(self.final, self.initial, self.factor ** real(number))
        done = ramp(step - start - self.warmup, length - self.warmup)
        return warmed(mix(peak, self.final, smooth(done)), step - start, self.warmup)

    def _period(self, step: Scalar) -> tuple[Any, Any, Any]:
        """The period that a step is in: its number, its first step and its length."""
        if self.growth == 1:
            return step // self.period, step - step % self.period, self.period
        # Periods that grow are at most 31, whose starts are listed: a logarithm of the step would round across a
        # boundary.
        starts = [0]
        while (start := starts[-1] * self.growth + self.period) < LAST_STEP:
            starts.append(start)
        # Counted by comparisons, which numbers of every world have.
        number: Any = sum(step >= start for start in starts[1:])
        first = namespace(number).asarray(starts)[number] if is_array(number) else starts[number]
        return number, first, self.period * self.growth ** real(number)


@setting
class Cyclic(Schedule):
    """Straight up and down between two rates, again and again.

        η(t) = low + (high − low) · h · factorⁱ · gammaᵗ

    in cycle `i` (from 0), where the height `h` rises from 0 to 1 over `rise` steps, and falls to 0 over `fall`.

    `fall`: as long as `rise` if it is left out. The paper's and PyTorch's modes: "triangular" is the default,
    "triangular2" has `factor=0.5`, which halves the height from cycle to cycle, "exp_range" has a `gamma` below 1.

    >>> schedule = Cyclic(0.0, 1.0, rise=10, factor=0.5)
    >>> [float(schedule(t)) for t in (0, 5, 10, 15, 20, 30)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    Reference: Smith, "Cyclical learning rates for training neural networks", arXiv 1506.01186.
    """

    low: Rate
    high: Rate
    rise: int = fixed(default=2000)
    fall: int | None = fixed(default=None)
    factor: Rate = 1.0
    gamma: Rate = 1.0

    def __post_init__(self) -> None:
        require(self, low=POSITIVE, high=POSITIVE, factor=POSITIVE, gamma=POSITIVE)
        require_whole(self, rise=1)
        if self.fall is not None:
            require_whole(self, fall=1)
        if is_known_scalar(self.low) and is_known_scalar(self.high) and float(self.low) > float(self.high):
            raise InputError(f"Cyclic: high must be at least low, {self.low}, but is {self.high}")

    def __call__(self, step: Scalar) -> Rate:
        fall = self.rise if self.fall is None else self.fall
        cycle = self.rise + fall
        since = real(step % cycle)
        # The lower of both flanks is the triangle, without a choice that depends on the step.
        height = namespace(since).minimum(since / self.rise, (cycle - since) / fall)
        return self.low + (self.high - self.low) * (
            height * self.factor ** real(step // cycle) * self.gamma ** real(step)
        )


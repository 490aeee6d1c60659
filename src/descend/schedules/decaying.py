"""Rates that need not know how long a descent is."""

import dataclasses

from descend._arrays import Scalar, namespace
from descend._hyperparameters import POSITIVE, fixed, require, require_whole, setting
from descend._numbers import at_least, real
from descend.errors import InputError
from descend.schedules._lengths import ascending_in_steps, is_part, require_ascending
from descend.schedules._schedule import Rate, Schedule


@setting
class Constant(Schedule):
    """The same rate at every step.

        η(t) = value

    >>> Constant(0.1)(1000)
    0.1

    Reference: Bottou, Curtis and Nocedal, "Optimization methods for large-scale machine learning", SIAM Review 60,
    2018.
    """

    value: Rate

    def __post_init__(self) -> None:
        require(self, value=POSITIVE)
        if callable(self.value):
            raise InputError("a learning rate is a number or a Schedule, not a function: "
                             "give it as the __call__ of a subclass of Schedule")

    def __call__(self, step: Scalar) -> Rate:
        del step
        return self.value


@setting
class Step(Schedule):
    """A staircase, with stairs of one length.

        η(t) = initial · factor^⌊t / every⌋

    >>> [round(Step(1.0, every=10, factor=0.5)(t), 3) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]

    Reference: He et al., "Deep residual learning for image recognition", arXiv 1512.03385.
    """

    initial: Rate
    every: int = fixed()
    factor: Rate = 0.1

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, factor=POSITIVE)
        require_whole(self, every=1)

    def __call__(self, step: Scalar) -> Rate:
        return self.initial * self.factor ** real(step // self.every)


@setting
class MultiStep(Schedule):
    """A staircase, with stairs that begin at given steps.

        η(t) = initial · factor^(number of milestones ≤ t)

    `milestones`: whole steps; or parts of the descent's length, all below 1.

    >>> [round(MultiStep(1.0, milestones=(30, 60))(t), 3) for t in (29, 30, 59, 60)]
    [1.0, 0.1, 0.1, 0.01]
    >>> MultiStep(1.0, milestones=(0.5, 0.75)).over(200)
    MultiStep(initial=1.0, milestones=(100, 150), factor=0.1)

    Reference: He et al., "Deep residual learning for image recognition", arXiv 1512.03385.
    """

    initial: Rate
    milestones: tuple[float, ...] | list[float] = fixed()
    factor: Rate = 0.1

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, factor=POSITIVE)
        require_ascending(self, "milestones")

    def __call__(self, step: Scalar) -> Rate:
        if any(map(is_part, self.milestones)):
            raise InputError(f"{self} does not know its length: give milestones in steps, or a budget in steps "
                             "or epochs")
        # Milestones that are over, counted by comparisons: they may be traced, and an index may not.
        return self.initial * self.factor ** sum(real(step >= milestone) for milestone in self.milestones)

    def over(self, steps: int | None) -> "Schedule":
        if steps is None:
            return self
        return dataclasses.replace(self, milestones=ascending_in_steps(tuple(self.milestones), steps))


@setting
class Factor(Schedule):
    """Multiplied by a factor again and again, down to a floor.

        η(t) = max(floor, initial · factor^⌊t / every⌋)

    A factor above 1 makes the rate grow, as in a search for the largest that is stable.

    >>> [round(float(Factor(1.0, 0.5, floor=0.1)(t)), 3) for t in (0, 1, 2, 3, 4, 99)]
    [1.0, 0.5, 0.25, 0.125, 0.1, 0.1]

    Reference: Zhang, Lipton, Li and Smola, "Dive into Deep Learning", section 12.11, arXiv 2106.11342.
    """

    initial: Rate
    factor: Rate
    every: int = fixed(default=1)
    floor: Rate = 0.0

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, factor=POSITIVE, floor=POSITIVE)
        require_whole(self, every=1)

    def __call__(self, step: Scalar) -> Rate:
        return at_least(self.initial * self.factor ** real(step // self.every), self.floor)


@setting
class Exponential(Schedule):
    """Exponential decay.

        η(t) = initial · e^(−decay · t)

    >>> round(float(Exponential(1.0, decay=0.1)(10)), 4)
    0.3679

    Reference: Senior et al., "An empirical study of learning rates in deep neural networks for speech recognition",
    ICASSP, 2013.
    """

    initial: Rate
    decay: Rate

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, decay=POSITIVE)

    def __call__(self, step: Scalar) -> Rate:
        exponent = -self.decay * real(step)
        return self.initial * namespace(exponent).exp(exponent)


@setting
class InverseTime(Schedule):
    """Decay with the inverse of time, which averages noise out.

        η(t) = initial / (1 + decay · t)

    >>> InverseTime(1.0, decay=0.1)(10)
    0.5

    Reference: Robbins and Monro, "A stochastic approximation method", 1951.
    """

    initial: Rate
    decay: Rate

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, decay=POSITIVE)

    def __call__(self, step: Scalar) -> Rate:
        return self.initial / (1 + self.decay * real(step))


@setting
class SquareRoot(Schedule):
    """Decay with the square root of time, the classical rate for convex problems.

        η(t) = initial / √(1 + decay · t)

    >>> SquareRoot(1.0)(3)
    0.5

    Reference: Zinkevich, "Online convex programming and generalized infinitesimal gradient ascent", ICML, 2003.
    """

    initial: Rate
    decay: Rate = 1.0

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, decay=POSITIVE)

    def __call__(self, step: Scalar) -> Rate:
        return self.initial / (1 + self.decay * real(step)) ** 0.5

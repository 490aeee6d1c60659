"""Learning rates that change with the step: frozen values, called with the step's number from 0.

    schedule(step) -> learning rate

A schedule's `repr` shows all its settings, and its numbers are leaves of a pytree: changing a learning rate never
compiles a program again, and many rates can be raced side by side with `jax.vmap`. `schedule.plot()` draws it.

A schedule whose length, `steps`, is left open takes the descent's. Lengths inside of it, a warm-up, say, are whole
numbers of steps, or numbers below 1: parts of the schedule's length, rounded down to whole steps.
"""

from descend._arrays import Number
from descend._hyperparameters import fixed, has, setting, switched
from descend.schedules._schedule import Rate, Schedule
from descend.schedules.composed import Joined, Warmup, as_schedule
from descend.schedules.cyclic import Cyclic, WarmRestarts
from descend.schedules.decaying import Constant, Exponential, Factor, InverseTime, MultiStep, SquareRoot, Step
from descend.schedules.lasting import Cosine, OneCycle, Polynomial, WarmupStableDecay

__all__ = [
    "Constant",
    "Cosine",
    "Cyclic",
    "Exponential",
    "Factor",
    "InverseTime",
    "Joined",
    "MultiStep",
    "Number",
    "OneCycle",
    "Polynomial",
    "Rate",
    "Schedule",
    "SquareRoot",
    "Step",
    "WarmRestarts",
    "Warmup",
    "WarmupStableDecay",
    "as_schedule",
    "fixed",
    "has",
    "setting",
    "switched",
]

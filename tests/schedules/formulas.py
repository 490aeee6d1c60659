"""Schedules, and what each must be: the same formula written for one step of plain Python."""

from math import cos, exp, pi, sqrt

import numpy as np
import pytest

from descend.schedules import (
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Factor,
    InverseTime,
    Joined,
    MultiStep,
    OneCycle,
    Polynomial,
    SquareRoot,
    Step,
    WarmRestarts,
    Warmup,
    WarmupStableDecay,
)

STEPS = [*range(130), 999, 1000, 54321]


def half_cosine(t: float, initial: float, final: float, steps: int) -> float:
    return final if t >= steps else final + (initial - final) * (1 + cos(pi * t / steps)) / 2


def restarts(t, initial, period, growth=1, factor=1.0, final=0.0, warmup=0):
    start, length, peak = 0, period, initial
    while t >= start + length:
        start, length, peak = start + length, length * growth, final + (peak - final) * factor
    s = t - start
    return peak * (s + 1) / warmup if s < warmup else half_cosine(s - warmup, peak, final, length - warmup)


def cycles(t, low, high, rise, fall, scale):
    place = np.interp(t % (rise + fall), [0, rise, rise + fall], [0, 1, 0])
    return low + (high - low) * place * scale(t // (rise + fall), t)


def stages(t, ends, rates, shape):
    """From rate to rate, each reached at its end."""
    for begin, end, one, other in zip(ends, ends[1:], rates, rates[1:], strict=False):
        if t < end:
            x = (t - begin) / (end - begin)
            return one + (other - one) * (x if shape == "linear" else (1 - cos(pi * x)) / 2)
    return rates[-1]


def multiplied(t, initial, factor, every, floor):
    """The book's scheduler: multiplied again and again, but never below the floor."""
    rate = initial
    for _ in range(t // every):
        rate = max(floor, rate * factor)
    return rate


def warm_stable_decay(t, peak, steps, warmup, decay, left, final=0.0):
    if t < warmup:
        return peak * (t + 1) / warmup
    return final + (peak - final) * left(min(max(t - (steps - decay), 0) / decay, 1))


FORMULAS = [
    (Constant(0.3), lambda t: 0.3),
    (Step(2.0, every=10), lambda t: 2 * 0.1 ** (t // 10)),
    (Step(2.0, every=7, factor=0.9), lambda t: 2 * 0.9 ** (t // 7)),
    (Exponential(2.0, decay=0.01), lambda t: 2 * exp(-0.01 * t)),
    (InverseTime(2.0, decay=0.05), lambda t: 2 / (1 + 0.05 * t)),
    (SquareRoot(2.0), lambda t: 2 / sqrt(1 + t)),
    (SquareRoot(2.0, decay=0.05), lambda t: 2 / sqrt(1 + 0.05 * t)),
    (Cosine(2.0, steps=100), lambda t: half_cosine(t, 2, 0, 100)),
    (Cosine(2.0, steps=100, final=0.5), lambda t: half_cosine(t, 2, 0.5, 100)),
    (
        Cosine(2.0, steps=100, final=0.5, warmup=20),
        lambda t: 2 * (t + 1) / 20 if t < 20 else half_cosine(t - 20, 2, 0.5, 80),
    ),
    (Cosine(2.0, steps=10, final=0.5, warmup=10), lambda t: 2 * (t + 1) / 10 if t < 10 else 0.5),
    (Cosine(2.0, steps=100, warmup=0.29), lambda t: 2 * (t + 1) / 29 if t < 29 else half_cosine(t - 29, 2, 0, 71)),
    (Polynomial(2.0, steps=100), lambda t: 2 * max(1 - t / 100, 0)),
    (Polynomial(2.0, steps=100, power=2.5, final=0.5), lambda t: 0.5 + 1.5 * max(1 - t / 100, 0) ** 2.5),
    (
        Polynomial(2.0, steps=100, power=0.5, final=0.1, warmup=20),
        lambda t: 2 * (t + 1) / 20 if t < 20 else 0.1 + 1.9 * max(1 - (t - 20) / 80, 0) ** 0.5,
    ),
    (MultiStep(2.0, milestones=(30, 80)), lambda t: 2 * 0.1 ** ((t >= 30) + (t >= 80))),
    (MultiStep(2.0, milestones=(), factor=0.5), lambda t: 2.0),
    (Factor(2.0, 0.9), lambda t: 2 * 0.9**t),
    (Factor(0.3, 0.9, every=7, floor=0.1), lambda t: multiplied(t, 0.3, 0.9, 7, 0.1)),
    (Factor(0.3, 1.1, every=1000, floor=0.1), lambda t: 0.3 * 1.1 ** (t // 1000)),
    (WarmRestarts(2.0, period=10), lambda t: restarts(t, 2.0, 10)),
    (
        WarmRestarts(2.0, period=7, factor=0.9, final=0.3, warmup=3),
        lambda t: restarts(t, 2.0, 7, factor=0.9, final=0.3, warmup=3),
    ),
    (
        WarmRestarts(2.0, period=10, growth=2, factor=0.5, final=0.01, warmup=4),
        lambda t: restarts(t, 2.0, 10, 2, 0.5, 0.01, 4),
    ),
    (WarmRestarts(2.0, period=1, growth=3), lambda t: restarts(t, 2.0, 1, 3)),
    (
        OneCycle(2.0, steps=100),
        lambda t: stages(t, [0, 30, 100], [2 / 25, 2, 2 / 2.5e5], "cosine"),
    ),
    (
        OneCycle(2.0, steps=100, rise=0.25, shape="linear", div=10.0, div_final=100.0),
        lambda t: stages(t, [0, 25, 100], [0.2, 2, 0.02], "linear"),
    ),
    (
        OneCycle(2.0, steps=120, rise=40, fall=30, shape="linear"),
        lambda t: stages(t, [0, 40, 70, 120], [2 / 25, 2, 2 / 25, 2 / 2.5e5], "linear"),
    ),
    (OneCycle(2.0, steps=100, rise=0), lambda t: half_cosine(t, 2, 2 / 2.5e5, 100)),
    (
        WarmupStableDecay(2.0, steps=100),
        lambda t: warm_stable_decay(t, 2, 100, 5, 20, lambda x: 1 - sqrt(x)),
    ),
    (
        WarmupStableDecay(2.0, steps=120, warmup=20, decay=50, shape="linear", final=0.5),
        lambda t: warm_stable_decay(t, 2, 120, 20, 50, lambda x: 1 - x, 0.5),
    ),
    (
        WarmupStableDecay(2.0, steps=100, warmup=0, decay=0),
        lambda t: 2.0 if t < 100 else 0.0,
    ),
    (Cyclic(0.1, 2.0, rise=10), lambda t: cycles(t, 0.1, 2, 10, 10, lambda i, t: 1)),
    (Cyclic(0.1, 2.0, rise=10, fall=30, factor=0.5), lambda t: cycles(t, 0.1, 2, 10, 30, lambda i, t: 0.5**i)),
    (Cyclic(0.1, 2.0, rise=20, fall=1, gamma=0.99), lambda t: cycles(t, 0.1, 2, 20, 1, lambda i, t: 0.99**t)),
    (Warmup(Constant(2.0), steps=8), lambda t: 2 * min((t + 1) / 8, 1)),
    (Warmup(InverseTime(2.0, decay=0.5), steps=8), lambda t: 2 / (1 + 0.5 * t) * min((t + 1) / 8, 1)),
    (Warmup(Constant(2.0), steps=0), lambda t: 2.0),
    (Warmup(Polynomial(2.0, steps=100), steps=0.1), lambda t: 2 * max(1 - t / 100, 0) * min((t + 1) / 10, 1)),
    (
        Joined((Constant(2.0), SquareRoot(1.0), Cosine(0.5, steps=30)), boundaries=(10, 60)),
        lambda t: 2.0 if t < 10 else 1 / sqrt(1 + t - 10) if t < 60 else half_cosine(t - 60, 0.5, 0, 30),
    ),
    (
        Joined([Joined((0.1, 0.2), (5,)), Warmup(0.3, 4)], boundaries=[20]),
        lambda t: 0.1 if t < 5 else 0.2 if t < 20 else 0.3 * min((t - 20 + 1) / 4, 1),
    ),
]
SCHEDULES = [schedule for schedule, _ in FORMULAS]
schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
formulas = pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=map(repr, SCHEDULES))

"""What schedules refuse, in one line that names the schedule and the setting."""

import dataclasses
from math import inf, nan
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend._hyperparameters import require_whole
from descend.errors import InputError
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
    as_schedule,
)


def refusal(make, *args, **settings):
    with pytest.raises(InputError) as error:
        make(*args, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


MINIMAL = {
    Constant: {"value": 1.0}, Step: {"initial": 1.0, "every": 5}, MultiStep: {"initial": 1.0, "milestones": (5,)},
    Factor: {"initial": 1.0, "factor": 0.5}, Exponential: {"initial": 1.0, "decay": 0.1},
    InverseTime: {"initial": 1.0, "decay": 0.1}, SquareRoot: {"initial": 1.0}, Cosine: {"initial": 1.0},
    Polynomial: {"initial": 1.0}, OneCycle: {"peak": 1.0}, WarmupStableDecay: {"peak": 1.0},
    WarmRestarts: {"initial": 1.0, "period": 5}, Cyclic: {"low": 1.0, "high": 2.0},
}
NUMBERS = [
    (kind, field.name) for kind in MINIMAL for field in dataclasses.fields(kind) if not field.metadata.get("fixed")
]


@pytest.mark.parametrize("value", [-0.1, nan, inf, np.float32(-1), np.array(nan), jnp.array(-2.0), "0.1"], ids=repr)
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_refuses_numbers_that_are_no_rates(kind, name, value):
    message = refusal(kind, **{**MINIMAL[kind], name: value})
    assert message.startswith(f"{kind.__name__}: {name} must be ")
    assert message.endswith(f"but is {value!r}" if isinstance(value, str) else f"but is {value}")


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_takes_many_rates_and_traced_ones_without_a_look(kind, name):
    kind(**{**MINIMAL[kind], name: np.array([-1.0, nan])})
    jax.jit(lambda value: kind(**{**MINIMAL[kind], name: value}))(-1.0)


@pytest.mark.parametrize("value", [-1, -0.5, nan, inf, 1.5])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda value: Warmup(1.0, value), "Warmup: steps"),
        (lambda value: Cosine(1.0, warmup=value), "Cosine: warmup"),
        (lambda value: Polynomial(1.0, warmup=value), "Polynomial: warmup"),
        (lambda value: OneCycle(1.0, rise=value), "OneCycle: rise"),
        (lambda value: OneCycle(1.0, fall=value), "OneCycle: fall"),
        (lambda value: WarmupStableDecay(1.0, warmup=value), "WarmupStableDecay: warmup"),
        (lambda value: WarmupStableDecay(1.0, decay=value), "WarmupStableDecay: decay"),
    ],
)
def test_refuses_lengths_that_are_none(make, name, value):
    assert refusal(make, value) == (
        f"{name} must be a number of steps, or a part of the length below 1, but is {value!r}"
    )


@pytest.mark.parametrize("value", [0, -3])
@pytest.mark.parametrize(
    ("kind", "name", "least"),
    [(Step, "every", 1), (Factor, "every", 1), (WarmRestarts, "period", 1), (WarmRestarts, "growth", 1),
     (Cyclic, "rise", 1), (Cyclic, "fall", 1), (Cosine, "steps", 1), (Polynomial, "steps", 1), (OneCycle, "steps", 1),
     (WarmupStableDecay, "steps", 1)],
)
def test_refuses_too_few_steps(kind, name, least, value):
    message = f"{kind.__name__}: {name} must be a whole number of at least {least}, but is {value}"
    assert refusal(kind, **{**MINIMAL[kind], name: value}) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WarmRestarts(1.0, period=5, warmup=-1),
         "WarmRestarts: warmup must be a whole number of at least 0, but is -1"),
        (lambda: WarmRestarts(1.0, period=5, warmup=5),
         "WarmRestarts: warmup must be shorter than the first period of 5 steps, but is 5"),
        (lambda: Cosine(1.0, steps=10, warmup=11), "Cosine: 11 steps for warmup are more than steps, 10"),
        (lambda: WarmupStableDecay(1.0, steps=10, warmup=0.55, decay=6),
         "WarmupStableDecay: 11 steps for warmup and decay are more than steps, 10"),
        (lambda: WarmupStableDecay(1.0, warmup=0.6, decay=0.5),
         "WarmupStableDecay: 1.1 of the length for warmup and decay are more than there is"),
        (lambda: OneCycle(1.0, rise=0.5, fall=0.6),
         "OneCycle: 1.1 of the length for rise and fall are more than there is"),
        (lambda: Warmup(Cosine(1.0, steps=10), 11),
         "Warmup: steps must be at most the schedule's length, 10, but is 11"),
        (lambda: OneCycle(1.0, shape="cos"), "OneCycle: shape must be one of 'cosine', 'linear', but is 'cos'"),
        (lambda: WarmupStableDecay(1.0, shape="sqrt"),
         "WarmupStableDecay: shape must be one of 'linear', '1-sqrt', but is 'sqrt'"),
        (lambda: OneCycle(1.0, div=0.5), "OneCycle: div must be at least 1 and below inf, but is 0.5"),
        (lambda: Cyclic(2.0, 1.0), "Cyclic: high must be at least low, 2.0, but is 1.0"),
        (lambda: MultiStep(1.0, (30, 20)), "MultiStep: milestones must ascend, but are (30, 20)"),
        (lambda: MultiStep(1.0, (30, 30)), "MultiStep: milestones must ascend, but are (30, 30)"),
        (lambda: MultiStep(1.0, (0.5, 30)),
         "MultiStep: milestones must be all in steps, or all in parts of the length, but are (0.5, 30)"),
        (lambda: MultiStep(1.0, (-1, 30)),
         "MultiStep: milestones must be numbers of steps, or parts of the length below 1, but are (-1, 30)"),
        (lambda: Joined((), ()), "Joined: schedules must be a tuple of schedules, but is ()"),
        (lambda: Joined((1.0, 1.0), ()), "Joined: 2 schedules join at 1 boundaries, not 0"),
        (lambda: Joined((1.0, 1.0), (5, 6)), "Joined: 2 schedules join at 1 boundaries, not 2"),
        (lambda: Joined((1.0,) * 3, (6, 5)), "Joined: boundaries must ascend, but are (6, 5)"),
        (lambda: Joined((1.0,) * 3, [5, 5]), "Joined: boundaries must ascend, but are (5, 5)"),
        (lambda: Joined((1.0, -1.0), (5,)), "Constant: value must be at least 0 and below inf, but is -1.0"),
        (lambda: Cosine(1.0, steps=5).plot(0), "plot: steps must be at least 1, but is 0"),
    ],
)
def test_refuses(make, message):
    assert refusal(make) == message


def test_refuses_a_function():
    assert "not a function: give it as the __call__ of a subclass of Schedule" in refusal(as_schedule, lambda step: 0.1)


@pytest.mark.parametrize("value", [2.5, nan, "3", None, np.array([3])])
def test_refuses_what_is_no_whole_number(value):
    message = f"SimpleNamespace: every must be a whole number of at least 1, but is {value!r}"
    assert refusal(require_whole, SimpleNamespace(every=value), every=1) == message


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.array(3), jnp.array(3)], ids=repr)
def test_keeps_whole_numbers_as_pythons(value):
    owner = SimpleNamespace(every=value)
    require_whole(owner, every=1)
    assert repr(owner.every) == "3"

"""Each schedule against its formula, for steps of Python, NumPy and JAX."""

import dataclasses
from contextlib import nullcontext
from math import cos, exp, inf, pi, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend.errors import InputError
from descend.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Joined,
    Schedule,
    SquareRoot,
    Step,
    Warmup,
    as_schedule,
)

STEPS = [*range(130), 999, 1000, 54321]


def half_cosine(t: float, initial: float, final: float, steps: int) -> float:
    return final if t >= steps else final + (initial - final) * (1 + cos(pi * t / steps)) / 2


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
    (Cosine(2.0, steps=10, final=0.5, warmup=10), lambda t: 2 * (t + 1) / 10 if t < 10 else 2.0 if t == 10 else 0.5),
    (Warmup(Constant(2.0), steps=8), lambda t: 2 * min((t + 1) / 8, 1)),
    (Warmup(InverseTime(2.0, decay=0.5), steps=8), lambda t: 2 / (1 + 0.5 * t) * min((t + 1) / 8, 1)),
    (Warmup(Constant(2.0), steps=0), lambda t: 2.0),
    (
        Joined((Constant(2.0), SquareRoot(1.0), Cosine(0.5, steps=30)), boundaries=(10, 60)),
        lambda t: 2.0 if t < 10 else 1 / sqrt(1 + t - 10) if t < 60 else half_cosine(t - 60, 0.5, 0, 30),
    ),
    (
        Joined((Joined((Constant(1.0), Constant(2.0)), (5,)), Warmup(Constant(3.0), 4)), boundaries=(20,)),
        lambda t: 1.0 if t < 5 else 2.0 if t < 20 else 3 * min((t - 20 + 1) / 4, 1),
    ),
]
SCHEDULES = [schedule for schedule, _ in FORMULAS]
schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
formulas = pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=map(repr, SCHEDULES))


@pytest.mark.parametrize("number", [int, np.int32, np.int64, lambda t: np.asarray(t, np.int32)])
@formulas
def test_formula(schedule, formula, number):
    for t in STEPS:
        assert float(schedule(number(t))) == pytest.approx(formula(t), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("wide", "tolerance"), [(True, 1e-12), (False, 2e-6)], ids=["float64", "float32"])
@formulas
def test_formula_of_traced_steps(schedule, formula, wide, tolerance):
    with jax.enable_x64(True) if wide else nullcontext():
        rates = np.broadcast_to(jax.jit(jax.vmap(schedule))(jnp.asarray(STEPS, jnp.int32)), len(STEPS))
    assert rates.dtype == (np.float64 if wide else np.float32)
    # The float32 exponents, up to 543, and half cosines near their end are as exact as their argument is.
    np.testing.assert_allclose(rates, [formula(t) for t in STEPS], rtol=10 * tolerance, atol=tolerance)


@pytest.mark.peers
@formulas
def test_formula_of_pytorch_steps(schedule, formula):
    torch = pytest.importorskip("torch", reason="steps with PyTorch's integers: pip install 'descend[peers]'")
    for t in STEPS:
        rate = float(schedule(torch.tensor(t, dtype=torch.int32)))
        assert rate == pytest.approx(formula(t), rel=1e-12, abs=1e-15)


def test_as_schedule():
    assert as_schedule(0.1) == Constant(0.1)
    assert as_schedule(SCHEDULES[1]) is SCHEDULES[1]


# ---------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("open_", [Cosine(1.0), Warmup(Cosine(1.0), 3), Joined((Constant(1.0), Cosine(1.0)), (2,))])
def test_an_open_length_is_refused_until_it_is_known(open_):
    message = r"^Cosine\(initial=1\.0, steps=None, .*\) does not know its length: give steps="
    with pytest.raises(InputError, match=message):
        open_(5)
    with pytest.raises(InputError, match="does not know its length"):
        open_.over(None)(5)
    assert open_.over(50)(5) > 0


@pytest.mark.parametrize(
    ("open_", "filled"),
    [
        (Cosine(1.0, final=0.1, warmup=5), Cosine(1.0, steps=100, final=0.1, warmup=5)),
        (Cosine(1.0, steps=7), Cosine(1.0, steps=7)),
        (Warmup(Cosine(1.0), 3), Warmup(Cosine(1.0, steps=100), 3)),
        (
            Joined((Cosine(1.0), Cosine(2.0), Warmup(Cosine(3.0), 2)), boundaries=(10, 40)),
            Joined((Cosine(1.0, steps=10), Cosine(2.0, steps=30), Warmup(Cosine(3.0, steps=60), 2)), (10, 40)),
        ),
        (
            Joined((Constant(1.0), Joined((Cosine(2.0), Cosine(3.0)), (15,))), boundaries=(10,)),
            Joined((Constant(1.0), Joined((Cosine(2.0, steps=15), Cosine(3.0, steps=75)), (15,))), (10,)),
        ),
    ],
    ids=repr,
)
def test_over_fills_in_open_lengths(open_, filled):
    assert open_.over(100) == filled
    assert open_.over(100).over(7) == filled, "a length that is known stays"


@schedules
def test_over_leaves_known_lengths_alone(schedule):
    assert schedule.over(12345) == schedule
    assert schedule.over(None) == schedule


def test_over_without_a_length_fills_the_parts_that_end_at_a_boundary():
    schedule = Joined((Cosine(1.0), Constant(0.1)), boundaries=(10,))
    assert schedule.over(None) == Joined((Cosine(1.0, steps=10), Constant(0.1)), boundaries=(10,))


# ---------------------------------------------------------------------------------------------- warm-ups


@pytest.mark.parametrize("warmup", [1, 2, 10])
@pytest.mark.parametrize("make", [
    lambda warmup: Cosine(0.7, steps=100, warmup=warmup),
    lambda warmup: Warmup(Constant(0.7), steps=warmup),
])
def test_a_warmup_rises_linearly_to_the_full_rate(make, warmup):
    rates = [float(make(warmup)(t)) for t in range(warmup)]
    np.testing.assert_allclose(rates, 0.7 * np.arange(1, warmup + 1) / warmup, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("count", "boundaries", "message"),
    [
        (2, (), "2 schedules join at 1 boundaries, not 0"),
        (2, (5, 6), "2 schedules join at 1 boundaries, not 2"),
        (3, (6, 5), r"boundaries must ascend, but are \(6, 5\)"),
        (3, (5, 5), r"boundaries must ascend, but are \(5, 5\)"),
    ],
)
def test_joined_refuses(count, boundaries, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Joined((Constant(1.0),) * count, boundaries)


def test_joined_of_one_schedule_is_that_schedule():
    assert Joined((InverseTime(1.0, 0.5),), ())(3) == InverseTime(1.0, 0.5)(3)


# ---------------------------------------------------------------------------------------------- schedules as values


@schedules
def test_repr_shows_all_settings(schedule):
    for field in dataclasses.fields(schedule):
        assert f"{field.name}={getattr(schedule, field.name)!r}" in repr(schedule)
    assert eval(repr(schedule)) == schedule


@schedules
def test_is_frozen(schedule):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, dataclasses.fields(schedule)[0].name, 1.0)


def scaled(schedule, factor):
    return jax.tree.map(lambda number: number * factor, schedule)


@schedules
def test_other_numbers_do_not_compile_again(schedule):
    traces = []

    @jax.jit
    def rate(schedule: Schedule, step):
        traces.append(schedule)
        return schedule(step)

    step = jnp.asarray(3)
    for factor in (1.0, 0.5, 0.25):
        other = scaled(schedule, factor)
        assert float(rate(other, step)) == pytest.approx(float(other(3)), rel=1e-5)
    assert len(traces) == 1


@schedules
def test_vmap_races_many_rates(schedule):
    scales = jnp.linspace(0.1, 1.0, 16)
    together = jax.vmap(lambda schedule: schedule(jnp.asarray(12)))(scaled(schedule, scales))
    singly = [float(scaled(schedule, float(scale))(12)) for scale in scales]
    np.testing.assert_allclose(together, singly, rtol=1e-5)


@schedules
def test_gradients_flow_to_the_numbers(schedule):
    """Also through `Joined`, whose later parts are asked for steps before they begin."""
    gradient = jax.grad(lambda schedule: jnp.float32(schedule(jnp.asarray(3))))(jax.tree.map(jnp.float32, schedule))
    assert all(abs(float(leaf)) < inf for leaf in jax.tree.leaves(gradient))


def test_a_staircase_needs_stairs():
    with pytest.raises(InputError, match="every must be at least 1 step, but is 0"):
        Step(0.1, every=0)

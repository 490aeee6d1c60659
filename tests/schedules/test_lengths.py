"""Lengths: given, left open until a descent's is known, and as parts of it."""

import pytest
from formulas import SCHEDULES

from descend.errors import InputError
from descend.schedules import (
    Constant,
    Cosine,
    Joined,
    MultiStep,
    OneCycle,
    Polynomial,
    Warmup,
    WarmupStableDecay,
)


@pytest.mark.parametrize(
    "open_", [Cosine(1.0), Warmup(Cosine(1.0), 3), Joined((Constant(1.0), Cosine(1.0)), (2,)), Warmup(Cosine(1.0), 0.5)]
)
def test_an_open_length_is_refused_until_it_is_known(open_):
    message = r"Cosine\(initial=1\.0, steps=None, .*\) does not know its length: give "
    with pytest.raises(InputError, match=message):
        open_(5)
    with pytest.raises(InputError, match="does not know its length"):
        open_.over(None)(5)
    assert open_.length is None
    assert open_.over(50)(5) > 0


@pytest.mark.parametrize(
    "open_",
    [Polynomial(1.0), OneCycle(1.0), WarmupStableDecay(1.0), MultiStep(1.0, (0.5,)), Warmup(1.0, 0.5),
     Joined((1.0, 2.0), (0.5,)), Joined((1.0, 2.0, Cosine(1.0, steps=5)), (0.5, 0.75))],
    ids=repr,
)
def test_other_open_lengths(open_):
    with pytest.raises(InputError) as error:
        open_(5)
    assert str(error.value).startswith(f"{open_!r} does not know its length: give ")
    assert open_.over(None) == open_
    assert open_.length is None
    assert open_.over(50)(5) > 0


@pytest.mark.parametrize(
    ("open_", "filled"),
    [
        (Cosine(1.0, final=0.1, warmup=5), Cosine(1.0, steps=100, final=0.1, warmup=5)),
        (Cosine(1.0, warmup=0.05), Cosine(1.0, steps=100, warmup=0.05)),
        (Cosine(1.0, steps=7), Cosine(1.0, steps=7)),
        (Polynomial(1.0), Polynomial(1.0, steps=100)),
        (OneCycle(1.0), OneCycle(1.0, steps=100)),
        (WarmupStableDecay(1.0), WarmupStableDecay(1.0, steps=100)),
        (MultiStep(1.0, [0.5, 0.755]), MultiStep(1.0, (50, 75))),
        (MultiStep(1.0, (5, 500)), MultiStep(1.0, (5, 500))),
        (Warmup(Cosine(1.0), 3), Warmup(Cosine(1.0, steps=100), 3)),
        (Warmup(Cosine(1.0), 0.1), Warmup(Cosine(1.0, steps=100), 10)),
        (Warmup(Cosine(1.0, steps=40), 0.1), Warmup(Cosine(1.0, steps=40), 4)),
        (Warmup(1.0, 0.29), Warmup(1.0, 29)),
        (Joined((1.0, Cosine(2.0)), (0.1,)), Joined((1.0, Cosine(2.0, steps=90)), (10,))),
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


SETTLED = [s for s in SCHEDULES if not (isinstance(s, Warmup) and 0 < s.steps < 1)]


@pytest.mark.parametrize("schedule", SETTLED, ids=repr)
def test_over_leaves_known_lengths_alone(schedule):
    assert schedule.over(12345) == schedule
    assert schedule.over(None) == schedule


def test_over_without_a_length_fills_the_parts_that_end_at_a_boundary():
    schedule = Joined((Cosine(1.0), Constant(0.1)), boundaries=(10,))
    assert schedule.over(None) == Joined((Cosine(1.0, steps=10), Constant(0.1)), boundaries=(10,))


@pytest.mark.parametrize(
    "schedule",
    [Cosine(2.0, warmup=20), Polynomial(2.0, warmup=20), Warmup(0.1, 20), OneCycle(2.0, rise=20),
     WarmupStableDecay(2.0, warmup=20, decay=0.5), WarmupStableDecay(2.0, warmup=20, decay=30),
     Joined((Warmup(2.0, 20), Cosine(1.0, warmup=5), OneCycle(1.0)), (20, 30))],
    ids=repr,
)
def test_a_descent_may_end_within_the_warmup(schedule):
    for steps in (0, 1, 2, 10, 19, 20):
        for t in range(steps):
            assert schedule.over(steps)(t) == pytest.approx(schedule.over(200)(t), rel=1e-12)


def test_a_descent_may_end_before_a_schedule_begins():
    schedule = Joined((Constant(1.0), Joined((Cosine(3.0), 4.0), (0.5,)), Warmup(2.0, 0.5)), (100, 200)).over(50)
    assert [schedule(t) for t in (0, 49)] == [1.0, 1.0]


def test_a_warmup_that_is_longer_than_the_descent():
    assert Warmup(Cosine(2.0), 20).over(5) == Warmup(Cosine(2.0, steps=20), 20)


def test_parts_of_a_short_descent_stay_apart():
    assert MultiStep(1.0, (0.1, 0.2, 0.9)).over(3).milestones == (0, 1, 2)
    assert Joined((1.0, 2.0, 3.0), (0.1, 0.2)).over(1).boundaries == (0, 1)


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (Cosine(1.0, steps=10), 10), (Constant(1.0), None), (Warmup(OneCycle(1.0, steps=10), 5), 10),
        (Joined((Constant(1.0), Polynomial(1.0, steps=10)), (5,)), 15), (Joined((Constant(1.0),), ()), None),
        (Joined((Cosine(1.0, steps=10),), ()), 10),
    ],
    ids=repr,
)
def test_length(schedule, length):
    assert schedule.length == length

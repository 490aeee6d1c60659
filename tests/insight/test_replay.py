"""Replays: what one thing that is changed brings, beside what theory says of quadratics."""

import math

import numpy as np
import pytest

from descend import SGD, Adam, InputError, begin
from descend.insight import what_if
from descend.insight.judging import FARTHEST, Judge, gain, judge_of
from descend.insight.replay import AS_IT_WAS, Change, replayed
from descend.sources import IterableBatches, MiniBatches

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5], np.float32) + 0.1 * RNG.normal(size=120).astype(np.float32)


def bowl(x):
    return 0.5 * (x**2).sum()


def loss(w, batch):
    rows, target = batch
    return ((rows @ w - target) ** 2).mean()


@pytest.fixture(scope="module")
def line():
    return begin(loss, np.zeros(3), (X, Y), optimizer=SGD(0.05), batch_size=20)


def test_the_gain_is_that_of_theory():
    """θ falls by 1 − η a step, so that the loss is (1 − η)²ⁿ of the first."""
    replay = what_if(begin(bowl, np.array([4.0, -2.0]), optimizer=SGD(0.1)), steps=5, learning_rate=0.3)
    np.testing.assert_allclose(replay.before / replay.start, 0.9**10, rtol=5e-3)  # each draw begins a little elsewhere
    np.testing.assert_allclose(replay.after / replay.start, 0.7**10, rtol=5e-3)
    floor = 0.01
    assert replay.gain == pytest.approx(math.log((0.9**10 + floor) / (0.7**10 + floor)), rel=1e-2)
    assert replay.verdict == "proved"
    low, high = replay.interval
    assert low < replay.gain < high


def test_draws_are_the_same_with_and_without_the_change(line):
    same = what_if(line, steps=10, learning_rate=0.05)
    np.testing.assert_array_equal(same.before, same.after)
    assert len(set(same.before.tolist())) == len(same.before)
    assert same.verdict == "not proved"


def test_what_makes_it_worse_is_refuted(line):
    assert what_if(line, steps=10, learning_rate=0.0001).verdict == "refuted"


def test_a_descent_that_diverges_is_worse_than_any(line):
    replay = what_if(line.fork(learning_rate=1e30), steps=10, learning_rate=0.05)
    assert np.isnan(replay.before).all()
    assert replay.gain == FARTHEST
    assert replay.verdict == "proved"
    assert "not finite in 6" in str(replay)


def test_who_does_not_descend_has_proved_nothing(line):
    """Less harm is no cure: the loss has to fall."""
    replay = what_if(line.fork(learning_rate=3.0), steps=4, learning_rate=1.5)
    assert replay.gain > 1
    assert replay.verdict == "not proved"


def test_batches_of_another_size_see_as_many_examples(line):
    change = Change("with half", lambda run: run.fork(batch_size=10), examples=0.5)
    seen = []
    judge = Judge((X, Y))
    counting = Change("", change.make, judge=lambda j: j, examples=0.5)
    made = replayed(line, [counting], 8, 2, judge)
    for steps, run in ((8, line), (16, counting.make(line))):
        end = run.fork(seed=1).advance(steps)[0]
        seen.append(judge(end))
    np.testing.assert_allclose([made[0].before[0], made[0].after[0]], seen, rtol=1e-5)


def test_held_out_examples_have_a_say(line):
    """Two examples are learned by heart, which the held-out ones do not like: the gain is not proved."""
    few = begin(loss, np.zeros(3), (X[:2], Y[:2] + 5), optimizer=SGD(0.001), batch_size=2)
    faster = Change("faster", lambda run: run.fork(learning_rate=0.2))
    (replay,) = replayed(few, [faster], 60, 3, judge_of(few), held_out=judge_of(few, (X, Y)))
    assert replay.gain > 0.5
    assert replay.held_out.gain < 0
    assert replay.verdict != "proved"


def test_changes_follow_each_other(line):
    twice = Change("a", lambda run: run.fork(learning_rate=0.1)).then(Change("b", lambda run: run.fork(batch_size=10)))
    run = twice.make(line)
    assert (run.descent.optimizer.learning_rate, run.descent.source.batch_size) == (0.1, 10)
    assert AS_IT_WAS.then(twice).words == "as it was, then a, then b"


@pytest.mark.parametrize(
    ("before", "after", "start", "expected"),
    [
        (1.0, 1.0, 2.0, 0.0),
        (2.0, 1.0, 2.0, math.log(2.02 / 1.02)),
        (1e-9, 1e-12, 2.0, 0.0),
        (math.nan, 1.0, 2.0, FARTHEST),
        (1.0, math.inf, 2.0, -FARTHEST),
        (math.nan, math.inf, 2.0, 0.0),
        (-1.0, -3.0, 4.0, 0.5),
    ],
)
def test_a_gain(before, after, start, expected):
    assert gain(before, after, start) == pytest.approx(expected, abs=1e-6)


def test_a_figure(line):
    figure = what_if(line, steps=4, draws=2, learning_rate=0.1).plot()
    assert len(figure.data) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "takes one change"),
        ({"learning_rate": 0.1, "change": lambda run: run}, "takes one change"),
        ({"learning_rate": 0.1, "draws": 1}, "draws must be at least 2"),
        ({"learning_rate": -1.0}, "learning_rate"),
    ],
)
def test_what_is_refused(line, settings, told):
    with pytest.raises(InputError, match=told):
        what_if(line, steps=2, **settings)


def test_batches_of_a_loader_need_examples():
    batches = [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 120, 20)]
    run = begin(loss, np.zeros(3), IterableBatches(lambda epoch: iter(batches)), optimizer=Adam(0.01))
    with pytest.raises(InputError, match="give data=, some of them"):
        what_if(run, steps=2, learning_rate=0.1)
    assert what_if(run, steps=4, draws=2, learning_rate=0.1, data=(X, Y)).gain > 0


@pytest.mark.parametrize("source", [
    IterableBatches(lambda epoch: ((X[i : i + 20], Y[i : i + 20]) for i in range(0, 120, 20))),
    MiniBatches((X, Y), 20, shuffle=False),
], ids=["a loader", "in their order"])  # fmt: skip
def test_draws_differ_where_no_seed_changes_the_order(source):
    run = begin(loss, np.ones(3), source, optimizer=SGD(0.01))
    replay = what_if(run, steps=3, draws=3, learning_rate=0.02, data=(X, Y))
    assert len(np.unique(replay.before)) == len(np.unique(replay.after)) == 3

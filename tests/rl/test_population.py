"""Policies side by side: each as if it were alone."""

import dataclasses
import os
import signal

import numpy as np
import pytest
from toy_worlds import Walk

from compiling import programs
from descend import InputError
from descend.engine.storing import read_arrays, tree_to_arrays
from descend.rl import PPO, _population

SEEDS = (5, 1, 7)
QUICK = PPO(num_envs=4, num_steps=16, epochs=4, minibatches=2, learning_rate=3e-3)


def bits(result):
    return [array.tobytes() for array in tree_to_arrays(result.policy.network, "").values()]


@pytest.fixture(scope="module")
def together():
    return QUICK.train(Walk(), steps=20_000, evaluate_every=640, seeds=SEEDS)


def test_they_are_what_each_is_alone_bit_for_bit(together):
    for seed, member in zip(SEEDS, together.members, strict=True):
        alone = QUICK.train(Walk(), steps=20_000, evaluate_every=640, seed=seed)
        assert bits(member) == bits(alone)
        assert member.reason == alone.reason
        assert member.history.validation == alone.history.validation
        np.testing.assert_array_equal(member.history["loss"], alone.history["loss"])
        np.testing.assert_array_equal(member.returns, alone.returns)


def test_they_are_told_of_together(together):
    assert together.reason.name == "reached"
    assert together.returns.shape == (3, 100)
    assert together.median == -3
    assert together.spread[0] <= together.median <= together.spread[1]
    assert together.policy in together.policies
    assert together.environment_steps == sum(member.environment_steps for member in together.members)
    assert len({bits(member)[0] for member in together.members}) == 3


def test_observers_are_told_of_the_one_that_has_come_least_far():
    told = []
    QUICK.train(Walk(solved_at=None), steps=1280, seeds=SEEDS, observers=[told.append])
    steps = [progress.step for progress in told]
    assert steps == sorted(steps)
    assert steps[-1] == 160
    assert told[-1].reason.name == "budget"
    assert told[-1].latest["entropy"].shape == (3,)
    assert isinstance(told[-1].validation["return"], float)
    assert [progress.reason for progress in told[:-1]] == [None] * (len(told) - 1)


def test_an_interrupt_ends_all_and_each_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(_population, "POLL_SECONDS", 0.01)  # seconds, after which none of them is at its end
    train = lambda **more: QUICK.train(Walk(solved_at=None), steps=3200, seeds=SEEDS, **more)
    told = []

    def interrupt(progress):
        told.append(progress)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    file = tmp_path / "run"
    part = train(checkpoint=file, observers=[interrupt])
    assert part.reason.name == "interrupted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-1", "run-5", "run-7"]
    went_on, whole = train(checkpoint=file, resume=True), train()
    assert list(map(bits, went_on.members)) == list(map(bits, whole.members))


def test_they_share_what_is_compiled(together):  # which has compiled how to evaluate
    compiled = []
    for shape, seeds in ((8, [0]), (12, [0, 1, 2])):  # of another shape, so that the second finds nothing of the first
        with programs() as found:
            dataclasses.replace(QUICK, num_steps=shape).train(Walk(), steps=64, stop=None, seeds=seeds)
        compiled.append(len(found))
    assert compiled[0] == compiled[1] > 0


def test_an_error_of_one_ends_all(tmp_path, monkeypatch):
    monkeypatch.setattr(_population, "POLL_SECONDS", 0.01)

    def fail(progress):
        raise RuntimeError("of whoever looks on")

    with pytest.raises(RuntimeError, match="looks on"):
        QUICK.train(Walk(), steps=10**6, stop=None, seeds=SEEDS, observers=[fail], checkpoint=tmp_path / "run")
    steps = [int(read_arrays(file)[0]["state/step"]) for file in tmp_path.iterdir()]
    assert len(steps) == 2
    assert max(steps) < 10**5  # of 125,000


@pytest.mark.parametrize(("seeds", "settings", "match"), [
    ([], {}, "at least one"), ([1, 1], {}, "different from each other"),
    ([1, 2], {"network": len}, "one after the other"),
])  # fmt: skip
def test_refused(seeds, settings, match):
    with pytest.raises(InputError, match=match):
        QUICK.train(Walk(), steps=64, seeds=seeds, **settings)

"""Forks of a run that are kept on its way."""

import jax
import numpy as np
import pytest

from descend import SGD, InputError, Trainer, minimize
from descend.engine.snapshots import Snapshots

DATA = np.random.default_rng(0).normal(1, 2, 37).astype(np.float32)


def distance(p, batch):
    return 0.5 * ((p - batch) ** 2).mean()


def fit(**changes):
    settings = {"optimizer": SGD(0.1, momentum=0.5), "batch_size": 5, "steps": 40, "stop": [], "snapshots": True}
    return minimize(distance, 3.0, DATA, **settings | changes)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_none_unless_asked_for():
    assert fit(snapshots=False).snapshots == {}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_at_the_start_and_at_powers_of_two(dtype):
    whole = fit(dtype=dtype, validation=DATA, validate_every=3)
    without = fit(dtype=dtype, validation=DATA, validate_every=3, snapshots=False)
    assert list(whole.snapshots) == [0, 1, 2, 4, 8, 16, 32]
    assert bits((whole.params, whole.run.state, whole.history.columns)) == bits(
        (without.params, without.run.state, without.history.columns)
    )
    for step, run in whole.snapshots.items():
        assert run.step == step
        assert bits(run.advance(40 - step)[0].state) == bits(whole.run.state)


def test_they_are_resumed(tmp_path):
    whole = fit()
    for steps in (0, 1, 5, 16, 40):
        file = tmp_path / f"{steps}"
        fit(steps=steps, checkpoint=file)
        resumed = fit(checkpoint=file, resume=True).snapshots
        assert list(resumed) == list(whole.snapshots)
        assert bits([run.state for run in resumed.values()]) == bits([run.state for run in whole.snapshots.values()])
        assert bits(resumed[8].advance(32)[0].state) == bits(whole.run.state)


def test_that_of_a_rate_that_was_found_has_it():
    whole = fit(optimizer="auto")
    assert bits(whole.snapshots[0].advance(40)[0].params) == bits(whole.params)


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (2, {1: [0, 1], 2: [0, 2], 8: [0, 8], 127: [0, 8], 128: [0, 128]}),
        (3, {2: [0, 1, 2], 7: [0, 1, 2], 8: [0, 2, 8], 127: [0, 2, 8], 128: [0, 8, 128]}),
        (5, {31: [0, 1, 2, 4, 8], 32: [0, 2, 8, 32], 599: [0, 2, 8, 32, 128]}),
    ],
)
def test_they_are_thinned_out_where_they_have_no_room(room, kept):
    run, found = fit(snapshots=False, steps=1).run, Snapshots(room)
    at = lambda step: type(run)(run.state._replace(step=np.int32(step)), run.descent)
    for step in range(600):
        if step == 0 or found.after(step - 1) == step:
            found = found.keep(at(step))
        if step in kept:
            assert list(found.runs) == kept[step]
        assert 1 <= len(found.runs) <= room


def test_room_is_counted_in_bytes():
    run = fit(steps=1).run
    size = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(run.state))
    assert list(fit(snapshots=5 * size).snapshots) == [0, 2, 8, 32]
    assert list(fit(snapshots=7 * size).snapshots) == [0, 1, 2, 4, 8, 16, 32]
    with pytest.raises(InputError, match=f"have no room for two runs of {size}: give at least {2 * size}"):
        fit(snapshots=2 * size - 1)


def test_a_step_that_is_not_made_does_not_touch_them():
    whole = minimize(lambda x: (x**2).sum(), [1.0], optimizer=SGD(1e10), steps=40, stop=[], snapshots=True)
    assert whole.reason.name == "diverged"
    assert all(int(run.state.guard.status) == 0 for run in whole.snapshots.values())


def test_a_fork_has_those_before_it():
    trainer = Trainer.begin(distance, 3.0, DATA, optimizer=SGD(0.1), batch_size=5, steps=9, stop=[], snapshots=True)
    trainer.advance(steps=3)
    fork = trainer.fork()
    trainer.advance(steps=1)
    assert (list(fork.result().snapshots), list(trainer.result().snapshots)) == ([0, 1, 2], [0, 1, 2, 4])

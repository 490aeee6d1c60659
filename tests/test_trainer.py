"""A descent that is taken further from outside: advanced, changed, forked, gone on with for longer."""

import contextlib
import inspect

import jax
import numpy as np
import pytest

from descend import SGD, Checkpoint, CheckpointError, InputError, Trainer, minimize
from descend.optimizers import Accumulate
from descend.schedules import Cosine, Joined, MultiStep, OneCycle, Warmup, WarmupStableDecay
from enforced import without_types

DATA = np.random.default_rng(0).normal(1, 2, 37).astype(np.float32)


def distance(p, batch):
    return 0.5 * ((p - batch) ** 2).mean()


def square(x):
    return 0.5 * (x**2).sum()


def settings(**changes):
    return {"optimizer": SGD(0.1, momentum=0.5), "batch_size": 5, "steps": 40, "stop": [], **changes}


def begun(**changes):
    return Trainer.begin(distance, 3.0, DATA, **settings(**changes))


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def assert_same(fit, other):
    assert str(fit.reason) == str(other.reason)
    assert fit.best == other.best
    assert bits((fit.params, fit.run.state)) == bits((other.params, other.run.state))
    assert bits(fit.history.columns) == bits(other.history.columns)
    assert fit.history.validation == other.history.validation


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.safetensors"


# ------------------------------------------------------------------------------------------------- advancing


def test_it_takes_what_minimize_takes():
    ours, theirs = inspect.signature(Trainer.begin), inspect.signature(minimize)
    assert list(ours.parameters.values()) == [p for name, p in theirs.parameters.items() if name != "restarts"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bit_by_bit_it_is_the_descent_of_minimize(dtype):
    changes = {"validation": DATA[:9], "validate_every": 7, "dtype": dtype}
    trainer = begun(**changes)
    assert [trainer.advance(steps=n).step for n in (1, 2, 10)] == [1, 3, 13]
    assert trainer.reason is None
    while trainer.reason is None:
        trainer.advance(seconds=1e-3)
    assert_same(trainer.result(), minimize(distance, 3.0, DATA, **settings(**changes)))


def test_by_default_it_goes_on_for_a_tenth_of_a_second():
    trainer = Trainer.begin(square, [1.0], optimizer=SGD(1e-6), steps=10**9, stop=[])
    trainer.advance(steps=100)
    before = trainer.progress.seconds
    trainer.advance()
    assert 0.05 < trainer.progress.seconds - before < 5


def test_it_tells_how_far_it_has_come_and_what_came_of_it_so_far():
    trainer = begun()
    assert (trainer.progress.step, trainer.progress.latest) == (0, {})
    trainer.advance(steps=8)
    progress, fit = trainer.progress, trainer.result()
    assert (progress.step, progress.steps, progress.epoch, progress.reason) == (8, 40, 8 / 7.4, None)
    assert progress.latest["loss"] == np.float32(fit.loss) == trainer.history["loss"][-1]
    assert str(fit.reason) == "interrupted: it is at rest after 8 steps, and may go on"
    assert repr(trainer).startswith("Trainer(at rest; 8 steps in ")
    assert trainer.to_the_end().reason.name == "budget"
    assert repr(trainer).startswith("Trainer(budget: 40 steps were made; 40 steps in ")


def test_an_ended_one_stays_ended():
    trainer = begun(steps=3)
    end = trainer.to_the_end()
    assert trainer.advance(steps=5).step == 3
    assert_same(trainer.result(), end)


def test_no_steps_are_a_run_before_its_first(monkeypatch):
    monkeypatch.setattr("descend.engine.programs._compiled", lambda *given: pytest.fail("compiled"))
    for more in ({"steps": 0}, {"epochs": 0}, {"steps": 0, "optimizer": "auto"}):
        fit = minimize(distance, 3.0, DATA, **settings(steps=None) | more)
        assert (fit.reason.name, fit.reason.step, fit.run.step, float(fit.params)) == ("budget", 0, 0, 3.0)
        assert len(fit.history) == 0


# -------------------------------------------------------------------------------------- observers and checkpoints


class Witness(contextlib.AbstractContextManager):
    def __init__(self):
        self.seen = []

    def __enter__(self):
        self.seen.append("in")

    def __call__(self, progress):
        self.seen.append(progress.step)

    def __exit__(self, kind, *others):
        self.seen.append(kind)


def test_observers_stay_until_it_is_closed():
    witness = Witness()
    trainer = begun(observers=[witness])
    trainer.advance(steps=1)
    trainer.advance(steps=1)
    trainer.close()
    assert witness.seen == ["in", 1, 2, None]
    with pytest.raises(InputError) as caught, trainer, without_types():
        trainer.advance(steps="one")
    assert witness.seen[4:] == ["in", caught.type]


def test_it_saves_when_it_is_closed(file):
    with begun(checkpoint=Checkpoint(file, every=1e9)) as trainer:
        trainer.advance(steps=11)
        assert not file.exists()
    resumed = begun(checkpoint=file, resume=True)
    assert resumed.run.step == 11
    assert_same(resumed.to_the_end(), minimize(distance, 3.0, DATA, **settings()))


# ------------------------------------------------------------------------------------------- changes and forks


def test_another_rate_from_here_on():
    trainer = Trainer.begin(square, [1.0], optimizer=SGD(Cosine(0.5)), steps=8, stop=[])
    trainer.advance(steps=3)
    before = float(trainer.run.params[0])
    trainer.change(learning_rate=0.25)
    fit = trainer.to_the_end()
    assert fit.history["learning_rate"][3:].tolist() == [0.25] * 5
    assert fit.history.changes == {"step": [3], "learning_rate": [0.25]}
    assert float(fit.params[0]) == pytest.approx(before * 0.75**5)


def test_a_changed_one_resumes_with_its_rate(file):
    trainer = begun(checkpoint=file, snapshots=True)
    for steps, rate in ((4, 0.05), (3, 0.02), (2, None)):  # a snapshot is of before the change
        trainer.advance(steps=steps)
        if rate:
            trainer.change(learning_rate=rate)
    trainer.close()
    resumed = begun(checkpoint=file, resume=True, snapshots=True)
    rates = {step: float(run.descent.optimizer.learning_rate) for step, run in resumed.snapshots.runs.items()}
    assert rates == {0: 0.1, 1: 0.1, 2: 0.1, 4: 0.1, 8: 0.02}
    assert resumed.history.changes == trainer.history.changes
    assert_same(resumed.to_the_end(), trainer.to_the_end())


def test_a_rate_that_is_given_needs_no_search():
    trainer = begun(optimizer="auto")
    trainer.change(learning_rate=0.01)
    fit = trainer.to_the_end()
    assert (fit.search, set(fit.history["learning_rate"])) == (None, {np.float32(0.01)})


def test_forks_go_on_by_themselves(file):
    trainer = begun(checkpoint=file, observers=[Witness()])
    trainer.advance(steps=10)
    fork = trainer.fork()
    fork.change(learning_rate=0.5)
    saved = file.exists()
    other = fork.to_the_end()
    assert file.exists() == saved
    assert (trainer.run.step, len(trainer.history), trainer.history.changes) == (10, 10, {})
    assert_same(trainer.to_the_end(), minimize(distance, 3.0, DATA, **settings()))
    assert other.history["learning_rate"].tolist() == pytest.approx([0.1] * 10 + [0.5] * 30)


# ---------------------------------------------------------------------------------------------- going on longer


def stopped(file, rate, steps, made):
    """Leaves a checkpoint of a descent for so many steps, of which so many are made."""
    with begun(optimizer=SGD(rate), steps=steps, checkpoint=file) as trainer:
        trainer.advance(steps=made)


def gone_on(file, rate, steps):
    return minimize(distance, 3.0, DATA, **settings(optimizer=SGD(rate), steps=steps), checkpoint=file, resume=True)


@pytest.mark.parametrize(
    ("rate", "made", "whole"),
    [
        (0.1, 20, 0.1),
        (Cosine(0.1, steps=15), 20, Cosine(0.1, steps=15)),
        (WarmupStableDecay(0.1), 17, WarmupStableDecay(0.1, warmup=1)),
        (WarmupStableDecay(0.1, warmup=3), 17, WarmupStableDecay(0.1, warmup=3)),
        (Warmup(0.1, 0.25), 20, Warmup(0.1, 5)),
        (MultiStep(0.1, (0.5, 0.75)), 10, MultiStep(0.1, (0.5, 0.75))),
        (Joined((0.1, Cosine(0.05)), (12,)), 12, Joined((0.1, Cosine(0.05)), (12,))),
        (OneCycle(0.1, rise=0.5), 10, OneCycle(0.1, rise=10)),
        (Cosine(0.1), 0, Cosine(0.1)),
    ],
    ids=repr,
)
def test_it_goes_on_for_longer(rate, made, whole, file):
    """As if it had always been meant to, where the rates of the steps that were made allow it."""
    stopped(file, rate, 20, made)
    assert_same(gone_on(file, rate, 35), minimize(distance, 3.0, DATA, **settings(optimizer=SGD(whole), steps=35)))


@pytest.mark.parametrize(
    ("rate", "made"),
    [(Cosine(0.1), 5), (OneCycle(0.1), 12), (WarmupStableDecay(0.1), 18), (MultiStep(0.1, (0.5, 0.75)), 11)],
    ids=repr,
)
def test_it_does_not_go_on_where_its_past_would_have_been_another(rate, made, file):
    stopped(file, rate, 20, made)
    expected = f"begun for 20 steps, and for 35 the first {made} rates would have been others: go on for 20, or begin"
    with pytest.raises(CheckpointError, match=expected):
        gone_on(file, rate, 35)
    assert gone_on(file, rate, 20).reason.step == 20


def test_a_decay_may_begin_sooner(file):
    rate = WarmupStableDecay(0.1, warmup=2, decay=5)
    stopped(file, rate, 40, 12)
    whole = minimize(distance, 3.0, DATA, **settings(optimizer=SGD(rate), steps=20))
    assert_same(gone_on(file, rate, 20), whole)


def test_steps_are_counted_as_the_rule_around_a_schedule_counts_them(file):
    rule = lambda rate: Accumulate(SGD(rate), batches=4)
    rate, more = WarmupStableDecay(0.1, warmup=2), settings(steps=None)
    with begun(**more | {"optimizer": rule(rate), "steps": 40}, checkpoint=file) as trainer:
        trainer.advance(steps=32)  # eight of the rule's ten; the last two decay
    changes = more | {"optimizer": rule(rate), "steps": 80}
    resumed = minimize(distance, 3.0, DATA, **changes, checkpoint=file, resume=True)
    assert_same(resumed, minimize(distance, 3.0, DATA, **changes))


def test_a_rate_that_was_found_for_so_many_steps_is_not_for_more(file):
    changes = settings(optimizer="auto", steps=20)
    minimize(distance, 3.0, DATA, **changes, checkpoint=file)
    with pytest.raises(CheckpointError, match="optimizer='auto' found falls to nothing over the 20 steps"):
        minimize(distance, 3.0, DATA, **changes | {"steps": 40}, checkpoint=file, resume=True)
    auto = {"optimizer": "auto", "stop": []}
    minimize(square, [1.0, 2.0], steps=2, **auto, checkpoint=file)  # a line search has no length
    assert minimize(square, [1.0, 2.0], steps=3, **auto, checkpoint=file, resume=True).run.step == 3

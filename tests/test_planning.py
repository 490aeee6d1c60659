"""A rate that falls over the steps has fallen when the seconds are over: how many there is time for is planned.

The clock is one that only what is thought to be slow moves: each batch, each tracing of the loss, each validation.
"""

import math
import os
import signal
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from clocks import Clock
from descend import SGD, Adam, CheckpointError, Trainer, minimize
from descend.engine.rate_search import RateSearch
from descend.engine.storing import read_arrays
from descend.schedules import Cosine, Polynomial
from descend.sources import IterableBatches

DATA = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
FALLING = Adam(Polynomial(0.1))


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    for module in ("engine.timed", "engine.rate_search", "training"):
        monkeypatch.setattr(f"descend.{module}.time", SimpleNamespace(perf_counter=made.perf_counter))
    # A batch for each dispatch.
    monkeypatch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)
    return made


def slow(clock, seconds=0.01):
    return IterableBatches(lambda epoch: (clock.takes(seconds, DATA[i : i + 10]) for i in range(0, 40, 10)))


def loss(w, batch):
    return jnp.mean((batch @ w - 1.0) ** 2)


def rates_of(fit):
    return fit.history.columns["learning_rate"]


@pytest.mark.parametrize("optimizer", ["auto", FALLING])
@pytest.mark.parametrize("budget", [{}, {"steps": 10_000}])
def test_the_rate_falls_over_the_steps_that_there_is_time_for(clock, optimizer, budget):
    """Of ten seconds, there are steps of a hundredth: for a thousand, less what was timed, tried and spared."""
    fit = minimize(loss, np.zeros(3), slow(clock), optimizer=optimizer, seconds=10.0, **budget)
    planned = fit.reason.step
    assert fit.reason.evidence == f"the {planned:,} steps that there was thought to be time for were made"
    assert 0.65 * 1000 <= planned <= 950
    assert clock.now - 100.0 <= 10.0
    assert rates_of(fit)[-1] <= 2 * rates_of(fit).max() / planned


def test_trials_take_their_share_of_a_short_time(clock):
    """Fifty steps each would take half of it; a fifth is theirs, and what tells where they began."""
    fit = minimize(loss, np.zeros(3), slow(clock), seconds=3.0)
    assert len(fit.search.trials) >= 3
    assert 0.6 * 0.2 * 300 <= 3.2 * fit.search.steps_each <= 0.2 * 300


def test_validations_on_the_way_are_planned_for(clock):
    """One takes as long as ten steps, and comes every ten: so half as many are planned."""
    validated = lambda w: clock.takes(0.1, float(np.sum(w)))
    fit = minimize(loss, np.zeros(3), slow(clock), optimizer=FALLING, seconds=10.0, validation=validated,
                   validate_every=10, stop=[])
    assert 0.8 * 500 <= fit.reason.step <= 500
    assert "thought to be time for" in fit.reason.evidence
    assert fit.history.validation["step"] == [*range(10, fit.reason.step, 10), fit.reason.step]


def test_where_there_is_time_for_all_nothing_changes(clock):
    fits = [minimize(loss, np.zeros(3), slow(clock), steps=60, **more) for more in ({}, {"seconds": 1000.0})]
    for fit in fits:
        assert (fit.reason.step, fit.reason.evidence) == (60, "60 steps were made")
    np.testing.assert_array_equal(*map(rates_of, fits))
    np.testing.assert_array_equal(*(fit.params for fit in fits))


def test_a_constant_rate_needs_no_plan(clock):
    fit = minimize(loss, np.zeros(3), slow(clock, 0.1), optimizer=SGD(0.1), seconds=10.0)
    assert fit.reason.evidence.startswith("the 10 seconds were used up")
    assert fit.reason.step == pytest.approx(100, abs=2)  # none was spent on timing


def test_the_plan_is_kept_by_who_goes_on(clock, tmp_path):
    """A machine that is half as fast later on changes no rate."""
    path, pressed = tmp_path / "run", []

    def press(progress):
        if progress.step >= 100 and not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))

    settings = {"optimizer": FALLING, "seconds": 10.0, "checkpoint": path}
    first = minimize(loss, np.zeros(3), slow(clock), observers=[press], **settings)
    assert first.reason.name == "interrupted"
    planned = read_arrays(path)[1]["planned"]
    second = minimize(loss, np.zeros(3), slow(clock, 0.005), resume=True, **settings)
    assert second.reason.step == read_arrays(path)[1]["planned"] == planned
    steps = np.arange(planned)
    np.testing.assert_allclose(rates_of(second), 0.1 * (1 - steps / planned), rtol=1e-4, atol=1e-7)


def test_another_length_takes_the_place_of_the_plan(clock, tmp_path):
    """Which a rule with a schedule refuses, as its past would be another; and so does a rate that was found."""
    for number, optimizer in enumerate((FALLING, "auto")):
        settings = {"optimizer": optimizer, "checkpoint": tmp_path / str(number)}
        ended = minimize(loss, np.zeros(3), slow(clock), seconds=3.0, **settings)
        with pytest.raises(CheckpointError, match=str(ended.reason.step)):
            minimize(loss, np.zeros(3), slow(clock), steps=5000, resume=True, **settings)


def test_what_would_take_too_long_to_compile_again_is_left(clock):
    """A schedule's own lengths are constants of the program. To trace takes two seconds here: of four, too many."""
    traced = lambda w, batch: clock.takes(2.0, loss(w, batch))
    settings = {"optimizer": Adam(Cosine(0.1)), "steps": 100_000}
    assert minimize(traced, np.zeros(3), slow(clock), seconds=7.0, **settings).reason.evidence.startswith("the 7 sec")
    assert "thought" in minimize(traced, np.zeros(3), slow(clock), seconds=40.0, **settings).reason.evidence


def test_a_rule_that_falls_needs_no_steps(clock):
    with Trainer.begin(loss, np.zeros(3), slow(clock), optimizer=FALLING, seconds=10.0) as trainer:
        assert trainer.progress.steps is None
        trainer.advance(steps=1)
        assert trainer.progress.steps == trainer.limit.steps > 800
        trainer.to_the_end()


def test_a_descent_that_ends_at_once_is_not_planned():
    """Its second step is not finite, so that no more can be timed: to try would take all of a minute."""
    fit = minimize(lambda w, batch: jnp.sum(w) * jnp.where(jnp.sum(w) == 0, 1.0, jnp.nan), np.zeros(3), DATA,
                   batch_size=10, optimizer=FALLING, seconds=60.0)
    assert (fit.reason.name, fit.reason.step) == ("diverged", 1)
    assert fit.seconds < 30


@pytest.mark.parametrize("steps", [100, 1000, 10_000])
def test_how_long_trials_are(steps):
    assert RateSearch(steps).in_time(steps).steps_each <= max(0.2 * steps / 3.2, 10)
    assert math.isinf(RateSearch(steps).most_each)

"""`optimizer="auto"`: the rule that is taken, and the search for its learning rate."""

import math
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from descend import begin, minimize
from descend.engine.rate_search import (
    BETA2,
    CAREFUL_RATE,
    DECADES_APART,
    FORGETTING,
    FULL_PASSES,
    MAX_DECAY,
    MAX_TRIAL_STEPS,
    MAX_TRIALS,
    MIN_TRIAL_STEPS,
    UNKNOWN_PER_EXAMPLE,
    USUAL_RATE,
    RateSearch,
    Search,
    Trial,
    next_rates,
    rate_of,
)
from descend.errors import CheckpointError
from descend.observers.progress import words
from descend.optimizers import EMA, LBFGS, AdamW
from descend.schedules.trapezium import Trapezium
from descend.sources import HostArrays, IterableBatches

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 6)).astype(np.float32)
Y = (X @ rng.normal(size=6) + 0.1 * rng.normal(size=500)).astype(np.float32)


def squares(w, batch):
    rows, y = batch
    return jnp.mean((rows @ w - y) ** 2)


def searched(loss, start=1.0):
    """The trials of a loss that the logarithm of the rate tells, and the rate that is taken."""
    trials: list[Trial] = []
    while rates := next_rates(trials, start):
        trials += [Trial(rate, loss(math.log10(rate))) for rate in rates]
    return trials, rate_of(trials, start)


class TestSearch:
    @pytest.mark.parametrize("exponent", [-3.0, -2.5, -2.0, -1.5, -1.0])
    def test_goes_where_the_loss_falls(self, exponent):
        trials, rate = searched(lambda log: 0.2 * (log - exponent) ** 2)
        assert math.log10(rate) == pytest.approx(exponent)
        assert len(trials) <= MAX_TRIALS

    @pytest.mark.parametrize(("exponent", "least"), [(-6.0, -3.5), (2.0, -0.5)])
    def test_goes_on_for_as_long_as_it_may(self, exponent, least):
        trials, rate = searched(lambda log: 0.1 * abs(log - exponent))
        assert math.log10(rate) == pytest.approx(least)
        assert len(trials) == MAX_TRIALS

    @pytest.mark.parametrize(("height", "enough"), [(1.0, 0.03), (0.01, 0.001)])  # 3 % of 1, 10 % of 0.01
    def test_stays_at_the_usual_rate_where_others_bring_hardly_more(self, height, enough):
        up = lambda log: (log - math.log10(USUAL_RATE)) / DECADES_APART  # in steps of the search
        trials, rate = searched(lambda log: height - 0.9 * enough * up(log), start=1 + height)
        assert rate == USUAL_RATE
        assert len(trials) == 3
        assert searched(lambda log: height - 1.2 * enough * up(log), start=1 + height)[1] > USUAL_RATE

    def test_comes_back_from_rates_that_diverge(self):
        _, rate = searched(lambda log: math.inf if log > -2.7 else 0.5)
        assert math.log10(rate) == pytest.approx(-3.0)
        assert next_rates([Trial(rate, math.inf) for rate in (1e-2, 1e-1, 1e-3)], 1.0)[0] < 1e-3
        assert searched(lambda _: math.inf)[1] < 1e-4

    def test_is_careful_where_all_rates_led_up(self):
        assert searched(lambda log: 2.0 + log / 10)[1] <= CAREFUL_RATE
        assert searched(lambda _: 1.0)[1] == CAREFUL_RATE

    @pytest.mark.parametrize("steps", [1, 100, 3_000, 10**7, None])
    def test_its_cost_is_bounded(self, steps):
        each = RateSearch(steps).steps_each
        assert MIN_TRIAL_STEPS <= each <= MAX_TRIAL_STEPS
        assert 3.2 * each <= max(0.13 * (steps or math.inf), 160)
        assert (MAX_TRIALS + 0.2) * each <= max(0.21 * (steps or math.inf), 260)

    @pytest.mark.parametrize("steps", [100, 1500, 20_000])
    def test_so_is_that_of_one_that_sees_nothing(self, steps, monkeypatch):
        """All that it advances, of a loss that no step changes."""
        taken = []

        def counted(run, n):
            taken.append(n)
            return run.advance(n)

        monkeypatch.setattr("descend.engine.rate_search.advance", counted)
        run = begin(lambda w, batch: jnp.mean(batch) + 0.0 * w.sum(), np.zeros(6), Y,
                    optimizer=RateSearch(steps).rule(USUAL_RATE), batch_size=10)
        found = RateSearch(steps)(run, lambda: False, lambda *_: None)
        assert not found.seen
        assert 250 < sum(taken) <= max(steps / 2, 1200)


def test_a_trapezium_rises_and_falls():
    rate = Trapezium(2.0, 10.0, 110.0)
    assert [float(rate(t)) for t in (0, 4, 9, 10, 60, 110, 500)] == pytest.approx([0.2, 1, 2, 2, 1, 0, 0])


class TestMinimize:
    def test_batches_are_descended_on_at_a_rate_that_was_found(self):
        fit = minimize(squares, np.zeros(6), (X, Y), batch_size=50, steps=300)
        assert isinstance(fit.run.descent.optimizer, AdamW)
        assert fit.run.descent.optimizer.beta2 == BETA2
        assert 3 <= len(fit.search.trials) <= MAX_TRIALS
        assert fit.search.steps_each == MIN_TRIAL_STEPS
        assert fit.loss < 0.02  # the noise's share is 0.01
        assert fit.reason.step == 300
        assert len(fit.history["loss"]) == 300
        assert fit.search.seen
        assert f"loss after {MIN_TRIAL_STEPS} steps each" in repr(fit.search)
        assert "little was seen" not in repr(fit.search)

    def test_where_first_steps_tell_nothing_trials_are_made_longer_and_the_search_says_so(self):
        """Labels that are noise: no rate leads below the start."""
        noise = np.random.default_rng(3).normal(size=(500, 1)).astype(np.float32)
        fit = minimize(lambda w, batch: jnp.mean((batch - 0.0 * w.sum()) ** 2), np.zeros(6), noise, steps=400)
        assert not fit.search.seen
        assert fit.search.steps_each == 2 * MIN_TRIAL_STEPS
        assert fit.search.rate == CAREFUL_RATE
        assert "little was seen" in repr(fit.search)

    def test_a_matrix_whose_factors_have_to_grow_first_is_learnt(self):
        """Rank 4, without noise; the loss hardly falls in the first steps, and rises at rates that are too high."""
        draw = np.random.default_rng(3)
        left, right = draw.normal(size=(100, 4)), draw.normal(size=(80, 4))
        order = draw.permutation(8000)[:4000]
        places = np.stack([order // 80, order % 80], 1).astype(np.int32)
        values = (left @ right.T)[places[:, 0], places[:, 1]].astype(np.float32)

        def loss(p, batch):
            at, value = batch
            return ((jnp.sum(p["u"][at[:, 0]] * p["v"][at[:, 1]], axis=1) - value) ** 2).mean()

        start = {"u": 0.3 * draw.normal(size=(100, 4)), "v": 0.3 * draw.normal(size=(80, 4))}
        fit = minimize(loss, start, (places, values), batch_size=32, steps=1500)
        assert fit.search.steps_each == 120  # in trials of sixty, nothing was seen
        assert fit.search.seen
        assert fit.history["loss"][-100:].mean() < 0.01 * values.var()

    @pytest.mark.parametrize(("width", "epochs"), [(6, 1), (6, 30), (600, 2), (600, 30)])
    def test_what_weights_forget_depends_on_how_many_there_are_and_how_often_examples_are_seen(self, width, epochs):
        def wide(w, batch):
            return squares(w.reshape(6, -1).mean(axis=1), batch)

        for data, size in (((X, Y), 10), (HostArrays((X, Y), 10), None)):
            fit = minimize(wide, np.zeros(width), data, batch_size=size, epochs=epochs)
            rule = fit.run.descent.optimizer
            forgotten = rule.weight_decay * float(np.sum(rule.learning_rate(np.arange(50 * epochs))))
            expected = FORGETTING * (width / 500) ** 0.5 * min(epochs / FULL_PASSES, 1)
            assert forgotten == pytest.approx(expected, rel=0.05) or rule.weight_decay == MAX_DECAY

    def test_nobody_knows_how_many_examples_a_stream_has(self):
        unknown = IterableBatches(lambda epoch: [(X[:50], Y[:50])])
        fit = minimize(squares, np.zeros(6), unknown, steps=100)
        rule = fit.run.descent.optimizer
        forgotten = FORGETTING * UNKNOWN_PER_EXAMPLE**0.5
        assert rule.weight_decay == pytest.approx(min(forgotten / (fit.search.rate * 50), MAX_DECAY))

    def test_whole_functions_are_left_to_a_line_search(self):
        assert isinstance(minimize(lambda x: (x**2).sum(), [1.0, 2.0]).run.descent.optimizer, LBFGS)
        whole = minimize(squares, np.zeros(6), (X, Y), batch_size=500)
        assert isinstance(whole.run.descent.optimizer, LBFGS)
        assert whole.search is None
        np.testing.assert_allclose(whole.params, np.linalg.lstsq(X, Y, rcond=None)[0], rtol=1e-4)

    def test_a_loss_with_noise_in_it_is_not(self):
        def noisy(w, batch, key):
            return squares(w, batch) + 0.0 * jax.random.uniform(key)

        fit = minimize(noisy, np.zeros(6), (X, Y), batch_size=500, steps=20, stop=[])
        assert isinstance(fit.run.descent.optimizer, AdamW)

    def test_an_average_is_put_around_the_rule(self):
        fit = minimize(squares, np.zeros(6), (X, Y), steps=40, ema=0.9)
        assert isinstance(fit.run.descent.optimizer, EMA)
        assert isinstance(fit.run.descent.optimizer.rule, AdamW)

    def test_observers_are_told_of_the_search(self):
        seen = []
        minimize(squares, np.zeros(6), (X, Y), steps=40, observers=[seen.append])
        assert [progress.tried for progress in seen[:4]] == [*((i, MAX_TRIALS) for i in (0, 3, 4)), None]
        assert {progress.step for progress in seen[:3]} == {0}
        assert words(seen[1], 80) == ["looking for a learning rate", f"3 of {MAX_TRIALS} tried"]

    def test_the_same_seed_finds_the_same(self):
        first, second = (minimize(squares, np.zeros(6), (X, Y), steps=60, seed=3) for _ in range(2))
        assert first.search == second.search
        assert np.asarray(first.params).tobytes() == np.asarray(second.params).tobytes()

    def test_resumed_bit_for_bit_without_another_search(self, tmp_path, monkeypatch):
        file = tmp_path / "run"
        settings = {"steps": 5000, "checkpoint": file}
        whole = minimize(squares, np.zeros(6), (X, Y), steps=5000)
        interrupted = minimize(squares, np.zeros(6), (X, Y), **settings, observers=[interrupt_after(30)])
        assert interrupted.reason.name == "interrupted"
        monkeypatch.setattr(RateSearch, "__call__", lambda *_: pytest.fail("searched again"))
        resumed = minimize(squares, np.zeros(6), (X, Y), **settings, resume=True)
        assert resumed.search == whole.search
        assert np.asarray(resumed.params).tobytes() == np.asarray(whole.params).tobytes()

    def test_interrupted_while_it_searches_it_searches_again(self, tmp_path, monkeypatch):
        whole, trial, tried = minimize(squares, np.zeros(6), (X, Y), steps=50), RateSearch._forks, []

        def tries(race, run, rates, steps):
            tried.append(rates)
            if len(tried) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return trial(race, run, rates, steps)

        settings = {"steps": 50, "checkpoint": tmp_path / "run", "resume": True}
        with monkeypatch.context() as patch:
            patch.setattr(RateSearch, "_forks", tries)
            interrupted = minimize(squares, np.zeros(6), (X, Y), **settings)
        assert (interrupted.reason.name, interrupted.reason.step, len(tried)) == ("interrupted", 0, 2)
        resumed = minimize(squares, np.zeros(6), (X, Y), **settings)
        assert resumed.search == whole.search
        assert np.asarray(resumed.params).tobytes() == np.asarray(whole.params).tobytes()

    def test_a_checkpoint_of_another_budget_is_refused(self, tmp_path):
        file = tmp_path / "run"
        minimize(squares, np.zeros(6), (X, Y), steps=30, checkpoint=file)
        with pytest.raises(CheckpointError, match="optimizer"):
            minimize(squares, np.zeros(6), (X, Y), steps=60, checkpoint=file, resume=True)

    def test_the_host_gives_its_batches_again_for_each_trial(self):
        opened = []

        def batches(epoch):
            opened.append(epoch)
            return ((X[i : i + 50], Y[i : i + 50]) for i in range(0, 500, 50))

        fit = minimize(squares, np.zeros(6), IterableBatches(batches), steps=100)
        assert opened.count(0) > MAX_TRIALS
        assert fit.loss < 0.1

    def test_a_loss_that_explodes_at_each_rate_is_still_descended_on(self):
        def cliff(w, batch):
            return jnp.mean(batch @ w**2) + jnp.where(jnp.abs(w).max() > 1.1e-8, jnp.inf, 0.0)

        fit = minimize(cliff, np.zeros(6) + 1e-8, np.abs(X), steps=20)
        assert all(math.isinf(trial.loss) for trial in fit.search.trials)
        assert fit.search.rate < 1e-3

    def test_time_ends_a_search(self):
        fit = minimize(squares, np.zeros(6), (X, Y), seconds=1e-9)
        assert isinstance(fit.search, Search)
        assert fit.reason.name == "budget"


def interrupt_after(step):
    """An observer that presses Ctrl-C once so many steps were made."""
    def observe(progress):
        if progress.step >= step and progress.reason is None:
            os.kill(os.getpid(), signal.SIGINT)

    return observe

"""`seconds=` counts all that goes on in a descent, and what comes after its last step has room in them.

The clock is one that only what is thought to be slow moves: each batch, each tracing of the loss, each validation.
"""

import os
import signal
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from clocks import Clock
from descend import SGD, Trainer, minimize
from descend.engine.interruption import Interruption
from descend.engine.rate_search import RateSearch
from descend.neural import MLPClassifier
from descend.sources import IterableBatches
from descend.stopping import Reason
from descend.tasks.common.linear.progress import ProgressCallback

DATA = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    for module in ("engine.timed", "engine.rate_search", "training", "tasks.common.linear.progress",
                   "neural.language", "neural._classifier", "neural._estimator"):
        monkeypatch.setattr(f"descend.{module}.time", SimpleNamespace(perf_counter=made.perf_counter))
    return made


def batches(clock, seconds):
    return IterableBatches(lambda epoch: (clock.takes(seconds, DATA[i : i + 10]) for i in range(0, 40, 10)))


def loss(w, batch):
    return jnp.mean((batch @ w - 1.0) ** 2)


@pytest.fixture
def slow(clock, monkeypatch):
    """A batch for each dispatch, in half a second."""
    monkeypatch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)
    return batches(clock, 0.5)


def test_steps_end_in_time(clock, slow):
    fit = minimize(loss, np.zeros(3), slow, optimizer=SGD(0.1), seconds=5.0)
    assert fit.reason.name == "budget"
    assert 4.5 <= fit.seconds == clock.now - 100.0 <= 5.5


@pytest.mark.parametrize("limit", [3.0, 9.0])
def test_validations_have_room_at_the_end(clock, slow, limit):
    """One takes as long as three steps."""
    validated = lambda w: clock.takes(1.5, float(np.sum(w)))
    fit = minimize(loss, np.zeros(3), slow, optimizer=SGD(0.1), seconds=limit, validation=validated, validate_every=2)
    assert limit - 2.5 <= fit.seconds == clock.now - 100.0 <= 1.1 * limit
    if limit == 9.0:
        assert fit.history.validation["step"][-1] == fit.reason.step


def test_what_was_never_validated_is_not_when_the_time_is_over(clock, slow):
    """What is known of it is that the first steps took a second, and there are two."""
    validated = lambda w: clock.takes(1.0, 0.0)
    settings = {"optimizer": SGD(0.1), "validation": validated, "validate_every": 100}
    short = minimize(loss, np.zeros(3), slow, seconds=2.0, **settings)
    assert (short.history.validation, short.best.step) == ({}, -1)
    long = minimize(loss, np.zeros(3), slow, seconds=12.0, **settings)
    assert long.history.validation["step"] == [long.reason.step]
    whole = minimize(loss, np.zeros(3), slow, steps=3, **settings)
    assert whole.history.validation["step"] == [3]


def test_tracing_is_counted(clock):
    traced = lambda w, batch: clock.takes(2.0, loss(w, batch))
    fit = minimize(traced, np.zeros(3), DATA, optimizer=SGD(0.1), batch_size=10, steps=3)
    assert fit.seconds == clock.now - 100.0 >= 4.0


def test_between_two_calls_no_time_passes(clock, slow):
    with Trainer.begin(loss, np.zeros(3), slow, optimizer=SGD(0.1), steps=4) as trainer:
        trainer.advance(steps=1)
        before = trainer.progress.seconds
        clock.now += 60.0
        trainer.advance(steps=1)
        assert trainer.progress.seconds == before + 0.5


def test_a_search_ends_in_its_share_of_the_time(clock, slow):
    """A trial of fifty steps would take 25 seconds; there are two for it."""
    fit = minimize(loss, np.zeros(3), slow, seconds=10.0)
    assert fit.search.trials == ()
    assert fit.reason.name == "budget"
    assert 9.0 <= fit.seconds == clock.now - 100.0 <= 11.0
    assert fit.reason.step >= 12


def test_so_it_does_for_ctrl_c(clock, slow):
    pressed = []

    def press(progress):
        if not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))

    fit = minimize(loss, np.zeros(3), slow, steps=5000, observers=[press])
    assert (fit.reason.name, fit.reason.step) == ("interrupted", 0)
    assert clock.now - 100.0 < 5.0


def test_a_search_is_the_same_however_it_is_divided(monkeypatch):
    found = []
    for target in (0.0, 10.0):
        monkeypatch.setattr("descend.engine.pace.DISPATCH_SECONDS", target)
        run = Trainer.begin(loss, np.zeros(3), DATA, batch_size=10, steps=300).run
        found.append(RateSearch(300)(run, lambda: False, lambda *_: None))
    assert found[0] == found[1]


def test_a_linear_model_leaves_room_for_its_last_iterations(clock):
    """Those of a second each, of which one, and one and a half as long on all rows, are still to come."""
    follower = ProgressCallback((), 10.0, Interruption())
    follower.ahead = 1.5
    fitted, context = SimpleNamespace(duality_gap_=0.1, loss_curve_=[1.0]), SimpleNamespace(task_name="iteration")
    asked = []
    for _ in range(10):
        clock.now += 3.0 if not asked else 1.0  # what is compiled for the first is not for the others
        asked.append(follower.on_fit_task_end(None, context, fitted_estimator=fitted))
    assert asked.index(True) == 5  # after 8 seconds; half a second before, there was time for both
    reason = follower.ended(Reason("converged", "", 1))
    assert (reason.name, reason.evidence) == ("budget", "the 10 seconds were used up after 10 iterations")


def test_what_is_prepared_for_a_training_counts(clock, monkeypatch):
    """A network's inputs."""
    inputs = MLPClassifier._inputs
    monkeypatch.setattr(MLPClassifier, "_inputs", lambda self, X, reset: clock.takes(3.0, inputs(self, X, reset=reset)))
    network = MLPClassifier(4, epochs=1, optimizer=SGD(0.1), random_state=0).fit(DATA, np.arange(40) % 2)
    assert 3.0 <= network.training_seconds_ < 4.0

"""What is said of a descent at its end, and which of its settings mattered."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, History, begin, minimize
from descend.engine.advancing import Trace
from descend.insight import sensitivity, verdict
from descend.schedules import Cosine

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)).astype(np.float32)
Y = X @ np.array([1.0, -1.0], np.float32)


def line(w, batch):
    return ((batch[0] @ w["used"] - batch[1]) ** 2).mean()


@pytest.fixture(scope="module")
def result():
    start = {"used": np.zeros(2), "idle": np.zeros(3)}
    return minimize(line, start, (X, Y), optimizer=SGD(0.01), batch_size=10, steps=50, stop=[])


def told(result, losses, optimizer=None):
    """The verdict on a descent whose losses were these."""
    history = History()
    history.extend(Trace(0, {"loss": np.asarray(losses)}))
    run = result.run if optimizer is None else result.run.fork(optimizer=optimizer)
    return str(verdict(dataclasses.replace(result, history=history, run=run)))


def test_parameters_that_no_gradient_comes_to(result):
    assert "No gradient comes to idle: it stays where it began." in verdict(result).sentences


def test_what_twice_the_steps_would_bring(result):
    """Of 1 / t the fall is halved each time that the steps are doubled."""
    steps = np.arange(1, 4001)
    said = told(result, 1000 / steps + 0.01 * RNG.normal(size=4000))
    predicted = float(said.split("about ")[1].rstrip("."))
    assert predicted == pytest.approx(1000 / 8000 * np.log(4 / 3) * 4, rel=0.05)  # the mean of its last quarter


def test_a_loss_that_is_noise_promises_nothing(result):
    assert "more steps so would bring little" in told(result, 1 + 0.1 * RNG.normal(size=4000))


def test_a_schedule_that_ends_is_not_gone_on_with(result):
    assert "twice" not in told(result, 1000 / np.arange(1, 4001), SGD(Cosine(0.1, steps=50)))


def test_a_descent_that_diverged_is_not_looked_into():
    diverged = minimize(lambda w, batch: ((batch[0] @ w - batch[1]) ** 2).mean(), np.zeros(2), (X, Y),
                        optimizer=SGD(1e30), batch_size=10, steps=50, stop=[])  # fmt: skip
    assert diverged.reason.name == "diverged"
    assert verdict(diverged).sentences == ()


def test_the_point_of_a_function():
    found = verdict(minimize(lambda x: ((x - 1.0) ** 2).sum(), jnp.zeros(2)))
    assert found.sentences == ("It ended at a minimum.",)


def test_settings_are_halved_and_doubled():
    """Of a bowl of curvature 1 and heavy-ball steps that are far too short: twice the rate is better, by theory."""
    run = begin(lambda x: 0.5 * (x**2).sum(), np.array([4.0, -2.0]), optimizer=SGD(0.01, momentum=0.5))
    found = sensitivity(run, steps=20, draws=3)
    gains = {replay.words: replay.gain for replay in found.replays}
    assert set(gains) == {"with the learning rate halved", "with the learning rate doubled", "with momentum=0",
                          "with momentum=0.75"}  # fmt: skip
    assert gains["with the learning rate doubled"] > 0 > gains["with the learning rate halved"]
    assert gains["with momentum=0.75"] > 0 > gains["with momentum=0"]
    assert "20 steps" in found.caption
    assert len(found.plot().data[0].x) == 4
    assert str(found).count("\n") == 3


def test_the_batch_is_a_setting_too(result):
    words = [replay.words for replay in sensitivity(result.run, steps=3, draws=2).replays]
    assert {"with batches of 5", "with batches of 20"} <= set(words)

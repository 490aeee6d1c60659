"""What is said of a descent at its end, and which of its settings mattered."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from descend import SGD, AdamW, History, begin, minimize
from descend.engine.advancing import Trace
from descend.insight import Verdict, sensitivity, verdict
from descend.insight.verdict import Verdicts
from descend.optimizers import Freeze
from descend.schedules import Cosine
from descend.sources import MiniBatches
from descend.tasks.table.networks.ensemble import Shape, TrainingLoss, build

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)).astype(np.float32)
Y = X @ np.array([1.0, -1.0], np.float32)


def line(w, batch):
    return ((batch[0] @ w["used"] - batch[1]) ** 2).mean()


@pytest.fixture(scope="module")
def result():
    start = {"used": np.zeros(2), "idle": np.zeros(3)}
    return minimize(line, start, (X, Y), optimizer=SGD(0.01), batch_size=10, steps=50, stop=[])


def told(result, losses, optimizer=None, **validation):
    """The verdict on a descent whose losses were these, and whose validations."""
    history = History()
    history.extend(Trace(0, {"loss": np.asarray(losses), "learning_rate": np.full(len(losses), 0.01)}))
    history.validation = validation
    run = result.run if optimizer is None else result.run.fork(optimizer=optimizer)
    return str(verdict(dataclasses.replace(result, history=history, run=run)))


def test_parameters_that_did_not_move(result):
    assert "idle did not move in 50 steps." in verdict(result).sentences


def test_parameters_that_moved_but_not_by_the_last_batch():
    """Of ten batches in their order, the first alone reaches them: no gradient at the end does not mean that there was
    none."""
    early = np.arange(100) < 10
    loss = lambda p, batch: ((batch[0] * p["early"] + p["always"] - 1) ** 2).mean()
    fit = minimize(loss, {"early": 0.0, "always": 0.0}, MiniBatches((early.astype(np.float32),), 10, shuffle=False),
                   optimizer=SGD(0.1), steps=10, stop=[])  # fmt: skip
    assert fit.run.loss_and_grad((early[50:].astype(np.float32),))[1]["early"] == 0
    assert verdict(fit).sentences == ()


def test_parameters_that_decay_alone_moved():
    """And one that hardly moved, but by its gradient."""
    loss = lambda p: ((p["used"] - 1.0) ** 2).sum() + 0 * p["idle"].sum()
    start = {"used": np.zeros(3), "idle": np.array([1.0, -2.0, 3.0])}
    fit = minimize(loss, start, optimizer=AdamW(0.01, weight_decay=0.3), steps=20, stop=[])
    assert verdict(fit).sentences == ("idle only shrank, by weight decay, as if no gradient had come there.",)


def test_what_the_rule_is_not_to_move_is_not_told_of():
    """Nor the rest, which moved."""
    loss = lambda p: (p["used"] - 1.0) ** 2 + (p["frozen"] - 1.0) ** 2
    fit = minimize(loss, {"used": 0.0, "frozen": 2.0}, optimizer=Freeze(SGD(0.1), "frozen"), steps=5, stop=[])
    assert fit.params["frozen"] == 2.0
    assert verdict(fit).sentences == ()


def test_nothing_that_moves():
    fit = minimize(lambda x: 0 * x.sum(), np.ones(2), optimizer=SGD(0.1), steps=3, stop=[])
    assert "No parameter has moved in 3 steps." in verdict(fit).sentences


def test_dead_layers_of_members():
    """Whose first layer gives zero for all rows: what lies before is not reached."""
    ensemble = build(Shape("mlp", 1, "regression", 2, 1, members=3, width=4), seed=0)
    biases = ensemble.biases[0].copy()
    biases[:2] = -1e3  # of two members
    data = X, Y, np.full(60, -1, np.int32), np.ones(60, np.float32)
    start = dataclasses.replace(ensemble, biases=(biases, *ensemble.biases[1:]))
    fit = minimize(TrainingLoss("regression"), start, data, optimizer=SGD(0.01), batch_size=20, steps=2, stop=[])
    (said, *_) = verdict(fit).sentences
    assert said == ("layer 1 weights in 2 of 3 members, layer 1 biases in 2 of 3 members, layer 2 weights in 2 of 3 "
                    "members, gates in 2 of 3 members did not move in 2 steps.")  # fmt: skip


def test_what_twice_the_steps_would_bring(result):
    """Of 1 / t the fall is halved each time that the steps are doubled."""
    steps = np.arange(1, 4001)
    said = told(result, 1000 / steps + 0.01 * RNG.normal(size=4000))
    predicted = float(said.split("about ")[1].rstrip("."))
    assert predicted == pytest.approx(1000 / 8000 * np.log(4 / 3) * 4, rel=0.05)  # the mean of its last quarter


STEPS = np.arange(4000) / 4000


@pytest.mark.parametrize(
    ("losses", "part"),
    [
        (2 - STEPS + 0.01 * RNG.normal(size=4000), "Twice the steps would likely lower it further."),
        (np.repeat([0.41, 0.25, 0.109, 2e-3], [500, 500, 1000, 2000]), "would likely lower it further."),
        (np.repeat([1.0, 0.5], [2000, 2000]), "from 1 half-way to 0.5 at the end."),
        (2 - STEPS**4 + 0.01 * RNG.normal(size=4000), "Twice the steps would likely lower it further."),
        (np.exp(-8 * STEPS) + 0.1 * RNG.normal(size=4000), "0.00204 at the end."),
        (np.exp(-30 * STEPS) + 0.1 * RNG.normal(size=4000), "batches: twice the steps would likely bring little."),
        (1 + 0.1 * RNG.normal(size=4000), "whether more steps would lower it cannot be told."),
    ],
    ids=["a line", "to below 0", "after a plateau", "ever steeper", "near its end", "at its end", "noise"],
)
def test_what_cannot_be_told_in_numbers(result, losses, part):
    said = told(result, losses)
    assert said.endswith(part)
    assert "about" not in said


@pytest.mark.parametrize(
    ("losses", "part"),
    [
        (np.linspace(2, 1, 10), "would likely lower it further"),
        (np.linspace(1, 2, 10), "after 10 of 100 steps: twice the steps would likely lower it no further"),
        (np.abs(np.linspace(-3, 1, 10)), ""),
        (np.linspace(2, 1, 7), ""),
    ],
    ids=["at the end", "at the start", "between", "too few"],
)
def test_what_validations_tell(result, losses, part):
    said = told(result, np.ones(100), loss=losses.tolist(), step=list(range(10, 110, 10))[: len(losses)])
    assert said.removeprefix("idle did not move in 50 steps.").strip().endswith(f"{part}." if part else "")
    assert ("twice" in said) == bool(part)


def test_a_schedule_that_ends_is_not_gone_on_with(result):
    assert "twice" not in told(result, 1000 / np.arange(1, 4001), SGD(Cosine(0.1, steps=50)))


def test_a_descent_that_diverged_is_not_looked_into():
    diverged = minimize(lambda w, batch: ((batch[0] @ w - batch[1]) ** 2).mean(), np.zeros(2), (X, Y),
                        optimizer=SGD(1e30), batch_size=10, steps=50, stop=[])  # fmt: skip
    assert diverged.reason.name == "diverged"
    assert not verdict(diverged)


def test_the_point_of_a_function():
    found = verdict(minimize(lambda x: ((x - 1.0) ** 2).sum(), jnp.zeros(2)))
    assert found.sentences == ("It ended at a minimum.",)


def bowl(rate, steps):
    """A descent on a bowl of curvatures 1 and 10."""
    return minimize(lambda x: 0.5 * (jnp.array([1.0, 10.0]) * x**2).sum(), np.ones(2), optimizer=SGD(rate), steps=steps,
                    stop=[])  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "part"),
    [
        (0.05, "curves by up to 10. Rate × curvature is 0.5, of the limit 2."),
        (0.19, "Rate × curvature is 1.9, of the limit 2: at the edge of stability."),
        (0.3, "Rate × curvature is 3, of the limit 2: beyond it."),
        (Cosine(0.3), "at its highest, rate × curvature would be 3, of the limit 2, and steps could not settle here."),
    ],
)
def test_curvature_beside_the_limit(rate, part, monkeypatch):
    monkeypatch.setattr("descend.insight._end_curvature.SHARE", np.inf)
    assert verdict(bowl(rate, steps=8)).curvature.endswith(part)


def test_a_way_down(monkeypatch):
    monkeypatch.setattr("descend.insight._end_curvature.SHARE", np.inf)
    saddle = minimize(lambda x: 0.5 * (jnp.array([-1.0, 10.0]) * x**2).sum(), np.ones(2), optimizer=SGD(0.1), steps=3,
                      stop=[])  # fmt: skip
    assert "by up to 10, and downwards by 1 along a direction. Rate" in verdict(saddle).curvature


def test_curvature_takes_a_twentieth_of_the_time_or_is_left_out():
    """What it takes to compile is told by the time until the first step; the products by 40 steps."""
    fit = dataclasses.replace(bowl(0.1, steps=1000), startup_seconds=1.0, seconds=201.0)  # 1.2 + 40 × 0.2 of 10.05
    assert verdict(fit).curvature
    assert not verdict(dataclasses.replace(fit, startup_seconds=3.0)).curvature
    assert not verdict(dataclasses.replace(bowl(0.1, steps=700), startup_seconds=0.1, seconds=201.0)).curvature


def test_several_descents():
    both, one = Verdict(("a.", "b.")), Verdict(("a.",))
    assert Verdict.of([one]) == one
    assert Verdict.of([both, one]).sentences == ("In 2 of 2: a.", "In 1 of 2: b.")


def test_observers_are_told_what_came_of_it():
    judge = Verdicts()
    minimize(lambda p: (p["used"] - 1.0) ** 2 + 0 * p["idle"], {"used": 0.0, "idle": 2.0}, optimizer=SGD(0.1), steps=5,
             stop=[], observers=[judge])  # fmt: skip
    assert [str(each) for each in judge.each] == ["idle did not move in 5 steps."]


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

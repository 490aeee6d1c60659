"""Networks are trained anew, for thrice as long, where their rows say that it is worth it; and the better is kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from descend.engine.history import History
from descend.engine.interruption import Interruption
from descend.stopping import Reason
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.reading import Table
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.table.networks import training
from descend.tasks.table.networks.training import bins_of, latest_begun, train_networks
from descend.tasks.table.perceptron import MLP
from descend.tasks.table.task import table_task

SETTINGS = Settings("t", model="mlp", hidden_layers=1, width=64)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(training, "MIN_STEPS", 64)
    monkeypatch.setattr(training, "MAX_EPOCHS", 16)


def _prepared(noise):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    return table_task(Table(frame.assign(t=X @ [1.0, -2.0, 0.5] + noise * rng.normal(size=200)), "t", "0"),
                      SETTINGS).prepare()


def _context(folder=None, **changed):
    checkpoint = None if folder is None else folder / "mlp.safetensors"
    return TrainingContext(replace(SETTINGS, **changed), Interruption(), checkpoint=checkpoint,
                           resume=folder is not None)


def _epochs(trained):
    return trained.history.validation["step"][-1] / trained.history.validation["step"][0]


@pytest.fixture(scope="module")
def calm():
    return _prepared(noise=0.0)


def test_rows_without_noise_are_trained_on_for_longer(calm):
    assert _epochs(train_networks(MLP, calm, _context())) > 2 * 25.6


def test_noise_is_not():
    noisy = _prepared(noise=30.0)
    assert _epochs(train_networks(MLP, noisy, _context())) <= 26


@pytest.mark.parametrize(("told", "most"), [({"epochs": 16.0}, 16), ({"fast": True}, 9), ({"optimizer": "adamw"}, 26)])
def test_who_says_how_to_descend_is_obeyed(calm, told, most):
    assert _epochs(train_networks(MLP, calm, _context(**told))) <= most


def test_what_rests_before_its_end_is_not_judged(calm):
    assert _epochs(train_networks(MLP, calm, replace(_context(), share=0.5))) <= 14


@pytest.fixture(scope="module")
def short(calm):
    return train_networks(MLP, calm, _context(epochs=1.0))


def _told(trained, losses, score=0.5, reason="budget"):
    history = History()
    for step, loss in enumerate(losses, 1):
        history.validated(step, {"loss": loss, "score": score})
    return replace(trained, history=history, reason=Reason(reason, "", 3), seconds=2.0)


def test_the_better_of_both_is_kept(calm, short, monkeypatch):
    made = iter([(0.1, "first"), (0.2, "longer")])

    def one(*_):
        loss, name = next(made)
        return loss, replace(_told(short, [4.0, 2.0, 1.0]), name=name)

    monkeypatch.setattr(training, "_trained", one)
    kept = train_networks(MLP, calm, _context())
    assert (kept.name, kept.seconds) == ("first", 4.0)


def test_who_interrupts_the_longer_one_is_told_so(calm, short, monkeypatch):
    made = iter([(0.1, "budget"), (np.inf, "interrupted")])

    def one(*_):
        loss, reason = next(made)
        return loss, _told(short, [4.0, 2.0, 1.0], reason=reason)

    monkeypatch.setattr(training, "_trained", one)
    assert train_networks(MLP, calm, _context()).reason.name == "interrupted"


@pytest.mark.parametrize(("losses", "score", "classes", "worth"), [
    ([4.0, 2.0, 1.0], 0.5, (), True),
    ([4.0, 2.0, 1.0], 0.99, (), True),
    ([4.0, 2.0, 2.0, 1.9, 1.8], 0.5, (), False),
    ([4.0, 2.0, 1.0, 1.1], 0.5, (), False),
    ([4.0, 2.0, 1.0], 0.5, ("a", "b"), True),
    ([4.0, 2.0, 1.0], 0.98, ("a", "b"), False),
])
def test_what_is_worth_more(short, losses, score, classes, worth):
    target = Target("binary" if classes else "regression", classes, "")
    for name in ("budget", "plateau", "interrupted", "diverged"):
        told = _told(short, losses, score, name)
        assert training._is_worth_more(told, target) is (worth and name == "budget")


def test_what_was_ended_in_the_longer_one_goes_on_there(calm, tmp_path):
    whole = train_networks(MLP, calm, _context(tmp_path / "whole"))
    cut, bins = _context(tmp_path), bins_of(MLP, calm)
    training._trained(MLP, calm, cut, bins)
    trainer, _ = training.training(MLP, calm, training._longer(MLP, calm, cut, bins), bins)
    trainer.to_the_end(100)
    assert latest_begun(MLP, calm, cut)[0].run.step == 100
    again = train_networks(MLP, calm, cut)
    np.testing.assert_array_equal(again.predictor.predict(calm.held_out.inputs),
                                  whole.predictor.predict(calm.held_out.inputs))
    assert again.reason == whole.reason


@pytest.mark.parametrize(("told", "nothing"), [({}, True), ({"fast": True}, False), ({"epochs": 3.0}, False),
                                               ({"optimizer": "sgd"}, False)])
def test_what_a_person_told(told, nothing):
    assert _context(**told).says_nothing is nothing
    assert not replace(_context(**told), seconds=5.0).says_nothing

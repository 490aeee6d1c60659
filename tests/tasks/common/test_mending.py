"""Which settings see to what was proved: those that make the same change, and no others."""

import dataclasses
import math

import numpy as np
import pytest

from descend import SGD, Adam, AdamW, InputError, begin
from descend.insight.case import Case
from descend.insight.changed import differing
from descend.insight.doctor import Diagnosis, Examination
from descend.insight.faults.changes import in_double, redrawn, with_batches, with_data, with_loss
from descend.insight.faults.rates import rescaled, with_rule
from descend.insight.replay import Change
from descend.insight.rules import with_scaled_rate, with_setting
from descend.optimizers import ClipByNorm
from descend.schedules import Cosine, Warmup
from descend.sources import MiniBatches
from descend.tasks.common.mending import mending, proved, rule_settings

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3)).astype(np.float32)
DATA = (X, X @ np.array([1.0, -2.0, 0.5], np.float32))


def loss(w, batch):
    return ((batch[0] @ w - batch[1]) ** 2).mean()


def other(w, batch):
    return abs(batch[0] @ w - batch[1]).mean()


RUN = begin(loss, np.full(3, 0.5), DATA, optimizer=SGD(0.1), batch_size=8)
RATE = rescaled(0.1)
DECAYING = AdamW(Cosine(0.003, warmup=20), weight_decay=0.3).over(400)


@pytest.mark.parametrize(("change", "names"), [
    (RATE, {"optimizer"}),
    (with_batches(16, 8), {"batch_size"}),
    (with_batches(8, 8, shuffle=False), {"shuffle"}),
    (with_data("", lambda data: (2 * data[0], data[1]), ""), {"data"}),
    (redrawn("", ""), {"params"}),
    (with_loss("", lambda _: other, ""), {"loss"}),
    (in_double(), {"dtype"}),
    (Change("", lambda run: run), set()),
])  # fmt: skip
def test_in_what_runs_differ(change, names):
    assert differing(RUN, change.make(RUN)) == names


@pytest.mark.parametrize(("after", "settings"), [
    (with_scaled_rate(DECAYING, 0.1), {"optimizer": "adamw", "learning_rate": 3e-4}),
    (with_setting(DECAYING, "weight_decay", 0.0), {"optimizer": "adam", "learning_rate": 3e-3}),
    (with_setting(with_scaled_rate(DECAYING, 10), "weight_decay", 0.0), {"optimizer": "adam", "learning_rate": 0.03}),
    (with_setting(DECAYING, "beta1", 0.5), None),
    (with_setting(DECAYING, "learning_rate", Warmup(DECAYING.learning_rate, 100)), None),
    (ClipByNorm(DECAYING, 1.0), None),
    (Adam(0.003), None),
])  # fmt: skip
def test_rules_as_settings(after, settings):
    assert rule_settings(DECAYING, after) == settings


def examination(*changes, run=RUN):
    diagnoses = [Diagnosis(f"fault {i}", "proved", f"Sentence {i}.", "", None, "", change)
                 for i, change in enumerate(changes)]
    return Examination(diagnoses, Case({0: run}, run.advance(24)[0], {}, judge(run), judge(run), False), 24, 0.0)


def judge(run):
    from descend.insight.judging import judge_of

    return judge_of(run)


def test_settings_are_told_from_what_lies_elsewhere():
    stopped = Change("stopped", lambda run: run, examples=2.0)
    clipped = with_rule("clipped", lambda rule: ClipByNorm(rule, 1.0), "")
    data = with_data("scaled", lambda data: (2 * data[0], data[1]), "")
    made = mending(examination(with_batches(16, 8), data, RATE, redrawn("", ""), None, clipped, stopped))
    # 24 steps at 12 an epoch, of which half were enough.
    assert made.settings == {"batch_size": 16, "optimizer": "sgd", "learning_rate": 0.01, "epochs": 1.0}
    assert made.because == ("Sentence 0.", "Sentence 2.", "Sentence 6.")
    assert made.examples == 4.0
    assert made.left == ("fault 1: it lies in the data", "fault 3: it lies in the initial weights",
                         "fault 4: it lies in the data", "fault 5: descend fit has no setting for it")


def test_rates_that_are_changed_twice_are_multiplied():
    assert mending(examination(RATE, RATE)).settings["learning_rate"] == pytest.approx(1e-3)


def test_settings_are_proved_as_the_command_takes_them():
    slow = RUN.fork(learning_rate=1e-3)
    found = examination(rescaled(100.0), run=slow)
    made = mending(found)
    replay = proved(found, RUN, made)
    assert replay.verdict == "proved"
    assert len(np.unique(replay.after)) == len(replay.after) == 6
    with pytest.raises(InputError, match=r"optimizer=sgd, learning_rate=0\.1, did not prove better by themselves: ref"):
        proved(found, slow.fork(learning_rate=1e-5), made)


def test_batches_are_compared_by_the_examples_that_they_see():
    change = with_batches(16, 8)
    found = dataclasses.replace(examination(change), steps=8)
    # Of a loss that counts steps, half as many are made of batches twice as large.
    count = begin(lambda w, batch: w + 0 * batch.sum(), 0.0, X, optimizer=SGD(1.0), batch_size=8)
    found = dataclasses.replace(found, case=examination(change, run=count).case)
    with pytest.raises(InputError, match="refuted") as refusal:
        proved(found, count.fork(data=MiniBatches(X, 16)), mending(examination(change)))
    assert "loss -8 as it was, -4 with batch_size=16" in str(refusal.value)
    assert math.isclose(found.case.end.params, -24.0)
